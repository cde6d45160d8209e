"""Gas, fees and balances, with checked integers.

Spec: docs/protocol/mantle.md, MAN-17 to MAN-20. Source: LIP-98, Arithmetic, Mantle Transaction Fee,
Validation and Gas Determination.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from logos_mantle.errors import AmountOverflowError, FeeTooLowError
from logos_mantle.opcodes import Opcode
from logos_mantle.operations import Operation
from logos_mantle.proofs import OperationProof, ThresholdProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

EXECUTION_GAS: Final[Mapping[Opcode, int]] = MappingProxyType(
    {
        Opcode.TRANSFER: 590,
        Opcode.CHANNEL_CONFIG: 56,
        Opcode.CHANNEL_INSCRIBE: 56,
        Opcode.CHANNEL_DEPOSIT: 590,
        Opcode.CHANNEL_WITHDRAW: 56,
        Opcode.CHANNEL_TRANSFER: 56,
        Opcode.SDP_DECLARE: 646,
        Opcode.SDP_WITHDRAW: 590,
        Opcode.SDP_ACTIVE: 590,
        Opcode.LEADER_CLAIM: 580,
    }
)
"""Of an operation; of one with a threshold, for each signature (MAN-18)."""

_U64: Final = 1 << 64
_I128: Final = 1 << 127


def checked_u64(value: int) -> int:
    """Returns a token value; raises `AmountOverflowError` outside of 0 to 2**64-1."""
    if not 0 <= value < _U64:
        raise AmountOverflowError(f"{value} is no unsigned 64-bit amount")
    return value


def checked_i128(value: int) -> int:
    """Returns a balance; raises `AmountOverflowError` outside of -2**127 to 2**127-1."""
    if not -_I128 <= value < _I128:
        raise AmountOverflowError(f"{value} is no signed 128-bit balance")
    return value


def checked_sum(values: Iterable[int]) -> int:
    """Adds token values; raises `AmountOverflowError` if any partial sum is none."""
    total = 0
    for value in values:
        total = checked_u64(total + checked_u64(value))
    return total


def execution_gas(operation: Operation, proof: OperationProof) -> int:
    """Returns the execution gas of an operation with its proof (MAN-18)."""
    gas = EXECUTION_GAS[operation.opcode]
    return gas * max(1, len(proof.signatures)) if isinstance(proof, ThresholdProof) else gas


def total_execution_gas(signed: SignedTransaction) -> int:
    """Returns the execution gas of a transaction; raises `AmountOverflowError`."""
    pairs = zip(signed.transaction.operations, signed.proofs, strict=True)
    return checked_sum(execution_gas(operation, proof) for operation, proof in pairs)


def storage_gas(signed: SignedTransaction) -> int:
    """Returns the permanent storage gas: one for each byte of the signed transaction (MAN-19)."""
    return len(signed.encoded)


def mandatory_fee(signed: SignedTransaction, *, execution_price: int, storage_price: int) -> int:
    """Returns what a transaction must leave (MAN-19).

    Args:
        signed: The transaction.
        execution_price: `execution_base_fee` of the block, for a unit of gas, 64 bits.
        storage_price: `permanent_storage_gas_price` of the block, for a byte, 64 bits.

    Raises:
        AmountOverflowError: A product or the sum has no 64 bits.
    """
    return fee_of(
        storage_gas(signed),
        total_execution_gas(signed),
        execution_price=execution_price,
        storage_price=storage_price,
    )


def fee_of(storage: int, execution: int, *, execution_price: int, storage_price: int) -> int:
    """Returns the mandatory fee for gas that was counted; prices and errors as there."""
    return checked_u64(
        checked_u64(storage * checked_u64(storage_price))
        + checked_u64(execution * checked_u64(execution_price))
    )


def balance(transaction: Transaction, value_of: Callable[[bytes], int]) -> int:
    """Returns what the transfers of a transaction consume over what they create (MAN-20).

    Args:
        transaction: The transaction.
        value_of: Gives the value of a note by its id, 64 bits; raises the ledger's own error for
            a note that it does not have.

    Raises:
        AmountOverflowError: A partial sum has no 128 bits, or a value no 64.
    """
    total = 0
    for operation in transaction.operations:
        if isinstance(operation, Transfer):
            for each in operation.inputs:
                total = checked_i128(total + checked_u64(value_of(each)))
            for note in operation.outputs:
                total = checked_i128(total - checked_u64(note.value))
    return total


def priority_tip(balance_left: int, fee: int) -> int:
    """Returns what a balance leaves over the mandatory fee, for the leader (MAN-20).

    Raises:
        FeeTooLowError: It does not cover the fee.
        AmountOverflowError: The tip has no 64 bits.
    """
    if balance_left < fee:
        raise FeeTooLowError(f"a balance of {balance_left}, the fee is {fee}")
    return checked_u64(balance_left - fee)
