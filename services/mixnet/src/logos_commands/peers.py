"""`logosctl peers`: the peers that a node knows."""

from typing import Annotated, Any, Final

import typer

from logos.network.v1 import peering_pb2
from logos.network.v1.peering_pb2_grpc import PeeringStub
from logos_cli.console import print_rows, sized
from logos_cli.session import FormOption, session_of

_COLUMNS: Final = ("peer_id", "state", "direction", "rtt_ms", "address", "agent")
_TRAFFIC_COLUMNS: Final = (
    *("peer_id", "state", "sent", "sent_messages", "received", "received_messages"),
    "traffic_since",
)


def command(
    context: typer.Context,
    *,
    connected: Annotated[
        bool, typer.Option(help="Leave out peers that are not connected.")
    ] = False,
    traffic: Annotated[
        bool, typer.Option("--traffic", help="What each link has carried, each way.")
    ] = False,
    output: FormOption = None,
) -> None:
    """List the peers in the node's address book."""
    session = session_of(context)
    request = peering_pb2.ListPeersRequest(page_size=1000, connected_only=connected)
    pages = session.pages(lambda channel: PeeringStub(channel).ListPeers, request)
    rows = [_record(peer) for page in pages for peer in page.peers]
    print_rows(rows, _TRAFFIC_COLUMNS if traffic else _COLUMNS, session.form(output))


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
        **_traffic(peer),
    }


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
