"""The prices of execution and of storage, from block to block and from epoch to epoch.

Spec: docs/protocol/mantle.md, MAN-33 and MAN-34. Source: LIP-201; LIP-205.
"""

from dataclasses import dataclass
from typing import Final

from logos_mantle.fees import checked_u64

MAX_EXECUTION_GAS: Final = 3_193_460
"""Of all transactions of a block together."""
TARGET_EXECUTION_GAS: Final = MAX_EXECUTION_GAS // 2


@dataclass(frozen=True, slots=True)
class ExecutionMarket:
    """The price of execution gas in a block (MAN-33)."""

    price: int
    """For a unit of gas, 64 bits; never below 1."""
    average_gas: int
    """Smoothed execution gas of the blocks before it."""

    def after_block(self, gas: int) -> "ExecutionMarket":
        """Returns the market of the next block.

        Args:
            gas: Execution gas of all transactions of this block.

        Raises:
            AmountOverflowError: The price has no 64 bits.

        Source: LIP-201, Base Fee Update Rule.
        """
        average = (gas + 9 * self.average_gas) // 10
        price = _rounded_up(
            self.price * (7 * TARGET_EXECUTION_GAS + average), 8 * TARGET_EXECUTION_GAS
        )
        return ExecutionMarket(checked_u64(price), average)


@dataclass(frozen=True, slots=True)
class StorageMarket:
    """The price of permanent storage in an epoch (MAN-34)."""

    price: int
    """For a byte, 64 bits; never below 1."""
    average_bytes: int
    """Smoothed bytes of the epochs before it."""

    def after_epoch(self, stored_bytes: int) -> "StorageMarket":
        """Returns the market of the next epoch.

        Args:
            stored_bytes: Bytes of all signed transactions of this epoch.

        Raises:
            AmountOverflowError: The price has no 64 bits.

        Source: LIP-205, the deterministic form.
        """
        average = (stored_bytes + self.average_bytes) // 2
        return StorageMarket(checked_u64(self._price(stored_bytes, average)), average)

    def _price(self, stored_bytes: int, average: int) -> int:
        if average == 0:
            return self.price
        if 8 * stored_bytes <= 7 * average:
            return _rounded_up(self.price * 7, 8)
        if 8 * stored_bytes >= 9 * average:
            return _rounded_up(self.price * 9, 8)
        return _rounded_up(self.price * stored_bytes, average)


GENESIS_EXECUTION: Final = ExecutionMarket(price=1, average_gas=0)
GENESIS_STORAGE: Final = StorageMarket(price=1, average_bytes=0)


def _rounded_up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
