"""The estimate of the stake that takes part in the lottery.

Integers throughout, and every division towards zero: a node that rounds otherwise derives another
difficulty, and leaves the chain. f enters in thousandths rounded down, so 1/30 counts as 33
thousandths and the estimate comes to rest 1 % too high; that is the protocol.

Spec: docs/protocol/chain-consensus.md, CON-12. Source: LIP-94, algorithm.
"""

from typing import Final

from logos_chain.core.consensus.parameters import PERMILLE, Parameters

MAX_STAKE: Final = (1 << 64) - 1


def infer_total_stake(parameters: Parameters, estimate: int, occupied: int) -> int:
    """Returns the estimate for the next epoch, 1 to 2**64-1.

    Args:
        parameters: Of the network.
        estimate: That of the epoch which was observed, 1 to 2**64-1.
        occupied: Distinct occupied slots in the epoch's first 6 base periods (CON-11).
    """
    scaled = estimate * PERMILLE
    expected = parameters.observed_slots * parameters.activation_permille
    missing = expected - occupied * PERMILLE
    error = _divide(scaled * missing, expected)
    correction = _divide(parameters.learning_permille * error, PERMILLE)
    return min(max(_divide(scaled - correction, PERMILLE), 1), MAX_STAKE)


def _divide(value: int, divisor: int) -> int:
    """Divides towards zero, by a divisor above zero."""
    return value // divisor if value >= 0 else -(-value // divisor)
