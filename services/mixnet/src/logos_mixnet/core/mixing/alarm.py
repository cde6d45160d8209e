"""Whether loops come back: a node that is cut off, but for one packet, finds out (MIX-34).

An attacker that holds all packets at a mix but one sees where that one goes: nothing mixes with it
(the n - 1 attack). It has to hold the mix's own loops too, which it cannot tell from others.
"""

import math
from collections import OrderedDict
from typing import Final

from logos_mixnet.core.mixing.cover import Profile

EXPECTED: Final = 15
"""Of the loops that are looked at, so many should be back: hardly more than an alarm needs, which
is ln(1 / CHANCE) = 13.8 of them with none back. More would only make it later."""
FEW: Final = 0.08
"""Of the expected ones: fewer are an alarm, if chance does not explain them."""
ENOUGH: Final = 0.5
"""Of the expected ones: with more the alarm is over."""
CHANCE: Final = 1e-6
SLACK_MS: Final = 1_000
"""For links, proofs and disks."""


class LoopAlarm:
    """The latest loops, and which have come back. Not thread-safe."""

    def __init__(self, profile: Profile) -> None:
        self._mean_ms = profile.mean_delay_ms
        self._stages = profile.hops - 1
        self._loops: OrderedDict[bytes, tuple[int, bool]] = OrderedDict()
        """When each was sent, and whether it is back."""
        self.is_on = False

    def __len__(self) -> int:
        return len(self._loops)

    def sent(self, loop_id: bytes, now_ms: int) -> None:
        """Takes note of a loop that leaves."""
        self._loops[loop_id] = now_ms, False
        self._look(now_ms)

    def came_back(self, loop_id: bytes, now_ms: int) -> None:
        """Takes note of a loop that is back."""
        if loop_id in self._loops:
            self._loops[loop_id] = self._loops[loop_id][0], True
        self._look(now_ms)

    def did_not_leave(self, loop_id: bytes) -> None:
        """Forgets a loop that was left out after all."""
        self._loops.pop(loop_id, None)

    def _look(self, now_ms: int) -> None:
        due = [self._due(now_ms - sent_ms) for sent_ms, _ in self._loops.values()]
        expected = sum(due)
        for one in due:  # the oldest first
            if expected - one < EXPECTED:
                break
            expected -= one
            self._loops.popitem(last=False)
        back = sum(is_back for _, is_back in self._loops.values())
        if self.is_on:
            self.is_on = back <= ENOUGH * expected
        else:
            self.is_on = back < FEW * expected and _chance(back, expected) < CHANCE

    def _due(self, age_ms: float) -> float:
        """Returns how likely a loop of that age is back: the law of a sum of delays (Erlang's)."""
        waited = max(0.0, age_ms - SLACK_MS) / self._mean_ms
        terms = (waited**number / math.factorial(number) for number in range(self._stages))
        return 1 - math.exp(-waited) * sum(terms)


def _chance(back: int, expected: float) -> float:
    """Bounds how likely so few come back, of independent ones (Chernoff)."""
    share = back / expected
    return math.exp(-expected * (1 - share + (share * math.log(share) if share else 0)))
