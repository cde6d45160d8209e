"""The machine of STO-37 to STO-39."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core.cid import MANIFEST, TREE, Cid
from logos_storage.core.errors import (
    BadDataError,
    FetchLimitError,
    FetchUnknownError,
    NoProvidersError,
    ProvidersUnreachableError,
    QuotaExceededError,
)
from logos_storage.core.keeping import (
    LOOK_MS,
    MAX_ATTEMPTS,
    MAX_ENDED,
    MAX_OPEN,
    MAX_PAUSE_MS,
    PAUSE_MS,
    Changed,
    Effect,
    FetchState,
    Keeping,
    Look,
    Progress,
    Seen,
    Stop,
    Try,
)
from logos_storage.core.manifest import Manifest
from logos_storage.core.ports import DatasetRecord

HOUR_MS = 3_600_000
ATTEMPT_MS = 20_000
SIZE = 1_000_000
LATER = NoProvidersError("nobody has it")


def cid(number: int) -> Cid:
    return Cid(MANIFEST, hashlib.sha256(str(number).encode()).digest())


ONE = cid(1)
RECORD = DatasetRecord(1, ONE, Manifest(Cid(TREE, bytes(32)), SIZE, 65536), 0, 0)


def told(effects: Iterable[Effect]) -> list[Effect]:
    """Everything but `Changed`."""
    return [effect for effect in effects if not isinstance(effect, Changed)]


@dataclass
class Driven:
    """A machine, the number of its next ticket, and every effect since it was last asked for."""

    machine: Keeping = field(default_factory=lambda: Keeping(ATTEMPT_MS))
    tickets: int = 0

    def ticket(self) -> Ticket:
        self.tickets += 1
        return Ticket(self.tickets)

    def fetch(self, one: Cid = ONE, patience_ms: int = HOUR_MS, now_ms: int = 0) -> list[Effect]:
        return told(self.machine.fetch(self.ticket(), one, patience_ms, now_ms))

    def cancel(self, one: Cid = ONE, now_ms: int = 0) -> list[Effect]:
        return told(self.machine.cancel(self.ticket(), one, now_ms))

    def state(self, one: Cid = ONE) -> FetchState:
        return self.machine.find(one).state


@pytest.fixture
def driven() -> Driven:
    return Driven()


def answered(effect: Effect) -> Progress:
    assert isinstance(effect, Answer)
    assert isinstance(effect.value, Progress)
    return effect.value


def test_a_fetch_is_tried_at_once_and_is_done_when_its_attempt_is(driven: Driven) -> None:
    begun, answer = driven.fetch()

    assert begun == Try(ONE, ATTEMPT_MS)
    assert answered(answer).state is FetchState.FETCHING
    assert answered(answer).record is None
    driven.machine.opened(ONE, RECORD, Seen(0, 0), 10)
    driven.machine.seen(ONE, Seen(8, SIZE // 2, ("peer",)), 1010)
    halfway = driven.machine.find(ONE)
    assert (halfway.seen.providers, halfway.bytes_per_second) == (("peer",), SIZE // 2)
    assert halfway.time_left_ms == 1000
    driven.machine.seen(ONE, Seen(16, SIZE), 2010)
    assert told(driven.machine.done(ONE, 2020)) == []
    ended = driven.machine.find(ONE)
    assert (ended.state, ended.ended_ms, ended.seen.held_bytes) == (FetchState.DONE, 2020, SIZE)
    assert (ended.bytes_per_second, ended.time_left_ms, ended.error) == (0, None, None)
    assert driven.machine.next_wake_ms() is None


def test_a_second_fetch_joins_the_first_with_the_longer_patience(driven: Driven) -> None:
    driven.fetch(patience_ms=5000)

    (answer,) = driven.fetch(patience_ms=HOUR_MS, now_ms=100)

    assert answered(answer).number == 1
    assert answered(answer).started_ms == 0
    driven.machine.failed(ONE, LATER, 6000)
    assert driven.state() is FetchState.WAITING


@pytest.mark.parametrize("error", [LATER, ProvidersUnreachableError("they do not answer")])
def test_without_providers_it_waits_longer_each_time(driven: Driven, error: Exception) -> None:
    driven.fetch(patience_ms=24 * HOUR_MS)
    now_ms, pauses = 0, []

    for _ in range(8):
        assert told(driven.machine.failed(ONE, error, now_ms)) == []
        waiting = driven.machine.find(ONE)
        assert (waiting.state, waiting.error) == (FetchState.WAITING, error)
        assert waiting.next_try_ms == driven.machine.next_wake_ms()
        pauses.append((waiting.next_try_ms or 0) - now_ms)
        assert told(driven.machine.tick(now_ms + pauses[-1] - 1)) == []
        now_ms += pauses[-1]
        assert told(driven.machine.tick(now_ms)) == [Try(ONE, ATTEMPT_MS)]

    assert pauses == [min(PAUSE_MS << step, MAX_PAUSE_MS) for step in range(8)]


def test_a_block_begins_the_pauses_and_the_patience_anew(driven: Driven) -> None:
    driven.fetch(patience_ms=10_000)
    driven.machine.failed(ONE, LATER, 0)
    driven.machine.tick(PAUSE_MS)
    driven.machine.opened(ONE, RECORD, Seen(0, 0), 9_000)
    driven.machine.seen(ONE, Seen(1, 65536), 9_000)
    assert driven.machine.find(ONE).error is None

    driven.machine.failed(ONE, LATER, 18_000)

    assert driven.machine.find(ONE).next_try_ms == 19_000  # when its patience ends
    driven.machine.tick(19_000)
    ended = driven.machine.find(ONE)
    assert (ended.state, ended.error, ended.ended_ms) == (FetchState.FAILED, LATER, 19_000)


def test_an_attempt_has_no_more_patience_than_is_left(driven: Driven) -> None:
    assert driven.fetch(patience_ms=5_000)[0] == Try(ONE, 5_000)
    driven.machine.failed(ONE, LATER, 1_500)

    assert told(driven.machine.tick(1_500 + PAUSE_MS)) == [Try(ONE, 1_500)]


@pytest.mark.parametrize("error", [BadDataError("false"), QuotaExceededError("full"), OSError()])
def test_what_no_retry_mends_ends_it_at_once(driven: Driven, error: Exception) -> None:
    driven.fetch()

    driven.machine.failed(ONE, error, 5)

    assert (driven.state(), driven.machine.find(ONE).error) == (FetchState.FAILED, error)
    assert driven.fetch(now_ms=6)[0] == Try(ONE, ATTEMPT_MS)  # asking again starts over
    assert driven.machine.find(ONE).error is None


def test_asking_again_tries_again_at_once(driven: Driven) -> None:
    driven.fetch()
    driven.machine.failed(ONE, LATER, 0)

    assert driven.fetch(now_ms=1)[0] == Try(ONE, ATTEMPT_MS)
    assert driven.machine.find(ONE).number == 1


def test_a_cancel_is_answered_when_nothing_works_any_longer(driven: Driven) -> None:
    driven.fetch()

    assert driven.cancel(now_ms=5) == [Stop(ONE)]
    assert driven.state() is FetchState.CANCELLED
    again = driven.cancel(now_ms=6)
    assert again == [Stop(ONE)]

    ends = told(driven.machine.stopped(ONE, 9))
    assert [answered(end).state for end in ends] == [FetchState.CANCELLED] * 2
    (at_once,) = driven.cancel(now_ms=10)
    assert answered(at_once).ended_ms == 5


def test_what_comes_too_late_does_not_undo_a_cancel(driven: Driven) -> None:
    driven.fetch()
    driven.cancel()

    (answer,) = told(driven.machine.failed(ONE, LATER, 5))

    assert answered(answer).state is FetchState.CANCELLED
    assert answered(answer).error is None


def test_one_that_is_done_before_it_can_be_stopped_is_done(driven: Driven) -> None:
    driven.fetch()
    driven.cancel()

    (answer,) = told(driven.machine.done(ONE, 5))

    assert answered(answer).state is FetchState.DONE


def test_a_fetch_after_a_cancel_begins_when_the_old_attempt_has_ended(driven: Driven) -> None:
    driven.fetch()
    driven.cancel()

    (answer,) = driven.fetch(now_ms=3)

    assert answered(answer).state is FetchState.QUEUED
    assert told(driven.machine.stopped(ONE, 5))[-1] == Try(ONE, ATTEMPT_MS)
    assert driven.state() is FetchState.FETCHING


def test_a_few_are_tried_at_a_time_in_the_order_of_asking(driven: Driven) -> None:
    for number in range(MAX_ATTEMPTS + 2):
        driven.fetch(cid(number))
    assert driven.state(cid(MAX_ATTEMPTS)) is FetchState.QUEUED

    assert told(driven.machine.failed(cid(1), LATER, 1)) == [Try(cid(MAX_ATTEMPTS), ATTEMPT_MS)]
    assert told(driven.machine.done(cid(0), 2)) == [Try(cid(MAX_ATTEMPTS + 1), ATTEMPT_MS)]


def test_attempts_are_looked_at_four_times_a_second(driven: Driven) -> None:
    driven.fetch(now_ms=100)

    assert driven.machine.next_wake_ms() == 100 + LOOK_MS
    assert told(driven.machine.tick(100 + LOOK_MS)) == [Look(ONE)]
    assert driven.machine.next_wake_ms() == 100 + 2 * LOOK_MS


def test_a_look_that_shows_nothing_new_changes_nothing(driven: Driven) -> None:
    driven.fetch()
    driven.machine.opened(ONE, RECORD, Seen(1, 65536), 0)

    assert driven.machine.seen(ONE, Seen(1, 65536), 250) == []
    assert driven.machine.seen(ONE, Seen(1, 65536, ("peer",)), 500) == [Changed()]


def test_no_more_are_open_than_the_contract_says(driven: Driven) -> None:
    for number in range(MAX_OPEN):
        driven.fetch(cid(number))

    with pytest.raises(FetchLimitError):
        driven.fetch(cid(MAX_OPEN))
    driven.fetch(cid(0))  # joining is no other
    driven.machine.done(cid(0), 1)
    driven.fetch(cid(MAX_OPEN))


def test_the_last_to_end_are_remembered(driven: Driven) -> None:
    for number in range(MAX_ENDED + 2):
        driven.fetch(cid(number), now_ms=number)
        driven.machine.done(cid(number), number)

    with pytest.raises(FetchUnknownError):
        driven.machine.find(cid(1))
    assert driven.state(cid(2)) is FetchState.DONE
    with pytest.raises(FetchUnknownError):
        driven.cancel(cid(0))


def test_pages_are_newest_first(driven: Driven) -> None:
    for number in range(5):
        driven.fetch(cid(number))

    first = driven.machine.page(below=None, limit=2)
    assert [one.cid for one in first] == [cid(4), cid(3)]
    rest = driven.machine.page(below=first[-1].number, limit=10)
    assert [one.cid for one in rest] == [cid(2), cid(1), cid(0)]
    driven.machine.done(cid(1), 1)
    driven.fetch(cid(1), now_ms=2)  # another one, and the newest
    assert [one.cid for one in driven.machine.page(below=None, limit=2)] == [cid(1), cid(4)]


class World:
    """Performs effects, and checks what must hold whatever happens."""

    def __init__(self) -> None:
        self.driven = Driven()
        self.now_ms = 0
        self.trying: dict[Cid, int] = {}
        self.held: Counter[Cid] = Counter()
        self.asked: Counter[Ticket] = Counter()
        self.told: Counter[Ticket] = Counter()
        self.wanted: set[Cid] = set()
        """Fetched, and not cancelled since."""

    def obey(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Try(cid=one, patience_ms=patience_ms):
                    assert one not in self.trying
                    assert one in self.wanted
                    assert 1000 <= patience_ms <= ATTEMPT_MS
                    self.trying[one] = self.now_ms
                    self.obey(self.machine.opened(one, RECORD, self.seen(one), self.now_ms))
                case Stop(cid=one):
                    assert one in self.trying
                    assert one not in self.wanted
                case Look(cid=one):
                    self.obey(self.machine.seen(one, self.seen(one), self.now_ms))
                case Answer(ticket=ticket) | Refuse(ticket=ticket):
                    self.told[ticket] += 1
        assert len(self.trying) <= MAX_ATTEMPTS

    @property
    def machine(self) -> Keeping:
        return self.driven.machine

    def seen(self, one: Cid) -> Seen:
        return Seen(self.held[one], self.held[one] * 65536)

    def pass_to(self, end_ms: int) -> None:
        """Moves time, and wakes the machine when it wants to be."""
        while (wake_ms := self.machine.next_wake_ms()) is not None and wake_ms <= end_ms:
            self.now_ms = max(self.now_ms, wake_ms)
            self.obey(self.machine.tick(self.now_ms))
            later_ms = self.machine.next_wake_ms()
            assert later_ms is None or later_ms > self.now_ms
        self.now_ms = end_ms

    def do(self, step: str, one: Cid) -> None:
        ticket = self.driven.ticket()
        match step:
            case "fetch":
                self.asked[ticket] += 1
                self.wanted.add(one)
                self.obey(self.machine.fetch(ticket, one, HOUR_MS, self.now_ms))
            case "cancel":
                try:
                    before = self.machine.find(one).state
                except FetchUnknownError:
                    return
                self.asked[ticket] += 1
                if not before.has_ended:
                    self.wanted.discard(one)
                self.obey(self.machine.cancel(ticket, one, self.now_ms))
            case "block" if one in self.trying:
                self.held[one] += 1
            case "lack" if one in self.trying:
                self.end(one, LATER)
            case "end" if one in self.trying:
                self.end(one, None)

    def end(self, one: Cid, error: Exception | None) -> None:
        """Ends an attempt as it would: one to be stopped stops."""
        del self.trying[one]
        if self.machine.find(one).state is not FetchState.FETCHING:
            self.obey(self.machine.stopped(one, self.now_ms))
        elif error is None:
            self.wanted.discard(one)
            self.obey(self.machine.done(one, self.now_ms))
        else:
            self.obey(self.machine.failed(one, error, self.now_ms))


STEPS = st.tuples(
    st.sampled_from(["fetch", "fetch", "cancel", "block", "lack", "end"]),
    st.integers(0, MAX_ATTEMPTS + 2),
    st.sampled_from([0, 1, LOOK_MS, PAUSE_MS, 10_000]),
)


@given(st.lists(STEPS, max_size=60))
def test_whatever_happens_all_that_is_wanted_is_done_in_the_end(
    steps: list[tuple[str, int, int]],
) -> None:
    world = World()
    for step, number, pause_ms in steps:
        world.do(step, cid(number))
        world.pass_to(world.now_ms + pause_ms)

    while world.wanted or world.trying:
        assert world.trying or world.machine.next_wake_ms() is not None
        for one in list(world.trying):
            world.end(one, None)
        world.pass_to(world.now_ms + MAX_PAUSE_MS)

    assert world.told == world.asked  # each question once
    assert world.machine.next_wake_ms() is None
