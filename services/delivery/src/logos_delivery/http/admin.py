"""`/admin/v1/…` (DHT-17 to DHT-19)."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import LogosError
from logos_delivery.core.archive import wire as store_wire
from logos_delivery.core.errors import ConnectFailedError
from logos_delivery.core.light import filter_wire, light_push, light_push_v2, peer_exchange
from logos_delivery.core.sync import transfer
from logos_delivery.core.sync import wire as sync_wire
from logos_delivery.http.addresses import AddressInvalidError, is_peer_id, node_address
from logos_delivery.http.answers import Refused, as_json, done
from logos_delivery.http.paths import ANY, text_in
from logos_delivery.http.reading import read, texts
from logos_delivery.operations.filter_service import FilterServing
from logos_delivery.operations.neighbours import NeighbourOperations, SeenPeer

PEERS: Final = "/admin/v1/peers"
RELAY_PROTOCOL: Final = "/vac/waku/relay/2.0.0"
SERVICES: Final = (
    RELAY_PROTOCOL,
    filter_wire.SUBSCRIBE_PROTOCOL,
    store_wire.PROTOCOL,
    light_push_v2.PROTOCOL,
    light_push.PROTOCOL,
    peer_exchange.PROTOCOL,
    sync_wire.PROTOCOL,
    transfer.PROTOCOL,
)
COUNTED: Final = (*SERVICES[:2], filter_wire.PUSH_PROTOCOL, *SERVICES[2:])
MAX_SHARD: Final = 0xFFFF
LEVELS: Final = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "NOTICE": logging.WARNING,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
"""What the reference's levels are here: those that Python has not are the next one above."""


