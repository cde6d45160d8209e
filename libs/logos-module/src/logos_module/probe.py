"""Asks a gRPC server whether it is SERVING, with the standard library alone.

A container's health check runs every few seconds in every container: importing gRPC for it
would cost more than the modules themselves. So this program exchanges the few HTTP/2 frames of
one `grpc.health.v1.Health/Check`. To connect is not enough: the backlog of a paused process
accepts connections too.

    python -I -S probe.py [SERVICE [HOST:PORT | unix:PATH]]

Without a service it checks the server as a whole; the address defaults to LOGOS_LISTEN.
Exit code 0: SERVING; 1: anything else.
"""

import os
import socket
import struct
import sys

DEADLINE_S = 2.0
MAX_BYTES = 64 * 1024

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY = 0, 1, 4, 6, 7
_ACK, _END_STREAM, _END_HEADERS = 0x1, 0x1, 0x4
_SERVING = b"\x08\x01"
"""HealthCheckResponse{status: SERVING}."""


def is_serving(address: str, service: str = "") -> bool:
    """Whether the server, or one service of it, answers SERVING within two seconds."""
    try:
        with _connect(address) as connection:
            connection.settimeout(DEADLINE_S)
            connection.sendall(_request(service))
            return _answer(connection) == _SERVING
    except OSError:
        return False


def _connect(address: str) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_S)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE_S)


def _request(service: str) -> bytes:
    """Returns all bytes that the client sends in the call."""
    name = service.encode()
    message = (b"\x0a" + bytes([len(name)]) + name) if name else b""
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, _headers())
        + _frame(_DATA, _END_STREAM, 1, struct.pack(">BI", 0, len(message)) + message)
    )


def _headers() -> bytes:
    """HPACK without compression or indexing (RFC 7541, 6.2.2), with literal names."""
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/grpc.health.v1.Health/Check"),
        (b":authority", b"probe"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"grpc-timeout", b"2S"),
    )
    return b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _answer(connection: socket.socket) -> bytes:
    """Reads the message of the response; empty if there is none."""
    received, message = b"", b""
    total = 0
    while total < MAX_BYTES:
        chunk = connection.recv(4096)
        total += len(chunk)
        received += chunk
        if not chunk:
            return b""
        while len(received) >= 9:
            length = int.from_bytes(received[:3], "big")
            if len(received) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", received[3:9])
            payload, received = received[9 : 9 + length], received[9 + length :]
            if kind == _GOAWAY:
                return b""
            if kind in {_SETTINGS, _PING} and not flags & _ACK:
                connection.sendall(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
            if kind == _DATA and stream == 1:
                message += payload
                if len(message) >= 5 and len(message) >= 5 + int.from_bytes(message[1:5], "big"):
                    return message[5:]
            if kind == _HEADERS and flags & _END_STREAM:
                return b""  # an error without a message, e.g. an unknown service
    return b""


def main() -> int:
    """Runs the program; returns its exit code."""
    service, address = [*sys.argv[1:], "", ""][:2]
    return 0 if is_serving(address or os.environ.get("LOGOS_LISTEN", ""), service) else 1


if __name__ == "__main__":
    sys.exit(main())
