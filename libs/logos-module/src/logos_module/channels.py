"""Channels to other servers, with options that match those of our servers."""

import asyncio
from typing import Any, Final

import grpc

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Explicit on both sides: gRPC's own default is 4 MiB, on the receiver alone."""

_SHARED: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.http2.max_frame_size", 1024 * 1024),  # 16 KiB by default
)

# The client pings every 20 s; a server that does not allow it answers too_many_pings.
SERVER_OPTIONS: Final = (
    *_SHARED,
    ("grpc.so_reuseport", 0),  # a taken port is an error, not a second listener
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

CHANNEL_OPTIONS: Final = (
    *_SHARED,
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # how long one attempt may take
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)


def open_channel(target: str) -> grpc.aio.Channel:
    """Opens a plaintext channel: only for loopback, Unix sockets and a node's own network."""
    return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)


async def write(call: Any, request: Any) -> bool:
    """Writes to the request stream of a call; False once the call has ended.

    Use it instead of `call.write` if the callee may end the call first: if it does so during
    a write, grpc.aio (1.85) replaces its status by INTERNAL, "Internal error from Core".
    This function keeps the callee's status.
    """
    core = call._cython_call  # noqa: SLF001 -- the public method has the fault
    try:
        await call.wait_for_connection()
        if call.done():
            return False
        serialize = call._request_serializer  # noqa: SLF001 -- see above
        message = request if serialize is None else serialize(request)
        await core.send_serialized_message(message)
    except (grpc.aio.AioRpcError, grpc.aio.InternalError):
        return False
    except asyncio.CancelledError:
        call.cancel()
        raise
    return True
