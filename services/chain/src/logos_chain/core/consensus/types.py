"""Blocks as consensus sees them. Their bytes are encoded, decoded and hashed elsewhere."""

from dataclasses import dataclass
from typing import Final, NewType

BlockId = NewType("BlockId", bytes)
"""32 bytes: the hash of a header."""

ID_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a block, decoded. Untrusted until it was verified."""

    id: BlockId
    """Hash of the encoded header, computed by the decoder (MAN-24)."""
    version: int
    parent: BlockId
    slot: int
    """0 to 2**64-1."""
    body_root: bytes
    voucher: bytes
    """Commitment to the leader's voucher; 32 bytes."""
    entropy: bytes
    """rho: what the block adds to the epoch nonce; 32 bytes, a field value."""
    proof: bytes
    """That of leadership; 128 bytes."""
    leader_key: bytes
    """Ed25519, 32 bytes; for this block alone."""


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header and its leader's signature over it: an uncle, as a block carries it."""

    header: Header
    signature: bytes
    """Ed25519, 64 bytes."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A block that has been received: its header, and what the body amounts to.

    The body itself is kept by the caller, under the block's id.
    """

    signed: SignedHeader
    transactions: int
    body_bytes: int
    """Of the serialised transactions."""
    body_root: bytes
    """Computed from uncles and transactions; must be the header's."""
    uncles: tuple[SignedHeader, ...] = ()

    @property
    def header(self) -> Header:
        """The block's own header."""
        return self.signed.header
