"""`logosctl events`: what modules of a node tell one another (KER-34 to KER-39)."""

import base64
from typing import Annotated, Any, Final

import grpc
import typer

from logos.kernel.v1 import events_pb2, module_pb2
from logos.kernel.v1.events_pb2_grpc import EventsStub
from logos_cli.console import Output, print_json_line, print_rows, shown
from logos_cli.session import FormOption, Session, session_of

command: Final = typer.Typer(
    help="Events of a node's modules.", add_completion=False, no_args_is_help=True
)

ADVICE: Final = {
    "TOPIC_NOT_OWNED": "operators publish on topics like operator/NAME",
    "POSITION_UNKNOWN": "begin with what comes: without --after",
    "TOPIC_NOT_FOUND": "`logosctl events topics` lists those that have events",
    "SEQUENCE_UNKNOWN": "`logosctl events topics` says how far each has come",
    "DEAD_LETTER_NOT_FOUND": "`logosctl events dead-letters` lists those that there are",
}

TRANSITIONS: Final = "kernel/transition"

TopicArgument = Annotated[str, typer.Argument(help="MODULE/EVENT, e.g. operator/note.")]


@command.callback()
def group() -> None:
    """Events of a node's modules."""


@command.command("publish")
def publish(
    context: typer.Context,
    topic: TopicArgument,
    payloads: Annotated[list[str], typer.Argument(help="Text of one event each.")],
    *,
    key: Annotated[
        str, typer.Option("--key", help="Names these events: a repetition changes nothing.")
    ] = "",
    output: FormOption = None,
) -> None:
    """Publish events, durably, on a topic of the operators': operator/NAME."""
    session = session_of(context)
    request = events_pb2.PublishRequest(
        topic=topic,
        events=[events_pb2.NewEvent(payload=one.encode()) for one in payloads],
        key=key,
    )
    where = session.ask(lambda channel: EventsStub(channel).Publish, request)
    record = {
        "topic": topic,
        "first_sequence": where.first_sequence,
        "last_sequence": where.last_sequence,
        "position": where.position,
    }
    session.report(record, f"{topic} has come to sequence {where.last_sequence}", output)


@command.command("subscribe")
def subscribe(
    context: typer.Context,
    topics: Annotated[list[str], typer.Argument(help="MODULE/EVENT, MODULE/* or *.")],
    *,
    after: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**62,
            help="A position to go on from; 0: all that is kept.",
            show_default=False,
        ),
    ] = None,
    output: FormOption = None,
) -> None:
    """Print events as they come: one line each, as JSON one document each."""
    session = session_of(context)
    start = events_pb2.Start() if after is None else events_pb2.Start(after_position=after)
    request = events_pb2.SubscribeRequest(topics=topics, start=start)

    async def work(channel: grpc.aio.Channel) -> None:
        async for response in EventsStub(channel).Subscribe(request):
            for one in _messages(response):
                _print(session, one, output)

    session.call(work)


@command.command("topics")
def list_topics(context: typer.Context, output: FormOption = None) -> None:
    """List the topics that have events."""
    session = session_of(context)
    request = events_pb2.ListTopicsRequest()
    listed = session.ask(lambda channel: EventsStub(channel).ListTopics, request)
    rows = [
        {"topic": one.name, "first": one.first_sequence, "last": one.last_sequence,
         "bytes": one.size_bytes}
        for one in listed.topics
    ]  # fmt: skip
    print_rows(rows, ("topic", "first", "last", "bytes"), session.form(output))


@command.command("replay")
def replay(
    context: typer.Context,
    topic: TopicArgument,
    *,
    first: Annotated[int, typer.Option("--from", min=0, max=2**62, help="First sequence.")] = 0,
    last: Annotated[int, typer.Option("--to", min=0, max=2**62, help="Last sequence.")] = 0,
    output: FormOption = None,
) -> None:
    """Print the kept events of a topic."""
    session = session_of(context)
    request = events_pb2.ReplayRequest(topic=topic, from_sequence=first, to_sequence=last)

    async def work(channel: grpc.aio.Channel) -> None:
        async for page in EventsStub(channel).Replay(request, timeout=session.timeout_s):
            for one in page.events:
                _print(session, _event(one), output)

    session.call(work)


