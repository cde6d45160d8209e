"""The operation proofs of a transaction, one for each operation.

Nothing here is verified: signatures and points are bytes of the right number (MAN-13).

Spec: docs/protocol/mantle.md, MAN-13 and MAN-14. Source: LIP-202, Op Proofs; LIP-98, Operations.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

from logos_mantle import octets
from logos_mantle.errors import SignatureOrderError, ValueUnencodableError
from logos_mantle.octets import GROTH16_BYTES, SIGNATURE_BYTES, Reader
from logos_mantle.opcodes import Opcode

MAX_THRESHOLD: Final = 65_535
_ENTRY_BYTES: Final = SIGNATURE_BYTES + 2


@dataclass(frozen=True, slots=True)
class ZkSignatureProof:
    """Of TRANSFER, CHANNEL_DEPOSIT, SDP_WITHDRAW and SDP_ACTIVE."""

    signature: bytes
    """Groth16, 128 bytes."""

    def encode(self) -> bytes:
        return octets.fixed(self.signature, GROTH16_BYTES, "signature")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(GROTH16_BYTES))


@dataclass(frozen=True, slots=True)
class InscriptionProof:
    """Of CHANNEL_INSCRIBE."""

    signature: bytes
    """Ed25519 over the transaction's hash, 64 bytes."""

    def encode(self) -> bytes:
        return octets.fixed(self.signature, SIGNATURE_BYTES, "signature")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(SIGNATURE_BYTES))


@dataclass(frozen=True, slots=True)
class DeclarationProof:
    """Of SDP_DECLARE."""

    zk_signature: bytes
    """Groth16, 128 bytes: of the locked note's key and of `zk_id`."""
    provider_signature: bytes
    """Ed25519 over the transaction's hash, 64 bytes."""

    def encode(self) -> bytes:
        return octets.fixed(self.zk_signature, GROTH16_BYTES, "zk_signature") + octets.fixed(
            self.provider_signature, SIGNATURE_BYTES, "provider_signature"
        )

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(GROTH16_BYTES), reader.take(SIGNATURE_BYTES))


@dataclass(frozen=True, slots=True)
class IndexedSignature:
    """A signature and whose it is."""

    signature: bytes
    """Ed25519 over the transaction's hash, 64 bytes."""
    index: int
    """Place of the key in the channel's list, 16 bits."""


@dataclass(frozen=True, slots=True)
class ThresholdProof:
    """Of CHANNEL_CONFIG, CHANNEL_WITHDRAW and CHANNEL_TRANSFER (MAN-14)."""

    signatures: tuple[IndexedSignature, ...]
    """At most 65,535, by increasing index."""

    def encode(self) -> bytes:
        """Returns 2 bytes, and 66 for each signature; raises `ValueUnencodableError`."""
        if not _increase(self.signatures):
            raise ValueUnencodableError("indexes do not increase", field="signatures")
        parts = [
            octets.fixed(each.signature, SIGNATURE_BYTES, "signatures")
            + octets.number(each.index, 2, "signatures")
            for each in self.signatures
        ]
        return octets.listed(parts, 2, MAX_THRESHOLD, "signatures")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Reads one; raises `SignatureOrderError`, `TruncatedError`."""
        raw = reader.take(reader.number(2) * _ENTRY_BYTES)
        entries = [raw[at : at + _ENTRY_BYTES] for at in range(0, len(raw), _ENTRY_BYTES)]
        signatures = tuple(
            [
                IndexedSignature(
                    each[:SIGNATURE_BYTES], int.from_bytes(each[SIGNATURE_BYTES:], "little")
                )
                for each in entries
            ]
        )
        if not _increase(signatures):
            raise SignatureOrderError("indexes of signatures do not increase")
        return cls(signatures)


@dataclass(frozen=True, slots=True)
class ClaimProof:
    """Of LEADER_CLAIM."""

    proof: bytes
    """Groth16, 128 bytes."""

    def encode(self) -> bytes:
        return octets.fixed(self.proof, GROTH16_BYTES, "proof")

    @classmethod
    def read(cls, reader: Reader) -> Self:
        return cls(reader.take(GROTH16_BYTES))


OperationProof = (
    ZkSignatureProof | InscriptionProof | DeclarationProof | ThresholdProof | ClaimProof
)

PROOF_OF: Final[dict[Opcode, type[OperationProof]]] = {
    Opcode.TRANSFER: ZkSignatureProof,
    Opcode.CHANNEL_CONFIG: ThresholdProof,
    Opcode.CHANNEL_INSCRIBE: InscriptionProof,
    Opcode.CHANNEL_DEPOSIT: ZkSignatureProof,
    Opcode.CHANNEL_WITHDRAW: ThresholdProof,
    Opcode.CHANNEL_TRANSFER: ThresholdProof,
    Opcode.SDP_DECLARE: DeclarationProof,
    Opcode.SDP_WITHDRAW: ZkSignatureProof,
    Opcode.SDP_ACTIVE: ZkSignatureProof,
    Opcode.LEADER_CLAIM: ClaimProof,
}
"""Which proof an operation has (MAN-13)."""


def null_proof(opcode: Opcode, *, signatures: int = 1) -> OperationProof:
    """Returns a proof of zeros: for a genesis block, and to reckon a fee before proving.

    Args:
        opcode: The operation's.
        signatures: Entries of a threshold's proof, at most 65,535; others have none.
    """
    proof = PROOF_OF[opcode]
    if proof is ThresholdProof:
        entries = [IndexedSignature(bytes(SIGNATURE_BYTES), each) for each in range(signatures)]
        return ThresholdProof(tuple(entries))
    if proof is DeclarationProof:
        return DeclarationProof(bytes(GROTH16_BYTES), bytes(SIGNATURE_BYTES))
    if proof is InscriptionProof:
        return InscriptionProof(bytes(SIGNATURE_BYTES))
    if proof is ClaimProof:
        return ClaimProof(bytes(GROTH16_BYTES))
    return ZkSignatureProof(bytes(GROTH16_BYTES))


def _increase(signatures: tuple[IndexedSignature, ...]) -> bool:
    return all(before.index < after.index for before, after in pairwise(signatures))
