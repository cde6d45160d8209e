"""Pieces of a log or of another stream, cut into lines."""

from collections.abc import Iterator
from typing import Final

MAX_LINE_BYTES: Final = 64 * 1024
"""Of a line of a log; what exceeds it is dropped."""


class LineCutter:
    """Bytes to lines without their line feeds; what exceeds `max_bytes` of a line is dropped."""

    def __init__(self, max_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._begun = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Takes the next bytes; yields the lines that they complete."""
        *ends, rest = piece.split(b"\n")
        for end in ends:
            self._add(end)
            yield self.flush()
        self._add(rest)

    def flush(self) -> bytes:
        """Returns the line begun, as it stands."""
        line = bytes(self._begun)
        self._begun.clear()
        return line

    def _add(self, part: bytes) -> None:
        self._begun += part[: self._max_bytes - len(self._begun)]
