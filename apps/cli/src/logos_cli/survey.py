"""Asks the nodes of a testnet for their status."""

import asyncio
from typing import Any

import grpc

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_client.channels import channel_to
from logos_testnet.client import refuses_caller, state_name, view


async def survey(
    addresses: list[tuple[str, str]], bearer: str | None, timeout_s: float | None
) -> list[dict[str, Any]]:
    """Asks every node for its status.

    One that does not answer is `unreachable`, one that refuses the token is `refused`.
    """
    return list(await asyncio.gather(*(_ask(*node, bearer, timeout_s) for node in addresses)))


async def _ask(
    name: str, address: str, bearer: str | None, timeout_s: float | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"node": name, "address": address, "state": "unreachable"}
    async with channel_to(address, bearer) as channel:
        try:
            info = await kernel_pb2_grpc.KernelStub(channel).GetInfo(
                kernel_pb2.GetInfoRequest(), timeout=timeout_s
            )
            seen = await view(channel)
        except grpc.aio.AioRpcError as error:
            return row | ({"state": "refused"} if refuses_caller(error) else {})
    return row | {
        "node": info.node,
        "state": "ready" if seen.ready else "starting",
        "peers": seen.peers,
        "peer_id": seen.peer_id,
        "version": info.version,
        "epoch": info.epoch,
        "modules": {module.name: state_name(module) for module in seen.modules},
    }
