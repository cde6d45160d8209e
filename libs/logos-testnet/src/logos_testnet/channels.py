"""Channels to the front doors of nodes, with few imports: commands start faster."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import grpc

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # Also the time limit of a connection attempt, which takes some 100 ms on a busy machine.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


def open_channel(target: str) -> grpc.aio.Channel:
    """Opens a plaintext channel to a front door."""
    return grpc.aio.insecure_channel(target, options=_OPTIONS)


@asynccontextmanager
async def channel_to(target: str) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel, and closes it at the end of the block."""
    channel = open_channel(target)
    try:
        yield channel
    finally:
        await channel.close()