@command.command("dead-letters")
def list_dead_letters(
    context: typer.Context,
    group_name: Annotated[str, typer.Argument(metavar="[GROUP]", help="MODULE/GROUP.")] = "",
    output: FormOption = None,
) -> None:
    """List events that queue groups could not deal with."""
    session = session_of(context)
    request = events_pb2.ListDeadLettersRequest(group=group_name)

    async def work(channel: grpc.aio.Channel) -> list[dict[str, Any]]:
        listed = EventsStub(channel).ListDeadLetters(request, timeout=session.timeout_s)
        return [_letter(one.dead_letter) async for one in listed]

    columns = ("id", "group", "topic", "sequence", "refusals", "at")
    print_rows(session.call(work), columns, session.form(output))


@command.command("requeue")
def requeue(
    context: typer.Context,
    group_name: Annotated[str, typer.Argument(metavar="GROUP", help="MODULE/GROUP.")],
    ids: Annotated[
        list[int] | None,
        typer.Argument(min=1, max=2**62, help="Of dead letters; none: the oldest 256."),
    ] = None,
    *,
    output: FormOption = None,
) -> None:
    """Give dead letters to their group again."""
    session = session_of(context)
    request = events_pb2.RequeueDeadLettersRequest(group=group_name, ids=ids or [])
    count = session.ask(lambda channel: EventsStub(channel).RequeueDeadLetters, request).requeued
    record = {"group": group_name, "requeued": count}
    session.report(record, f"{count} events will be delivered again to {group_name}", output)


def _print(session: Session, one: dict[str, Any], output: Output | None) -> None:
    if session.form(output) is Output.JSON:
        print_json_line({"node": session.node, **one})
    else:
        print(_line(one), flush=True)


def _messages(response: events_pb2.SubscribeResponse) -> list[dict[str, Any]]:
    """What comes on a subscription, as records; bookmarks are not shown."""
    match response.WhichOneof("message"):
        case "batch":
            return [_event(one) for one in response.batch.events]
        case "gap":
            gap = response.gap
            return [
                {"kind": "gap", "topic": gap.topic, "from": gap.from_sequence or None,
                 "to": gap.to_sequence}
            ]  # fmt: skip
        case "source_state":
            state = response.source_state
            return [
                {"kind": "source", "module": state.module, "ready": state.armed,
                 "epoch": state.epoch}
            ]  # fmt: skip
    return []


def _event(one: events_pb2.Event) -> dict[str, Any]:
    """An event as a record: its payload as text, or in base64 if it is none."""
    return {
        "kind": "event",
        "position": one.position,
        "topic": one.topic,
        "sequence": one.sequence,
        "epoch": one.epoch,
        "at": one.published_at.ToJsonString(),
        "headers": dict(one.headers),
        **_payload(one),
    }


def _payload(one: events_pb2.Event) -> dict[str, Any]:
    if one.topic == TRANSITIONS:
        said = module_pb2.Transition.FromString(one.payload)
        states = module_pb2.ModuleState
        old, new = (
            states.Name(state).removeprefix("MODULE_STATE_").lower()
            for state in (said.old, said.new)
        )
        text = f"{said.module}: {old} -> {new}"
        return {"payload": text, "module": said.module, "from": old, "to": new}
    try:
        return {"payload": one.payload.decode()}
    except UnicodeDecodeError:
        return {"payload_base64": base64.b64encode(one.payload).decode()}


def _letter(one: events_pb2.DeadLetter) -> dict[str, Any]:
    event = _event(one.event)
    del event["kind"]
    return {"id": one.id, "group": one.group, "refusals": one.refusals, **event}


def _line(one: dict[str, Any]) -> str:
    match one["kind"]:
        case "gap":
            return f"-- {one['topic']}: sequences {one['from'] or '?'} to {one['to']} are removed"
        case "source":
            ready = "is ready" if one["ready"] else "is not ready"
            return f"-- {one['module']} {ready}, epoch {one['epoch']}"
    text = one.get("payload", one.get("payload_base64", ""))
    return f"{one['position']}  {one['topic']}#{one['sequence']}  {shown(text)}"
