"""`logosctl delivery channel`: reliable channels."""

from pathlib import Path
from typing import Annotated, Any, Final

import grpc
import typer

from logos.delivery.v1 import channels_pb2 as pb
from logos.delivery.v1.channels_pb2_grpc import ChannelsStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, print_json_line, print_rows, shown, stderr
from logos_cli.exits import Exit
from logos_cli.session import FormOption, session_of
from logos_commands.delivery.options import AfterOption, CountOption
from logos_commands.delivery.records import FollowEndedError, content, said

KEY_BYTES: Final = 32
_ENDS: Final = {
    pb.CHANNEL_EVENT_KIND_DELIVERED,
    pb.CHANNEL_EVENT_KIND_SEND_ERROR,
    pb.CHANNEL_EVENT_KIND_DELIVERY_ERROR,
}
_SAID: Final = {
    pb.CHANNEL_EVENT_KIND_SENT: "it has reached the network",
    pb.CHANNEL_EVENT_KIND_DELIVERED: "another participant has it",
    pb.CHANNEL_EVENT_KIND_SEND_ERROR: "it could not be sent",
    pb.CHANNEL_EVENT_KIND_DELIVERY_ERROR: "no other participant has acknowledged it",
}

command: Final = typer.Typer(
    help="Reliable channels: payloads of any size, in order, acknowledged.",
    no_args_is_help=True,
)

ChannelArgument = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the channel.", callback=utf8)
]


@command.command("create")
def create(
    context: typer.Context,
    channel: ChannelArgument,
    topic: Annotated[
        str,
        typer.Argument(
            metavar="TOPIC", help="Content topic, e.g. /my-app/1/chat/proto.", callback=utf8
        ),
    ],
    *,
    sender: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="This participant, different from all others.", callback=utf8
        ),
    ],
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Encrypt with the key in this file: 32 bytes, or 64 hexadecimal digits.",
        ),
    ] = None,
    parity: Annotated[bool, typer.Option(help="Send an eighth more, against losses.")] = False,
    output: FormOption = None,
) -> None:
    """Open a channel, until it is closed: it is open again after a restart."""
    key = b"" if key_file is None else _key_in(key_file)
    request = pb.ChannelsCreateRequest(
        channel_id=channel, content_topic=topic, sender_id=sender, key=key, parity=parity
    )
    session = session_of(context)
    session.ask(lambda connection: ChannelsStub(connection).Create, request)
    if session.form(output) is Output.JSON:
        print_json({"opened": channel})


@command.command("close")
def close(context: typer.Context, channel: ChannelArgument, output: FormOption = None) -> None:
    """Close a channel; what was not acknowledged yet fails."""
    request = pb.ChannelsCloseRequest(channel_id=channel)
    session = session_of(context)
    session.ask(lambda connection: ChannelsStub(connection).Close, request)
    if session.form(output) is Output.JSON:
        print_json({"closed": channel})


@command.command("list")
def list_(context: typer.Context, output: FormOption = None) -> None:
    """List the open channels."""
    session = session_of(context)
    request = pb.ChannelsListRequest()
    answer = session.ask(lambda connection: ChannelsStub(connection).List, request)
    rows = [
        {
            "channel": one.channel_id,
            "content_topic": one.content_topic,
            "sender": one.sender_id,
            "encrypted": one.encrypted,
            "parity": one.parity,
            "open_requests": one.open_requests,
            "created_at": one.created_at.ToJsonString(),
        }
        for one in answer.channels
    ]
    columns = ("channel", "content_topic", "sender", "encrypted", "open_requests")
    print_rows(rows, columns, session.form(output))


