"""What a node serves."""

from collections.abc import Callable
from typing import Any

from logos.chain.v1.admin_pb2_grpc import add_ChainAdminServicer_to_server
from logos.chain.v1.chain_pb2_grpc import add_ChainNodeServicer_to_server
from logos.chain.v1.wallet_pb2_grpc import add_WalletServicer_to_server
from logos.chain.v1.zone_pb2_grpc import (
    add_ZoneIndexerServicer_to_server,
    add_ZoneSequencerServicer_to_server,
)
from logos_chain.node.rooms import Rooms
from logos_chain.rpc.admin import ChainAdminServicer
from logos_chain.rpc.chain import ChainNodeServicer
from logos_chain.rpc.wallet import WalletServicer
from logos_chain.rpc.zone_indexer import ZoneIndexerServicer
from logos_chain.rpc.zone_sequencer import ZoneSequencerServicer
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
    serve(add_ChainAdminServicer_to_server, ChainAdminServicer(rooms.start, rooms.switch))
    serve(add_ZoneIndexerServicer_to_server, ZoneIndexerServicer(rooms.read))
    serve(add_ZoneSequencerServicer_to_server, ZoneSequencerServicer(rooms.write))
