"""What this node is, and what it does not serve (HTP-19, HTP-20, HTP-21)."""

import sys
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_chain.http.answers import Handler, answering, as_json
from logos_chain.http.errors import NotServedError
from logos_chain.http.operations import Operations
from logos_chain.http.reading import Parameters

_BLEND: Final = "this network has the mix-net of the module mixnet, not Blend"
_SDP: Final = "this node declares no service: sign the operation and add it to the mempool"
_SIGNING: Final = "this node signs no hash of a transaction that it has not made"
_WORK: Final = "this chain pays no rewards for work"

NOT_SERVED: Final = {
    ("POST", "/blend/join"): _BLEND,
    ("POST", "/blend/transactions/disperse"): _BLEND,
    ("GET", "/blend/transactions/pending"): _BLEND,
    ("POST", "/sdp/declaration"): _SDP,
    ("POST", "/sdp/activity"): _SDP,
    ("POST", "/sdp/withdrawal"): _SDP,
    ("POST", "/sdp/set-declaration-id"): _SDP,
    ("POST", "/wallet/sign/ed25519"): _SIGNING,
    ("POST", "/wallet/sign/zk"): _SIGNING,
    ("GET", "/cryptarchia/blocks/{id}/events"): "this node keeps no events of blocks",
    ("POST", "/network/dial_peer"): "peers are the business of the module mixnet",
    ("PUT", "/admin/tracing/filter"): "what is logged is a setting of the node",
    ("PUT", "/pow/mining/start"): _WORK,
    ("PUT", "/pow/mining/stop"): _WORK,
    ("PUT", "/pow/auto-claim/start"): _WORK,
    ("PUT", "/pow/auto-claim/stop"): _WORK,
    ("POST", "/pow/claim"): _WORK,
    ("GET", "/pow/rewards/claimable"): _WORK,
    ("GET", "/pow/status"): _WORK,
}
"""Methods and paths of the reference, and why this node does not serve them."""


class NodeRoutes:
    """What this node is."""

    def __init__(self, operations: Operations) -> None:
        self._with = operations

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        for path, handler in (
            ("/time/info", self.time),
            ("/chain/id", self.chain),
            ("/version", self.version),
            ("/network/info", self.network),
            ("/blend/info", self.blend),
        ):
            router.add_route(path, answering(handler), methods=["GET"])
        for (method, path), why in NOT_SERVED.items():
            router.add_route(path, answering(_not_served(why)), methods=[method])

    async def time(self, request: Request) -> Response:
        """Returns where the clock stands."""
        Parameters(request, ())
        found, clock = self._with.information.now(), self._with.clock
        return as_json(
            {
                "slot_duration_ms": clock.slot_ms,
                "genesis_time_unix_ms": clock.genesis_ms,
                "current_slot": found.slot,
                "current_epoch": found.spec.consensus.epoch_of(found.slot),
            }
        )

    async def chain(self, request: Request) -> Response:
        """Returns which chain it is."""
        Parameters(request, ())
        return as_json({"chain_id": self._with.information.spec.chain_id})

    async def version(self, request: Request) -> Response:
        """Returns the version of this module; the reference's fields of a Rust build say so."""
        Parameters(request, ())
        return as_json(
            {
                "version": f"{self._with.version}-logos",
                "commit": None,
                "tag": None,
                "target": sys.platform,
                "profile": "python",
                "rustc": "none",
            }
        )

    async def network(self, request: Request) -> Response:
        """Returns what the network module says of this node."""
        Parameters(request, ())
        found = await self._with.network.standing()
        return as_json(
            {
                "listen_addresses": list(found.listen_addresses),
                "peer_id": found.peer_id,
                "connected_peers": list(found.connected),
                "n_peers": len(found.connected),
                "n_connections": len(found.connected),
                "n_pending_connections": 0,
                "discovered_peers": list(found.known),
                "n_discovered_peers": len(found.known),
            }
        )

    async def blend(self, request: Request) -> Response:
        """Returns null, as a node of the reference that takes no part in Blend."""
        Parameters(request, ())
        return as_json(None)


def _not_served(why: str) -> Handler:
    async def refuse(_: Request) -> Response:
        raise NotServedError(why)

    return refuse
