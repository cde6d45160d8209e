"""DST-41, DST-42: what an archive has missed is fetched, whatever fails meanwhile."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.archive import resuming
from logos_delivery.core.archive.admission import MAX_DRIFT_NS
from logos_delivery.core.archive.resuming import (
    FIRST_RETRY_MS,
    MAX_AWAY_NS,
    MAX_RETRY_MS,
    OVERLAP_NS,
    Ask,
    Effect,
    Keep,
    Note,
    Resuming,
    away_since,
)
from logos_delivery.core.archive.types import MAX_PAGE, Entry, Page
from logos_delivery.core.message import Message
from logos_delivery.store.memory import MemoryArchive

NOW = 1_800_000_000_000
NOW_NS = NOW * 1_000_000
SINCE_NS = NOW_NS - 3_600 * 10**9


def entries(count: int, *, step_ns: int = 1_000) -> list[Entry]:
    """Messages since then; with a step of 0 all of one time."""
    return [
        Entry.of(
            "/waku/2/rs/3/0",
            Message(b"%d" % number, "/a/1/b/c", timestamp_ns=SINCE_NS + number * step_ns),
        )
        for number in range(count)
    ]


async def archive_of(kept: Sequence[Entry]) -> MemoryArchive:
    archive = MemoryArchive()
    await archive.put(kept)
    return archive


class World:
    """A node whose archive has missed what a store node has."""

    def __init__(self, store: MemoryArchive) -> None:
        self.store = store
        self.own = MemoryArchive()
        self.noted: int | None = None
        self.machine = Resuming()
        self.now_ms = NOW
        self.asked = 0

    def start(self) -> list[Effect]:
        """Starts the node, for the first time or again."""
        self.machine = Resuming()
        since_ns = away_since(self.noted, SINCE_NS + OVERLAP_NS, self.now_ms)
        assert since_ns is not None
        return self.machine.begin(since_ns, self.now_ms)

    async def run(self, faults: Sequence[str] = ()) -> None:
        """Obeys the machine until it waits for nothing; faults come in their order."""
        left = list(faults)
        effects = self.start()
        while effects or self.machine.next_wake_ms() is not None:
            if not effects:
                self.now_ms = self.machine.next_wake_ms() or self.now_ms
                effects = self.machine.tick(self.now_ms)
                continue
            effect, *effects = effects
            if isinstance(effect, Note):
                self.noted = effect.since_ns
                continue
            fault = left.pop(0) if left else "none"
            if fault == "crash":
                effects = self.start()
            elif fault == "fails":
                effects += self.machine.unanswered(self.now_ms)
            else:
                effects += await self.obey(effect)

    async def obey(self, effect: Ask | Keep) -> list[Effect]:
        if isinstance(effect, Keep):
            await self.own.put(effect.entries)
            return self.machine.kept(self.now_ms)
        self.asked += 1
        return self.machine.answered(await self.store.query(effect.query), self.now_ms)


@pytest.mark.parametrize(
    ("pending_ns", "newest_ns", "expected_ns"),
    [
        (None, None, None),
        (None, NOW_NS - 10**12, NOW_NS - 10**12 - OVERLAP_NS),
        (NOW_NS - 10**13, NOW_NS, NOW_NS - 10**13),
        (NOW_NS, NOW_NS - 10**12, NOW_NS - 10**12 - OVERLAP_NS),
        (None, NOW_NS + MAX_DRIFT_NS, NOW_NS - OVERLAP_NS),
        (NOW_NS - 10**13, None, NOW_NS - 10**13),
        (None, 1, NOW_NS - MAX_AWAY_NS),
        (1, NOW_NS, NOW_NS - MAX_AWAY_NS),
    ],
    ids=["new", "away", "cut off", "both", "ahead", "emptied", "long away", "long cut off"],
)
def test_since_when_messages_may_be_missing(
    pending_ns: int | None, newest_ns: int | None, expected_ns: int | None
) -> None:
    assert away_since(pending_ns, newest_ns, NOW) == expected_ns


async def test_all_that_was_missed_is_asked_for_page_by_page() -> None:
    world = World(await archive_of(entries(2 * MAX_PAGE + 1)))

    await world.run()

    assert await world.own.count() == 2 * MAX_PAGE + 1
    assert world.asked == 3
    assert world.noted is None


async def test_where_nothing_was_missed_one_question_is_enough() -> None:
    world = World(await archive_of([]))

    await world.run()

    assert (world.asked, world.noted, await world.own.count()) == (1, None, 0)


@pytest.mark.property
@given(
    st.integers(0, 250),
    st.sampled_from([0, 1, 1_000]),
    st.lists(st.sampled_from(["none", "crash", "fails"]), max_size=12),
)
async def test_crashes_and_failures_lose_no_message(
    count: int, step_ns: int, faults: list[str]
) -> None:
    missed = entries(count, step_ns=step_ns)
    world = World(await archive_of(missed))

    await world.run(faults)

    hashes = [entry.hash for entry in missed]
    assert await world.own.present(hashes) == frozenset(hashes)
    assert world.noted is None


async def test_a_run_that_is_cut_off_goes_on_from_where_it_came_to() -> None:
    world = World(await archive_of(entries(3 * MAX_PAGE)))
    first, ask = world.start()
    assert first == Note(SINCE_NS)
    assert isinstance(ask, Ask)
    [keep] = await world.obey(ask)
    assert isinstance(keep, Keep)

    noted, _ = await world.obey(keep)

    reached_ns = keep.entries[-1].position.timestamp_ns
    assert noted == Note(reached_ns)
    assert away_since(reached_ns, NOW_NS, NOW) == reached_ns


def test_a_question_is_for_all_from_then_until_now_and_a_little_more() -> None:
    _, ask = Resuming().begin(SINCE_NS, NOW)

    assert isinstance(ask, Ask)
    query = ask.query
    query.check()
    assert (query.start_ns, query.end_ns) == (SINCE_NS, NOW_NS + MAX_DRIFT_NS)
    assert (query.include_data, query.is_forward, query.page_size) == (True, True, MAX_PAGE)
    assert (query.content_topics, query.pubsub_topic, query.cursor) == ((), None, None)


def test_a_further_page_is_asked_for_by_its_cursor_and_after_a_failure_without() -> None:
    machine, page = Resuming(), entries(2)
    machine.begin(SINCE_NS, NOW)
    machine.answered(Page(tuple(page), page[-1].hash), NOW)

    _, further = machine.kept(NOW)
    assert isinstance(further, Ask)
    assert further.query.cursor == page[-1].hash
    machine.unanswered(NOW)
    [again] = machine.tick(NOW + FIRST_RETRY_MS)

    assert isinstance(again, Ask)
    assert again.query.cursor is None
    assert again.query.start_ns == page[-1].position.timestamp_ns


def test_a_store_node_that_goes_backwards_is_left() -> None:
    machine, page = Resuming(), entries(3)
    machine.begin(SINCE_NS, NOW)
    machine.answered(Page(tuple(page[:2]), page[1].hash), NOW)
    machine.kept(NOW)

    assert machine.answered(Page((page[1], page[2]), page[2].hash), NOW) == []

    assert machine.next_wake_ms() == NOW + FIRST_RETRY_MS


def test_failures_are_further_and_further_apart_until_something_is_kept() -> None:
    machine, now_ms, pauses = Resuming(), NOW, []
    machine.begin(SINCE_NS, now_ms)
    for _ in range(8):
        machine.unanswered(now_ms)
        wake_ms = machine.next_wake_ms()
        assert wake_ms is not None
        assert machine.tick(wake_ms - 1) == []
        [_] = machine.tick(wake_ms)
        assert machine.next_wake_ms() is None
        pauses.append(wake_ms - now_ms)
        now_ms = wake_ms

    assert pauses == [FIRST_RETRY_MS * 2**number for number in range(6)] + [MAX_RETRY_MS] * 2
    page = entries(1)
    machine.answered(Page(tuple(page), page[0].hash), now_ms)
    machine.kept(now_ms)
    machine.unanswered(now_ms)
    assert machine.next_wake_ms() == now_ms + FIRST_RETRY_MS


async def test_the_pages_of_a_run_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "MAX_PAGES", 2)
    world = World(await archive_of(entries(5 * MAX_PAGE)))

    await world.run()

    assert await world.own.count() == 2 * MAX_PAGE
    assert world.noted is None


def test_a_machine_that_has_not_begun_waits_for_nothing() -> None:
    machine = Resuming()

    assert machine.next_wake_ms() is None
    assert machine.tick(NOW) == []
