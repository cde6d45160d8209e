"""`logosctl channel create` and `inscribe`."""

import asyncio
import secrets
from pathlib import Path
from typing import Annotated, Any, Final

import grpc
import typer

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_base.errors import ErrorKind, LogosError
from logos_cli.arguments import MAX_UINT32, utf8
from logos_cli.console import Output, print_rows, shown, stderr
from logos_cli.exits import explained
from logos_cli.session import FormOption, Session, session_of
from logos_commands.chain.following import print_followed
from logos_commands.chain.records import an_id, to_id
from logos_commands.channel.keys import (
    CheckpointFile,
    KeyOption,
    alone_with,
    make_key,
    public_key,
)
from logos_zone_sdk.core.errors import NotAccreditedError
from logos_zone_sdk.core.events import NotTaken, ZoneEvent
from logos_zone_sdk.key_file import read_key
from logos_zone_sdk.paying import Payments, Turns, make_channel
from logos_zone_sdk.sequencer import Publication, ZoneSequencer, wall_ms

ID_BYTES: Final = 32
_HOPELESS: Final = frozenset(
    {"WALLET_FUNDS_INSUFFICIENT", "WALLET_NOTES_TOO_SMALL", "ZONE_PAYMENT_FOREIGN"}
)

ChannelArgument = Annotated[
    str, typer.Argument(metavar="CHANNEL", help="64 hexadecimal digits.", callback=an_id)
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Until a block has it.")]
SlotsOption = Annotated[int, typer.Option(min=0, max=MAX_UINT32)]


class NotTakenError(LogosError):
    """The node does not take a message, and will not by itself."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ZONE_NOT_TAKEN"


def create(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The first message.", callback=utf8)
    ] = "",
    *,
    key_file: KeyOption,
    channel: Annotated[
        str, typer.Option("--id", metavar="ID", help="Of the channel; else random.", callback=utf8)
    ] = "",
    with_keys: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="KEY", help="May write too, by turns; several times."),
    ] = None,
    timeframe: Annotated[
        int, typer.Option(min=0, max=MAX_UINT32, help="Slots of a turn; 0: it does not end.")
    ] = 0,
    timeout: Annotated[
        int, typer.Option(min=0, max=MAX_UINT32, help="Slots of silence that end a turn; 0: none.")
    ] = 0,
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Make a channel, and print its id: by a first message, or with --with by its keys.

    The key is made in FILE, with mode 0600, if it is not there.
    """
    session = session_of(context)
    channel_id = to_id(channel) if channel else secrets.token_bytes(ID_BYTES)
    others = [to_id(each) for each in with_keys or ()]
    is_configured = bool(others or timeframe or timeout)
    if is_configured and text:
        raise typer.BadParameter("a channel with rules begins with them: `inscribe` the message")
    with explained():
        key = make_key(key_file)
    if not is_configured:
        _write(session, key_file, channel_id, text, wait=wait, output=session.form(output))
        return
    keys = (public_key(key), *others)

    async def configure(node: grpc.aio.Channel) -> bytes:
        turns = Turns(keys, timeframe, timeout)
        return await make_channel(channel_id, turns, Payments(key, node, wall_ms))

    hash_ = session.call(configure)
    record = {"channel": channel_id.hex(), "hash": hash_.hex()}
    if wait:
        print_followed(session, record, hash_, until="INCLUDED", output=session.form(output))
    else:
        print_rows([record], tuple(record), session.form(output))


def inscribe(
    context: typer.Context,
    channel: ChannelArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The message.", callback=utf8)],
    *,
    key_file: KeyOption,
    wait: WaitOption = False,
    output: FormOption = None,
) -> None:
    """Write a message to a channel, once: what waited before goes with it."""
    session = session_of(context)
    _write(session, key_file, to_id(channel), text, wait=wait, output=session.form(output))


def _write(
    session: Session, key_file: Path, channel_id: bytes, text: str, *, wait: bool, output: Output
) -> None:
    with explained():
        key, file = read_key(key_file), CheckpointFile(key_file, channel_id)
    troubles: asyncio.Queue[str] = asyncio.Queue()

    def heard(event: ZoneEvent) -> None:
        if isinstance(event, NotTaken):
            troubles.put_nowait(event.reason)

    async def work(node: grpc.aio.Channel) -> dict[str, Any]:
        await _check_key(node, channel_id, public_key(key), session.timeout_s)
        sequencer = ZoneSequencer(
            channel_id, key, node, checkpoint=file.read(), keep=file.keep, heard=heard
        )
        async with sequencer.running():
            published = await sequencer.publish(text.encode())
            record = {"channel": channel_id.hex()}
            return record | await _until(published, troubles, file, wait=wait)

    with explained(), alone_with(key_file):
        record = session.call(work)
    print_rows([record], tuple(record), output)


async def _check_key(
    node: grpc.aio.Channel, channel_id: bytes, key: bytes, timeout_s: float | None
) -> None:
    """Asks first, since a sequencer waits: for a node that does not answer, and for its turn.

    Raises:
        NotAccreditedError: The channel is others'.
        AioRpcError
    """
    request = pb.GetChannelRequest(id=channel_id)
    try:
        found = await ChainNodeStub(node).GetChannel(request, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.NOT_FOUND:
            raise
        return  # the first message creates the channel
    if key not in found.keys:
        raise NotAccreditedError("the key is not among those that may write to the channel")


async def _until(
    published: Publication, troubles: "asyncio.Queue[str]", file: CheckpointFile, *, wait: bool
) -> dict[str, Any]:
    """Waits until the node has taken a payload, or a block has it; says why it has not.

    Raises:
        NotTakenError, ZoneStoppedError
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(_complain(troubles, file))
            message = await published.taken()
            record: dict[str, Any] = {"message": message.hex()}
            if wait:
                found = await published.included()
                record = {"message": found.message.hex(), "height": found.block.height}
            watching.cancel()
            return record
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def _complain(troubles: "asyncio.Queue[str]", file: CheckpointFile) -> None:
    said = ""
    while True:
        reason = await troubles.get()
        if reason in _HOPELESS:
            raise NotTakenError(f"{reason}; the message waits in {file.path}, for the next one")
        if reason != said:
            said = reason
            note = f"the node has not taken it yet: {shown(reason)}; it is given again"
            stderr().print(note, markup=False, highlight=False)
