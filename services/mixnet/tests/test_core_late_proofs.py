"""RLN-38: on a machine that is too busy to prove in time, on virtual time."""

import heapq
import secrets
from collections.abc import Callable
from itertools import count
from random import Random  # noqa: TID251 - a test must run the same every time
from typing import Any, Final

import pytest

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.mixing.cover import Profile
from logos_mixnet.core.mixing.outbox import MAX_TRIES
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.mixing.sender import Depart, Outgoing, Sender
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.errors import ProofLateError
from logos_mixnet.core.rln.message_ids import MessageIds, Save, Slot
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES
from logos_mixnet.core.sphinx.header import Hop
from logos_mixnet.core.sphinx.message import MixMessage
from logos_mixnet.core.sphinx.primitives import public_key

EPOCHS: Final = Epochs(10_000, max_gap=5)
QUIET: Final = Profile("quiet", 10, 10**12, 1_000)
BEGIN_MS: Final = 5_000_000
MESSAGE: Final = MixMessage("/test/1.0.0", b"\x00hello").encode()


class BusyNode:
    """A node's sender and its message ids; a proof takes as long as the machine is said to need."""

    def __init__(self, proving_ms: Callable[[int], int]) -> None:
        mixes = [
            Mix(f"peer{at}", Hop(public_key(bytes([at]) * 32), bytes([at]) * ADDRESS_BYTES))
            for at in range(1, 7)
        ]
        pool = Pool()
        pool.update(mixes)
        self.now_ms = BEGIN_MS
        self.sender = Sender(
            mixes[0],
            pool,
            QUIET,
            rng=Random(3),  # noqa: S311
            random_bytes=secrets.token_bytes,
            now_ms=BEGIN_MS,
        )
        self.ids = MessageIds(10, EPOCHS)
        self.slots: list[Slot] = []
        self.left: list[tuple[int, Slot]] = []
        self.outcomes: list[Answer | Refuse] = []
        self._proving_ms = proving_ms
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    def send(self, redundancy: int = 1) -> None:
        outgoing = Outgoing(MESSAGE, "peer5", 1_000, redundancy)
        self._perform(self.sender.send(Ticket(1), outgoing, self.now_ms))

    def run(self, until_ms: int) -> None:
        while True:
            due = self._events[0][0] if self._events else until_ms
            wake_ms = self.sender.next_wake_ms() or until_ms
            self.now_ms = min(due, max(self.now_ms, wake_ms))
            if self.now_ms >= until_ms:
                return
            if self._events and due <= self.now_ms:
                heapq.heappop(self._events)[2]()
            else:
                self._perform(self.sender.tick(self.now_ms))

    def _perform(self, effects: Any) -> None:
        for effect in effects:
            match effect:
                case Depart():
                    self._prove(effect)
                case Answer() | Refuse():
                    self.outcomes.append(effect)

    def _prove(self, depart: Depart) -> None:
        effects: list[Any] = list(self.ids.take(Ticket(2), depart.purpose, self.now_ms))
        for effect in effects:  # grows meanwhile
            match effect:
                case Save():
                    effects += self.ids.saved(effect, self.now_ms)
                case Answer(_, Slot() as slot):
                    self.slots.append(slot)
                    ends_ms = self.now_ms + self._proving_ms(self.now_ms)
                    proven = (ends_ms, next(self._numbers), lambda: self._proven(depart, slot))
                    heapq.heappush(self._events, proven)

    def _proven(self, depart: Depart, slot: Slot) -> None:
        if EPOCHS.is_fresh(slot.epoch, self.now_ms):
            self.left.append((self.now_ms, slot))
            self._perform(self.sender.departed(depart.number, self.now_ms))
        else:
            late = ProofLateError("late")
            self._perform(self.sender.not_departed(depart.number, late, self.now_ms))


def test_a_proof_that_came_late_is_made_anew_under_the_present_epoch() -> None:
    """Each takes 40 s, four epochs, until the machine is idle again."""
    node = BusyNode(lambda now_ms: 40_000 if now_ms < BEGIN_MS + 60_000 else 100)
    node.send()
    node.run(BEGIN_MS + 600_000)

    assert node.outcomes == [Answer(Ticket(1), 1)]
    assert len(set(node.slots)) == len(node.slots) == 3
    [(left_ms, slot)] = node.left
    assert slot.epoch == EPOCHS.at(left_ms)
    assert node.sender.outbox.queued_bytes == 0


def test_a_message_is_refused_when_no_proof_comes_in_time() -> None:
    node = BusyNode(lambda _now_ms: 40_000)
    node.send(redundancy=2)
    node.run(BEGIN_MS + 600_000)

    [refused] = node.outcomes
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, ProofLateError)
    assert node.left == []
    assert MAX_TRIES <= len(node.slots) <= 2 * MAX_TRIES
    assert node.sender.outbox.queued_bytes == 0


@pytest.mark.parametrize("proving_ms", [100, 5_000, 19_000])
def test_a_proof_that_is_slow_and_not_late_is_made_once(proving_ms: int) -> None:
    node = BusyNode(lambda _now_ms: proving_ms)
    node.send(redundancy=3)
    node.run(BEGIN_MS + 600_000)

    assert node.outcomes == [Answer(Ticket(1), 3)]
    assert len(node.slots) == len(node.left) == 3


@pytest.mark.parametrize("gap", range(7))
def test_what_leaves_has_half_of_its_time_left(gap: int) -> None:
    epochs = Epochs(10_000, gap)
    for away in range(-gap - 1, gap + 2):
        now_ms = epochs.start_ms(500)
        if epochs.is_fresh(500 + away, now_ms):
            on_its_way_ms = (gap - gap // 2) * epochs.period_ms
            assert epochs.is_near(500 + away, now_ms + on_its_way_ms)
    assert epochs.is_fresh(500, epochs.start_ms(500))
    assert not epochs.is_fresh(500 - gap // 2 - 1, epochs.start_ms(500))
