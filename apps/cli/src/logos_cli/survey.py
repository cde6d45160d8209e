"""Asks the nodes of a testnet for their status."""

import asyncio
from typing import Any

import grpc

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_testnet.client import channel_to, state_name, view


async def survey(addresses: list[tuple[str, str]], timeout_s: float | None) -> list[dict[str, Any]]:
    """Asks every node for its status; one that does not answer is `unreachable`."""
    return list(await asyncio.gather(*(_ask(*node, timeout_s) for node in addresses)))


async def _ask(name: str, address: str, timeout_s: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {"node": name, "address": address, "state": "unreachable"}
    async with channel_to(address) as channel:
        try:
            info = await kernel_pb2_grpc.KernelStub(channel).GetInfo(
                kernel_pb2.GetInfoRequest(), timeout=timeout_s
            )
            seen = await view(channel)
        except grpc.aio.AioRpcError:
            return row
    return row | {
        "node": info.node,
        "state": "ready" if seen.ready else "starting",
        "peers": seen.peers,
        "peer_id": seen.peer_id,
        "version": info.version,
        "epoch": info.epoch,
        "modules": {module.name: state_name(module) for module in seen.modules},
    }
