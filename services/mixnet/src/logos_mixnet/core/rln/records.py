"""What a node tells another of its members when they meet: announcements and slashes (RLN-27).

The one that asks sends a digest of what it has; the other answers with nothing if it has the
same, else with all that it has, and both records prove themselves:

    1 announcement or 2 slash | length u16 LE | record
"""

import hashlib
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from logos_mixnet.core.rln.announcements import MAX_ANNOUNCEMENT_BYTES
from logos_mixnet.core.rln.errors import RecordsMalformedError
from logos_mixnet.core.rln.slashing import MAX_SLASH_BYTES

PROTOCOL: Final = "/logos/rln/members/1.0.0"
ANNOUNCEMENTS_TOPIC: Final = "/logos/rln/announcements/1"
SLASHES_TOPIC: Final = "/logos/rln/slashes/1"
DIGEST_BYTES: Final = 32
MAX_RECORDS: Final = 2_048
"""Of as many peers as may announce themselves, two each: it was slashed, or has announced two."""

_HEADER_BYTES: Final = 3


class Kind(IntEnum):
    """Of a record."""

    ANNOUNCEMENT = 1
    SLASH = 2


_MAX_BYTES: Final = {Kind.ANNOUNCEMENT: MAX_ANNOUNCEMENT_BYTES, Kind.SLASH: MAX_SLASH_BYTES}


class Record(NamedTuple):
    """One record as it was signed."""

    kind: Kind
    raw: bytes

    def encode(self) -> bytes:
        """Returns it with its header."""
        return bytes([self.kind]) + len(self.raw).to_bytes(2, "little") + self.raw


def digest(outcome: Iterable[bytes], slashed: Iterable[bytes]) -> bytes:
    """Returns 32 bytes that say what announcements come to (`Announced.outcome`), and who of
    those was slashed, by commitment."""
    parts = (b"".join(sorted(each)) for each in (outcome, slashed))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


class RecordReader:
    """Reads records from pieces of a stream. Untrusted."""

    def __init__(self) -> None:
        self._rest = b""
        self._count = 0

    def feed(self, data: bytes) -> list[Record]:
        """Takes a piece; returns the records that are complete.

        Raises:
            RecordsMalformedError: A header is wrong, or there are too many.
        """
        rest, found = self._rest + data, []
        while len(rest) >= _HEADER_BYTES:
            kind, size = _header(rest)
            end = _HEADER_BYTES + size
            if len(rest) < end:
                break
            found.append(Record(kind, rest[_HEADER_BYTES:end]))
            rest = rest[end:]
        self._rest = rest
        self._count += len(found)
        if self._count > MAX_RECORDS:
            raise RecordsMalformedError(f"more than {MAX_RECORDS} records")
        return found


def _header(raw: bytes) -> tuple[Kind, int]:
    size = int.from_bytes(raw[1:_HEADER_BYTES], "little")
    if raw[0] not in _MAX_BYTES or not 0 < size <= _MAX_BYTES[Kind(raw[0])]:
        raise RecordsMalformedError("not a record of a member")
    return Kind(raw[0]), size