class AdminRoutes:
    """The peers of this node, its subscribers, its logs."""

    def __init__(self, neighbours: NeighbourOperations, serving: FilterServing | None) -> None:
        """`serving` is None at a node that serves no light clients."""
        self._neighbours = neighbours
        self._serving = serving

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        for path, endpoint in (
            (PEERS, self.peers),
            (f"/admin/v1/peer/{{text:{ANY}}}", self.peer),
            (f"{PEERS}/service", self.service_peers),
            (f"{PEERS}/connected", self.connected_peers),
            (f"{PEERS}/connected/on/{{text:{ANY}}}", self.connected_peers_on),
            (f"{PEERS}/relay", self.relay_peers),
            (f"{PEERS}/relay/on/{{text:{ANY}}}", self.relay_peers_on),
            (f"{PEERS}/mesh", self.mesh_peers),
            (f"{PEERS}/mesh/on/{{text:{ANY}}}", self.mesh_peers_on),
            (f"{PEERS}/stats", self.counts),
            ("/admin/v1/filter/subscriptions", self.subscribers),
        ):
            router.add_api_route(path, endpoint, methods=["GET"])
        router.add_api_route(PEERS, self.connect, methods=["POST"])
        path = f"/admin/v1/log-level/{{text:{ANY}}}"
        router.add_api_route(path, self.set_log_level, methods=["POST"])

    async def peers(self, _: Request) -> Response:
        """Lists all peers that are known."""
        return as_json([_peer(one) for one in await self._known()])

    async def peer(self, request: Request) -> Response:
        """Returns one peer."""
        wanted = text_in(request)
        if not is_peer_id(wanted):
            raise Refused("Invalid argument:peerid: incorrect PeerId string")
        for one in await self._known():
            if one.peer.peer_id == wanted:
                return as_json(_peer(one))
        raise Refused(f"Peer with ID {wanted} not found", 404)

    async def service_peers(self, _: Request) -> Response:
        """Lists the peers that speak a protocol of Delivery, with those protocols."""
        found = []
        for one in await self._known():
            spoken = [protocol for protocol in SERVICES if protocol in one.peer.protocols]
            if spoken:
                found.append(_peer(one) | {"protocols": spoken})
        return as_json(found)

    async def connected_peers(self, _: Request) -> Response:
        """Lists the connected peers."""
        return as_json([_peer(one) for one in await self._known() if one.peer.is_connected])

    async def connected_peers_on(self, request: Request) -> Response:
        """Lists the connected peers that follow a shard."""
        shard = _shard_in(request)
        known = await self._known()
        return as_json(
            [_peer(one) for one in known if one.peer.is_connected and shard in one.shards]
        )

    async def relay_peers(self, _: Request) -> Response:
        """Lists the neighbours on each shard."""
        return as_json([_on(*one) for one in await self._by_shard(mesh=False)])

    async def relay_peers_on(self, request: Request) -> Response:
        """Lists the neighbours on a shard."""
        return await self._on_shard(_shard_in(request), mesh=False)

    async def mesh_peers(self, _: Request) -> Response:
        """Lists the neighbours in the mesh of each shard."""
        return as_json([_on(*one) for one in await self._by_shard(mesh=True)])

    async def mesh_peers_on(self, request: Request) -> Response:
        """Lists the neighbours in the mesh of a shard."""
        return await self._on_shard(_shard_in(request), mesh=True)

    async def counts(self, _: Request) -> Response:
        """Counts peers: all, by connection, by shard, by protocol."""
        known = await self._known()
        states = [_connectedness(one) for one in known]
        names = ("Connected", "NotConnected", "CannotConnect", "CanConnect")
        relay = {"Relay peers": False, "Mesh peers": True} if self._neighbours.relays else {}
        found: dict[str, dict[str, int]] = {
            "Sum": {"Total peers": len(known)},
            "By Connectedness": {name: states.count(name) for name in names},
            "Relay peers": {"Total relay peers": 0},
            "Mesh peers": {"Total mesh peers": 0},
        }
        for name, mesh in relay.items():
            shards = {str(shard): len(peers) for shard, peers in await self._by_shard(mesh=mesh)}
            found[name] = {**shards, f"Total {name.lower()}": sum(shards.values())}
        found["By Protocols"] = {
            protocol: sum(protocol in one.peer.protocols for one in known) for protocol in COUNTED
        }
        return as_json(found)

    async def subscribers(self, _: Request) -> Response:
        """Lists the peers that subscribe at this node."""
        if self._serving is None:
            raise Refused("Error: Filter Protocol is not mounted to the node")
        return as_json(
            [
                {
                    "peerId": peer,
                    "filterCriteria": [
                        {"pubsubTopic": one.pubsub_topic, "contentTopic": one.content_topic}
                        for one in criteria
                    ],
                }
                for peer, criteria in sorted(self._serving.subscribers().items())
            ]
        )

    async def connect(self, request: Request) -> Response:
        """Dials nodes."""
        try:
            addresses = await read(request, texts)
        except Refused as refused:
            raise Refused(f"Failed to decode request: {refused.text}", refused.status) from refused
        for index, address in enumerate(addresses):
            try:
                await self._neighbours.connect(node_address(address).address)
            except AddressInvalidError as error:
                raise Refused(f"Couldn't parse remote peer info: {error}") from error
            except ConnectFailedError as error:
                text = f"Failed to connect to peer at index: {index} - {address[:200]}"
                raise Refused(text) from error
            except LogosError as error:
                raise Refused(str(error), 503) from error
        return done()

    async def set_log_level(self, request: Request) -> Response:
        """Writes records from a level on."""
        level = LEVELS.get(text_in(request).upper())
        if level is None:
            raise Refused(
                f"Invalid log-level: {text_in(request)[:40]}. Please specify one of TRACE, DEBUG, "
                "INFO, NOTICE, WARN, ERROR or FATAL"
            )
        logging.getLogger().setLevel(level)
        return done()

    async def _known(self) -> list[SeenPeer]:
        try:
            return await self._neighbours.known()
        except LogosError as error:
            raise Refused(str(error), 503) from error

    async def _by_shard(self, *, mesh: bool) -> list[tuple[int, list[SeenPeer]]]:
        if not self._neighbours.relays:
            raise Refused("Error: Relay Protocol is not mounted to the node", 503)
        try:
            return await self._neighbours.by_shard(mesh=mesh)
        except LogosError as error:
            raise Refused(str(error), 503) from error

    async def _on_shard(self, shard: int, *, mesh: bool) -> Response:
        shards = dict(await self._by_shard(mesh=mesh))
        return as_json(_on(shard, shards.get(shard, [])))


def _shard_in(request: Request) -> int:
    digits = text_in(request)
    if not (digits.isascii() and digits.isdecimal() and int(digits[:6]) <= MAX_SHARD):
        raise Refused(f"Invalid shardId: {digits[:40]}")
    return int(digits[:6])


def _on(shard: int, peers: Sequence[SeenPeer]) -> dict[str, Any]:
    return {"shard": shard, "peers": [_peer(one) for one in peers]}


def _peer(seen: SeenPeer) -> dict[str, Any]:
    peer = seen.peer
    address = peer.addresses[0] if peer.addresses else ""
    found: dict[str, Any] = {
        "multiaddr": f"{address}/p2p/{peer.peer_id}",
        "protocols": list(peer.protocols),
        "shards": list(seen.shards),
        "connected": _connectedness(seen),
        "agent": peer.agent,
        "origin": "Static" if peer.is_bootstrap else "UnknownOrigin",
    }
    if seen.score is not None:
        found["score"] = seen.score
    return found


def _connectedness(seen: SeenPeer) -> str:
    peer = seen.peer
    if peer.is_connected:
        return "Connected"
    if peer.dial_failures:
        return "CannotConnect"
    return "CanConnect" if peer.protocols else "NotConnected"
