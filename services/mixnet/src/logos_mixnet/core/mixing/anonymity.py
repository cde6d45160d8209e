"""What hides a message in this mix now, in numbers and in words (MIX-33).

A node cannot see what an observer of all links sees. But what such an observer finds depends on
little: how many packets wait in a mix, and how many mixes there are. `_FOUND` holds what it finds
in the simulation (`libs/logos-anonymity`; `tests/simulation/test_mix_law.py` measures it again).
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logos_mixnet.core.mixing.cover import Profile
from logos_mixnet.core.mixing.errors import AnonymityTooLowError

MEMORY: Final = 10
"""Mean delays over which a node averages what waits in it."""

_WAITING: Final = 0.07, 0.35, 1.0, 3.5, 7.0
"""Packets in a mix, for the columns of `_FOUND`."""
_FOUND: Final[Mapping[int, Sequence[tuple[float, float]]]] = {
    5: ((0.14, 0.955), (1.1, 0.694), (2.5, 0.371), (4.75, 0.106), (6.0, 0.044)),
    8: ((0.19, 0.947), (1.4, 0.621), (3.25, 0.288), (5.95, 0.063), (7.4, 0.023)),
    20: ((0.28, 0.917), (1.75, 0.569), (4.0, 0.217), (7.05, 0.04), (8.6, 0.014)),
    60: ((0.3, 0.918), (1.85, 0.551), (4.2, 0.194), (7.5, 0.035), (9.35, 0.01)),
}
"""By number of mixes: entropy in bits and probability of the best guess, for paths of 3 hops.
Longer paths hide better."""


class Words(StrEnum):
    """How much that is."""

    NONE = "none: an observer of all links sees who writes to whom"
    LOW = "low: an observer of all links has a few suspects"
    FAIR = "fair: an observer of all links has dozens of suspects"
    GOOD = "good: an observer of all links has hundreds of suspects"


@dataclass(frozen=True, slots=True)
class Statement:
    """What hides a message that is sent now."""

    waiting: float
    """Packets in a mix, k: the worse of what the profile promises and of what was seen here."""
    entropy_bits: float
    best_guess: float
    """How likely an observer of all links is right about which packet leaves as the message."""

    @property
    def words(self) -> Words:
        """How much that is."""
        for least, words in ((6, Words.GOOD), (4, Words.FAIR), (1, Words.LOW)):
            if self.entropy_bits >= least:
                return words
        return Words.NONE


NOTHING: Final = Statement(0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Floor:
    """The anonymity that a message demands (MIX-35)."""

    bits: float = 0.0
    """The least entropy; 0: none."""
    is_firm: bool = False
    """Whether a message below it is refused; else its sender is warned."""

    def is_above(self, stated: Statement) -> bool:
        """Says whether a message has less than it demands.

        Raises:
            AnonymityTooLowError: It has, and is to be refused.
        """
        is_above = not stated.entropy_bits >= self.bits  # also where the floor is no number
        if is_above and self.is_firm:
            raise AnonymityTooLowError(
                f"{stated.entropy_bits:.1f} bits now, {self.bits:.1f} are asked for:"
                " a longer mean delay gives more, and so does a profile with more cover"
            )
        return is_above


NO_FLOOR: Final = Floor()


class Occupancy:
    """The mean number of packets that wait in this mix, over its latest time. Not thread-safe."""

    def __init__(self, profile: Profile, now_ms: int) -> None:
        self._memory_ms = MEMORY * profile.mean_delay_ms
        self._began_ms = self._since_ms = now_ms
        self._held = 0
        self._mean = 0.0

    def holds(self, held: int, now_ms: int) -> None:
        """Takes note of how many packets wait from now on."""
        self._mean = self._aged(now_ms)
        self._held, self._since_ms = held, now_ms

    def mean(self, now_ms: int) -> float | None:
        """Returns the mean; None while there is too little to go by."""
        if now_ms - self._began_ms < self._memory_ms:
            return None
        # It began with nothing, which is no finding.
        seen = 1 - math.exp((self._began_ms - now_ms) / self._memory_ms)
        return self._aged(now_ms) / seen

    def _aged(self, now_ms: int) -> float:
        left = math.exp(min(0, self._since_ms - now_ms) / self._memory_ms)
        return self._held + (self._mean - self._held) * left


def statement(
    profile: Profile, mixes: int, seen: float | None, *, is_cut_off: bool = False
) -> Statement:
    """States what hides a message.

    Args:
        profile: Of this node, and, as it has to suppose, of the others.
        mixes: How many are known, this node among them.
        seen: What `Occupancy` says.
        is_cut_off: What the alarm says (MIX-34): then nothing hides it.
    """
    rows = [count for count in _FOUND if count <= mixes]
    if is_cut_off or not rows:
        return NOTHING
    waiting = profile.expected_waiting if seen is None else min(profile.expected_waiting, seen)
    return Statement(waiting, *_found(_FOUND[max(rows)], waiting))


def _found(row: Sequence[tuple[float, float]], waiting: float) -> tuple[float, float]:
    """Goes between two columns; beyond the last one, nothing better is stated."""
    after = bisect_right(_WAITING, waiting)
    if after == len(_WAITING):
        return row[-1]
    if after == 0:
        part = waiting / _WAITING[0]
        return row[0][0] * part, 1 - (1 - row[0][1]) * part
    low, high = row[after - 1], row[after]
    part = math.log(waiting / _WAITING[after - 1], _WAITING[after] / _WAITING[after - 1])
    entropy = low[0] + (high[0] - low[0]) * part
    return entropy, low[1] * (high[1] / low[1]) ** part