@command.command("send")
def send(
    context: typer.Context,
    channel: ChannelArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The message.", callback=utf8)],
    *,
    ephemeral: Annotated[
        bool, typer.Option(help="It is of the moment: neither ordered nor acknowledged.")
    ] = False,
    wait: Annotated[
        bool, typer.Option(help="Tell what becomes of it, until it is acknowledged or has failed.")
    ] = True,
    output: FormOption = None,
) -> None:
    """Send a message, and follow it until another participant has it.

    Exit code 5 if it could not be sent, or no participant has acknowledged it.
    """
    session = session_of(context)
    as_json = session.form(output) is Output.JSON
    request = pb.ChannelsSendRequest(channel_id=channel, payload=text.encode(), ephemeral=ephemeral)
    ends = _ENDS | {pb.CHANNEL_EVENT_KIND_SENT} if ephemeral else _ENDS
    good = {pb.CHANNEL_EVENT_KIND_SENT, pb.CHANNEL_EVENT_KIND_DELIVERED}

    async def work(connection: grpc.aio.Channel) -> bool:
        stub = ChannelsStub(connection)
        request_id = (await stub.Send(request)).request_id
        if as_json:
            print_json_line({"kind": "accepted", "request_id": request_id})
        else:
            print(request_id, flush=True)
        if not wait:
            return True
        watch = pb.ChannelsWatchEventsRequest(after=0, request_ids=[request_id])
        async for page in stub.WatchEvents(watch):
            for event in page.events:
                _tell(event, as_json=as_json)
                if event.kind in ends:
                    return event.kind in good
        raise FollowEndedError(request_id)

    if not session.call(work):
        raise typer.Exit(Exit.FAILED)


@command.command("listen")
def listen(
    context: typer.Context,
    channel: ChannelArgument,
    *,
    count: CountOption = 0,
    after: AfterOption = None,
    output: FormOption = None,
) -> None:
    """Print the messages of a channel as they are received, and what of it is lost."""
    session = session_of(context)
    as_json = session.form(output) is Output.JSON
    watch = pb.ChannelsWatchEventsRequest(
        channel_ids=[channel],
        kinds=[pb.CHANNEL_EVENT_KIND_RECEIVED, pb.CHANNEL_EVENT_KIND_HISTORY_LOST],
        after=after,
    )

    async def work(connection: grpc.aio.Channel) -> None:
        stream, taken = ChannelsStub(connection).WatchEvents(watch), 0
        async for page in stream:
            if page.gap:
                stderr().print("older messages are no longer kept", highlight=False)
            for event in page.events:
                _tell(event, as_json=as_json)
                taken += event.kind == pb.CHANNEL_EVENT_KIND_RECEIVED
                if count and taken == count:
                    stream.cancel()
                    return

    session.call(work)


def _key_in(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from error
    if len(raw) == KEY_BYTES:
        return raw
    try:
        key = bytes.fromhex(raw.decode("ascii"))
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise typer.BadParameter(f"{path}: a key is 32 bytes, or 64 hexadecimal digits")
    return key


def _tell(event: pb.ChannelEvent, *, as_json: bool) -> None:
    if as_json:
        print_json_line(_record(event))
    elif event.kind == pb.CHANNEL_EVENT_KIND_RECEIVED:
        time = event.at.ToDatetime().strftime("%H:%M:%S")
        print(f"{time}  {shown(event.sender_id)}: {said(event.payload)}", flush=True)
    elif event.kind == pb.CHANNEL_EVENT_KIND_HISTORY_LOST:
        count = len(event.lost_message_ids)
        stderr().print(f"{count} messages of others are lost", markup=False, highlight=False)
    else:
        why = f": {shown(event.error)}" if event.error else ""
        stderr().print(f"{_SAID[event.kind]}{why}", markup=False, highlight=False)


def _record(event: pb.ChannelEvent) -> dict[str, Any]:
    name = pb.ChannelEventKind.Name(event.kind).removeprefix("CHANNEL_EVENT_KIND_")
    record: dict[str, Any] = {
        "position": event.position,
        "kind": name.lower(),
        "at": event.at.ToJsonString(),
        "channel": event.channel_id,
    }
    if event.kind == pb.CHANNEL_EVENT_KIND_RECEIVED:
        return record | {"sender": event.sender_id, **content(event.payload)}
    if event.kind == pb.CHANNEL_EVENT_KIND_HISTORY_LOST:
        return record | {"lost_message_ids": list(event.lost_message_ids)}
    return record | {"request_id": event.request_id, "error": event.error}
