"""`logosctl peers`: the peers that a node knows."""

from typing import Annotated, Any, Final

import grpc
import typer

from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_cli.console import print_rows
from logos_cli.session import FormOption, session_of

_COLUMNS: Final = ("peer_id", "state", "direction", "rtt_ms", "address", "agent")


def command(
    context: typer.Context,
    connected: Annotated[
        bool, typer.Option(help="Leave out peers that are not connected.")
    ] = False,
    output: FormOption = None,
) -> None:
    """List the peers in the node's address book."""
    session = session_of(context)

    async def work(channel: grpc.aio.Channel) -> list[peering_pb2.Peer]:
        stub = peering_pb2_grpc.PeeringStub(channel)
        found: list[peering_pb2.Peer] = []
        request = peering_pb2.ListPeersRequest(page_size=1000, connected_only=connected)
        while True:
            page = await stub.ListPeers(request, timeout=session.timeout_s)
            found += page.peers
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    print_rows([_record(peer) for peer in session.call(work)], _COLUMNS, session.form(output))


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
    }
