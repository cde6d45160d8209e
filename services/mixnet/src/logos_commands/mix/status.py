"""`logosctl mix status`: how the mix of a node does, and what it hides, over time."""

import asyncio
import sys
from collections import deque
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import grpc
import typer

from logos.network.v1 import mix_pb2 as pb
from logos.network.v1.mix_pb2_grpc import MixStub
from logos_cli.console import Output, print_json, print_json_line, shown, sized
from logos_cli.session import FormOption, Session, session_of
from logos_commands.mix.profiles import profile_record
from logos_commands.mix.records import anonymity_record, anonymity_said

CLEAR: Final = "\x1b[H\x1b[2J"
"""Moves to the first line and clears the screen (ECMA-48)."""
READINGS: Final = 15
"""Of the meter, that are on the screen."""
FULL_BITS: Final = 8.0
"""Where the bar of the meter ends: one of 256."""
BAR: Final = 32


def status(
    context: typer.Context,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Again and again: the meter over time.")
    ] = False,
    interval: Annotated[
        float, typer.Option(min=0.5, max=3600.0, help="With --watch: seconds between readings.")
    ] = 2.0,
    output: FormOption = None,
) -> None:
    """Show how the mix of the node does, and what it hides now.

    With --watch on a terminal it is drawn in place; as JSON each reading is a line.
    """
    session = session_of(context)
    if watch:
        _watch(session, interval, session.form(output))
        return
    request = pb.MixGetStatusRequest()
    answer = session.ask(lambda channel: MixStub(channel).GetStatus, request)
    if session.form(output) is Output.JSON:
        print_json(record(answer))
    else:
        _print_lines(record(answer))


def _watch(session: Session, interval_s: float, form: Output) -> None:
    async def work(channel: grpc.aio.Channel) -> None:
        readings: deque[str] = deque(maxlen=READINGS)
        while True:
            answer = await MixStub(channel).GetStatus(
                pb.MixGetStatusRequest(), timeout=session.timeout_s
            )
            one = record(answer)
            if form is Output.JSON:
                print_json_line({"node": session.node, **one})
            else:
                readings.append(_reading(one))
                _draw(session.node, one, readings)
            await asyncio.sleep(interval_s)

    session.call(work)


def _draw(node: str, one: dict[str, Any], readings: deque[str]) -> None:
    """Draws over what was drawn before; where that cannot be, one line a reading."""
    if not sys.stdout.isatty():
        print(readings[-1], flush=True)
        return
    sys.stdout.write(CLEAR)
    print(f"The mix of {node}\n")
    _print_lines(one)
    print("\nmeter, the newest last")
    for reading in readings:
        print(f"  {reading}")
    sys.stdout.flush()


def _reading(one: dict[str, Any]) -> str:
    found = one["anonymity"]
    bits = found["entropy_bits"]
    filled = "#" * round(BAR * min(bits, FULL_BITS) / FULL_BITS)
    at = datetime.fromisoformat(one["at"]).astimezone()
    return (
        f"{at:%H:%M:%S}  {bits:4.1f} bits  |{filled:<{BAR}}|  best guess {found['best_guess']:.2f}"
    )


def record(answer: pb.MixGetStatusResponse) -> dict[str, Any]:
    """How a mix does, as a record of the output. Null is what does not apply."""
    counts = answer.counts
    return {
        "at": _now(),
        "peer_id": answer.peer_id,
        "profile": profile_record(answer.profile),
        "anonymity": anonymity_record(answer.anonymity),
        "pool_size": answer.pool_size,
        "usable": answer.usable,
        "guarded": answer.guarded,
        "ids_left": answer.ids_left if answer.HasField("ids_left") else None,
        "key_epoch": answer.key_epoch,
        "key_ends_at": answer.key_ends_at.ToJsonString(),
        "held": answer.held,
        "awaited": answer.awaited,
        "queued_bytes": answer.queued_bytes,
        "trouble": answer.trouble,
        "tapped": answer.tapped,
        "tap_skipped": answer.tap_skipped,
        "tap_trouble": answer.tap_trouble,
        "forwarded": counts.forwarded,
        "delivered": counts.delivered,
        "own_sent": counts.own_sent,
        "proofs_verified": counts.proofs_verified,
        "loops": {
            "sent": counts.loops_sent,
            "back": counts.loops_back,
            "lost": counts.loops_lost,
            "skipped": counts.loops_skipped,
        },
        "dropped": dict(sorted(counts.dropped.items())),
    }


def _now() -> str:
    at = datetime.now(UTC)  # noqa: TID251 - readings are told apart by it, nothing decides by it
    return at.isoformat(timespec="milliseconds")


def lines(one: dict[str, Any]) -> dict[str, str]:
    """A record for people, by what each line is of."""
    profile, loops, dropped = one["profile"], one["loops"], one["dropped"]
    causes = ", ".join(f"{count} {shown(reason)}" for reason, count in dropped.items())
    budget = "no proofs are asked for" if not one["guarded"] else f"{one['ids_left']} left"
    found = {
        "anonymity": anonymity_said(one["anonymity"]),
        "profile": f"{shown(profile['name'])}: {profile['hops']} hops,"
        f" {profile['mean_delay_s']:g} s at each",
        "pool": f"{one['pool_size']} other mixes, {one['usable']} of them used",
        "cover": f"{loops['sent']} loops sent, {loops['back']} back, {loops['lost']} lost,"
        f" {loops['skipped']} left out",
        "held now": f"{one['held']} packets",
        "message ids": budget,
        "key": f"epoch {one['key_epoch']}, until {one['key_ends_at']}",
        "passed on": f"{one['forwarded']} packets of others, {one['delivered']} ended here,"
        f" {one['own_sent']} of its own",
        "to leave": f"{sized(one['queued_bytes'])}; {one['awaited']} answers are waited for",
        "dropped": causes or "nothing",
    }
    if one["trouble"]:
        found["trouble"] = f"nothing is relayed: {shown(one['trouble'])}"
    if one["tapped"]:
        found["tapped"] = _tap_said(one)
    return found


def _tap_said(one: dict[str, Any]) -> str:
    said = "a tap writes down when packets come and leave: for testnets of one's own only"
    if one["tap_skipped"]:
        said += f"; {one['tap_skipped']} packets are not in its file"
    if one["tap_trouble"]:
        said += f"; it cannot be written: {shown(one['tap_trouble'])}"
    return said


def _print_lines(one: dict[str, Any]) -> None:
    found = lines(one)
    width = max(map(len, found))
    for name, text in found.items():
        print(f"{name:<{width}}  {text}")
