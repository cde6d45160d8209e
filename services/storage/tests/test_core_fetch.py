from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.errors import (
    BadDataError,
    NoProvidersError,
    ProvidersUnreachableError,
)
from logos_storage.core.fetch import (
    Close,
    CloseReason,
    Effect,
    Fetch,
    FetchSettings,
    Open,
    Request,
    Search,
)

SETTINGS = FetchSettings(
    window_blocks=32, first_batch_blocks=2, max_batch_blocks=8, max_depth=3, max_in_flight=6
)
PATIENCE_MS = 20_000


class Driver:
    """Obeys effects and nothing else; time moves only when a test says so."""

    def __init__(self, block_count: int, settings: FetchSettings = SETTINGS) -> None:
        self.bitfield = Bitfield(block_count)
        self.machine = Fetch(settings, self.bitfield)
        self.now = 0
        self.open: set[str] = set()
        self.asked: dict[int, tuple[str, list[int]]] = {}
        self.closed: list[Close] = []
        self.failed: list[type[Exception]] = []
        self.answered: list[int] = []
        self.searches = 0
        self.is_searching = False

    def obey(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Open(peer=peer):
                    assert peer not in self.open
                    self.open.add(peer)
                case Request(peer=peer, request_id=number, ranges=ranges):
                    assert peer in self.open
                    blocks = [at for one in ranges for at in range(one.start, one.end)]
                    self.asked[number] = (peer, blocks)
                case Close(peer=peer):
                    self.forget(peer)
                    self.closed.append(effect)
                case Search():
                    assert not self.is_searching
                    self.is_searching = True
                    self.searches += 1
                case Answer(ticket=ticket):
                    self.answered.append(ticket)
                case Refuse(error=error):
                    self.failed.append(type(error))
        wake_ms = self.machine.next_wake_ms()
        assert wake_ms is None or wake_ms > self.now
        assert {*self.machine.owing()} == {peer for peer, _ in self.asked.values()}

    def forget(self, peer: str) -> None:
        self.open.remove(peer)
        self.asked = {key: value for key, value in self.asked.items() if value[0] != peer}

    def want(self, first: int, end: int, reader: int = 1) -> None:
        self.obey(self.machine.want(reader, first, end, PATIENCE_MS, self.now))
        self.wait(first, end, reader)

    def wait(self, first: int, end: int, reader: int = 1) -> None:
        """The reader's question; its ticket is the reader."""
        self.obey(self.machine.wait(Ticket(reader), reader, first, end, self.now))

    def find(self, *peers: str) -> None:
        self.obey(self.machine.found(peers, self.now))

    def end_search(self) -> None:
        if not self.is_searching:
            return
        self.is_searching = False
        self.obey(self.machine.search_ended(self.now))

    def opened(self, *peers: str) -> None:
        for peer in peers:
            self.obey(self.machine.opened(peer, self.now))

    def lose(self, peer: str) -> None:
        self.forget(peer)
        self.obey(self.machine.lost(peer, self.now))

    def refuse(self, peer: str) -> None:
        self.obey(self.machine.refused(peer, self.now))

    def answer(self, number: int, lacking: Iterable[int] = ()) -> None:
        peer, blocks = self.asked.pop(number)
        kept = frozenset(blocks) - frozenset(lacking)
        for index in kept:
            self.bitfield.add(index)
        self.obey(self.machine.stored(peer, number, kept, self.now))

    def answer_all(self, *, lacking: Iterable[int] = (), of: str = "") -> None:
        for number, (peer, _) in list(self.asked.items()):
            if of in {peer, ""}:
                self.answer(number, lacking)

    def pass_time(self, milliseconds: int) -> None:
        """Ticks whenever the machine has asked for it."""
        end = self.now + milliseconds
        while (wake_ms := self.machine.next_wake_ms()) is not None and wake_ms <= end:
            self.now = wake_ms
            self.obey(self.machine.tick(self.now))
        self.now = end

    def asked_of(self, peer: str) -> list[int]:
        return sorted(
            index for one, blocks in self.asked.values() for index in blocks if one == peer
        )


def ready(block_count: int, *peers: str) -> Driver:
    driver = Driver(block_count)
    driver.want(0, block_count)
    driver.find(*peers)
    driver.end_search()
    driver.opened(*peers)
    return driver


def test_fetches_everything_from_one_provider_in_growing_batches() -> None:
    driver = ready(50, "a")
    sizes = []

    while driver.asked:
        number, (_, blocks) = next(iter(driver.asked.items()))
        sizes.append(len(blocks))
        driver.answer(number)
        driver.wait(next(driver.bitfield.missing(0, 50), 50), 50)

    assert driver.bitfield.is_full
    assert sizes[0] == 2
    assert max(sizes) == 8


def test_asks_for_what_is_missing_only() -> None:
    driver = Driver(10)
    for index in (0, 1, 4, 9):
        driver.bitfield.add(index)
    driver.want(1, 9)
    driver.find("a")
    driver.opened("a")

    while driver.asked:
        driver.answer_all()

    assert [index for index in range(10) if index in driver.bitfield] == list(range(10))
    assert driver.bitfield.held == 10


@pytest.mark.property
@given(
    held=st.sets(st.integers(0, 99)),
    bounds=st.tuples(st.integers(0, 100), st.integers(0, 100)),
    peers=st.integers(1, 4),
)
def test_every_block_is_asked_for_once_and_in_bounds(
    held: set[int], bounds: tuple[int, int], peers: int
) -> None:
    """With honest providers nothing is fetched twice, whatever was here before: resuming."""
    first, end = min(bounds), max(bounds)
    driver = Driver(100)
    for index in held:
        driver.bitfield.add(index)
    names = [str(number) for number in range(peers)]
    driver.want(first, end)
    driver.find(*names)
    driver.opened(*driver.open)

    asked: list[int] = []
    while driver.asked:
        assert len(driver.asked) <= SETTINGS.max_in_flight
        under_way = [index for _, blocks in driver.asked.values() for index in blocks]
        assert len(under_way) == len(set(under_way))
        number = next(iter(driver.asked))
        asked += driver.asked[number][1]
        driver.answer(number)
        position = next(driver.bitfield.missing(first, end), end)
        driver.wait(position, end)

    assert sorted(asked) == [index for index in range(first, end) if index not in held]


def test_stays_within_the_window_of_a_reader_who_does_not_advance() -> None:
    driver = ready(200, "a")

    while driver.asked:
        driver.answer_all()

    assert driver.bitfield.held == SETTINGS.window_blocks
    assert driver.bitfield.holds(0, SETTINGS.window_blocks)

    driver.wait(10, 200)
    while driver.asked:
        driver.answer_all()
    assert driver.bitfield.holds(0, SETTINGS.window_blocks + 10)
    assert driver.bitfield.held == SETTINGS.window_blocks + 10


def test_two_readers_at_different_places_both_come_forward() -> None:
    driver = Driver(200)
    driver.want(0, 100, reader=1)
    driver.want(150, 200, reader=2)
    driver.find("a")
    driver.opened("a")

    for _ in range(3):
        driver.answer(next(iter(driver.asked)))

    assert 0 in driver.bitfield
    assert 150 in driver.bitfield


def test_false_data_bans_for_good_and_another_takes_over() -> None:
    driver = ready(8, "liar", "honest")
    assert driver.asked_of("liar")

    driver.refuse("liar")

    assert driver.closed == [Close("liar", CloseReason.FALSE_DATA)]
    driver.find("liar")
    while driver.asked:
        assert not driver.asked_of("liar")
        driver.answer_all()
    assert driver.bitfield.is_full
    driver.pass_time(PATIENCE_MS)
    assert driver.open == {"honest"}


def test_when_all_are_false_it_says_so_after_one_more_search() -> None:
    driver = ready(8, "liar")

    driver.refuse("liar")
    assert not driver.failed
    searches = driver.searches
    driver.pass_time(1)
    assert driver.searches >= searches
    driver.end_search()

    assert driver.failed == [BadDataError]
    assert driver.now < PATIENCE_MS


def test_a_late_honest_provider_saves_a_fetch_from_a_liar() -> None:
    driver = ready(8, "liar")

    driver.refuse("liar")
    driver.pass_time(1)
    driver.find("honest")
    driver.end_search()
    driver.opened("honest")
    while driver.asked:
        driver.answer_all()

    assert driver.bitfield.is_full
    assert not driver.failed


def test_what_a_staller_owes_is_asked_of_another_and_then_it_is_dropped() -> None:
    driver = ready(6, "slow", "fast")
    owed = driver.asked_of("slow")
    while driver.asked_of("fast"):
        driver.answer(next(key for key, value in driver.asked.items() if value[0] == "fast"))

    driver.pass_time(SETTINGS.hedge_ms - 1)
    assert not driver.asked_of("fast")
    driver.pass_time(1)
    assert driver.asked_of("fast") == owed

    driver.answer_all(of="fast")
    driver.pass_time(SETTINGS.stall_ms)
    assert driver.closed == [Close("slow", CloseReason.STALLED)]
    assert driver.bitfield.is_full


def test_an_answer_that_is_being_checked_is_not_held_against_its_sender() -> None:
    driver = ready(2, "a", "b")
    number = next(iter(driver.asked))

    driver.obey(driver.machine.arrived("a", number, driver.now))
    driver.pass_time(PATIENCE_MS * 2)

    assert not driver.closed
    assert not driver.failed
    assert not driver.asked_of("b")
    driver.answer(number)
    assert driver.bitfield.is_full


def test_who_answers_now_and_then_is_not_dropped() -> None:
    driver = ready(100, "a")

    for _ in range(5):
        driver.pass_time(SETTINGS.stall_ms - 1)
        driver.answer(next(iter(driver.asked)))

    assert not driver.closed


def test_who_does_not_open_is_dropped_and_tried_again() -> None:
    driver = Driver(4)
    driver.want(0, 4)
    driver.find("a")

    driver.pass_time(SETTINGS.stall_ms)
    assert driver.closed == [Close("a", CloseReason.STALLED)]
    driver.pass_time(SETTINGS.retry_ms)
    assert "a" in driver.open

    driver.opened("a")
    driver.answer_all()
    driver.answer_all()
    assert driver.bitfield.is_full


def test_a_lost_provider_is_opened_again_after_growing_pauses() -> None:
    driver = ready(4, "a")
    times = []

    for _ in range(5):
        driver.lose("a")
        before = driver.now
        while "a" not in driver.open:
            driver.pass_time(1)
        times.append(driver.now - before)

    assert times == [500, 1000, 2000, 4000, 4000]


def test_nobody_found_is_told_when_patience_ends_and_not_before() -> None:
    driver = Driver(4)
    driver.want(0, 4)
    driver.end_search()

    while driver.now < PATIENCE_MS - 1:
        driver.pass_time(1)
        driver.end_search()
    assert not driver.failed
    driver.pass_time(1)

    assert driver.failed == [NoProvidersError]
    assert driver.searches > 3


def test_providers_that_never_answer_are_unreachable() -> None:
    driver = Driver(4)
    driver.want(0, 4)
    driver.find("a")

    for _ in range(PATIENCE_MS // 100):
        driver.pass_time(100)
        if "a" in driver.open:
            driver.lose("a")

    assert driver.failed == [ProvidersUnreachableError]


def test_one_false_and_one_unreachable_provider_are_unreachable() -> None:
    """Trying again makes sense then."""
    driver = ready(4, "liar", "gone")
    driver.refuse("liar")

    for _ in range(PATIENCE_MS // 100):
        if "gone" in driver.open:
            driver.lose("gone")
        driver.end_search()
        driver.pass_time(100)

    assert driver.failed == [ProvidersUnreachableError]


def test_a_provider_that_came_late_and_lacks_everything_is_not_unreachable() -> None:
    driver = Driver(4)
    driver.want(0, 4)
    driver.find("late")
    driver.lose("late")
    driver.end_search()

    for _ in range(PATIENCE_MS // 100 + 100):
        driver.opened(*driver.open)
        driver.answer_all(lacking=range(4))
        driver.pass_time(100)

    assert driver.failed == [NoProvidersError]


def test_those_who_lack_the_rest_do_not_count_as_providers() -> None:
    driver = ready(4, "partial")

    for _ in range(PATIENCE_MS // 100 + 100):
        driver.answer_all(lacking=[2, 3])
        driver.pass_time(100)

    assert driver.bitfield.holds(0, 2)
    assert driver.failed == [NoProvidersError]


def test_what_one_lacks_is_asked_of_another_at_once_and_of_it_again_later() -> None:
    driver = ready(2, "partial", "whole")
    first = next(iter(driver.asked))
    assert driver.asked[first][0] == "partial"

    driver.answer(first, lacking=[0, 1])
    assert driver.asked_of("whole") == [0, 1]
    driver.lose("whole")
    assert not driver.asked
    driver.pass_time(SETTINGS.lack_ms)

    assert driver.asked_of("partial") == [0, 1]


def test_patience_counts_from_the_last_block_that_came() -> None:
    driver = ready(100, "a")

    for _ in range(4):
        driver.pass_time(SETTINGS.stall_ms - 1)
        driver.answer(next(iter(driver.asked)))

    assert driver.now > PATIENCE_MS
    assert not driver.failed


def test_without_readers_nothing_is_asked_for_or_searched() -> None:
    driver = ready(100, "a")
    driver.obey(driver.machine.release(1, driver.now))
    searches = driver.searches

    driver.answer_all()
    driver.pass_time(60_000)

    assert not driver.asked
    assert driver.searches == searches


def test_a_crowd_of_dead_providers_does_not_keep_a_live_one_out() -> None:
    driver = Driver(4)
    driver.want(0, 4)
    driver.find(*[f"dead{number}" for number in range(30)], "live")

    for _ in range(200):
        if "live" in driver.open:
            break
        for peer in list(driver.open):
            driver.lose(peer)
        driver.pass_time(50)
    driver.opened("live")
    while driver.asked:
        driver.answer_all()

    assert driver.bitfield.is_full


def test_answers_of_who_was_dropped_count_as_nothing_owed() -> None:
    driver = ready(2, "slow")
    number = next(iter(driver.asked))
    driver.pass_time(SETTINGS.stall_ms)

    driver.bitfield.add(0)
    driver.bitfield.add(1)
    driver.obey(driver.machine.stored("slow", number, frozenset({0, 1}), driver.now))
    driver.pass_time(PATIENCE_MS)

    assert not driver.failed
