"""Notes, lists of them and of their ids.

Spec: docs/protocol/mantle.md, MAN-6 and MAN-16. Source: LIP-98, Notes; LIP-202, Ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from logos_crypto.hashes import FIELD_BYTES, poseidon2_hash
from logos_mantle import octets
from logos_mantle.derivations import reduced, tag
from logos_mantle.octets import HASH_BYTES, Reader

NOTE_BYTES: Final = 40
MAX_INPUTS: Final = 255
MAX_OUTPUTS: Final = 255

_TAG: Final = tag("NOTE_ID_V1")


@dataclass(frozen=True, slots=True)
class Note:
    """An amount that belongs to a key; 40 bytes."""

    value: int
    """0 to 2**64-1. The ledger refuses 0; the encoding has it."""
    public_key: bytes
    """A `ZkPublicKey`: a field value, 32 bytes."""

    def encode(self) -> bytes:
        """Returns 40 bytes; raises `ValueUnencodableError`."""
        return octets.number(self.value, 8, "value") + octets.field(self.public_key, "public_key")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises `TruncatedError`, `FieldNotCanonicalError`."""
        return cls(reader.number(8), reader.field())


def note_id(operation_id: bytes, index: int, note: Note) -> bytes:
    """Returns the id of a note, a field value of 32 bytes (MAN-16).

    Args:
        operation_id: Id of the operation that makes the note, 32 bytes (`operation_id`).
        index: The note's place among the operation's outputs, from 0.
        note: The note.

    Raises:
        ValueUnencodableError: The note or the index has no encoding.

    Source: LIP-98, Note Id.
    """
    return poseidon2_hash(
        [
            _TAG,
            reduced(octets.fixed(operation_id, HASH_BYTES, "operation_id")),
            octets.number(index, 8, "index").ljust(FIELD_BYTES, b"\0"),
            octets.number(note.value, 8, "value").ljust(FIELD_BYTES, b"\0"),
            octets.field(note.public_key, "public_key"),
        ]
    )


def encode_inputs(inputs: Sequence[bytes]) -> bytes:
    """Encodes at most 255 note ids; raises `ValueUnencodableError`."""
    parts = [octets.field(each, "inputs") for each in inputs]
    return octets.listed(parts, 1, MAX_INPUTS, "inputs")


def read_inputs(reader: Reader) -> tuple[bytes, ...]:
    """Reads note ids; raises `TruncatedError`, `FieldNotCanonicalError`."""
    return tuple([reader.field() for _ in range(reader.number(1))])


def encode_outputs(outputs: Sequence[Note]) -> bytes:
    """Encodes at most 255 notes; raises `ValueUnencodableError`."""
    return octets.listed([each.encode() for each in outputs], 1, MAX_OUTPUTS, "outputs")


def read_outputs(reader: Reader) -> tuple[Note, ...]:
    """Reads notes; raises `TruncatedError`, `FieldNotCanonicalError`."""
    return tuple([Note.read(reader) for _ in range(reader.number(1))])
