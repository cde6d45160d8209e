"""How prices follow demand (MAN-33, MAN-34)."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mantle.errors import AmountOverflowError
from logos_mantle.prices import (
    GENESIS_EXECUTION,
    GENESIS_STORAGE,
    MAX_EXECUTION_GAS,
    TARGET_EXECUTION_GAS,
    ExecutionMarket,
    StorageMarket,
)

U64 = (1 << 64) - 1
prices = st.integers(1, 1 << 40)


def test_the_target_is_half_of_the_limit() -> None:
    assert (TARGET_EXECUTION_GAS, MAX_EXECUTION_GAS) == (1_596_730, 3_193_460)
    assert (7 * TARGET_EXECUTION_GAS, 8 * TARGET_EXECUTION_GAS) == (11_177_110, 12_773_840)


def test_prices_stay_at_their_beginning_without_demand() -> None:
    assert GENESIS_EXECUTION.after_block(0) == GENESIS_EXECUTION
    assert GENESIS_STORAGE.after_epoch(0) == GENESIS_STORAGE


def test_execution_costs_the_same_at_its_target() -> None:
    market = ExecutionMarket(1000, TARGET_EXECUTION_GAS)

    assert market.after_block(TARGET_EXECUTION_GAS) == market


@given(prices, st.integers(0, MAX_EXECUTION_GAS), st.integers(0, MAX_EXECUTION_GAS))
def test_execution_follows_its_average(price: int, average: int, gas: int) -> None:
    after = ExecutionMarket(price, average).after_block(gas)

    smoothed = (gas + 9 * average) // 10
    change = 1 + Fraction(smoothed - TARGET_EXECUTION_GAS, TARGET_EXECUTION_GAS) / 8
    assert after == ExecutionMarket(ceil(price * change), smoothed)
    assert after.price >= 1


@given(prices, st.integers(0, 1 << 40), st.integers(0, 1 << 40) | st.integers(0, 40))
def test_storage_follows_what_was_stored(price: int, average: int, stored: int) -> None:
    after = StorageMarket(price, average).after_epoch(stored)

    smoothed = (stored + average) // 2
    change = Fraction(stored, smoothed) if smoothed else Fraction(1)
    bounded = min(max(change, Fraction(7, 8)), Fraction(9, 8))
    assert after == StorageMarket(ceil(price * bounded), smoothed)


def test_a_price_beyond_64_bits_is_refused() -> None:
    with pytest.raises(AmountOverflowError):
        ExecutionMarket(U64, MAX_EXECUTION_GAS).after_block(MAX_EXECUTION_GAS)
    with pytest.raises(AmountOverflowError):
        StorageMarket(U64, 1).after_epoch(9)
