"""DSN-11 to DSN-14: each message once, and what was missed."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from logos_delivery.core.message import Message, message_hash
from logos_delivery.core.receiving.backfill import MAX_PAGES, OVERLAP_MS, PAGE, Fetch, Query
from logos_delivery.core.receiving.receiving import (
    FIRST_RETRY_MS,
    MAX_GAP_MS,
    NOTE_MS,
    Deliver,
    Note,
    Receiving,
    StoredMessage,
)
from logos_delivery.core.receiving.seen import KEPT_MS, MAX_SEEN, Seen

Kind = TypeVar("Kind")
SHARD, OTHER_SHARD = "/waku/2/rs/66/1", "/waku/2/rs/66/2"
TOPIC = "/app/1/name/proto"
T = 1_800_000_000_000
NS = 1_000_000


def message(number: int, now_ms: int = T, topic: str = TOPIC) -> Message:
    return Message(b"%d" % number, topic, timestamp_ns=now_ms * NS)


def digest(number: int, now_ms: int = T) -> bytes:
    return message_hash(SHARD, message(number, now_ms))


def receiving(
    *, is_backfilled: bool = True, complete_ms: int | None = None, stores: int = 1
) -> Receiving:
    machine = Receiving(is_backfilled=is_backfilled, stores=stores)
    machine.subscribed(TOPIC, SHARD, T)
    machine.load([], complete_ms, T)
    return machine


def only(effects: Sequence[object], kind: type[Kind]) -> Kind:
    [found] = [effect for effect in effects if isinstance(effect, kind)]
    return found


def online(machine: Receiving, now_ms: int = T) -> list[Any]:
    return machine.connected(True, now_ms)  # noqa: FBT003 -- an input


def offline(machine: Receiving, now_ms: int = T) -> list[Any]:
    return machine.connected(False, now_ms)  # noqa: FBT003 -- an input


def test_a_message_of_a_subscribed_topic_is_delivered_once() -> None:
    machine = receiving()

    assert machine.received(SHARD, message(1), T) == [Deliver(digest(1), SHARD, message(1))]
    assert machine.received(SHARD, message(1), T) == []
    assert machine.delivered(digest(1), T) == []
    assert machine.received(SHARD, message(1), T + KEPT_MS) == []


def test_other_topics_and_shards_are_not_delivered() -> None:
    machine = receiving()

    assert machine.received(SHARD, message(1, topic="/other/1/name/proto"), T) == []
    assert machine.received(OTHER_SHARD, message(1), T) == []
    machine.unsubscribed(TOPIC, T)
    assert machine.received(SHARD, message(1), T) == []


def test_what_was_missed_offline_is_asked_for_by_hash_and_then_fetched() -> None:
    machine = receiving()
    online(machine)
    machine.received(SHARD, message(1), T)
    machine.delivered(digest(1), T)
    offline(machine, T + 1_000)

    [query] = online(machine, T + 60_000)

    assert query == Query(
        1, 0, SHARD, (TOPIC,), (T + 1_000 - OVERLAP_MS) * NS, (T + 60_000 + OVERLAP_MS) * NS, b""
    )
    missed = message(2, T + 5_000)
    hashes = [digest(1), digest(2, T + 5_000)]
    fetch = only(machine.found(1, hashes, b"", T + 60_001), Fetch)
    assert fetch == Fetch(2, 0, (digest(2, T + 5_000),))
    deliver, note = machine.fetched(2, [StoredMessage(SHARD, missed)], T + 60_002)
    assert deliver == Deliver(digest(2, T + 5_000), SHARD, missed)
    assert note == Note(T + 5_000)  # not beyond what is on its way to the log
    machine.delivered(digest(2, T + 5_000), T + 60_003)
    assert machine.missing_since_ms is None
    assert machine.tick(T + 60_000 + NOTE_MS) == [Note(T + 60_000 + NOTE_MS)]


def test_pages_and_shards_are_asked_for_one_after_the_other() -> None:
    machine = receiving()
    for number in range(12):
        machine.subscribed(f"/app{number:02}/1/name/proto", OTHER_SHARD, T)
    online(machine)
    offline(machine, T)

    [first] = online(machine, T + 1)
    assert (first.pubsub_topic, first.cursor) == (SHARD, b"")
    second = only(machine.found(first.query, [], b"next", T + 1), Query)
    assert (second.pubsub_topic, second.cursor) == (SHARD, b"next")
    third = only(machine.found(second.query, [], b"", T + 1), Query)
    assert (third.pubsub_topic, len(third.content_topics)) == (OTHER_SHARD, 10)
    fourth = only(machine.found(third.query, [], b"", T + 1), Query)
    assert len(fourth.content_topics) == 2
    assert machine.found(fourth.query, [], b"", T + 1) == [Note(T + 1)]


def test_a_store_that_never_comes_to_an_end_is_left() -> None:
    machine = receiving()
    online(machine)
    offline(machine)
    effects = online(machine, T + 1)
    pages = 0
    while queries := [effect for effect in effects if isinstance(effect, Query)]:
        pages += 1
        effects = machine.found(queries[0].query, [], b"again", T + 1)
    assert pages == MAX_PAGES


def test_each_of_several_stores_is_asked_for_all_of_it() -> None:
    machine = receiving(stores=2)
    online(machine)
    offline(machine)
    [first] = online(machine, T + 1)
    second = only(machine.found(first.query, [], b"", T + 1), Query)
    assert (first.store, second.store) == (0, 1)
    assert replace(second, query=first.query, store=0) == first
    fetch = only(machine.found(second.query, [digest(1)], b"", T + 1), Fetch)
    assert fetch.store == 1
    [deliver] = machine.fetched(fetch.query, [StoredMessage(SHARD, message(1))], T + 1)
    assert deliver == Deliver(digest(1), SHARD, message(1))


def test_a_store_that_never_comes_to_an_end_takes_nothing_from_the_next() -> None:
    machine = receiving(stores=2)
    machine.subscribed("/other/1/name/proto", OTHER_SHARD, T)
    online(machine)
    offline(machine)
    asked = Counter[tuple[int, str]]()
    effects = online(machine, T + 1)
    while queries := [effect for effect in effects if isinstance(effect, Query)]:
        [query] = queries
        asked[query.store, query.pubsub_topic] += 1
        cursor = b"" if query.store else b"again"
        effects = machine.found(query.query, [], cursor, T + 1)
    assert asked == {(0, SHARD): MAX_PAGES, (1, SHARD): 1, (1, OTHER_SHARD): 1}


def test_messages_that_were_not_asked_for_are_dropped() -> None:
    machine = receiving()
    online(machine)
    offline(machine)
    [query] = online(machine, T + 1)
    fetch = only(machine.found(query.query, [digest(1)], b"", T + 1), Fetch)

    effects = machine.fetched(fetch.query, [StoredMessage(SHARD, message(2))], T + 1)

    assert effects == [Note(T + 1)]


def test_answers_to_former_questions_are_dropped() -> None:
    machine = receiving()
    online(machine)
    offline(machine)
    [query] = online(machine, T + 1)
    offline(machine, T + 2)

    assert machine.found(query.query, [digest(1)], b"", T + 3) == []
    assert machine.fetched(query.query, [], T + 3) == []
    assert machine.unanswered(query.query, T + 3) == []
    [again] = online(machine, T + 4)
    assert again.start_ns == query.start_ns


def test_an_unanswered_backfill_begins_anew_later_and_later() -> None:
    machine = receiving()
    online(machine)
    offline(machine)
    [query] = online(machine, T + 1)
    now_ms = T + 1

    for pause_ms in [FIRST_RETRY_MS << turn for turn in range(4)] + [60_000]:
        assert machine.unanswered(query.query, now_ms) == []
        early = machine.tick(now_ms + pause_ms - 1)
        assert not [effect for effect in early if isinstance(effect, Query)]
        now_ms += pause_ms
        [query] = [each for each in machine.tick(now_ms) if isinstance(each, Query)]


def test_without_reliability_no_store_is_asked() -> None:
    machine = receiving(is_backfilled=False, complete_ms=T - 60_000)

    assert online(machine, T + 1) == []

    assert machine.tick(T + 1 + NOTE_MS) == [Note(T + 1 + NOTE_MS)]


def test_after_a_restart_what_came_since_the_last_note_is_asked_for() -> None:
    machine = Receiving(is_backfilled=True)
    machine.subscribed(TOPIC, SHARD, T)
    machine.load([digest(1, T - 3_600_000)], T - 3_600_000, T)

    [query] = online(machine, T)

    assert query.start_ns == (T - 3_600_000 - OVERLAP_MS) * NS
    machine.tick(T + 120_000)  # forgets what is old, but not what the store may name
    note = only(machine.found(query.query, [digest(1, T - 3_600_000)], b"", T + 120_000), Note)
    assert note == Note(T + 120_000)


def test_a_gap_is_bounded() -> None:
    machine = receiving(complete_ms=0)
    note, query = online(machine, T)
    assert note == Note(T - MAX_GAP_MS)
    assert query.start_ns == (T - MAX_GAP_MS - OVERLAP_MS) * NS


def test_what_could_not_be_stored_is_asked_of_a_store() -> None:
    machine = receiving()
    online(machine)
    machine.received(SHARD, message(1, T - 2_000), T)

    assert machine.undelivered(digest(1, T - 2_000), (T - 2_000) * NS, T + 1) == []

    assert machine.missing_since_ms == T - 2_000
    query = only(machine.tick(T + 1 + FIRST_RETRY_MS), Query)
    fetch = only(machine.found(query.query, [digest(1, T - 2_000)], b"", T + 9_000), Fetch)
    assert fetch.hashes == (digest(1, T - 2_000),)


def test_time_is_not_noted_beyond_what_is_on_its_way_to_the_log() -> None:
    machine = receiving()
    online(machine)
    machine.received(SHARD, message(1, T - 3_000), T)

    assert machine.tick(T + NOTE_MS) == [Note(T - 3_000)]


def test_seen_is_bounded_and_forgets_after_seven_minutes() -> None:
    seen = Seen()
    for number in range(MAX_SEEN + 1):
        seen.add(number.to_bytes(32, "big"), T)
    assert len(seen) == MAX_SEEN
    assert bytes(32) not in seen
    seen.add(b"late", T + 1)
    seen.prune(T + KEPT_MS + 1)
    assert len(seen) == 1


class ReceivingUnderCrashes(RuleBasedStateMachine):
    """Messages that come or are missed, two stores that have all together, ends of the process."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = T
        self.numbers = itertools.count(1)
        self.log: list[bytes] = []
        self.complete_ms = T
        """It was online until then."""
        self.store: dict[bytes, Message] = {}
        self.is_online = False
        self.start()

    def start(self) -> None:
        self.open: list[Any] = []
        self.machine = Receiving(is_backfilled=True, stores=2)
        self.machine.subscribed(TOPIC, SHARD, self.now_ms)
        self.machine.load(self.log, self.complete_ms, self.now_ms)
        self.open += self.machine.connected(self.is_online, self.now_ms)

    @rule()
    def publish(self) -> None:
        """While this node is online each message comes; at other times the store alone has it."""
        one = message(next(self.numbers), self.now_ms)
        self.store[message_hash(SHARD, one)] = one
        if self.is_online:
            self.open += self.machine.received(SHARD, one, self.now_ms)

    @rule()
    def connect(self) -> None:
        self.is_online = not self.is_online
        self.open += self.machine.connected(self.is_online, self.now_ms)

    @rule(pause_ms=st.sampled_from([1, 1_000, 12_000, 500_000]))
    def pass_time(self, pause_ms: int) -> None:
        self.now_ms += pause_ms
        self.open += self.machine.tick(self.now_ms)

    @rule(pause_ms=st.sampled_from([0, 3_000, 3_600_000]))
    def crash(self, pause_ms: int) -> None:
        self.is_online = False
        self.now_ms += pause_ms
        self.start()

    @precondition(lambda self: self.open)
    @rule(outcome=st.sampled_from(["good", "good", "bad", "crash before", "crash after"]))
    def perform(self, outcome: str) -> None:
        effect = self.open.pop(0)
        if outcome == "crash before":
            self.crash(1)
            return
        effects = self.outcome_of(effect, is_good=outcome != "bad")
        if outcome == "crash after":
            self.crash(1)
        else:
            self.open += effects

    def outcome_of(self, effect: Any, *, is_good: bool) -> list[Any]:
        machine, now_ms = self.machine, self.now_ms
        if isinstance(effect, Note):
            self.complete_ms = effect.complete_ms
            return []
        if isinstance(effect, Deliver) and is_good:
            self.log.append(effect.message_hash)
            return machine.delivered(effect.message_hash, now_ms)
        if isinstance(effect, Deliver):
            stamp_ns = effect.message.timestamp_ns
            return machine.undelivered(effect.message_hash, stamp_ns, now_ms)
        if not is_good:
            return machine.unanswered(effect.query, now_ms)
        if isinstance(effect, Fetch):
            found = [StoredMessage(SHARD, self.store[each]) for each in effect.hashes]
            return machine.fetched(effect.query, found, now_ms)
        within = [
            each
            for each, one in self.store.items()
            if effect.start_ns <= one.timestamp_ns <= effect.end_ns and each > effect.cursor
            if each[0] % 2 == effect.store
        ]
        page = sorted(within)[:PAGE]
        cursor = page[-1] if len(page) < len(within) else b""
        return machine.found(effect.query, page, cursor, now_ms)

    @invariant()
    def nothing_is_delivered_twice(self) -> None:
        assert len(set(self.log)) == len(self.log)

    def teardown(self) -> None:
        """Lets all go well: then everything that the network had is in the log."""
        if not self.is_online:
            self.connect()
        for _ in range(400):
            while self.open:
                self.open += self.outcome_of(self.open.pop(0), is_good=True)
            wake_ms = self.machine.next_wake_ms()
            if self.machine.missing_since_ms is None or wake_ms is None:
                break
            self.now_ms = max(self.now_ms, wake_ms)
            self.open += self.machine.tick(self.now_ms)
        assert self.machine.missing_since_ms is None
        assert set(self.log) == set(self.store)


TestReceivingUnderCrashes = ReceivingUnderCrashes.TestCase
TestReceivingUnderCrashes.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None
)
