"""Pieces of a log, cut into lines."""

from collections.abc import Iterator
from typing import Final

MAX_LINE_BYTES: Final = 64 * 1024


class LineCutter:
    """Bytes to lines without their line feeds; what exceeds 64 KiB of a line is dropped."""

    def __init__(self) -> None:
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
        self._begun += part[: MAX_LINE_BYTES - len(self._begun)]
