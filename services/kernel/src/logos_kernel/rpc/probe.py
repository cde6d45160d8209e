"""Asks a module who it is."""

import asyncio
from typing import Any

import grpc

from logos.module.v1 import module_host_pb2 as pb
from logos.module.v1 import module_host_pb2_grpc
from logos_kernel.core.errors import ModuleUnreachableError
from logos_kernel.core.types import Described
from logos_kernel.rpc.convert import described_from_pb


async def describe(channel: grpc.aio.Channel, timeout_s: float) -> Described:
    """Returns what answers on a channel, or raises `ModuleUnreachableError`."""
    host: Any = module_host_pb2_grpc.ModuleHostStub(channel)
    try:
        response = await host.Describe(pb.DescribeRequest(), timeout=timeout_s, wait_for_ready=True)
    except grpc.aio.AioRpcError as error:
        raise ModuleUnreachableError(
            f"nobody answers ModuleHost.Describe at the endpoint: {error.code().name}"
        ) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ModuleUnreachableError("the module ended while it was asked") from error
    return described_from_pb(response)
