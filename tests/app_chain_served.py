"""The app behind a socket before one node with a chain, which is a script; for browsers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from app_chain import Node
from app_serving import free_port
from logos.chain.v1 import chain_pb2_grpc, wallet_pb2_grpc
from logos.kernel.v1 import (
    events_pb2,
    events_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    stats_pb2,
    supervisor_pb2_grpc,
)
from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_app.application import build
from logos_app.config import Config, parse
from logos_app.running import background
from logos_app.serving import AppServer, settings
from logos_client.token_file import make_token_file

READY_S = 30


class Kernel(kernel_pb2_grpc.KernelServicer, supervisor_pb2_grpc.SupervisorServicer):
    """A kernel whose one module is a chain."""

    async def GetInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return kernel_pb2.GetInfoResponse(version="1")

    async def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        module = module_pb2.Module(name="chain", state=module_pb2.MODULE_STATE_READY)
        return kernel_pb2.GetStatusResponse(ready=True, modules=[module])

    async def GetStats(self, request: Any, context: Any) -> Any:  # noqa: N802
        return stats_pb2.GetStatsResponse()


class ServedNode(Node, peering_pb2_grpc.PeeringServicer):
    """The node of the panels' tests, with what the app follows of every node."""

    def __init__(self) -> None:
        super().__init__()
        self.over = asyncio.Event()
        """Ends all streams: none is left to the end of the server."""

    async def ListTopics(self, request: Any, context: Any) -> Any:  # noqa: N802
        return events_pb2.ListTopicsResponse()

    async def Subscribe(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        await self.over.wait()
        for nothing in ():
            yield nothing

    async def GetIdentity(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.GetIdentityResponse(peer_id="peer-node1")

    async def ListPeers(self, request: Any, context: Any) -> Any:  # noqa: N802
        return peering_pb2.ListPeersResponse()

    async def WatchPeers(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        await self.over.wait()
        for nothing in ():
            yield nothing


@asynccontextmanager
async def served_chain(folder: Path) -> AsyncIterator[tuple[Config, ServedNode]]:
    """The app and its node, until the end of the block; the chain is ready."""
    node, kernel, server = ServedNode(), Kernel(), grpc.aio.server()
    chain_pb2_grpc.add_ChainNodeServicer_to_server(node, server)
    wallet_pb2_grpc.add_WalletServicer_to_server(node, server)
    events_pb2_grpc.add_EventsServicer_to_server(node, server)
    peering_pb2_grpc.add_PeeringServicer_to_server(node, server)
    kernel_pb2_grpc.add_KernelServicer_to_server(kernel, server)
    supervisor_pb2_grpc.add_SupervisorServicer_to_server(kernel, server)
    front = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    make_token_file(folder / "operator.token")
    config = parse(
        {
            "LOGOS_APP_TESTNET": "small",
            "LOGOS_APP_NODES": f"node1=127.0.0.1:{front}",
            "LOGOS_OPERATOR_TOKEN": str(folder / "operator.token"),
            "LOGOS_STATE_DIR": str(folder / "app"),
            "LOGOS_LISTEN": f"127.0.0.1:{free_port()}",
        }
    )
    app = build(config)
    shell, serving = app.state.shell, AppServer(settings(config, app))
    try:
        async with background(serving._serve()):
            async with asyncio.timeout(READY_S):
                while not node.watched_after:  # noqa: ASYNC110 - it is the app that comes
                    await asyncio.sleep(0.05)
            try:
                yield config, node
            finally:
                shell.live.stop()
                await serving.shutdown()
    finally:
        node.over.set()
        node.moves.put_nowait(None)
        await server.stop(grace=5)
