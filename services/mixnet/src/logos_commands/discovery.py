"""`logosctl discovery`: services of this node and of others, and what it does for them."""

from typing import Annotated, Any, Final

import typer
from grpc.aio import Channel

from logos.network.v1 import discovery_pb2 as pb
from logos.network.v1.discovery_pb2_grpc import DiscoveryStub
from logos_cli.arguments import utf8
from logos_cli.console import print_rows, stderr
from logos_cli.session import FormOption, session_of

ADVICE: Final = {
    "SERVICE_TAKEN": "settings of the network module decide about its own services",
    "TOO_MANY_SERVICES": "`logosctl discovery services` lists them",
}

command: Final = typer.Typer(
    help="Who offers which service, found without a registry.",
    add_completion=False,
    no_args_is_help=True,
)

ServiceArgument = Annotated[
    str, typer.Argument(metavar="SERVICE", help="Protocol id, e.g. /mix/1.0.0.", callback=utf8)
]


@command.callback()
def group() -> None:
    """Who offers which service, found without a registry."""


@command.command("services")
def services(context: typer.Context, output: FormOption = None) -> None:
    """List the services that the node offers."""
    session = session_of(context)
    listed = session.ask(lambda ch: DiscoveryStub(ch).ListServices, pb.ListServicesRequest())
    rows = [
        {
            "service": each.service,
            "data": each.data.hex() if each.HasField("data") else None,
            "until": each.until.ToJsonString() if each.HasField("until") else None,
            "registrars": each.registrars,
        }
        for each in listed.services
    ]
    print_rows(rows, ("service", "registrars", "until", "data"), session.form(output))


@command.command("advertise")
def advertise(
    context: typer.Context,
    service: ServiceArgument,
    *,
    data: Annotated[str, typer.Option(help="What others need to use it, in hex.")] = "",
    output: FormOption = None,
) -> None:
    """Offer a service for 24 hours, also after a restart."""
    session = session_of(context)
    request = pb.AdvertiseServiceRequest(service=service)
    if data:
        request.data = _from_hex(data)
    session.ask(lambda ch: DiscoveryStub(ch).AdvertiseService, request)
    session.report({"service": service}, f"offers {service}", output)


@command.command("withdraw")
def withdraw(context: typer.Context, service: ServiceArgument, output: FormOption = None) -> None:
    """Offer a service no longer."""
    session = session_of(context)
    request = pb.WithdrawServiceRequest(service=service)
    session.ask(lambda ch: DiscoveryStub(ch).WithdrawService, request)
    session.report({"service": service}, f"offers {service} no longer", output)


@command.command("lookup")
def lookup(
    context: typer.Context,
    service: ServiceArgument,
    *,
    limit: Annotated[int, typer.Option(min=1, max=30, help="End after this many.")] = 30,
    output: FormOption = None,
) -> None:
    """Look for peers that offer a service."""
    session = session_of(context)
    request = pb.LookUpServiceRequest(service=service, limit=limit)

    async def work(channel: Channel) -> dict[str, pb.ServiceRecord]:
        call = DiscoveryStub(channel).LookUpService(request, timeout=session.timeout_s)
        return {response.record.peer_id: response.record async for response in call}

    rows = [_record(each) for each in session.call(work).values()]
    print_rows(rows, ("peer_id", "address", "data", "seq"), session.form(output))


@command.command("registrar")
def registrar(context: typer.Context, output: FormOption = None) -> None:
    """Show what the node keeps of others, how long they wait, and what it refused."""
    session = session_of(context)
    answer = session.ask(lambda ch: DiscoveryStub(ch).GetRegistrar, pb.GetRegistrarRequest())
    rows = [
        {
            "service": each.service,
            "advertisements": each.advertisements,
            "waiting_s": each.waiting.seconds,
        }
        for each in answer.services
    ]
    print_rows(rows, ("service", "advertisements", "waiting_s"), session.form(output))
    refused = ", ".join(f"{reason} {count}" for reason, count in sorted(answer.refused.items()))
    stderr().print(
        f"{answer.advertisements} of {answer.capacity} advertisements, each for"
        f" {answer.expiry.seconds} s; {answer.answered} requests answered, refused:"
        f" {refused or 'none'}; {answer.asked} sent, {answer.unanswered} without an answer",
        markup=False,
        highlight=False,
    )


@command.command("table")
def table(context: typer.Context, service: ServiceArgument, output: FormOption = None) -> None:
    """Show the registrars around a service, and which of them give this node's record out."""
    session = session_of(context)
    request = pb.GetRoutingTableRequest(service=service)
    answer = session.ask(lambda ch: DiscoveryStub(ch).GetRoutingTable, request)
    rows = [_registrar(each) for each in answer.registrars]
    print_rows(rows, ("bucket", "peer_id", "stage", "address"), session.form(output))


def _record(record: pb.ServiceRecord) -> dict[str, Any]:
    return {
        "peer_id": record.peer_id,
        "address": record.addresses[0] if record.addresses else None,
        "addresses": list(record.addresses),
        "data": record.data.hex() if record.HasField("data") else None,
        "seq": record.seq,
        "signed_record": record.signed_record.hex(),
    }


def _registrar(registrar: pb.GetRoutingTableResponse.Registrar) -> dict[str, Any]:
    stage = pb.GetRoutingTableResponse.Stage.Name(registrar.stage).removeprefix("STAGE_").lower()
    return {
        "bucket": registrar.bucket,
        "peer_id": registrar.peer_id,
        "stage": stage if registrar.stage else None,
        "address": registrar.addresses[0] if registrar.addresses else None,
        "addresses": list(registrar.addresses),
    }


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise typer.BadParameter(f"not hex: {text[:80]!r}", param_hint="--data") from None
