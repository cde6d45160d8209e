"""Calls that no gRPC client can be made to send, as HTTP/2 frames written by hand."""

import re
import socket
import struct
from collections.abc import Sequence

TIMEOUT_S = 60.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4


def call_raw(
    address: str, path: bytes, message: bytes = b"", metadata: Sequence[tuple[bytes, bytes]] = ()
) -> int:
    """Makes one call, on a connection of its own; returns its gRPC status as a number.

    Args:
        address: `unix:PATH` or `HOST:PORT`.
        path: The method. Like the names and values of `metadata`, of less than 16,511 bytes.
    """
    headers = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"raw"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        *metadata,
    ]
    block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers)
    with _connect(address) as connection:
        connection.sendall(
            _PREFACE
            + _frame(_SETTINGS, 0, 0, b"")
            + _frame(_HEADERS, _END_HEADERS, 1, block)
            + _frame(_DATA, _END_STREAM, 1, struct.pack(">BI", 0, len(message)) + message)
        )
        return _status(connection)


def _text(text: bytes) -> bytes:
    """RFC 7541, 5.1 and 5.2: a length with a prefix of 7 bits, then the text."""
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest = len(text) - 127
    assert rest < 128 * 128
    length = bytes([rest]) if rest < 128 else bytes([rest & 127 | 128, rest >> 7])
    return b"\x7f" + length + text


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT_S)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=TIMEOUT_S)


def _status(connection: socket.socket) -> int:
    """Reads until the trailers; gRPC writes the first `grpc-status` of a connection as it is."""
    received = b""
    while (found := re.search(rb"grpc-status[\x01\x02](\d{1,2})", received)) is None:
        chunk = connection.recv(4096)
        if not chunk:
            raise ConnectionError(f"closed without a status: {received!r}")
        received += chunk
    return int(found[1])
