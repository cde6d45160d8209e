"""`logosctl mix pool` and `profile`: the mixes that are known, and what a mix spends."""

from typing import Annotated, Any, Final

import typer

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixStub
from logos_cli.arguments import utf8
from logos_cli.console import print_rows
from logos_cli.session import FormOption, session_of
from logos_commands.mix.records import seconds

_POOL_COLUMNS: Final = ("peer_id", "address", "availability", "usable")
_PROFILE_COLUMNS: Final = ("name", "used", "delay", "hops", "loop_every", "law", "budget")


def pool(context: typer.Context, output: FormOption = None) -> None:
    """List the mixes that the node knows: discovery has found them."""
    session = session_of(context)
    request = pb.ListMixesRequest(page_size=1000)
    pages = session.pages(lambda channel: MixStub(channel).ListMixes, request)
    rows = [_mix_record(mix) for page in pages for mix in page.mixes]
    print_rows(rows, _POOL_COLUMNS, session.form(output))


def profile(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Profile to use from now on.", callback=utf8)
    ] = None,
    output: FormOption = None,
) -> None:
    """Use another profile, also after a restart; without NAME, list those that there are.

    A profile with more cover hides more, and spends more.
    """
    session = session_of(context)
    if name is not None:
        request = pb.SetProfileRequest(name=name)
        answer = session.ask(lambda channel: MixStub(channel).SetProfile, request)
        session.report(profile_record(answer.profile), f"{_cost(answer.profile)}", output)
        return
    status = session.ask(lambda channel: MixStub(channel).GetStatus, pb.MixGetStatusRequest())
    rows = [{**_shown(each), "used": each.name == status.profile.name} for each in status.profiles]
    print_rows(rows, _PROFILE_COLUMNS, session.form(output))


def profile_record(found: pb.MixProfile) -> dict[str, Any]:
    """A profile as a record of the output."""
    return {
        "name": found.name,
        "limit": found.limit,
        "period_s": seconds(found.period),
        "mean_delay_s": seconds(found.mean_delay),
        "hops": found.hops,
        "law": pb.MixProfile.Law.Name(found.law).removeprefix("LAW_").lower(),
        "mean_pause_s": seconds(found.mean_pause),
    }


def _shown(found: pb.MixProfile) -> dict[str, Any]:
    record = profile_record(found)
    return {
        **record,
        "delay": f"{record['mean_delay_s']:g} s",
        "loop_every": f"{record['mean_pause_s']:.3g} s",
        "budget": f"{record['limit']} in {record['period_s']:g} s",
    }


def _cost(found: pb.MixProfile) -> str:
    record = profile_record(found)
    return (
        f"uses {record['name']} from now on: a loop every {record['mean_pause_s']:.3g} s,"
        f" {record['mean_delay_s']:g} s at each of {record['hops']} hops"
    )


def _mix_record(mix: pb.KnownMix) -> dict[str, Any]:
    return {
        "peer_id": mix.peer_id,
        "address": mix.address,
        "public_key": mix.public_key.hex(),
        "availability": round(mix.availability, 3),
        "usable": mix.usable,
    }
