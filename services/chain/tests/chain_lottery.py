"""Seeded lotteries, and what must hold of who wins them."""

from fractions import Fraction
from hashlib import blake2b
from math import log, sqrt

from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.lottery import LeaderNote, Lottery, lottery_of

F = Fraction(1, 10)
CHI_SQUARED_4 = 13.277
"""Exceeded with a probability of 0.01 at four degrees of freedom."""


def note(number: int, value: int) -> LeaderNote:
    """A note whose id and key are seeded: every run sees the same lottery."""
    seed = [blake2b(f"{number} {what}".encode(), digest_size=31).digest() for what in "ik"]
    return LeaderNote(seed[0] + b"\0", seed[1] + b"\0", value)


def lottery(total: int, activation: Fraction = F) -> Lottery:
    nonce = blake2b(b"the nonce", digest_size=31).digest() + b"\0"
    return lottery_of(EpochState(1, bytes(32), nonce, total), activation)


def share(value: int, total: int) -> float:
    """The exact chance of a slot: phi(value / total)."""
    return 1 - (1 - float(F)) ** (value / total)


def hoeffding(slots: int) -> float:
    """A bound that a rate is off by with a probability of 0.01."""
    return sqrt(log(2 / 0.01) / (2 * slots))


def check_proportions(slots: int) -> None:
    """Stakes of 1:2:4:8: chi-squared with p > 0.01, and the rate of occupied slots."""
    values = [1, 2, 4, 8]
    drawn = lottery(sum(values))
    wins = [
        set(drawn.winning_slots(note(number, value), 0, slots))
        for number, value in enumerate(values)
    ]

    statistic = 0.0
    for value, won in zip(values, wins, strict=True):
        chance = share(value, sum(values))
        expected = slots * chance
        statistic += (len(won) - expected) ** 2 / (expected * (1 - chance))
    rate = len(set.union(*wins)) / slots

    assert statistic < CHI_SQUARED_4
    assert abs(rate - float(F)) <= hoeffding(slots)


def check_splitting(slots: int) -> None:
    """Ten notes of 8 lead as often as one of 80, within Hoeffding's bound."""
    drawn, chance = lottery(150), share(80, 150)
    parts = [set(drawn.winning_slots(note(100 + each, 8), 0, slots)) for each in range(10)]
    whole = set(drawn.winning_slots(note(99, 80), 0, slots))

    assert abs(len(set.union(*parts)) / slots - chance) <= hoeffding(slots)
    assert abs(len(whole) / slots - chance) <= hoeffding(slots)
