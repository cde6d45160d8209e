"""Channels to front doors and modules, with options that match those of our servers."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import grpc

from logos_base.errors import ErrorKind, LogosError
from logos_client.authorized import AuthorizedChannel, Bearer

MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""Explicit on both sides: gRPC's own default is 4 MiB, on the receiver alone."""

SHARED_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.http2.max_frame_size", 1024 * 1024),  # 16 KiB by default
    # A fixed window, not one estimated by a ping after nearly every message: a third of what
    # heartbeats cost a kernel at rest. It holds what a stream may send ahead of its reader.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1024 * 1024),
)
"""Equal at both ends. Servers add theirs, which allow the pings of ours."""

_OPTIONS: Final = (
    *SHARED_OPTIONS,
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Also the time limit of a connection attempt, which takes some 100 ms on a busy machine.
    ("grpc.min_reconnect_backoff_ms", 5000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)

_UNIX: Final = ("unix:", "unix-abstract:")
_SCHEMES: Final = ("dns:///", "dns:", "ipv4:", "ipv6:")


class InsecureAddressError(LogosError):
    """A token would travel in clear text to another machine."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "INSECURE_ADDRESS"


class CaFileError(LogosError):
    """A file with certificates cannot be read, or holds none."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "CA_FILE_UNUSABLE"


def open_channel(
    target: str, bearer: str | None = None, *, ca_file: Path | None = None
) -> grpc.aio.Channel:
    """Opens a channel: with TLS, or in clear text as on a node's own network.

    Args:
        target: gRPC target.
        bearer: Token of an operator, which each call then carries.
        ca_file: PEM file with the certificates that the server's must be signed by, or be one
            of; it must name the host of `target`. Without, the channel is in clear text.

    Raises:
        InsecureAddressError: There is a bearer, and whoever is on the way would learn it.
        CaFileError: The file cannot be read, or holds no certificate.
    """
    if ca_file is not None:
        trusted = grpc.ssl_channel_credentials(_certificates(ca_file))
        channel = grpc.aio.secure_channel(target, trusted, options=_OPTIONS)
    elif bearer is None or stays_here(target):
        channel = grpc.aio.insecure_channel(target, options=_OPTIONS)
    else:
        raise InsecureAddressError(
            f"{target} is not on this machine, and a token must not travel there in clear text:"
            " if the front door has TLS, give the file that its certificate is signed by, by"
            " --ca-file; or forward its port, e.g. by `ssh -L 17001:127.0.0.1:17001 HOST`, and"
            " use 127.0.0.1:17001"
        )
    return channel if bearer is None else AuthorizedChannel(channel, Bearer(bearer))


@asynccontextmanager
async def channel_to(
    target: str, bearer: str | None = None, *, ca_file: Path | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel as `open_channel` does, and closes it at the end of the block."""
    channel = open_channel(target, bearer, ca_file=ca_file)
    try:
        yield channel
    finally:
        await channel.close()


def _certificates(file: Path) -> bytes:
    """Returns a PEM file that gRPC can use: by itself it says of others only that it cannot."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CaFileError(f"{file}: {error.strerror}") from error
    try:
        text = content.decode("ascii", errors="ignore")  # names may stand above certificates
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise CaFileError(f"{file}: no certificate in PEM") from error
    return content


def stays_here(target: str) -> bool:
    """Returns whether a gRPC target is a Unix socket or on loopback."""
    if target.startswith(_UNIX):
        return True
    for scheme in _SCHEMES:
        target = target.removeprefix(scheme)
    host = target.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name, which may mean any machine, or a list of addresses


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
