"""What a node serves: gRPC, and HTTP where that is set."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from logos.chain.v1.admin_pb2_grpc import add_ChainAdminServicer_to_server
from logos.chain.v1.chain_pb2_grpc import add_ChainNodeServicer_to_server
from logos.chain.v1.wallet_pb2_grpc import add_WalletServicer_to_server
from logos.chain.v1.zone_pb2_grpc import (
    add_ZoneIndexerServicer_to_server,
    add_ZoneSequencerServicer_to_server,
)
from logos.network.v1.registry_pb2_grpc import add_RegistryServicer_to_server
from logos_chain.config import Config
from logos_chain.http.operations import Operations
from logos_chain.node.rooms import Rooms
from logos_chain.rpc.admin import ChainAdminServicer
from logos_chain.rpc.chain import ChainNodeServicer
from logos_chain.rpc.registry import RegistryServicer
from logos_chain.rpc.wallet import WalletServicer
from logos_chain.rpc.zone_indexer import ZoneIndexerServicer
from logos_chain.rpc.zone_sequencer import ZoneSequencerServicer
from logos_client.token_file import make_token_file
from logos_module.server import AddToServer

log = logging.getLogger(__name__)

HTTP_TOKEN: Final = "http.token"  # noqa: S105 -- the name of a file

Serve = Callable[[AddToServer, Any], object]


def serve_all(rooms: Rooms, serve: Serve) -> None:
    """Serves all, by the module's context or a server."""
    chain = ChainNodeServicer(
        rooms.follow,
        rooms.explore,
        rooms.watch,
        mempool=rooms.mempool,
        transactions=rooms.transactions,
        information=rooms.information,
    )
    serve(add_ChainNodeServicer_to_server, chain)
    wallet = WalletServicer(rooms.purse, rooms.faucet.operations)
    serve(add_WalletServicer_to_server, wallet)
    registry = None if rooms.registry is None else rooms.registry.operations
    serve(add_RegistryServicer_to_server, RegistryServicer(registry))
    admin = ChainAdminServicer(rooms.start, rooms.switch, rooms.exports)
    serve(add_ChainAdminServicer_to_server, admin)
    serve(add_ZoneIndexerServicer_to_server, ZoneIndexerServicer(rooms.read))
    sequencer = ZoneSequencerServicer(rooms.write, rooms.govern)
    serve(add_ZoneSequencerServicer_to_server, sequencer)


@asynccontextmanager
async def http_served(
    http: Operations | None, config: Config, state_dir: Path
) -> AsyncIterator[int | None]:
    """Serves the HTTP interface, if there is to be one; yields its port (HTP-1, HTP-2)."""
    if http is None or config.http is None:
        yield None
        return
    # What this loads is not wanted where HTTP is not served (docs/adr/0033).
    from logos_chain.http.application import build  # noqa: PLC0415
    from logos_module.http.access import BearerAccess, LocalAccess  # noqa: PLC0415
    from logos_module.http.serving import serving  # noqa: PLC0415

    access: BearerAccess | LocalAccess = LocalAccess()
    if not config.http_open:
        access = BearerAccess(make_token_file(state_dir / HTTP_TOKEN), is_password=True)
    async with serving(build(http, access), *config.http) as port:
        log.info("HTTP is served", extra={"host": config.http.host, "port": port})
        yield port
