"""Packets between the fork server, its children and its clients: JSON with file descriptors."""

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

MAX_PACKET_BYTES: Final = 128 * 1024
"""Of one packet. Linux allows somewhat more by default."""
MAX_FILES: Final = 1
GO: Final = {"go": True}
OUTDATED: Final = "OUTDATED"
"""Reason of a refusal: the code on disk is not the code that was loaded."""
OTHER_SURROUNDINGS: Final = "OTHER_SURROUNDINGS"
"""Reason of a refusal: a variable that is read at the start differs from the server's."""
NO_ROOM: Final = "NO_ROOM"
"""Reason of a refusal: the environment is too large."""


class BadPacketError(Exception):
    """The peer has sent an invalid packet, or has disconnected."""


@dataclass(frozen=True, slots=True)
class Request:
    """The program of a new process: `python -m module arguments…`."""

    module: str
    arguments: tuple[str, ...] = ()
    folder: str = "/"
    """Working folder."""
    variables: dict[str, str] = field(default_factory=dict)
    """The whole environment, decoded by `os.fsdecode`."""

    def to_document(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_document(document: dict[str, Any]) -> "Request":
        """Reads a request, or raises `BadPacketError`."""
        try:
            return Request(
                module=str(document["module"]),
                arguments=tuple(map(str, document["arguments"])),
                folder=str(document["folder"]),
                variables={str(name): str(value) for name, value in document["variables"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise BadPacketError(f"not a valid request: {error!r}") from error


def send(connection: socket.socket, document: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Sends one packet, or raises `OSError`; EMSGSIZE if it is too long."""
    socket.send_fds(connection, [json.dumps(document).encode()], list(files), socket.MSG_NOSIGNAL)


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receives one packet, with its file descriptors, which the caller must close.

    Raises:
        BadPacketError: The peer has disconnected, or the packet is not a JSON object.
        OSError: The connection is broken, or its timeout is over.
    """
    data, files, _, _ = socket.recv_fds(connection, MAX_PACKET_BYTES, MAX_FILES)
    try:
        return _document(data), files
    except BadPacketError:
        for file in files:
            os.close(file)
        raise


def _document(data: bytes) -> dict[str, Any]:
    if not data:
        raise BadPacketError("the peer has disconnected")
    try:
        document = json.loads(data)
    except ValueError as error:
        raise BadPacketError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BadPacketError(f"not a JSON object but {type(document).__name__}")
    return document
