"""KER-34, KER-35: the log of events."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_events import MemoryEventStore

from logos_base.errors import StoreFailedError
from logos_base.machine import Answer, Refuse, Ticket
from logos_kernel.core.event_log import Append, EventLog, Load, News
from logos_kernel.core.events import (
    MAX_TOPICS_OF_MODULE,
    Batch,
    KeyReusedError,
    Limits,
    NewEvent,
    PastLog,
    Published,
    QueueFullError,
    TooManyTopicsError,
)

SMALL = Limits(
    topic_events=8, topic_bytes=4000, all_bytes=6000, segment=4, waiting_bytes=4000,
    commit_bytes=1000, keys=3, tail_bytes=1500,
)  # fmt: skip
BROKEN = StoreFailedError("broken")


def batch(topic: str = "base/x", count: int = 1, *, key: str = "", epoch: int = 1) -> Batch:
    return Batch(topic, "base", epoch, (NewEvent(b"x" * 36),) * count, key)


def done(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs what never waits."""
    return asyncio.run(work)


class Rig:
    """A log over a store that may fail, and what the publishers were told."""

    def __init__(self, limits: Limits = SMALL) -> None:
        self.limits = limits
        self.store = MemoryEventStore()
        self.log = EventLog(PastLog(), lambda: 1000, limits)
        self.due: list[Append | Load] = []
        self.told: dict[int, Published | Exception] = {}
        self._ticket = 0

    def publish(self, one: Batch) -> int:
        self._ticket += 1
        try:
            self._take(self.log.publish(Ticket(self._ticket), one, 0))
        except (KeyReusedError, TooManyTopicsError, QueueFullError) as error:
            self.told[self._ticket] = error
        return self._ticket

    def work(self, *, fails: bool = False, is_lost: bool = False) -> None:
        """Performs the effect that is due; `is_lost`: it is done, but reported as failed."""
        effect = self.due.pop()
        assert not self.due  # one at a time
        if isinstance(effect, Load):
            past = done(self.store.load(self.limits.segment))
            failed = self.log.load_failed(BROKEN, 0) if fails else self.log.loaded(past, 0)
            self._take(failed)
            return
        if not fails or is_lost:
            done(self.store.append(effect.commit))
        if fails:
            self._take(self.log.append_failed(effect.commit, BROKEN, 0))
        else:
            self._take(self.log.appended(effect.commit, 0))

    def settle(self) -> None:
        while self.due:
            self.work()

    def restart(self) -> None:
        """As after a kill: what is being written is not reported."""
        self.due = []
        self.log = EventLog(done(self.store.load(self.limits.segment)), lambda: 1000, self.limits)

    def _take(self, effects: Any) -> None:
        for effect in effects:
            match effect:
                case Answer(ticket, Published() as where):
                    assert ticket not in self.told
                    self.told[ticket] = where
                case Refuse(ticket, error):
                    assert ticket not in self.told
                    self.told[ticket] = error
                case Append() | Load():
                    self.due.append(effect)
                case _:
                    assert effect == News()


def test_counts_positions_of_the_node_and_sequences_of_topics() -> None:
    rig = Rig()
    rig.publish(batch("base/x", 2))
    rig.publish(batch("base/y", 1))
    rig.publish(batch("base/x", 1))
    rig.settle()

    assert rig.told == {1: Published(1, 2, 2), 2: Published(1, 1, 3), 3: Published(3, 3, 4)}
    assert rig.log.position == 4


def test_what_comes_while_a_commit_is_written_goes_into_the_next() -> None:
    rig = Rig()
    for _ in range(4):
        rig.publish(batch())

    rig.work()
    assert list(rig.told) == [1]
    rig.work()

    assert list(rig.told) == [1, 2, 3, 4]
    assert not rig.due


def test_nothing_is_visible_before_it_is_durable() -> None:
    rig = Rig()
    rig.publish(batch())

    assert (rig.log.position, rig.log.recent(0, 10), rig.told) == (0, [], {})


@pytest.mark.parametrize("when", ["waiting", "writing", "written", "restarted"])
def test_a_key_that_comes_again_is_answered_the_same(when: str) -> None:
    rig = Rig()
    if when == "waiting":
        rig.publish(batch("base/y"))
    first = rig.publish(batch(key="k"))
    if when in {"written", "restarted"}:
        rig.settle()
    if when == "restarted":
        rig.restart()
    second = rig.publish(batch(key="k"))
    rig.settle()

    assert rig.told[first] == rig.told[second]
    assert sum(one.topic == "base/x" for one in rig.store.events) == 1


def test_a_key_for_other_events_is_refused() -> None:
    rig = Rig()
    for other in (batch("base/y", key="k"), batch("base/x", 2, key="k")):
        rig.publish(batch(key="k"))
        refused = rig.publish(other)
        rig.settle()
        assert isinstance(rig.told[refused], KeyReusedError)


def test_keys_of_other_epochs_are_others_and_old_ones_are_forgotten() -> None:
    rig = Rig()
    for at in range(8):
        rig.publish(batch(key=f"k{at}"))
        rig.settle()
    assert len(done(rig.store.load(4)).keys) <= SMALL.keys + 1

    again = rig.publish(batch(key="k7", epoch=2))
    rig.settle()
    assert rig.told[again] == Published(9, 9, 9)
    rig.publish(batch(key="k8", epoch=2))
    rig.settle()
    assert {one.epoch for one in done(rig.store.load(4)).keys} == {2}


