"""Headers of blocks, alone and with their signature; the id of a block.

Spec: docs/protocol/mantle.md, MAN-21 to MAN-24. Source: LIP-93, Header; LIP-92, Block ID, and its
vectors.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from logos_mantle import octets
from logos_mantle.derivations import blake2b
from logos_mantle.errors import VersionUnknownError
from logos_mantle.octets import (
    GROTH16_BYTES,
    HASH_BYTES,
    KEY_BYTES,
    SIGNATURE_BYTES,
    Reader,
)

VERSION: Final = 1
LEADERSHIP_BYTES: Final = 224
HEADER_BYTES: Final = 297
SIGNED_HEADER_BYTES: Final = 361


@dataclass(frozen=True, slots=True)
class ProofOfLeadership:
    """What shows that a block's maker won its slot (MAN-21); 224 bytes."""

    voucher: bytes
    """Commitment to the reward's voucher: a field value, 32 bytes."""
    entropy: bytes
    """Contribution to the epoch's nonce: a field value, 32 bytes."""
    proof: bytes
    """Groth16, 128 bytes."""
    leader_key: bytes
    """Ed25519 public key of this block alone, 32 bytes."""


@dataclass(frozen=True)
class Header:
    """The header of a block; 297 bytes (MAN-22)."""

    parent: bytes
    """Id of the block before it, 32 bytes."""
    slot: int
    """64 bits."""
    body_root: bytes
    """Commitment to uncles and transactions (MAN-26), 32 bytes."""
    leadership: ProofOfLeadership

    @cached_property
    def encoded(self) -> bytes:
        """297 bytes, computed once: what the leader's key signs (MAN-22, MAN-23).

        Raises:
            ValueUnencodableError: A field does not fit.
        """
        proof = self.leadership
        return b"".join(
            [
                self._start(),
                octets.fixed(proof.proof, GROTH16_BYTES, "proof"),
                octets.field(proof.entropy, "entropy"),
                octets.fixed(proof.leader_key, KEY_BYTES, "leader_key"),
                octets.field(proof.voucher, "voucher"),
            ]
        )

    @cached_property
    def id(self) -> bytes:
        """The block's id, 32 bytes, computed once (MAN-24).

        Raises:
            ValueUnencodableError: A field does not fit.
        """
        proof = self.leadership
        return blake2b(
            b"BLOCK_ID_V1",
            self._start(),
            octets.field(proof.voucher, "voucher"),
            octets.field(proof.entropy, "entropy"),
            octets.fixed(proof.proof, GROTH16_BYTES, "proof"),
            octets.fixed(proof.leader_key, KEY_BYTES, "leader_key"),
        )

    def _start(self) -> bytes:
        return (
            bytes([VERSION])
            + octets.fixed(self.parent, HASH_BYTES, "parent")
            + octets.number(self.slot, 8, "slot")
            + octets.fixed(self.body_root, HASH_BYTES, "body_root")
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises `VersionUnknownError`, `FieldNotCanonicalError`, `TruncatedError`."""
        version = reader.number(1)
        if version != VERSION:
            raise VersionUnknownError(f"a header of version {version}")
        parent, slot, body_root = reader.take(HASH_BYTES), reader.number(8), reader.take(HASH_BYTES)
        proof, entropy = reader.take(GROTH16_BYTES), reader.field()
        leader_key, voucher = reader.take(KEY_BYTES), reader.field()
        return cls(parent, slot, body_root, ProofOfLeadership(voucher, entropy, proof, leader_key))

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes one. Untrusted; raises `MalformedError` (MAN-2)."""
        reader = Reader(raw, limit=HEADER_BYTES)
        header = cls.read(reader)
        reader.end()
        return header


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header with its signature, as an uncle is carried; 361 bytes (MAN-25)."""

    header: Header
    signature: bytes
    """Ed25519 of the header's leader key over the header's 297 bytes (MAN-23), 64 bytes."""

    def encode(self) -> bytes:
        """Returns 361 bytes; raises `ValueUnencodableError`."""
        return self.header.encoded + octets.fixed(self.signature, SIGNATURE_BYTES, "signature")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises as `Header.read`."""
        return cls(Header.read(reader), reader.take(SIGNATURE_BYTES))
