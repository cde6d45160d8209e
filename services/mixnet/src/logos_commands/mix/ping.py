"""`logosctl mix ping`: whether the mix works, and how long it takes."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import grpc
import typer

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixStub
from logos_cli.console import Output, print_json_line, stderr
from logos_cli.exits import Exit
from logos_cli.session import FormOption, session_of
from logos_commands.mix.destinations import DestinationArgument, peer_id_of
from logos_commands.mix.records import anonymity_record, anonymity_said, seconds, took
from logos_testnet.client import reason_of

DELAY_MS: Final = 200
"""Of the profile `demo`: a ping is to show that the mix works."""
MAX_DELAY_MS: Final = 65_535
_PATIENCE_S: Final = 10.0
_PATIENCE_HOPS: Final = 40
"""Mean delays that are waited for: there are eight or so, each of which may be long."""

_SOON: Final = {
    "MIX_POOL_TOO_SMALL": "waits for enough mixes to be found",
    "MIX_DESTINATION_UNKNOWN": "waits for it to be found as a mix",
    "RLN_MEMBER_UNKNOWN": "waits for this node's membership to count",
}
"""What a testnet that has just started may still lack."""
_RETRY_S: Final = 0.5

Tell = Callable[[str], None]

DelayOption = Annotated[
    int | None,
    typer.Option(
        "--delay",
        min=1,
        max=MAX_DELAY_MS,
        metavar="MS",
        help="Mean delay at each hop, in milliseconds.",
        show_default=False,
    ),
]


def ping(
    context: typer.Context,
    destination: DestinationArgument,
    *,
    delay: DelayOption = DELAY_MS,
    count: Annotated[int, typer.Option(min=1, max=1000, help="Pings, one after another.")] = 1,
    patience: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=3600, help="Seconds to wait for an answer; default: by the delay."
        ),
    ] = None,
    output: FormOption = None,
) -> None:
    """Send 32 bytes over the mix to a node, which sends them back over other mixes.

    By default each hop holds them for 200 ms: that shows that it works, and hides nothing.
    Just after a start it waits until enough mixes are known.
    Exit code 3 if one was not answered. With --output json each is a line.
    """
    session, delay_ms = session_of(context), delay or DELAY_MS
    route = pb.Route(destination=peer_id_of(session, destination))
    route.mean_delay.FromMilliseconds(delay_ms)
    wait_s = patience or _PATIENCE_S + _PATIENCE_HOPS * delay_ms / 1000
    as_json = session.form(output) is Output.JSON

    async def work(channel: grpc.aio.Channel) -> int:
        lost = 0
        last: dict[str, Any] = {}
        for number in range(1, count + 1):
            with _waiting(f"ping {number} to {destination}") as tell:
                last = await _pinged(channel, pb.MixPingRequest(route=route), wait_s, tell)
            last = {"node": session.node, "to": destination, "number": number, **last}
            lost += not last["answered"]
            _print(last, wait_s, as_json=as_json)
        if last["anonymity"] and not as_json:
            _note(f"what hid it: {anonymity_said(last['anonymity'])}")
        return lost

    if session.call(work):
        raise typer.Exit(Exit.UNREACHABLE)


async def _pinged(
    channel: grpc.aio.Channel, request: pb.MixPingRequest, wait_s: float, tell: Tell
) -> dict[str, Any]:
    """Sends one ping; a record of what came of it."""
    found: dict[str, Any] = {"answered": False, "peer_id": request.route.destination}
    found |= dict.fromkeys(("hops_there", "hops_back", "round_trip_s", "under_way_s"))
    found |= {"mean_delay_ms": request.route.mean_delay.ToMilliseconds(), "anonymity": None}
    begun = time.monotonic()
    while True:
        try:
            async for step in MixStub(channel).Ping(request, timeout=wait_s):
                _take(step, found, tell)
        except grpc.aio.AioRpcError as error:
            reason = reason_of(error)
            if reason in _SOON and time.monotonic() - begun < wait_s:
                tell(_SOON[reason])
                await asyncio.sleep(_RETRY_S)
                continue
            is_late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if not is_late or reason not in {"", "MIX_NO_ANSWER"}:
                raise
        return found


def _take(step: pb.MixPingResponse, found: dict[str, Any], tell: Tell) -> None:
    match step.WhichOneof("kind"):
        case "planned":
            there, back = len(step.planned.forward), len(step.planned.back)
            found |= {"hops_there": there, "hops_back": back}
            found["anonymity"] = anonymity_record(step.planned.anonymity)
            tell(f"over {there} hops there and {back} back: waits to leave")
        case "departed":
            tell("it is under way")
        case "answered":
            found |= {
                "answered": True,
                "round_trip_s": seconds(step.answered.round_trip),
                "under_way_s": seconds(step.answered.under_way),
            }


def _print(found: dict[str, Any], wait_s: float, *, as_json: bool) -> None:
    if as_json:
        print_json_line(found)
    elif found["answered"]:
        print(
            f"{found['to']} answered: {found['hops_there']} hops there, {found['hops_back']} back,"
            f" round trip {took(found['round_trip_s'])}, {took(found['under_way_s'])} under way",
            flush=True,
        )
    else:
        _note(f"{found['to']}: no answer came in {wait_s:g} s")


@contextmanager
def _waiting(text: str) -> Iterator[Tell]:
    """A line that moves on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from logos_cli.progress import waiting  # noqa: PLC0415 - it takes long to import

    with waiting(text) as tell:
        yield tell


def _note(text: str) -> None:
    stderr().print(text, markup=False, highlight=False)