def test_keys_of_both_epochs_are_kept_while_both_publish() -> None:
    """KER-48: the version before goes on for a while, and repeats what it is not sure of."""
    rig = Rig()
    first = rig.publish(batch(key="k"))
    rig.work()
    rig.publish(replace(batch(key="k", epoch=2), oldest_epoch=1))
    rig.work()

    again = rig.publish(batch(key="k"))

    assert rig.told[again] == rig.told[first]
    rig.publish(replace(batch(key="l", epoch=2), oldest_epoch=2))
    rig.work()
    assert {one.epoch for one in done(rig.store.load(4)).keys} == {2}


def test_what_waits_is_bounded() -> None:
    rig = Rig()
    tickets = [rig.publish(batch("base/x", 10)) for _ in range(6)]

    assert isinstance(rig.told[tickets[-1]], QueueFullError)
    rig.settle()
    assert rig.log.position == 50


def test_topics_are_bounded() -> None:
    rig = Rig(Limits())
    for at in range(MAX_TOPICS_OF_MODULE + 1):
        rig.publish(batch(f"base/x{at}"))
    rig.settle()
    refused = rig.publish(batch("base/y"))

    assert isinstance(rig.told[MAX_TOPICS_OF_MODULE + 1], TooManyTopicsError)
    assert isinstance(rig.told[refused], TooManyTopicsError)
    rig.publish(batch("top/y"))
    rig.settle()
    assert rig.told[refused + 1] == Published(1, 1, MAX_TOPICS_OF_MODULE + 1)


@pytest.mark.parametrize("is_lost", [False, True])
def test_after_a_failure_the_log_is_read_anew(is_lost: bool) -> None:  # noqa: FBT001
    rig = Rig()
    rig.publish(batch(key="k"))
    rig.publish(batch("base/y"))
    rig.work(fails=True, is_lost=is_lost)
    assert rig.told == {1: BROKEN}
    rig.publish(batch(key="k"))  # the publisher tries again
    rig.settle()

    assert rig.told[2] != BROKEN
    assert sum(one.topic == "base/x" for one in rig.store.events) == 1
    assert rig.log.position == 2


def test_what_cannot_be_read_refuses_and_the_next_tries_again() -> None:
    rig = Rig()
    rig.publish(batch())
    rig.work(fails=True)
    rig.publish(batch())
    rig.work(fails=True)
    rig.publish(batch())
    rig.settle()

    assert rig.told == {1: BROKEN, 2: BROKEN, 3: Published(1, 1, 1)}


STEP = st.one_of(
    st.tuples(
        st.just("publish"),
        st.sampled_from(["base/x", "base/y", "top/x"]),
        st.integers(1, 6),
        st.sampled_from(["", "", "a", "b"]),
    ),
    st.sampled_from([("work",), ("work",), ("fail",), ("lose",), ("restart",)]),
)


@pytest.mark.property
@given(st.lists(STEP, max_size=60))
def test_no_acknowledged_event_is_lost_doubled_or_moved(steps: list[Any]) -> None:
    """Also across restarts and lost answers; kernel.md 14.23, 14.24, 14.25 and 14.26."""
    rig = Rig()
    acknowledged: dict[tuple[str, int], int] = {}
    for step in steps:
        if step[0] == "publish":
            rig.publish(batch(*step[1:3], key=step[3] and f"{step[3]}{step[1]}{step[2]}"))
        elif step[0] == "restart":
            rig.restart()
        elif rig.due:
            rig.work(fails=step[0] != "work", is_lost=step[0] == "lose")
        for where in rig.told.values():
            if isinstance(where, Published):
                acknowledged.setdefault((str(where), where.last), where.position)
        positions = [one.position for one in rig.store.events]
        assert positions == sorted(set(positions))
        _check_sequences(rig)
    rig.settle()
    kept = {one.position for one in rig.store.events}
    removed = done(rig.store.load(4)).removed
    for position in acknowledged.values():
        assert position in kept or any(position <= one.position for one in removed)
    assert sum(one.said.size for one in rig.store.events) <= SMALL.all_bytes + 3000


def _check_sequences(rig: Rig) -> None:
    """Without gaps in each topic, from just after what is removed."""
    removed = {one.topic: one.sequence for one in done(rig.store.load(4)).removed}
    for topic in {one.topic for one in rig.store.events}:
        found = [one.sequence for one in rig.store.events if one.topic == topic]
        start = removed.get(topic, 0) + 1
        assert found == list(range(start, start + len(found)))


@given(st.integers(1, 60), st.integers(0, 70), st.integers(1, 10))
def test_memory_holds_the_newest_and_admits_what_it_does_not(
    count: int, after: int, limit: int
) -> None:
    rig = Rig()
    for _ in range(count):
        rig.publish(batch())
        rig.settle()

    recent = rig.log.recent(after, limit)

    expected = list(range(after + 1, count + 1))[:limit]
    if recent is None:
        assert after < count - 10
    else:
        assert [one.position for one in recent] == expected
