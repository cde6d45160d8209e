"""`logosctl peers`: the peers that a node knows."""

from typing import Annotated, Any, Final

import typer

from logos.network.v1 import peering_pb2
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_cli.arguments import utf8
from logos_cli.console import Output, print_rows, sized
from logos_cli.session import FormOption, session_of

command: Final = typer.Typer(
    help="The peers that a node knows.",
    add_completion=False,
    invoke_without_command=True,
)

ADVICE: Final = {
    "PEER_BANNED": "`logosctl call mixnet Unban PEER_ID` ends the ban",
    "PEER_NOT_CONNECTED": "`logosctl peers --connected` lists those that are",
    "PEER_EXCHANGE_FAILED": "ask another one of `logosctl peers --connected`",
}

PeerArgument = Annotated[str, typer.Argument(metavar="PEER_ID", help="Peer id.", callback=utf8)]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="What for: your own word.", callback=utf8)
]
_COLUMNS: Final = ("peer_id", "state", "direction", "rtt_ms", "address", "agent")
_TRAFFIC_COLUMNS: Final = (
    *("peer_id", "state", "sent", "sent_messages", "received", "received_messages"),
    "traffic_since",
)


_WORTH_COLUMNS: Final = ("peer_id", "state", "score", "protected", "tags", "confidence", "record")
_FOUND_COLUMNS: Final = ("peer_id", "address", "new")


@command.callback()
def list_peers(
    context: typer.Context,
    *,
    connected: Annotated[
        bool, typer.Option(help="Leave out peers that are not connected.")
    ] = False,
    traffic: Annotated[
        bool, typer.Option("--traffic", help="What each link has carried, each way.")
    ] = False,
    worth: Annotated[
        bool, typer.Option("--worth", help="What each peer is worth, and how far it is believed.")
    ] = False,
    output: FormOption = None,
) -> None:
    """List the peers in the node's address book."""
    if context.invoked_subcommand is not None:
        return
    session = session_of(context)
    request = peering_pb2.ListPeersRequest(page_size=1000, connected_only=connected)
    pages = session.pages(lambda channel: PeeringStub(channel).ListPeers, request)
    rows = [_record(peer) for page in pages for peer in page.peers]
    columns = _WORTH_COLUMNS if worth else _COLUMNS
    print_rows(rows, _TRAFFIC_COLUMNS if traffic else columns, session.form(output))


@command.command("tag")
def tag(
    context: typer.Context,
    peer_id: PeerArgument,
    name: NameArgument,
    *,
    value: Annotated[
        int, typer.Option(min=-1_000_000, max=1_000_000, help="Of the tag; 0 and below are bad.")
    ] = 100,
    lasts: Annotated[
        int | None, typer.Option(min=1, max=31_622_400, help="Seconds in which it fades to 0.")
    ] = None,
    output: FormOption = None,
) -> None:
    """Make a peer worth more to the node, or less: the least worth go first."""
    request = peering_pb2.TagRequest(peer_id=peer_id, name=name, value=value)
    if lasts is not None:
        request.lasts.FromSeconds(lasts)
    session_of(context).ask(lambda channel: PeeringStub(channel).Tag, request)
    record = {"peer_id": peer_id, "tag": name, "value": value, "lasts_seconds": lasts}
    _report(context, record, f"{peer_id} is tagged {name}, worth {value}", output)


@command.command("untag")
def untag(
    context: typer.Context, peer_id: PeerArgument, name: NameArgument, output: FormOption = None
) -> None:
    """Take a tag of yours away."""
    request = peering_pb2.UntagRequest(peer_id=peer_id, name=name)
    session_of(context).ask(lambda channel: PeeringStub(channel).Untag, request)
    record = {"peer_id": peer_id, "tag": name, "value": None}
    _report(context, record, f"{peer_id} is not tagged {name}", output)


