"""What a tap writes down: when packets of the mix left this node and reached it (MIX-32).

For measuring anonymity on a testnet of one's own, and off unless a setting says otherwise: what an
observer of all links would have to collect, a tap collects for it. It is told times, peers and
sizes, and cannot be told more.
"""

import json
from enum import StrEnum
from typing import Final, Protocol

MAX_FILE_BYTES: Final = 256 << 20
MAX_WAITING_BYTES: Final = 1 << 20
"""Of lines that are not written yet."""


class Seen(StrEnum):
    """At which end of its link a packet is seen."""

    SENT = "sent"
    ARRIVED = "arrived"


class TapStore(Protocol):
    """Where lines are written."""

    def size_bytes(self) -> int:
        """Returns how much has been written, also by processes before."""
        ...

    def append(self, lines: bytes) -> None:
        """Writes whole lines, or none of them and raises `StoreError`."""
        ...


class Tap:
    """Lines of JSON that wait to be written. Not thread-safe."""

    def __init__(self, own: str, written_bytes: int) -> None:
        """`own`: peer id of this node. `written_bytes`: what the file holds."""
        self._own = own
        self._left_bytes = max(0, MAX_FILE_BYTES - written_bytes)
        self._lines = bytearray()
        self.skipped = 0
        """Packets that are in no file: there was no room, or writing failed."""

    def sent(self, peer: str, size_bytes: int, time_ns: int) -> None:
        """Notes a packet that leaves for a peer: its whole frame's size, and the time."""
        self._note(time_ns, self._own, peer, size_bytes, Seen.SENT)

    def arrived(self, peer: str, size_bytes: int, time_ns: int) -> None:
        """Notes a packet that a peer's stream has brought, before anything is done with it."""
        self._note(time_ns, peer, self._own, size_bytes, Seen.ARRIVED)

    def take(self) -> bytes:
        """Returns the lines since the last call, to be appended to the file."""
        lines = bytes(self._lines)
        self._lines.clear()
        return lines

    def lost(self, lines: bytes) -> None:
        """Takes note of lines that could not be written: not even a part of them is in the file."""
        self.skipped += lines.count(b"\n")
        self._left_bytes += len(lines)

    def _note(self, time_ns: int, sender: str, receiver: str, size_bytes: int, seen: Seen) -> None:
        said = {
            "time_ns": time_ns,
            "from": sender,
            "to": receiver,
            "bytes": size_bytes,
            "seen": seen.value,
        }
        line = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        if len(line) > self._left_bytes or len(self._lines) + len(line) > MAX_WAITING_BYTES:
            self.skipped += 1
            return
        self._left_bytes -= len(line)
        self._lines += line
