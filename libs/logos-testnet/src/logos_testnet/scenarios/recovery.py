"""Crashes: every killed process comes back, and no file is lost."""
# ruff: noqa: S101 - a scenario is a test

import asyncio
import signal

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_testnet.processes import KERNEL
from logos_testnet.progress import silent
from logos_testnet.scenarios.files import get, put, sample
from logos_testnet.scenarios.waiting import (
    RECOVERY_S,
    peer_ids,
    ready_epoch,
    until_replaced,
    until_whole,
)
from logos_testnet.testnet import Testnet, front_door


async def a_killed_module_comes_back(testnet: Testnet) -> None:
    """kill -9 of every module in turn: READY as another process, and the file is served."""
    victim, other = testnet.plan.nodes[0], testnet.plan.nodes[-1].name
    content = sample(200_000, "module")
    cid = await put(testnet, victim.name, content)
    for module in victim.modules:
        name = module.manifest.name
        async with front_door(testnet, victim.name) as channel:
            epoch = await ready_epoch(channel, name)

        await testnet.kill(victim.name, name, signal.SIGKILL)

        await until_replaced(testnet, victim.name, name, epoch)
        await until_whole(testnet)
        assert await get(testnet, victim.name, cid, local_only=True) == content
    assert await get(testnet, other, cid) == content


async def a_killed_kernel_comes_back(testnet: Testnet) -> None:
    """kill -9 of a kernel; `up` starts a new one unless the engine does: the node recovers."""
    victim = testnet.plan.nodes[1]
    content = sample(100_000, "kernel")
    cid = await put(testnet, victim.name, content)
    before = await _kernel_epoch(testnet, victim.name)

    await testnet.kill(victim.name, KERNEL, signal.SIGKILL)

    await asyncio.sleep(1)  # the engine may restart it already; processes are started by `up`
    await testnet.up(silent)
    assert await _kernel_epoch(testnet, victim.name) > before
    assert await get(testnet, victim.name, cid, local_only=True) == content


async def a_restart_keeps_identities_and_files(testnet: Testnet) -> None:
    """Down and up: the identities and the file are kept."""
    node = testnet.plan.nodes[2].name
    content = sample(300_000, "restart")
    cid = await put(testnet, node, content)
    before = await peer_ids(testnet)

    assert await testnet.down(silent)
    assert not await testnet.running()
    await testnet.up(silent)

    assert await peer_ids(testnet) == before
    assert await get(testnet, node, cid, local_only=True) == content


async def a_second_up_changes_nothing(testnet: Testnet) -> None:
    """Idempotent: it starts no node, and reports the same endpoints."""
    first = await testnet.up(silent)
    again = await testnet.up(silent)

    assert again.started == ()
    assert again.endpoints == first.endpoints


async def _kernel_epoch(testnet: Testnet, node: str) -> int:
    async with asyncio.timeout(RECOVERY_S), front_door(testnet, node) as channel:
        stub = kernel_pb2_grpc.KernelStub(channel)
        info = await stub.GetInfo(kernel_pb2.GetInfoRequest(), wait_for_ready=True)
        return int(info.epoch)
