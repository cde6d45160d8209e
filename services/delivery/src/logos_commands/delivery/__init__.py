"""`logosctl delivery`: messages between nodes."""

import sys
from typing import Annotated, Any, Final

import typer

from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import relay_pb2, store_pb2
from logos.delivery.v1.delivery_pb2_grpc import DeliveryStub
from logos.delivery.v1.relay_pb2_grpc import RelayStub
from logos.delivery.v1.store_pb2_grpc import StoreStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_json, print_rows, shown
from logos_cli.session import FormOption, session_of
from logos_commands.delivery import channels
from logos_commands.delivery.messages import history, send, subscribe
from logos_commands.delivery.nodes import exchange, info
from logos_commands.delivery.records import ADVICE, all_utf8, health_record

__all__ = ["ADVICE", "command"]

command: Final = typer.Typer(
    help="Messages between nodes.", add_completion=False, no_args_is_help=True
)


@command.callback()
def group() -> None:
    """Messages between nodes."""


command.command("send")(send)
command.command("subscribe")(subscribe)
command.command("history")(history)
command.command("info")(info)
command.command("exchange")(exchange)
command.add_typer(channels.command, name="channel")


@command.command("topics")
def topics(context: typer.Context, output: FormOption = None) -> None:
    """List the content topics that the node subscribes to."""
    session = session_of(context)
    request = pb.ListSubscriptionsRequest()
    answer = session.ask(lambda channel: DeliveryStub(channel).ListSubscriptions, request)
    rows = [
        {"content_topic": one.content_topic, "pubsub_topic": one.pubsub_topic}
        for one in answer.subscriptions
    ]
    print_rows(rows, ("content_topic", "pubsub_topic"), session.form(output))


@command.command("unsubscribe")
def unsubscribe(
    context: typer.Context,
    content_topics: Annotated[
        list[str], typer.Argument(metavar="TOPIC...", help="Content topics.", callback=all_utf8)
    ],
    output: FormOption = None,
) -> None:
    """Have the node receive content topics no longer."""
    session = session_of(context)
    request = pb.UnsubscribeRequest(content_topics=content_topics)
    answer = session.ask(lambda channel: DeliveryStub(channel).Unsubscribe, request)
    rows = [
        {"content_topic": one.content_topic, "result": one.reason or "unsubscribed"}
        for one in answer.results
    ]
    print_rows(rows, ("content_topic", "result"), session.form(output))


@command.command("peers")
def peers(context: typer.Context, output: FormOption = None) -> None:
    """List the neighbours on each shard that the node follows."""
    session = session_of(context)
    request = relay_pb2.ListShardsRequest()
    answer = session.ask(lambda channel: RelayStub(channel).ListShards, request)
    rows: list[dict[str, Any]] = [
        {
            "shard": shard.pubsub_topic,
            "peer_id": peer,
            "mesh": peer in shard.mesh_peer_ids,
        }
        for shard in answer.shards
        for peer in shard.peer_ids
    ]
    print_rows(rows, ("shard", "peer_id", "mesh"), session.form(output))


@command.command("sync")
def sync(
    context: typer.Context,
    peer: Annotated[
        str,
        typer.Argument(
            metavar="[PEER]",
            help="Peer id of a store node; none: one that is found.",
            callback=utf8,
        ),
    ] = "",
    output: FormOption = None,
) -> None:
    """Make the node's archive and another's equal, for the messages of the last hour."""
    session = session_of(context)
    answer = session.ask(
        lambda channel: StoreStub(channel).Sync, store_pb2.SyncRequest(peer_id=peer)
    )
    row = {
        "peer_id": answer.peer_id,
        "received": answer.received,
        "sent": answer.sent,
        "bytes": answer.bytes,
    }
    print_rows([row], ("peer_id", "received", "sent", "bytes"), session.form(output))


@command.command("health")
def health(context: typer.Context, output: FormOption = None) -> None:
    """Show how well the node is connected, for each topic and protocol."""
    session = session_of(context)
    answer = session.ask(lambda channel: DeliveryStub(channel).GetHealth, pb.GetHealthRequest())
    record = health_record(answer.health)
    if session.form(output) is Output.JSON:
        print_json(record)
        return
    sys.stdout.write(f"{record['connection']}: {shown(record['text'])}\n")
    for kind in ("shards", "content_topics"):
        for topic, state in record[kind].items():
            sys.stdout.write(f"  {shown(topic)}  {state}\n")
    for one in record["protocols"]:
        if one["mounted"]:
            state = "ready" if one["ready"] else f"not ready: {shown(one['text'])}"
            sys.stdout.write(f"  {shown(one['protocol'])}  {state}\n")