@command.command("protect")
def protect(
    context: typer.Context, peer_id: PeerArgument, name: NameArgument, output: FormOption = None
) -> None:
    """Keep a peer connected when there are too many, until it is unprotected."""
    request = peering_pb2.ProtectRequest(peer_id=peer_id, name=name)
    session_of(context).ask(lambda channel: PeeringStub(channel).Protect, request)
    record = {"peer_id": peer_id, "reason": name, "protected": True}
    _report(context, record, f"{peer_id} is protected for {name}", output)


@command.command("unprotect")
def unprotect(
    context: typer.Context, peer_id: PeerArgument, name: NameArgument, output: FormOption = None
) -> None:
    """Take a reason of yours away."""
    request = peering_pb2.UnprotectRequest(peer_id=peer_id, name=name)
    session_of(context).ask(lambda channel: PeeringStub(channel).Unprotect, request)
    record = {"peer_id": peer_id, "reason": name, "protected": False}
    _report(context, record, f"{peer_id} is not protected for {name}", output)


@command.command("exchange")
def exchange(
    context: typer.Context,
    peer_id: Annotated[
        str,
        typer.Argument(metavar="[PEER_ID]", help="Connected peer; else the node.", callback=utf8),
    ] = "",
    output: FormOption = None,
) -> None:
    """Ask a connected peer for others, or show what the node itself would answer."""
    session = session_of(context)
    request = peering_pb2.ExchangePeersRequest(peer_id=peer_id)
    answer = session.ask(lambda channel: PeeringStub(channel).ExchangePeers, request)
    rows = [
        {
            "peer_id": peer.peer_id,
            "address": peer.addresses[0] if peer.addresses else None,
            "addresses": list(peer.addresses),
            "new": peer.new,
            "record": peer.seq,
            "signed_record": peer.signed_record.hex(),
        }
        for peer in answer.peers
    ]
    print_rows(rows, _FOUND_COLUMNS, session.form(output))


def _report(
    context: typer.Context, record: dict[str, Any], sentence: str, output: Output | None
) -> None:
    session_of(context).report(record, sentence, output)


def _record(peer: peering_pb2.Peer) -> dict[str, Any]:
    banned = peer.HasField("banned_until")
    away = "banned" if banned else "disconnected"
    direction = "outbound" if peer.outbound else "inbound"
    round_trip = peer.round_trip.ToNanoseconds() / 1e6 if peer.HasField("round_trip") else None
    return {
        "peer_id": peer.peer_id,
        "state": "connected" if peer.connected else away,
        "direction": direction if peer.connected else None,
        "rtt_ms": None if round_trip is None else round(round_trip, 2),
        "address": peer.addresses[0] if peer.addresses else None,
        "addresses": list(peer.addresses),
        "agent": peer.agent,
        "protocols": list(peer.protocols),
        "bootstrap": peer.bootstrap,
        "dial_failures": peer.dial_failures,
        "score": peer.score,
        "protected": peer.protected,
        "protections": list(peer.protections),
        "tags": dict(sorted(peer.tags.items())),
        "confidence": _confidence(peer),
        "record": peer.record_seq if peer.HasField("record_seq") else None,
        **_traffic(peer),
    }


def _confidence(peer: peering_pb2.Peer) -> str | None:
    """Returns how far the address is believed that would be dialled first."""
    if not peer.address_info:
        return None
    confidence = peering_pb2.AddressInfo.Confidence.Name(peer.address_info[0].confidence)
    return confidence.removeprefix("CONFIDENCE_").lower()


def _traffic(peer: peering_pb2.Peer) -> dict[str, Any]:
    if not peer.HasField("traffic"):
        return {}
    counts = peer.traffic
    return {
        "sent": sized(counts.sent_bytes),
        "sent_bytes": counts.sent_bytes,
        "sent_messages": counts.sent_messages,
        "received": sized(counts.received_bytes),
        "received_bytes": counts.received_bytes,
        "received_messages": counts.received_messages,
        "traffic_since": counts.since.ToJsonString(),
    }
