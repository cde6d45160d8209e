"""One transaction: its operations in their order, then its fee.

Spec: docs/protocol/chain-ledger.md, LED-1, LED-10. Source: LIP-98, Mantle Transaction,
Validation and Execution.
"""

from logos_chain.core.ledger.channels import (
    channel_transfer,
    configure,
    deposit,
    inscribe,
    withdraw,
)
from logos_chain.core.ledger.context import BlockContext, TransactionContext
from logos_chain.core.ledger.errors import Refusal, RefusedError, refuse_unless
from logos_chain.core.ledger.obligations import Obligation
from logos_chain.core.ledger.services import declare, sdp_withdraw, show_activity
from logos_chain.core.ledger.transfers import leader_claim, transfer
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.errors import AmountOverflowError, FeeTooLowError, ValueUnencodableError
from logos_mantle.fees import (
    balance,
    checked_u64,
    fee_of,
    priority_tip,
    storage_gas,
    total_execution_gas,
)
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.operations import Operation
from logos_mantle.prices import MAX_EXECUTION_GAS
from logos_mantle.proofs import (
    ClaimProof,
    DeclarationProof,
    InscriptionProof,
    OperationProof,
    ThresholdProof,
    ZkSignatureProof,
)
from logos_mantle.services import SdpActive, SdpDeclare, SdpWithdraw
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import LeaderClaim, Transfer


class TransactionRefusedError(Exception):
    """A refusal, and the operation that it is for."""

    def __init__(self, reason: Refusal, operation: int | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.operation = operation
        """Its place in the transaction; None: the transaction as a whole."""


def execute(block: BlockContext, signed: SignedTransaction) -> tuple[list[Obligation], int]:
    """Executes a transaction; returns what must be verified, and the leader's tip.

    Raises:
        TransactionRefusedError: It breaks a rule; nothing has changed.
    """
    mark, before = block.state.mark(), (block.pool, block.burned, block.tips)
    usage = (block.gas, block.stored_bytes)
    place: int | None = None
    try:
        fee = _charge(block, signed)
        context = TransactionContext(block, signed.transaction)
        pairs = zip(signed.transaction.operations, signed.proofs, strict=True)
        for place, (operation, proof) in enumerate(pairs):  # noqa: B007 -- told in the refusal
            _execute_operation(context, operation, proof)
        place = None
        tip = priority_tip(balance(signed.transaction, context.consumed.__getitem__), fee)
        block.burned = checked_u64(block.burned + fee)
        block.tips = checked_u64(block.tips + tip)
    except (RefusedError, AmountOverflowError, FeeTooLowError) as error:
        block.state.rollback(mark)
        block.pool, block.burned, block.tips = before
        block.gas, block.stored_bytes = usage
        raise TransactionRefusedError(_reason(error), place) from error
    return context.obligations, tip


def _charge(block: BlockContext, signed: SignedTransaction) -> int:
    """Counts what a transaction takes of its block; returns the fee (LED-10, LED-38)."""
    try:
        size = storage_gas(signed)
    except ValueUnencodableError as error:
        raise RefusedError(Refusal.PROOF_COUNT) from error
    block.stored_bytes += size
    refuse_unless(block.stored_bytes <= MAX_BODY_BYTES, Refusal.BODY_TOO_LARGE)
    gas = total_execution_gas(signed)
    block.gas += gas
    refuse_unless(block.gas <= MAX_EXECUTION_GAS, Refusal.TOO_MUCH_GAS)
    return fee_of(
        size,
        gas,
        execution_price=block.head.execution.price,
        storage_price=block.head.storage.price,
    )


def _execute_operation(  # noqa: C901 -- a table of ten, by class
    context: TransactionContext, operation: Operation, proof: OperationProof
) -> None:
    match operation, proof:
        case Transfer(), ZkSignatureProof():
            transfer(context, operation, proof)
        case ChannelConfig(), ThresholdProof():
            configure(context, operation, proof)
        case ChannelInscribe(), InscriptionProof():
            inscribe(context, operation, proof)
        case ChannelDeposit(), ZkSignatureProof():
            deposit(context, operation, proof)
        case ChannelWithdraw(), ThresholdProof():
            withdraw(context, operation, proof)
        case ChannelTransfer(), ThresholdProof():
            channel_transfer(context, operation, proof)
        case SdpDeclare(), DeclarationProof():
            declare(context, operation, proof)
        case SdpWithdraw(), ZkSignatureProof():
            sdp_withdraw(context, operation, proof)
        case SdpActive(), ZkSignatureProof():
            show_activity(context, operation, proof)
        case LeaderClaim(), ClaimProof():
            leader_claim(context, operation, proof)
        case _:
            raise RefusedError(Refusal.PROOF_COUNT)


def _reason(error: Exception) -> Refusal:
    match error:
        case RefusedError():
            return error.reason
        case FeeTooLowError():
            return Refusal.FEE_TOO_LOW
        case _:
            return Refusal.AMOUNT_OVERFLOW
