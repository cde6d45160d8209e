"""Waits for a testnet to recover."""

import asyncio

import grpc

from logos_testnet.client import READY, NodeView, view
from logos_testnet.progress import silent
from logos_testnet.readiness import wait_until_ready
from logos_testnet.testnet import Testnet, front_door
from logos_testnet.together import all_of

RECOVERY_S = 60.0


async def until_whole(testnet: Testnet) -> list[NodeView]:
    """Waits until every node is READY and connected."""
    return await all_of(
        wait_until_ready(node, bearer=testnet.bearer, report=silent, timeout_s=RECOVERY_S)
        for node in testnet.plan.nodes
    )


async def peer_ids(testnet: Testnet) -> dict[str, str]:
    """Returns the identity of every node."""
    views = await until_whole(testnet)
    return {node.name: seen.peer_id for node, seen in zip(testnet.plan.nodes, views, strict=True)}


async def until_replaced(testnet: Testnet, node: str, module: str, epoch: int) -> None:
    """Waits until a module is READY in a later epoch, i.e. as another process."""
    async with (
        asyncio.timeout(RECOVERY_S),
        front_door(testnet, node) as channel,
    ):
        while await ready_epoch(channel, module) <= epoch:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.1)


async def ready_epoch(channel: grpc.aio.Channel, module: str) -> int:
    """Returns the epoch of a READY module; 0 if it is not READY, or its kernel does not answer."""
    try:
        seen = await view(channel, networked=False)
    except grpc.aio.AioRpcError:
        return 0
    ready = {each.name: int(each.epoch) for each in seen.modules if each.state == READY}
    return ready.get(module, 0)
