"""Obligations of the ledger hold for real proofs, and for no other transaction (LED-4)."""

from collections.abc import Callable

import pytest
from chain_ledger import BOB, Chain, field_of, signed

from logos_chain.core.ledger.ledger import Applied
from logos_chain.core.ledger.obligations import CircuitObligation
from logos_crypto.circuits import Cancellation, CircuitKey, selectors, witness
from logos_crypto.trees import LedgerTree
from logos_mantle.derivations import public_key, voucher_commitment, voucher_nullifier
from logos_mantle.notes import Note
from logos_mantle.proofs import ClaimProof, OperationProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import LeaderClaim, Transfer

SECRETS = [1, 0]
"""Alice's, and that of the padding."""
VOUCHER = field_of(77)


@pytest.fixture(scope="module")
def keys() -> dict[str, CircuitKey]:
    names = ("signature2", "claim")
    return {each: CircuitKey.insecure_from_seed(each, bytes(32)) for each in names}


def number(value: bytes) -> int:
    return int.from_bytes(value, "little")


def holds(keys: dict[str, CircuitKey], obligation: object) -> bool:
    assert isinstance(obligation, CircuitObligation)
    verifier = keys[obligation.circuit].verifier()
    return verifier.verify(obligation.public, obligation.proof)


def obligation_of(
    chain: Chain, made: SignedTransaction, prove: Callable[[SignedTransaction], OperationProof]
) -> object:
    """Executes a transaction whose first proof is a real one; returns what it must hold for."""
    proven = SignedTransaction(made.transaction, (prove(made), *made.proofs[1:]))
    result = chain.block(proven)
    assert isinstance(result, Applied), result
    return result.obligations[0]


def test_signature_of_a_transfer(keys: dict[str, CircuitKey]) -> None:
    chain = Chain()
    ids = [next(chain.funds) for _ in range(2)]
    one, other = (signed(Transfer((each,), (Note(1, BOB),))) for each in ids)

    def prove(transaction: SignedTransaction) -> ZkSignatureProof:
        public = {
            "public_keys": [number(public_key(field_of(each))) for each in SECRETS],
            "message": number(transaction.transaction.hash_value),
        }
        made = witness("signature2", public, {"secret_keys": SECRETS})
        return ZkSignatureProof(made.prove(keys["signature2"], Cancellation()))

    assert holds(keys, obligation_of(chain, one, prove))
    assert not holds(keys, obligation_of(chain, other, lambda _: prove(one)))


def test_proof_of_a_claim(keys: dict[str, CircuitKey]) -> None:
    chain = Chain(stake=1_000_000)
    chain.block(voucher=voucher_commitment(VOUCHER))
    chain.to_epoch(1)
    root, tree = chain.ledger.head.voucher_root, LedgerTree()
    tree.insert(voucher_commitment(VOUCHER))
    path = tree.path(voucher_commitment(VOUCHER))
    made = chain.paid(LeaderClaim(root, voucher_nullifier(VOUCHER), BOB))

    def prove(transaction: SignedTransaction) -> ClaimProof:
        public = {
            "voucher_nullifier": number(voucher_nullifier(VOUCHER)),
            "transaction_hash": number(transaction.transaction.hash_value),
            "voucher_root": number(root),
        }
        private = {
            "voucher": number(VOUCHER),
            "path": [number(each) for each in path.siblings],
            "selectors": selectors(path.index, 32),
        }
        proof = witness("claim", public, private).prove(keys["claim"], Cancellation())
        return ClaimProof(proof)

    assert holds(keys, obligation_of(chain, made, prove))
    chain.undo()
    elsewhere = chain.paid(LeaderClaim(root, voucher_nullifier(VOUCHER), BOB))
    assert not holds(keys, obligation_of(chain, elsewhere, lambda _: prove(made)))
