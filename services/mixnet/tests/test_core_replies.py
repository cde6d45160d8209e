"""Answers that are waited for (MIX-14)."""

from functools import cache

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from mix_paths import counting, path_of, private_keys, walk

from logos_mixnet.core.sphinx.errors import (
    PayloadDamagedError,
    RepliesFullError,
    ReplyUnknownError,
)
from logos_mixnet.core.sphinx.geometry import KAPPA, MESSAGE_BYTES, PAYLOAD_BYTES
from logos_mixnet.core.sphinx.packet import Reply
from logos_mixnet.core.sphinx.replies import (
    Dropped,
    Effect,
    Recovered,
    Replies,
    RequestId,
    Unanswered,
)
from logos_mixnet.core.sphinx.surb import ReplyKeys, create_surb

ANSWER = bytes(i % 239 for i in range(MESSAGE_BYTES))
WAIT_MS = 1000
FIRST, SECOND = RequestId(1), RequestId(2)


@cache
def block(seed: int) -> tuple[ReplyKeys, Reply]:
    """The keys of a reply block, and the answer by it as it comes back."""
    keys = private_keys(3)
    surb, kept = create_surb(path_of(keys), counting(seed))
    reply = walk(surb.answer(ANSWER), keys)[-1]
    assert isinstance(reply, Reply)
    return kept, reply


def keys_of(*seeds: int) -> list[ReplyKeys]:
    return [block(seed)[0] for seed in seeds]


def test_an_answer_finds_its_request_once() -> None:
    machine = Replies(WAIT_MS)
    machine.expect(FIRST, keys_of(1), 0)
    machine.expect(SECOND, keys_of(2), 0)

    assert machine.arrived(block(2)[1], 1) == [Recovered(SECOND, ANSWER)]
    (again,) = machine.arrived(block(2)[1], 2)
    assert isinstance(again, Dropped)
    assert isinstance(again.error, ReplyUnknownError)


def test_an_answer_may_use_several_blocks() -> None:
    machine = Replies(WAIT_MS)
    machine.expect(FIRST, keys_of(1, 2, 3), 0)

    assert machine.arrived(block(3)[1], 1) == [Recovered(FIRST, ANSWER)]
    assert machine.arrived(block(1)[1], 1) == [Recovered(FIRST, ANSWER)]
    assert machine.waiting == 1


def test_siblings_are_forgotten_with_their_request() -> None:
    machine = Replies(WAIT_MS)
    machine.expect(FIRST, keys_of(1, 2), 0)
    machine.arrived(block(1)[1], 1)

    assert machine.forget(FIRST, 1) == machine.forget(FIRST, 1) == []
    assert (machine.waiting, machine.next_wake_ms()) == (0, None)
    assert isinstance(machine.arrived(block(2)[1], 2)[0], Dropped)


def test_the_table_is_empty_after_the_timeout() -> None:
    """P7, as far as the maker of the blocks is concerned."""
    machine = Replies(WAIT_MS)
    machine.expect(FIRST, keys_of(1, 2), 0)
    machine.arrived(block(1)[1], 1)
    assert machine.next_wake_ms() == WAIT_MS

    assert machine.tick(WAIT_MS - 1) == []
    assert machine.tick(WAIT_MS) == [Unanswered(FIRST, 1)]
    assert (machine.waiting, machine.next_wake_ms()) == (0, None)


def test_a_late_answer_is_dropped() -> None:
    machine = Replies(WAIT_MS)
    machine.expect(FIRST, keys_of(1), 0)

    given_up, dropped = machine.arrived(block(1)[1], WAIT_MS)

    assert given_up == Unanswered(FIRST, 1)
    assert isinstance(dropped, Dropped)
    assert dropped.error.reason == "MIX_REPLY_UNKNOWN"


def test_a_damaged_answer_uses_its_block_up() -> None:
    machine = Replies(WAIT_MS)
    keys, reply = block(1)
    machine.expect(FIRST, [keys], 0)

    (dropped,) = machine.arrived(Reply(reply.surb_id, bytes(PAYLOAD_BYTES)), 1)

    assert isinstance(dropped, Dropped)
    assert isinstance(dropped.error, PayloadDamagedError)
    assert machine.waiting == 0


def test_too_many_blocks_are_refused() -> None:
    machine = Replies(WAIT_MS, limit=2)
    machine.expect(FIRST, keys_of(1), 0)

    with pytest.raises(RepliesFullError) as refused:
        machine.expect(SECOND, keys_of(2, 3), 0)

    assert refused.value.retry_after_ms == WAIT_MS
    assert machine.waiting == 1
    assert machine.forget(FIRST, 1) == machine.expect(SECOND, keys_of(2, 3), 1) == []


class Asking(RuleBasedStateMachine):
    """Requests, answers, junk and time in any order, beside a plain model."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = Replies(WAIT_MS, limit=6)
        self.now_ms = 0
        self.requests = 0
        self.open: dict[int, tuple[RequestId, int]] = {}

    def see(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Unanswered):
                given_up = [s for s, (request, _) in self.open.items() if request == effect.request]
                assert len(given_up) == effect.blocks
                assert all(self.open.pop(seed)[1] <= self.now_ms for seed in given_up)

    @rule(seeds=st.sets(st.integers(0, 9), min_size=1, max_size=4))
    def ask(self, seeds: set[int]) -> None:
        fresh = sorted(seeds - self.open.keys())
        request = RequestId(self.requests)
        try:
            self.see(self.machine.expect(request, keys_of(*fresh), self.now_ms))
        except RepliesFullError:
            return
        self.requests += 1
        self.open |= dict.fromkeys(fresh, (request, self.now_ms + WAIT_MS))

    @rule(seed=st.integers(0, 9))
    def answer(self, seed: int) -> None:
        *given_up, last = self.machine.arrived(block(seed)[1], self.now_ms)
        self.see(given_up)
        if seed in self.open:
            assert last == Recovered(self.open.pop(seed)[0], ANSWER)
        else:
            assert isinstance(last, Dropped)

    @rule(surb_id=st.binary(min_size=KAPPA, max_size=KAPPA))
    def junk(self, surb_id: bytes) -> None:
        *given_up, last = self.machine.arrived(Reply(surb_id, bytes(PAYLOAD_BYTES)), self.now_ms)
        self.see(given_up)
        assert isinstance(last, Dropped)

    @rule(number=st.integers(0, 9))
    def stop(self, number: int) -> None:
        request = RequestId(number)
        self.open = {s: kept for s, kept in self.open.items() if kept[0] != request}
        self.see(self.machine.forget(request, self.now_ms))

    @rule(step_ms=st.integers(0, WAIT_MS))
    def pass_time(self, step_ms: int) -> None:
        self.now_ms += step_ms
        self.see(self.machine.tick(self.now_ms))

    @invariant()
    def what_waits_is_known_and_due(self) -> None:
        wake_ms = self.machine.next_wake_ms()
        assert self.machine.waiting == len(self.open) <= 6
        assert wake_ms is None or self.now_ms < wake_ms <= self.now_ms + WAIT_MS


TestAsking = Asking.TestCase
