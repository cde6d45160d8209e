"""The file of a checkpoint: a summary, records, and a hash over all before it. Pure.

    LOGOSCKP, version u8, genesis 32, specification 32, block 32, height u64, slot u64
    records: part u8, size u32, content
    255 u8, Blake2b-256 of all bytes before it

Integers are little-endian. It is written and read in pieces of any size; memory: one record and
one piece.

Spec: docs/protocol/chain-checkpoints.md, CKP-2 to CKP-5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from typing import Final, Self

from logos_chain.core.checkpoints.errors import (
    CheckpointAlteredError,
    CheckpointMalformedError,
    CheckpointTruncatedError,
    CheckpointVersionUnknownError,
)
from logos_chain.core.consensus.types import BlockId
from logos_mantle import octets
from logos_mantle.errors import ValueUnencodableError
from logos_mantle.octets import HASH_BYTES

MAGIC: Final = b"LOGOSCKP"
VERSION: Final = 1
MAX_RECORD_BYTES: Final = 64 * 1024 * 1024
"""Of a record's content: far above a block or a channel, which have 2 MiB. The snapshots of half a
million providers."""

_U64: Final = 8
_U32: Final = 4
_VERSIONED: Final = len(MAGIC) + 1
SUMMARY_BYTES: Final = _VERSIONED + 3 * HASH_BYTES + 2 * _U64
RECORD_HEAD_BYTES: Final = 1 + _U32
_END: Final = b"\xff"


class Part(IntEnum):
    """What a record holds; parts come in the order of their numbers (CKP-3)."""

    BLOCK = 1
    """The block itself, as it came."""
    ANCESTOR = 2
    """Of the tree, oldest first; any number."""
    ROOT = 3
    """The block of the tree, with the state of consensus."""
    HEAD = 4
    """What of the ledger does not grow."""
    SNAPSHOTS = 5
    """The providers of three epochs."""
    NOTES = 16
    """Rows of the ledger's tables, by ascending keys; any number of each."""
    CHANNELS = 17
    CONFIGURATIONS = 18
    DECLARATIONS = 19
    IDENTITIES = 20
    ACTIVITIES = 21
    NULLIFIERS = 22
    VOUCHERS = 23


_PARTS: Final = frozenset(Part)


@dataclass(frozen=True, slots=True)
class Record:
    """A part of a checkpoint."""

    part: Part
    content: bytes
    """At most `MAX_RECORD_BYTES`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Which chain, and where on it."""

    genesis: BlockId
    specification: bytes
    """Hash of the chain's specification (GEN-14), 32 bytes."""
    block: BlockId
    """The last of the blocks whose effects are in the checkpoint."""
    height: int
    slot: int

    def encode(self) -> bytes:
        """Returns the beginning of the file, `SUMMARY_BYTES`; raises `ValueUnencodableError`."""
        return b"".join(
            (
                MAGIC,
                octets.number(VERSION, 1, "version"),
                octets.fixed(self.genesis, HASH_BYTES, "genesis"),
                octets.fixed(self.specification, HASH_BYTES, "specification"),
                octets.fixed(self.block, HASH_BYTES, "block"),
                octets.number(self.height, _U64, "height"),
                octets.number(self.slot, _U64, "slot"),
            )
        )

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """Reads what `encode` has written, after its magic and version were looked at."""
        at = range(_VERSIONED, _VERSIONED + 3 * HASH_BYTES, HASH_BYTES)
        genesis, specification, block = (raw[each : each + HASH_BYTES] for each in at)
        height, slot = raw[-2 * _U64 : -_U64], raw[-_U64:]
        return cls(
            BlockId(genesis),
            specification,
            BlockId(block),
            int.from_bytes(height, "little"),
            int.from_bytes(slot, "little"),
        )


