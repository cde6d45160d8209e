"""What a caller must verify before it accepts what the ledger has executed.

Spec: docs/protocol/chain-ledger.md, LED-4. Source: LIP-98, appendices ZkSignature, Multiple Ed25519
Signatures Verification, Proof of Claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from logos_chain.core.ledger.errors import Refusal, refuse_unless
from logos_crypto.circuits import public_inputs
from logos_mantle.derivations import PADDING_KEY
from logos_mantle.limits import MAX_SIGNING_KEYS
from logos_mantle.proofs import ThresholdProof
from logos_mantle.services import Activity
from logos_mantle.transactions import Transaction

_SMALL_KEYS: Final = 2
"""Keys of the smaller of the two signature circuits (ZK-10)."""


@dataclass(frozen=True, slots=True)
class CircuitObligation:
    """A Groth16 proof that must hold."""

    circuit: str
    """`signature2`, `signature32` or `claim`."""
    public: bytes
    """Public inputs in the verifier's order, 32 bytes each."""
    proof: bytes
    """128 bytes."""


@dataclass(frozen=True, slots=True)
class Ed25519Obligation:
    """A signature that must hold."""

    key: bytes
    """32 bytes, not known to be a point."""
    message: bytes
    """The transaction's hash, 32 bytes."""
    signature: bytes
    """64 bytes."""


@dataclass(frozen=True, slots=True)
class ActivityObligation:
    """Proofs of quota and of selection that must hold for a node of the Blend network.

    Quotas are that network's parameters, so its core makes the public inputs.
    """

    activity: Activity
    provider_id: bytes
    """Ed25519 public key that must have been selected, 32 bytes."""
    provider_index: int
    """Its place among the providers of the activity's epoch, by provider id."""
    providers: int
    """How many there were."""


Obligation = CircuitObligation | Ed25519Obligation | ActivityObligation


def zk_signature(
    transaction: Transaction, keys: Sequence[bytes], signature: bytes
) -> CircuitObligation:
    """Returns the obligation of a ZkSignature over a transaction.

    Args:
        transaction: What is signed.
        keys: Public keys in their order, each 32 bytes; repeated if several notes have one.
        signature: Groth16, 128 bytes.

    Raises:
        RefusedError: There are more than 32 keys.
    """
    circuit, values = signature_values(transaction, keys)
    return CircuitObligation(circuit, public_inputs(circuit, values), signature)


def signature_values(
    transaction: Transaction, keys: Sequence[bytes]
) -> tuple[str, Mapping[str, int | list[int]]]:
    """Returns circuit and public values of a ZkSignature; arguments and errors as there."""
    refuse_unless(len(keys) <= MAX_SIGNING_KEYS, Refusal.TOO_MANY_INPUTS)
    size = _SMALL_KEYS if len(keys) <= _SMALL_KEYS else MAX_SIGNING_KEYS
    padded = [*keys, *[PADDING_KEY] * (size - len(keys))]
    return f"signature{size}", {
        "public_keys": [_number(each) for each in padded],
        "message": _number(transaction.hash_value),
    }


def threshold(
    transaction: Transaction, proof: ThresholdProof, keys: Sequence[bytes], wanted: int
) -> list[Ed25519Obligation]:
    """Returns the obligations of a channel's threshold (LED-19).

    Raises:
        RefusedError: There are more or fewer signatures, or one of no key.
    """
    refuse_unless(len(proof.signatures) == wanted, Refusal.SIGNATURE_COUNT)
    indexes = [each.index for each in proof.signatures]
    increase = all(before < after for before, after in pairwise(indexes))
    refuse_unless(increase and indexes[-1] < len(keys), Refusal.UNAUTHORIZED_SIGNER)
    message = transaction.hash
    return [
        Ed25519Obligation(keys[each.index], message, each.signature) for each in proof.signatures
    ]


def claim(
    transaction: Transaction, *, nullifier: bytes, root: bytes, proof: bytes
) -> CircuitObligation:
    """Returns the obligation of a proof of claim (ZK-9)."""
    values = claim_values(transaction, nullifier=nullifier, root=root)
    return CircuitObligation("claim", public_inputs("claim", values), proof)


def claim_values(transaction: Transaction, *, nullifier: bytes, root: bytes) -> Mapping[str, int]:
    """Returns the public values of a proof of claim (ZK-9)."""
    return {
        "voucher_nullifier": _number(nullifier),
        "transaction_hash": _number(transaction.hash_value),
        "voucher_root": _number(root),
    }


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")
