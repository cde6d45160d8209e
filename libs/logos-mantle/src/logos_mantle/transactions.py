"""Transactions, with and without their proofs, and their hash.

Spec: docs/protocol/mantle.md, MAN-4, MAN-13 and MAN-16. Source: LIP-202; LIP-98, Mantle
Transaction.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from logos_mantle import octets
from logos_mantle.derivations import blake2b, reduced
from logos_mantle.errors import ValueUnencodableError
from logos_mantle.limits import MAX_BODY_BYTES, MAX_OPERATIONS
from logos_mantle.octets import Reader
from logos_mantle.operations import Operation, encode_operation, read_operation
from logos_mantle.proofs import PROOF_OF, OperationProof


@dataclass(frozen=True)
class Transaction:
    """`MantleTx`: operations that are done together or not at all."""

    operations: tuple[Operation, ...]
    """At most 255."""

    @cached_property
    def encoded(self) -> bytes:
        """Its encoding, computed once; raises `ValueUnencodableError`."""
        parts = [encode_operation(each) for each in self.operations]
        return octets.listed(parts, 1, MAX_OPERATIONS, "operations")

    @cached_property
    def hash(self) -> bytes:
        """Its hash, 32 bytes, computed once: its id, and what Ed25519 keys sign (MAN-16)."""
        return blake2b(b"MANTLE_TXHASH_V1", self.encoded)

    @property
    def hash_value(self) -> bytes:
        """Its hash modulo the field, 32 bytes: the public input of its proofs (MAN-16)."""
        return reduced(self.hash)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises what its operations raise."""
        start = reader.at
        read = cls(tuple([read_operation(reader) for _ in range(reader.number(1))]))
        _keep_encoded(read, reader.since(start))
        return read

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one. Untrusted; raises `MalformedError` (MAN-2)."""
        reader = Reader(raw, limit=MAX_BODY_BYTES)
        transaction = cls.read(reader)
        reader.end()
        return transaction


@dataclass(frozen=True)
class SignedTransaction:
    """`SignedMantleTx`: a transaction and the proof of each of its operations."""

    transaction: Transaction
    proofs: tuple[OperationProof, ...]
    """One for each operation, of the class that `PROOF_OF` names."""

    @cached_property
    def encoded(self) -> bytes:
        """Its encoding, computed once; raises `ValueUnencodableError`.

        At most 2 MiB, since it must fit into a block.
        """
        wanted = [PROOF_OF[each.opcode] for each in self.transaction.operations]
        if [type(each) for each in self.proofs] != wanted:
            raise ValueUnencodableError("is not a proof for each operation", field="proofs")
        raw = self.transaction.encoded + b"".join([each.encode() for each in self.proofs])
        if len(raw) > MAX_BODY_BYTES:
            raise ValueUnencodableError(f"has {len(raw)} bytes, at most {MAX_BODY_BYTES}")
        return raw

    @property
    def hash(self) -> bytes:
        """The hash of the transaction; proofs are not in it."""
        return self.transaction.hash

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises what its operations and proofs raise."""
        start = reader.at
        transaction = Transaction.read(reader)
        operations = transaction.operations
        read = cls(transaction, tuple([PROOF_OF[each.opcode].read(reader) for each in operations]))
        _keep_encoded(read, reader.since(start))
        return read

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one. Untrusted; raises `MalformedError` (MAN-2)."""
        reader = Reader(raw, limit=MAX_BODY_BYTES)
        signed = cls.read(reader)
        reader.end()
        return signed


def _keep_encoded(read: Transaction | SignedTransaction, raw: bytes) -> None:
    """Spares encoding again what was decoded: a value has one encoding (MAN-2)."""
    vars(read)["encoded"] = raw
