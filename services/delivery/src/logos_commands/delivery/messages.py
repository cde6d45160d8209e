"""`logosctl delivery send`, `subscribe` and `history`."""

from typing import Annotated, Any, Final

import grpc
import typer

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import store_pb2
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos.delivery.v1.store_pb2_grpc import StoreStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, print_json_line, print_rows, shown, stderr
from logos_cli.exits import Exit
from logos_cli.session import FormOption, session_of
from logos_commands.delivery.options import AfterOption, CountOption
from logos_commands.delivery.records import (
    FollowEndedError,
    all_utf8,
    event_record,
    message_record,
    said,
)

MAX_LIMIT: Final = 10_000
PAGE: Final = 100
_ENDS: Final = {pb.EVENT_KIND_SENT, pb.EVENT_KIND_ERROR, pb.EVENT_KIND_UNCONFIRMED}
_SAID: Final = {
    pb.EVENT_KIND_PROPAGATED: "another node has it",
    pb.EVENT_KIND_SENT: "a store node has it",
    pb.EVENT_KIND_ERROR: "it could not be sent",
    pb.EVENT_KIND_UNCONFIRMED: "it was passed on; no store node has confirmed it",
}

TopicArgument = Annotated[
    str,
    typer.Argument(
        metavar="TOPIC", help="Content topic, e.g. /my-app/1/chat/proto.", callback=utf8
    ),
]


def send(
    context: typer.Context,
    topic: TopicArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The message.", callback=utf8)],
    *,
    ephemeral: Annotated[bool, typer.Option(help="No node is to keep it.")] = False,
    mix: Annotated[
        bool, typer.Option("--mix", help="Through the mix-net, which hides who sends it.")
    ] = False,
    wait: Annotated[
        bool, typer.Option(help="Tell what becomes of it, until it is sent or has failed.")
    ] = True,
    output: FormOption = None,
) -> None:
    """Send a message, and follow it: another node has it, a store node has it.

    Exit code 5 if it could not be sent.
    """
    session = session_of(context)
    as_json = session.form(output) is Output.JSON
    request = pb.SendRequest(
        content_topic=topic, payload=text.encode(), ephemeral=ephemeral, via_mix=mix
    )

    record: dict[str, Any] = {}

    async def work(channel: grpc.aio.Channel) -> bool:
        stub = DeliveryStub(channel)
        accepted = await stub.Send(request)
        record["request_id"] = accepted.request_id
        record["message_hash"] = accepted.message_hash.hex()
        record["events"] = []
        if not as_json:
            print(accepted.request_id, flush=True)
        if not wait:
            return True
        watch = pb.WatchEventsRequest(after=0, request_ids=[accepted.request_id])
        async for page in stub.WatchEvents(watch):
            for event in page.events:
                record["events"].append(event_record(event))
                _tell(event)
                if event.kind in _ENDS or (ephemeral and event.kind == pb.EVENT_KIND_PROPAGATED):
                    return bool(event.kind != pb.EVENT_KIND_ERROR)
        raise FollowEndedError(accepted.request_id)

    is_sent = session.call(work)
    if as_json:
        print_json(record)
    if not is_sent:
        raise typer.Exit(Exit.FAILED)


def _tell(event: pb.Event) -> None:
    why = f": {shown(event.error)}" if event.error else ""
    stderr().print(f"{_SAID[event.kind]}{why}", markup=False, highlight=False)


def subscribe(
    context: typer.Context,
    topics: Annotated[
        list[str], typer.Argument(metavar="TOPIC...", help="Content topics.", callback=all_utf8)
    ],
    *,
    count: CountOption = 0,
    after: AfterOption = None,
    output: FormOption = None,
) -> None:
    """Subscribe to content topics, and print their messages as they come.

    The node goes on receiving when this ends: `--after POSITION` shows what has come since.
    """
    session = session_of(context)
    as_json = session.form(output) is Output.JSON

    async def work(channel: grpc.aio.Channel) -> None:
        stub = DeliveryStub(channel)
        watch = pb.WatchEventsRequest(kinds=[pb.EVENT_KIND_RECEIVED], content_topics=topics)
        if after is not None:
            watch.after = after
        stream, taken = stub.WatchEvents(watch), 0
        is_begun = False
        async for page in stream:
            if not is_begun:
                is_begun = True
                await _subscribe(stub, topics)
                note = f"{session.node}: subscribed to {', '.join(topics)}"
                stderr().print(note, markup=False, highlight=False)
            if page.gap:
                stderr().print("older messages are no longer kept", highlight=False)
            for event in page.events:
                _show(event, as_json=as_json)
                taken += 1
                if taken == count:
                    stream.cancel()
                    return

    session.call(work)


async def _subscribe(stub: Any, topics: list[str]) -> None:
    answer = await stub.Subscribe(pb.SubscribeRequest(content_topics=topics))
    for result in answer.results:
        if result.reason:
            raise typer.BadParameter(f"{result.content_topic}: {result.reason}")


def _show(event: pb.Event, *, as_json: bool) -> None:
    if as_json:
        print_json_line(event_record(event))
    else:
        time = event.at.ToDatetime().strftime("%H:%M:%S")
        print(f"{time}  {shown(event.content_topic)}  {said(event.message.payload)}", flush=True)


def history(
    context: typer.Context,
    topics: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TOPIC...]", help="Content topics, at most 10; none: all.", callback=all_utf8
        ),
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")] = 20,
    peer: Annotated[
        str, typer.Option(metavar="PEER", help="Peer id of the store node to ask.", callback=utf8)
    ] = "",
    output: FormOption = None,
) -> None:
    """Show the newest messages that store nodes keep, oldest first."""
    session = session_of(context)

    async def work(channel: grpc.aio.Channel) -> list[dict[str, Any]]:
        stub = StoreStub(channel)
        rows: list[dict[str, Any]] = []
        cursor: bytes | None = None
        while len(rows) < limit:
            request = store_pb2.StoreQueryRequest(
                include_data=True,
                peer_id=peer,
                content_topics=topics or [],
                pagination_cursor=cursor,
                pagination_limit=min(PAGE, limit - len(rows)),
            )
            page = await stub.Query(request)
            found = [message_record(one.message, one.message_hash) for one in page.messages]
            rows = [*found, *rows]
            if not page.HasField("pagination_cursor"):
                break
            cursor = page.pagination_cursor
        return rows

    rows = session.call(work)
    columns = ("timestamp", "content_topic", "content")
    shown_rows = [{"content": f"{row['bytes']} bytes", **row} for row in rows]
    print_rows(
        rows if session.form(output) is Output.JSON else shown_rows, columns, session.form(output)
    )
