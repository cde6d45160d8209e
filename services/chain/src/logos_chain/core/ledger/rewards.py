"""Rewards of blocks, and how those of a service are shared.

Whole numbers throughout: a reward is part of the state that all nodes must have.

Spec: docs/protocol/chain-ledger.md, LED-32, LED-33. Sources: LIP-199, Float Precision for
Implementation; LIP-95, Reward Calculation; LIP-86.
"""

from collections.abc import Mapping, Sequence

from logos_chain.core.ledger.parameters import Emission


def block_reward(emission: Emission, total_stake: int, fees: Sequence[int]) -> tuple[int, int]:
    """Returns what a block emits for services and for leaders, in this order (LED-33).

    Args:
        emission: The constants.
        total_stake: Inferred for the block's epoch, 64 bits.
        fees: Burned by the last blocks, this one last; at least one.

    Source: LIP-199, `block_reward`.
    """
    scale, divisor = emission.scale, emission.inflation_denominator
    wanted = emission.stake_target + emission.fee_weight * sum(fees) - total_stake
    rate = min(max(wanted, 0), scale)
    numerator = emission.inflation_numerator * rate + divisor * (scale - rate) * fees[-1]
    denominator = divisor * scale * 10
    return numerator * 6 // denominator, numerator * 4 // denominator


def service_shares(income: int, distances: Mapping[bytes, int]) -> dict[bytes, int]:
    """Returns the rewards of active nodes: one part each, two for the closest (LED-32).

    Args:
        income: Of the service in the epoch, 64 bits.
        distances: What each node has shown, by whatever names it; may be empty.

    Source: LIP-95, Reward Calculation.
    """
    if not distances:
        return {}
    closest = min(distances.values())
    parts = {key: 2 if each == closest else 1 for key, each in distances.items()}
    base = income // sum(parts.values())
    return {key: base * each for key, each in parts.items()}