class CheckpointWriter:
    """Gives the bytes of one checkpoint, in order: `begin`, records, `end`."""

    def __init__(self) -> None:
        self._hashed = blake2b(digest_size=HASH_BYTES)
        self.size_bytes = 0
        """Given so far."""

    @property
    def hash(self) -> bytes:
        """That of the whole file, 32 bytes, once it has ended."""
        return self._hashed.digest()

    def begin(self, summary: Summary) -> bytes:
        """Returns the summary's bytes; raises `ValueUnencodableError`."""
        return self._counted(summary.encode())

    def record(self, record: Record) -> bytes:
        """Returns a record's bytes; raises `ValueUnencodableError` if it is too large."""
        size = len(record.content)
        if size > MAX_RECORD_BYTES:
            raise ValueUnencodableError(f"a record of {size} bytes")
        head = bytes([record.part]) + octets.number(size, _U32, "size")
        return self._counted(head + record.content)

    def end(self) -> bytes:
        """Returns the last bytes, the hash among them."""
        last = self._counted(_END)
        self.size_bytes += HASH_BYTES
        return last + self.hash

    def _counted(self, raw: bytes) -> bytes:
        self._hashed.update(raw)
        self.size_bytes += len(raw)
        return raw


class CheckpointReader:
    """Takes the bytes of one checkpoint in pieces of any size. Untrusted.

    What it gives before `end` has returned may still turn out to be altered.
    """

    def __init__(self) -> None:
        self._hashed = blake2b(digest_size=HASH_BYTES)
        self._left = bytearray()
        self._has_ended = False
        self._is_whole = False
        self._last = Part.BLOCK
        self.summary: Summary | None = None
        """None: not read yet."""

    @property
    def hash(self) -> bytes:
        """That of the bytes that were read, 32 bytes; of a whole checkpoint, its name."""
        return self._hashed.digest()

    def feed(self, piece: bytes) -> Iterator[Record]:
        """Takes a piece and gives the records that it completes; all must be taken.

        Raises:
            CheckpointMalformedError, CheckpointVersionUnknownError: The file begins otherwise.
            CheckpointAlteredError: It goes on as no checkpoint does, or has another hash.
        """
        self._left += piece
        if self.summary is None and not self._read_summary():
            return
        at = 0
        while not self._has_ended and (record := self._record(at)) is not None:
            yield record
            at += RECORD_HEAD_BYTES + len(record.content)
        if not self._has_ended and self._left[at : at + 1] == _END:
            self._has_ended = True
            at += len(_END)
        self._take(at)
        if self._has_ended:
            self._read_hash()

    def end(self) -> None:
        """Says that there are no more pieces.

        Raises:
            CheckpointTruncatedError: The checkpoint is not whole.
            CheckpointMalformedError: The file is too short to be one.
        """
        if len(self._left) < len(MAGIC) and self.summary is None:
            self._check_beginning()
        if not self._is_whole:
            raise CheckpointTruncatedError("the file ends before the checkpoint does")

    def _read_summary(self) -> bool:
        self._check_beginning()
        if len(self._left) < SUMMARY_BYTES:
            return False
        self.summary = Summary.read(bytes(self._left[:SUMMARY_BYTES]))
        self._take(SUMMARY_BYTES)
        return True

    def _check_beginning(self) -> None:
        begun = bytes(self._left[: len(MAGIC)])
        if begun != MAGIC[: len(begun)]:
            raise CheckpointMalformedError("the file is no checkpoint of a chain")
        if len(self._left) >= _VERSIONED and (version := self._left[len(MAGIC)]) != VERSION:
            raise CheckpointVersionUnknownError(
                f"the checkpoint has version {version}, this release knows {VERSION}"
            )

    def _record(self, at: int) -> Record | None:
        """Returns the record at a place; None: it is not all here yet, or there is no more."""
        left, begins = self._left, at + RECORD_HEAD_BYTES
        if len(left) < begins or left[at : at + 1] == _END:
            return None
        number, size = left[at], int.from_bytes(left[at + 1 : begins], "little")
        if number not in _PARTS or number < self._last or size > MAX_RECORD_BYTES:
            raise CheckpointAlteredError("the checkpoint was altered: a record is none")
        if len(left) < begins + size:
            return None
        self._last = Part(number)
        return Record(self._last, bytes(left[begins : begins + size]))

    def _read_hash(self) -> None:
        if len(self._left) < HASH_BYTES:
            return
        if self._left != self.hash:
            raise CheckpointAlteredError("the checkpoint was altered: it has another hash")
        self._is_whole = True

    def _take(self, size: int) -> None:
        with memoryview(self._left) as view:
            self._hashed.update(view[:size])
        del self._left[:size]
