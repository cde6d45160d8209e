"""Reads the proofs of operations in the reference's JSON (HTP-6)."""

from typing import Any, Final

from logos_chain.http.errors import RequestInvalidError
from logos_chain.http.reading import fields, hexadecimal, items, number, octets
from logos_mantle.octets import GROTH16_BYTES, SIGNATURE_BYTES
from logos_mantle.operations import Operation
from logos_mantle.proofs import (
    MAX_THRESHOLD,
    PROOF_OF,
    ClaimProof,
    DeclarationProof,
    IndexedSignature,
    InscriptionProof,
    OperationProof,
    ThresholdProof,
    ZkSignatureProof,
)

_U16: Final = (1 << 16) - 1
_TAGS: Final[dict[type[OperationProof], str]] = {
    InscriptionProof: "Ed25519Sig",
    ZkSignatureProof: "ZkSig",
    DeclarationProof: "ZkAndEd25519Sigs",
    ClaimProof: "PoC",
    ThresholdProof: "ChannelMultiSigProof",
}


def to_proof(operation: Operation, value: Any, name: str) -> OperationProof:
    """Reads the proof that an operation has, by the name of its kind.

    Raises:
        RequestInvalidError
    """
    kind = PROOF_OF[operation.opcode]
    tag = _TAGS[kind]
    found = fields(value, name, (tag,))[tag]
    if kind is InscriptionProof:
        return InscriptionProof(hexadecimal(found, f"{name}.{tag}", SIGNATURE_BYTES))
    if kind is ZkSignatureProof:
        return ZkSignatureProof(to_groth16(found, f"{name}.{tag}"))
    if kind is DeclarationProof:
        both = fields(found, f"{name}.{tag}", ("zk_sig", "ed25519_sig"))
        return DeclarationProof(
            to_groth16(both["zk_sig"], f"{name}.zk_sig"),
            hexadecimal(both["ed25519_sig"], f"{name}.ed25519_sig", SIGNATURE_BYTES),
        )
    if kind is ClaimProof:
        whole = fields(found, f"{name}.{tag}", ("proof",))
        return ClaimProof(hexadecimal(whole["proof"], f"{name}.{tag}.proof", GROTH16_BYTES))
    return to_threshold(found, f"{name}.{tag}")


def to_threshold(value: Any, name: str) -> ThresholdProof:
    """Reads the signatures of a channel's keys; raises `RequestInvalidError`."""
    found = fields(value, name, ("signatures",))
    entries = items(found["signatures"], f"{name}.signatures", MAX_THRESHOLD)
    return ThresholdProof(tuple([_indexed(each, f"{name}.signatures") for each in entries]))


def to_groth16(value: Any, name: str) -> bytes:
    """Reads a proof of three points, 128 bytes; raises `RequestInvalidError`."""
    found = fields(value, name, ("pi_a", "pi_b", "pi_c"))
    sizes = {"pi_a": 32, "pi_b": 64, "pi_c": 32}
    return b"".join([_point(found[part], f"{name}.{part}", size) for part, size in sizes.items()])


def _indexed(value: Any, name: str) -> IndexedSignature:
    found = fields(value, name, ("signature", "channel_key_index"))
    return IndexedSignature(
        hexadecimal(found["signature"], name, SIGNATURE_BYTES),
        number(found["channel_key_index"], name, _U16),
    )


def _point(value: Any, name: str, size: int) -> bytes:
    """Reads a compressed point: hexadecimal, or a list of byte values."""
    if not isinstance(value, list):
        return hexadecimal(value, name, size)
    raw = octets(value, name, size)
    if len(raw) != size:
        raise RequestInvalidError(f"{size} bytes, not {len(raw)}", field=name)
    return raw
