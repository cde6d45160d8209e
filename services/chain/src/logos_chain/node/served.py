"""What a node serves."""

from collections.abc import Callable
from typing import Any

from logos.chain.v1.admin_pb2_grpc import add_ChainAdminServicer_to_server
from logos.chain.v1.chain_pb2_grpc import add_ChainNodeServicer_to_server
from logos.chain.v1.wallet_pb2_grpc import add_WalletServicer_to_server
from logos.network.v1.registry_pb2_grpc import add_RegistryServicer_to_server
from logos_chain.node.rooms import Rooms
from logos_chain.rpc.admin import ChainAdminServicer
from logos_chain.rpc.chain import ChainNodeServicer
from logos_chain.rpc.registry import RegistryServicer
from logos_chain.rpc.wallet import WalletServicer
from logos_module.server import AddToServer

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
    serve(add_WalletServicer_to_server, WalletServicer(rooms.purse, rooms.faucet.operations))
    registry = None if rooms.registry is None else rooms.registry.operations
    serve(add_RegistryServicer_to_server, RegistryServicer(registry))
    admin = ChainAdminServicer(rooms.start, rooms.switch, rooms.exports)
    serve(add_ChainAdminServicer_to_server, admin)
