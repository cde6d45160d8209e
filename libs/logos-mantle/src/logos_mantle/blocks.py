"""Blocks and proposals, and what a header commits to.

Spec: docs/protocol/mantle.md, MAN-25 to MAN-30. Source: LIP-93; LIP-92, Block Header Validation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from logos_mantle import octets
from logos_mantle.derivations import blake2b
from logos_mantle.errors import (
    BodyRootError,
    BodyTooLargeError,
    ReferenceGapError,
    TransactionCountError,
    UncleCountError,
    ValueUnencodableError,
)
from logos_mantle.headers import HEADER_BYTES, SIGNED_HEADER_BYTES, Header, SignedHeader
from logos_mantle.limits import MAX_BODY_BYTES, MAX_TRANSACTIONS, MAX_UNCLES
from logos_mantle.octets import HASH_BYTES, SIGNATURE_BYTES, ZERO, Reader
from logos_mantle.transactions import SignedTransaction

REFERENCES_BYTES: Final = MAX_TRANSACTIONS * HASH_BYTES
PROPOSAL_BYTES: Final = HEADER_BYTES + 1 + REFERENCES_BYTES + SIGNATURE_BYTES
"""Of a proposal without uncles: 33,130. Each uncle adds 361."""
MAX_PROPOSAL_BYTES: Final = PROPOSAL_BYTES + MAX_UNCLES * SIGNED_HEADER_BYTES
"""34,574: what every proposal is padded to before it is sent (MAN-27)."""
MAX_BLOCK_BYTES: Final = (
    HEADER_BYTES + SIGNATURE_BYTES + 1 + MAX_UNCLES * SIGNED_HEADER_BYTES + 2 + MAX_BODY_BYTES
)


def merkle_root(hashes: Sequence[bytes]) -> bytes:
    """Returns the root over hashes of transactions, 32 bytes; zeros if there are none (MAN-26).

    Source: LIP-92, Block Header Validation, and its vectors.
    """
    if not hashes:
        return ZERO
    level = [octets.fixed(each, HASH_BYTES, "hashes") for each in hashes]
    level += [ZERO] * ((1 << (len(level) - 1).bit_length()) - len(level))
    while len(level) > 1:
        level = [blake2b(*level[at : at + 2]) for at in range(0, len(level), 2)]
    return level[0]


def encode_uncles(uncles: Sequence[SignedHeader]) -> bytes:
    """Encodes at most 4 signed headers; raises `ValueUnencodableError` (MAN-25)."""
    return octets.listed([each.encode() for each in uncles], 1, MAX_UNCLES, "uncles")


def read_uncles(reader: Reader) -> tuple[SignedHeader, ...]:
    """Reads them; raises `UncleCountError`, and as `Header.read` (MAN-25)."""
    count = reader.number(1)
    if count > MAX_UNCLES:
        raise UncleCountError(f"{count} uncles, at most {MAX_UNCLES}")
    return tuple([SignedHeader.read(reader) for _ in range(count)])


def body_root(uncles: Sequence[SignedHeader], hashes: Sequence[bytes]) -> bytes:
    """Returns what a header commits to its body with, 32 bytes (MAN-26).

    Args:
        uncles: The signed headers that the block carries, at most 4.
        hashes: The hashes of its transactions, in their order.

    Raises:
        ValueUnencodableError: An uncle has no encoding.
    """
    return blake2b(b"BODY_ROOT_V1", encode_uncles(uncles), merkle_root(hashes))


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block whose transactions are named by their hashes (MAN-27)."""

    header: Header
    uncles: tuple[SignedHeader, ...]
    """At most 4."""
    references: tuple[bytes, ...]
    """Hashes of the transactions, 32 bytes each, none of them zero; at most 1,024."""
    signature: bytes
    """Ed25519 of the header's leader key over the header's 297 bytes, 64 bytes."""

    def encode(self) -> bytes:
        """Returns 33,130 to 34,574 bytes; raises `ValueUnencodableError`."""
        if len(self.references) > MAX_TRANSACTIONS or ZERO in self.references:
            raise ValueUnencodableError("at most 1,024, and none is zero", field="references")
        references = [octets.fixed(each, HASH_BYTES, "references") for each in self.references]
        return b"".join(
            [
                self.header.encoded,
                encode_uncles(self.uncles),
                b"".join(references).ljust(REFERENCES_BYTES, b"\0"),
                octets.fixed(self.signature, SIGNATURE_BYTES, "signature"),
            ]
        )

    def has_body_root(self) -> bool:
        """Returns whether the header commits to these uncles and references (MAN-26)."""
        return self.header.body_root == body_root(self.uncles, self.references)

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one. Untrusted; raises `MalformedError` (MAN-2, MAN-28)."""
        reader = Reader(raw, limit=MAX_PROPOSAL_BYTES)
        header, uncles = Header.read(reader), read_uncles(reader)
        references, signature = _references(reader), reader.take(SIGNATURE_BYTES)
        reader.end()
        return cls(header, uncles, references, signature)


@dataclass(frozen=True, slots=True)
class Block:
    """What nodes keep, execute and give to each other (MAN-29)."""

    header: Header
    signature: bytes
    """Ed25519 of the header's leader key over the header's 297 bytes, 64 bytes."""
    uncles: tuple[SignedHeader, ...]
    """At most 4."""
    transactions: tuple[SignedTransaction, ...]
    """At most 1,024, and 2 MiB together."""

    @property
    def id(self) -> bytes:
        return self.header.id

    def encode(self) -> bytes:
        """Returns at most 2,098,960 bytes; raises `ValueUnencodableError`."""
        parts = [each.encoded for each in self.transactions]
        size = sum(map(len, parts))
        if size > MAX_BODY_BYTES:
            raise ValueUnencodableError(
                f"{size} bytes together, at most {MAX_BODY_BYTES}", field="transactions"
            )
        return b"".join(
            [
                self.header.encoded,
                octets.fixed(self.signature, SIGNATURE_BYTES, "signature"),
                encode_uncles(self.uncles),
                octets.listed(parts, 2, MAX_TRANSACTIONS, "transactions"),
            ]
        )

    def check_body_root(self) -> None:
        """Raises `BodyRootError` unless the header commits to this body (MAN-26)."""
        if self.header.body_root != body_root(self.uncles, self._hashes()):
            raise BodyRootError("the body is not the one that the header commits to")

    def proposal(self) -> Proposal:
        """Returns the proposal that names this block's transactions (MAN-30)."""
        return Proposal(self.header, self.uncles, self._hashes(), self.signature)

    def _hashes(self) -> tuple[bytes, ...]:
        return tuple([each.hash for each in self.transactions])

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one; its body root is not checked. Untrusted; raises `MalformedError` (MAN-2)."""
        reader = Reader(raw, limit=MAX_BLOCK_BYTES)
        header, signature = Header.read(reader), reader.take(SIGNATURE_BYTES)
        uncles, transactions = read_uncles(reader), _transactions(reader)
        reader.end()
        return cls(header, signature, uncles, transactions)


def _references(reader: Reader) -> tuple[bytes, ...]:
    raw = reader.take(REFERENCES_BYTES)
    entries = [raw[at : at + HASH_BYTES] for at in range(0, REFERENCES_BYTES, HASH_BYTES)]
    count = entries.index(ZERO) if ZERO in entries else len(entries)
    if any(raw[count * HASH_BYTES :]):
        raise ReferenceGapError(f"a reference follows the padding at {count}")
    return tuple(entries[:count])


def _transactions(reader: Reader) -> tuple[SignedTransaction, ...]:
    count = reader.number(2)
    if count > MAX_TRANSACTIONS:
        raise TransactionCountError(f"{count} transactions, at most {MAX_TRANSACTIONS}")
    start = reader.at
    transactions = []
    for _ in range(count):
        transactions.append(SignedTransaction.read(reader))
        if reader.at - start > MAX_BODY_BYTES:
            raise BodyTooLargeError(f"transactions of over {MAX_BODY_BYTES} bytes")
    return tuple(transactions)
