"""When a node says that its loops do not come back (MIX-34)."""

import math
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_mixnet.core.mixing.alarm import EXPECTED, SLACK_MS, LoopAlarm
from logos_mixnet.core.mixing.cover import DEMO, LAPTOP, LIP, STRONG, Profile

ALL = pytest.mark.parametrize("profile", [DEMO, LAPTOP, STRONG, LIP], ids=lambda each: each.name)


def time_ms(profile: Profile) -> float:
    """In which 20 loops are sent and should be back, but once in a thousand."""
    sent_ms = (EXPECTED + 1 + 3.1 * math.sqrt(EXPECTED)) * profile.mean_pause_ms
    return sent_ms + (profile.hops - 1) * profile.mean_delay_ms + SLACK_MS


class Loops:
    """Loops that come back by the law of delays, as long as `share` of them do."""

    def __init__(self, profile: Profile, seed: int = 1) -> None:
        self.alarm = LoopAlarm(profile)
        self.now_ms = 0.0
        self.share = 1.0
        self.alarms = 0
        self._profile = profile
        self._rng = Random(seed)  # noqa: S311
        self._due: list[tuple[float, bytes]] = []
        self._count = 0

    def run(self, for_ms: float) -> None:
        until_ms = self.now_ms + for_ms
        while self.now_ms < until_ms:
            self.now_ms += self._rng.expovariate(1 / self._profile.mean_pause_ms)
            for at_ms, loop_id in sorted(each for each in self._due if each[0] <= self.now_ms):
                self.alarm.came_back(loop_id, round(at_ms))
                self._due.remove((at_ms, loop_id))
                self._note()
            self._count += 1
            loop_id = self._count.to_bytes(32, "big")
            self.alarm.sent(loop_id, round(self.now_ms))
            self._note()
            if self._rng.random() < self.share:
                delays = (self._rng.expovariate(1) for _ in range(self._profile.hops - 1))
                self._due.append((self.now_ms + self._profile.mean_delay_ms * sum(delays), loop_id))

    def cut_off(self) -> None:
        """From now on nothing comes back, also of what is under way."""
        self.share = 0
        self._due.clear()

    def _note(self) -> None:
        self.alarms += self.alarm.is_on


@ALL
def test_a_node_whose_loops_come_back_is_silent(profile: Profile) -> None:
    loops = Loops(profile)
    loops.run(800 * profile.mean_pause_ms)
    assert loops.alarms == 0


@ALL
@pytest.mark.parametrize("share", [0.45, 0.7])
def test_ordinary_loss_is_no_alarm(profile: Profile, share: float) -> None:
    """Of five nodes one is down: half of the loops are lost, until it is pruned."""
    loops = Loops(profile)
    loops.share = share
    loops.run(800 * profile.mean_pause_ms)
    assert loops.alarms == 0


@ALL
def test_a_node_that_is_cut_off_says_so_in_time_and_until_it_is_over(profile: Profile) -> None:
    for seed in range(8):
        loops = Loops(profile, seed)
        loops.run(60 * profile.mean_pause_ms)
        assert not loops.alarm.is_on
        loops.cut_off()
        loops.run(time_ms(profile))
        assert loops.alarm.is_on
        loops.run(3 * time_ms(profile))
        assert loops.alarm.is_on
        loops.share = 1
        loops.run(2 * time_ms(profile))
        assert not loops.alarm.is_on


def test_loops_that_are_looked_at_are_few() -> None:
    loops = Loops(STRONG)
    loops.run(300 * STRONG.mean_pause_ms)
    assert len(loops.alarm) <= 60
    loops.cut_off()
    loops.run(300 * STRONG.mean_pause_ms)
    assert len(loops.alarm) <= 60


def test_what_did_not_leave_and_what_is_unknown_count_for_nothing() -> None:
    alarm, now_ms = LoopAlarm(STRONG), 0
    for number in range(200):
        now_ms += 500
        alarm.sent(number.to_bytes(32, "big"), now_ms)
        alarm.did_not_leave(number.to_bytes(32, "big"))
        alarm.came_back(b"unknown", now_ms)
    assert not alarm.is_on
