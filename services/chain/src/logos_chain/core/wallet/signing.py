"""The witnesses of a draft's proofs. Their values are secret.

The public values are those that the ledger has verified.

Spec: docs/protocol/zk.md, ZK-9, ZK-10; chain-wallet.md, WAL-14, WAL-15.
"""

from collections.abc import Sequence

from logos_chain.core.ledger.obligations import claim_values, signature_values
from logos_crypto.circuits import Values, Witness, selectors, witness
from logos_crypto.trees import LEDGER_DEPTH, MerklePath
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim


def signature_witness(
    transaction: Transaction, keys: Sequence[bytes], secrets: Sequence[bytes]
) -> Witness:
    """Returns the witness of a ZkSignature.

    Args:
        transaction: What is signed.
        keys: Public keys in their order, 32 bytes each, at most 32.
        secrets: Of these keys, in the same order.
    """
    circuit, public = signature_values(transaction, keys)
    padded = public["public_keys"]
    size = len(padded) if isinstance(padded, list) else 0
    numbers = [_number(each) for each in secrets]
    return witness(circuit, public, {"secret_keys": numbers + [0] * (size - len(numbers))})


def claim_witness(
    transaction: Transaction, claim: LeaderClaim, secret: bytes, path: MerklePath
) -> Witness:
    """Returns the witness of a proof of claim.

    Args:
        transaction: That claims.
        claim: Its operation.
        secret: Of the voucher, 32 bytes.
        path: Of its commitment, to the root in the operation.
    """
    public = claim_values(transaction, nullifier=claim.voucher_nullifier, root=claim.rewards_root)
    private: Values = {
        "voucher": _number(secret),
        "path": [_number(each) for each in path.siblings],
        "selectors": selectors(path.index, LEDGER_DEPTH),
    }
    return witness("claim", public, private)


def _number(value: bytes) -> int:
    return int.from_bytes(value, "little")
