"""`logosctl channel show` and `follow`."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Final

import grpc
import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json_line, shown
from logos_cli.session import FormOption, session_of
from logos_commands.chain.records import to_id
from logos_commands.channel.drafts import print_record
from logos_commands.channel.writing import ChannelArgument
from logos_zone_sdk.core.errors import CursorMalformedError
from logos_zone_sdk.core.indexing import Found, Lost, Settled
from logos_zone_sdk.core.places import Cursor
from logos_zone_sdk.indexer import ZoneIndexer

MAX_COUNT: Final = 1_000_000
START: Final = "start"
NOW: Final = "now"


def show(context: typer.Context, channel: ChannelArgument, output: FormOption = None) -> None:
    """Show who may write to a channel, how many keys decide, and its last message."""
    session = session_of(context)
    request = pb.GetChannelRequest(id=to_id(channel))
    found = session.ask(lambda node: ChainNodeStub(node).GetChannel, request)
    record = {
        "channel": to_id(channel).hex(),
        "last_message": found.tip.hex(),
        "last_slot": found.tip_slot,
        "keys": [each.hex() for each in found.keys],
        "turn": found.sequencer,
        "turn_since_slot": found.sequencer_since_slot,
        "timeframe_slots": found.posting_timeframe_slots,
        "timeout_slots": found.posting_timeout_slots,
        "configuration_threshold": found.configuration_threshold,
        "transfer_threshold": found.transfer_threshold,
    }
    print_record(record, session.form(output))


def follow(
    context: typer.Context,
    channel: ChannelArgument,
    *,
    begin: Annotated[
        str,
        typer.Option("--from", metavar="PLACE", help="`start`, `now` or a cursor.", callback=utf8),
    ] = NOW,
    unfinal: Annotated[
        bool, typer.Option("--unfinal", help="Also messages that may leave the channel yet.")
    ] = False,
    count: Annotated[
        int, typer.Option(min=0, max=MAX_COUNT, help="End after so many lines; 0: never.")
    ] = 0,
    output: FormOption = None,
) -> None:
    """Print the messages of a channel as they become final."""
    session, channel_id, cursor = session_of(context), to_id(channel), _cursor(begin)
    as_json = session.form(output) is Output.JSON

    async def work(node: grpc.aio.Channel) -> None:
        # First, since an indexer waits for a node that does not answer.
        await ChainNodeStub(node).GetInfo(pb.GetInfoRequest(), timeout=session.timeout_s)
        indexer = ZoneIndexer(channel_id, node, cursor=cursor)
        if begin == NOW:
            await indexer.skip_to_final()
        messages = indexer.follow_unfinal() if unfinal else indexer.follow()
        async with aclosing(messages) as told:
            await _print(told, count, as_json=as_json)

    session.call(work)


def _cursor(begin: str) -> Cursor | None:
    if begin in {START, NOW}:
        return None
    try:
        return Cursor.decode(bytes.fromhex(begin))
    except (ValueError, CursorMalformedError) as error:
        raise typer.BadParameter("`start`, `now`, or a cursor that was printed") from error


async def _print(
    told: AsyncIterator[Found] | AsyncIterator[Found | Lost | Settled], count: int, *, as_json: bool
) -> None:
    printed = 0
    async for each in told:
        if as_json:
            print_json_line(_record(each))
        else:
            print(_line(each), flush=True)
        printed += 1
        if printed == count:
            return


def _record(each: Found | Lost | Settled) -> dict[str, Any]:
    match each:
        case Found(message=message, cursor=cursor):
            payload = message.payload
            return {
                "state": "final" if each.is_final else "found",
                "message": message.id.hex(),
                "height": message.block.height,
                "slot": message.block.slot,
                "block": message.block.id.hex(),
                "kind": message.operation.opcode.name,
                "signer": (message.signer or b"").hex(),
                "payload": (payload or b"").hex(),
                "text": _text(payload or b""),
                "cursor": cursor.encode().hex() if cursor else "",
            }
        case Lost(message=identifier):
            return {"state": "lost", "message": identifier.hex()}
        case Settled(message=identifier, block=block, cursor=cursor):
            place = {"height": block.height, "cursor": cursor.encode().hex()}
            return {"state": "final", "message": identifier.hex()} | place


def _line(each: Found | Lost | Settled) -> str:
    match each:
        case Found(message=message):
            mark = "" if each.is_final else "  (not final)"
            payload = message.payload
            said = "new keys or rules" if payload is None else shown(_text(payload))
            return f"block {message.block.height}  {message.id.hex()[:16]}  {said}{mark}"
        case Lost(message=identifier):
            return f"lost  {identifier.hex()[:16]}"
        case Settled(message=identifier, block=block):
            return f"block {block.height}  {identifier.hex()[:16]}  is final"


def _text(payload: bytes) -> str:
    """UTF-8 as text, other bytes as hexadecimal digits."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload.hex()
