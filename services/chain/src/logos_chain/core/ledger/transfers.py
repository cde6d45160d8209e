"""TRANSFER and LEADER_CLAIM.

Spec: docs/protocol/chain-ledger.md, LED-8 to LED-11, LED-21 to LED-23. Sources: LIP-98, TRANSFER,
LEADER_CLAIM; LIP-85.
"""

from collections.abc import Iterable

from logos_chain.core.ledger.context import BlockContext, TransactionContext
from logos_chain.core.ledger.errors import Refusal, refuse_unless
from logos_chain.core.ledger.obligations import claim, zk_signature
from logos_mantle.notes import Note
from logos_mantle.operations import operation_id
from logos_mantle.proofs import ClaimProof, ZkSignatureProof
from logos_mantle.transfers import LeaderClaim, Transfer


def check_outputs(outputs: Iterable[Note]) -> None:
    """Raises `RefusedError` unless all notes have values (LED-9)."""
    refuse_unless(all(each.value for each in outputs), Refusal.EMPTY_NOTE)


def transfer(context: TransactionContext, operation: Transfer, proof: ZkSignatureProof) -> None:
    """Consumes notes and creates others (LED-11); raises `RefusedError`."""
    check_outputs(operation.outputs)
    notes = context.state.notes
    found = notes.spendable(operation.inputs)
    keys = [each.note.public_key for each in found]
    context.obligations.append(zk_signature(context.transaction, keys, proof.signature))
    values = [each.note.value for each in found]
    context.consumed.update(zip(operation.inputs, values, strict=True))
    notes.spend(operation.inputs)
    notes.add(operation_id(operation), operation.outputs)


def share(block: BlockContext) -> int:
    """Returns what a voucher claims now: the pool by the unclaimed vouchers, rounded down (LED-23).

    Source: LIP-85, Leaders Reward.
    """
    unclaimed = block.head.vouchers - len(block.state.nullifiers)
    return block.pool // unclaimed if unclaimed else 0


def leader_claim(context: TransactionContext, operation: LeaderClaim, proof: ClaimProof) -> None:
    """Gives a voucher's share to a new note (LED-21, LED-23); raises `RefusedError`."""
    block, nullifiers = context.block, context.state.nullifiers
    refuse_unless(operation.voucher_nullifier not in nullifiers, Refusal.DUPLICATE_NULLIFIER)
    root = block.head.voucher_root
    refuse_unless(operation.rewards_root == root, Refusal.WRONG_REWARDS_ROOT)
    reward = share(block)
    refuse_unless(reward > 0, Refusal.NO_REWARD)
    context.obligations.append(
        claim(
            context.transaction,
            nullifier=operation.voucher_nullifier,
            root=root,
            proof=proof.proof,
        )
    )
    note = Note(reward, operation.public_key)
    context.state.notes.add(operation_id(operation), [note])
    nullifiers.write(operation.voucher_nullifier, block.slot)
    block.pool -= reward
