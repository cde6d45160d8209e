"""The lottery for the right to propose a block: who wins which slot.

A note wins a slot if its ticket, a hash, is below a threshold that grows with its value:
v (t0 + t1 v) modulo p, the first two terms of 1 - (1-f)^(v/D) in p-ths. t0 and t1 come from two
constants of f, which are computed here for any f in far more digits than p has.

Spec: docs/protocol/chain-consensus.md, CON-13 to CON-16. Source: LIP-83,
lottery approximation.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from typing import Final

from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.fields import field_of, tag
from logos_crypto.hashes import MODULUS, poseidon2_hash

_LEAD: Final = tag(b"LEAD_V1")
_CONTRIBUTION: Final = tag(b"NONCE_CONTRIB_V1")
_DIGITS: Final = 220
"""730 bits; p has 254, and LIP-83 computes in 512."""
_MAX_VALUE: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class LotteryConstants:
    """T0 and T1: what the thresholds of a network are made of."""

    linear: int
    """-p ln(1-f), rounded down."""
    quadratic: int
    """p ln(1-f)^2 / 2, rounded down."""


@lru_cache(maxsize=16)
def lottery_constants(activation: Fraction) -> LotteryConstants:
    """Computes the constants for an f between 0 and 1 (CON-13)."""
    with localcontext(Context(prec=_DIGITS)):
        rest = Decimal(activation.denominator - activation.numerator)
        log = (rest / Decimal(activation.denominator)).ln()
        return LotteryConstants(_floor(-log * MODULUS), _floor(log * log * MODULUS / 2))


def _floor(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))


@dataclass(frozen=True, slots=True)
class Lottery:
    """The lottery of one epoch on one chain: public inputs of its proofs of leadership."""

    nonce: bytes
    """eta: 32 bytes, a field value."""
    t0: int
    t1: int

    def threshold(self, value: int) -> int:
        """Returns the bound that a note's tickets must be below.

        Args:
            value: Of the note, 1 to 2**64-1.

        A value of over 58 times the estimated stake wraps round (CON-15).
        """
        if not 1 <= value <= _MAX_VALUE:
            raise ValueError("the value of a note is 1 to 2**64-1")
        return value * (self.t0 + self.t1 * value) % MODULUS

    def ticket(self, slot: int, note: "LeaderNote") -> int:
        """Returns a note's ticket for a slot, below p."""
        inputs = (_LEAD, self.nonce, field_of(slot), note.note_id, note.secret_key)
        return int.from_bytes(poseidon2_hash(inputs), "little")

    def wins(self, slot: int, note: "LeaderNote") -> bool:
        """Says whether a note may propose in a slot. A ticket at the threshold does not win."""
        return self.ticket(slot, note) < self.threshold(note.value)

    def winning_slots(self, note: "LeaderNote", first: int, end: int) -> Iterator[int]:
        """Finds the slots from `first` up to, not including, `end` that a note wins (CON-16).

        All of an epoch can be searched as soon as its nonce is final, 4 base periods ahead. One
        hash a slot, 70 us each: take the iterator in parts, and not on an event loop.
        """
        threshold, hashed, from_bytes = self.threshold(note.value), poseidon2_hash, int.from_bytes
        inputs = [_LEAD, self.nonce, b"", note.note_id, note.secret_key]
        for slot in range(first, end):
            inputs[2] = field_of(slot)
            if from_bytes(hashed(inputs), "little") < threshold:
                yield slot


@dataclass(frozen=True, slots=True)
class LeaderNote:
    """A note that takes part."""

    note_id: bytes
    """32 bytes, a field value."""
    secret_key: bytes = field(repr=False)
    """32 bytes, a field value. Secret."""
    value: int


def lottery_of(epoch: EpochState, activation: Fraction) -> Lottery:
    """Returns the lottery of an epoch (CON-14)."""
    constants, stake = lottery_constants(activation), epoch.total_stake
    t1 = MODULUS - constants.quadratic // (stake * stake)
    return Lottery(epoch.nonce, constants.linear // stake, t1)


def entropy_contribution(slot: int, note: LeaderNote) -> bytes:
    """Returns rho: what a block adds to the epoch nonce. 32 bytes, a field value (CON-9)."""
    return poseidon2_hash((_CONTRIBUTION, field_of(slot), note.note_id, note.secret_key))
