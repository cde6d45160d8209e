"""Gas, fees and balances (MAN-17 to MAN-20)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mantle_values import field_of, signed_transactions

from logos_mantle.channels import ChannelConfig, ChannelTransfer, ChannelWithdraw
from logos_mantle.errors import AmountOverflowError, FeeTooLowError
from logos_mantle.fees import (
    EXECUTION_GAS,
    balance,
    checked_i128,
    checked_sum,
    checked_u64,
    execution_gas,
    mandatory_fee,
    priority_tip,
    storage_gas,
    total_execution_gas,
)
from logos_mantle.notes import Note
from logos_mantle.opcodes import Opcode
from logos_mantle.proofs import IndexedSignature, ThresholdProof, ZkSignatureProof, null_proof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

ONES = b"\1" * 32
KEY = field_of(9)
U64 = (1 << 64) - 1
I128 = (1 << 127) - 1


def transfer(inputs: int, *values: int) -> Transfer:
    return Transfer(
        tuple(field_of(each) for each in range(inputs)),
        tuple(Note(value, KEY) for value in values),
    )


def signed(*operations: Transfer) -> SignedTransaction:
    proofs = (ZkSignatureProof(bytes(128)),) * len(operations)
    return SignedTransaction(Transaction(operations), proofs)


def threshold(count: int) -> ThresholdProof:
    return ThresholdProof(tuple(IndexedSignature(bytes(64), each) for each in range(count)))


def test_every_operation_has_its_gas() -> None:
    assert set(EXECUTION_GAS) == set(Opcode)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_gas_of_a_threshold_is_for_each_signature(count: int) -> None:
    proof = threshold(count)

    gas = [
        execution_gas(ChannelConfig(ONES, (ONES,), 0, 0, 9, 9), proof),
        execution_gas(ChannelWithdraw(ONES, (KEY,)), proof),
        execution_gas(ChannelTransfer(ONES, (KEY,), ()), proof),
    ]

    assert gas == [56 * max(1, count)] * 3


def test_a_fee_is_for_gas_and_bytes() -> None:
    transaction = signed(transfer(1, 5), transfer(2))

    size = 1 + (1 + 1 + 32 + 1 + 40) + (1 + 1 + 64 + 1) + 2 * 128
    assert storage_gas(transaction) == size == len(transaction.encoded)
    assert total_execution_gas(transaction) == 2 * 590
    assert mandatory_fee(transaction, execution_price=3, storage_price=7) == 3540 + 7 * size
    assert mandatory_fee(transaction, execution_price=0, storage_price=0) == 0


@pytest.mark.parametrize(
    "prices", [(U64 // 590 + 1, 0), (0, U64 // 200), (U64 // 590, U64 // 204 - 1), (-1, 0), (1, -1)]
)
def test_a_fee_beyond_64_bits_is_refused(prices: tuple[int, int]) -> None:
    execution_price, storage_price = prices

    with pytest.raises(AmountOverflowError):
        mandatory_fee(
            signed(transfer(1, 5)), execution_price=execution_price, storage_price=storage_price
        )


def test_a_balance_is_what_transfers_leave() -> None:
    transaction = Transaction((transfer(2, 5), ChannelTransfer(ONES, (KEY,), (Note(9, KEY),))))

    assert balance(transaction, lambda _: 10) == 15
    assert balance(Transaction((transfer(0, 5, U64),)), lambda _: 0) == -5 - U64
    assert balance(Transaction(()), lambda _: 1) == 0


def test_a_balance_takes_only_amounts() -> None:
    with pytest.raises(AmountOverflowError):
        balance(Transaction((transfer(1),)), lambda _: U64 + 1)


def test_a_tip_is_what_is_left() -> None:
    assert priority_tip(7, 7) == 0
    assert priority_tip(U64, 0) == U64
    with pytest.raises(FeeTooLowError):
        priority_tip(6, 7)
    with pytest.raises(FeeTooLowError):
        priority_tip(-1, 0)
    with pytest.raises(AmountOverflowError):
        priority_tip(U64 + 1, 0)


@pytest.mark.parametrize("value", [-1, U64 + 1])
def test_64_bits_are_checked(value: int) -> None:
    assert checked_u64(0) == 0
    assert checked_u64(U64) == U64
    with pytest.raises(AmountOverflowError):
        checked_u64(value)


@pytest.mark.parametrize("value", [-I128 - 2, I128 + 1])
def test_128_bits_are_checked(value: int) -> None:
    assert checked_i128(I128) == I128
    assert checked_i128(-I128 - 1) == -I128 - 1
    with pytest.raises(AmountOverflowError):
        checked_i128(value)


@pytest.mark.property
@given(st.lists(st.integers(0, U64) | st.integers(0, 9), max_size=4))
def test_a_sum_is_exact_or_refused(values: list[int]) -> None:
    if sum(values) > U64:
        with pytest.raises(AmountOverflowError):
            checked_sum(values)
    else:
        assert checked_sum(values) == sum(values)


@pytest.mark.property
@given(signed_transactions, st.integers(0, 1 << 20), st.integers(0, 1 << 20))
def test_a_fee_is_linear(transaction: SignedTransaction, execution: int, storage: int) -> None:
    fee = mandatory_fee(transaction, execution_price=execution, storage_price=storage)

    assert fee == total_execution_gas(transaction) * execution + storage * storage_gas(transaction)


@pytest.mark.property
@given(signed_transactions)
def test_a_fee_is_known_before_the_proofs(transaction: SignedTransaction) -> None:
    pairs = zip(transaction.transaction.operations, transaction.proofs, strict=True)
    proofs = tuple(
        null_proof(
            operation.opcode,
            signatures=len(proof.signatures) if isinstance(proof, ThresholdProof) else 1,
        )
        for operation, proof in pairs
    )

    reckoned = SignedTransaction(transaction.transaction, proofs)

    assert storage_gas(reckoned) == storage_gas(transaction)
    assert total_execution_gas(reckoned) == total_execution_gas(transaction)
