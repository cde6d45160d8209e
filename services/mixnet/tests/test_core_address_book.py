import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from mixnet_nodes import seeded

from logos_mixnet.core.address_book import (
    FORGET_AFTER_FAILURES,
    MAX_ADDRESSES,
    AddressBook,
    Ban,
    PeerRecord,
)
from logos_mixnet.core.backoff import DIAL, Backoff

pytestmark = pytest.mark.property


class Fixed:
    """Randomness that always is the same."""

    def __init__(self, value: float = 0.5) -> None:
        self._value = value

    def random(self) -> float:
        return self._value


@given(failures=st.integers(0, 10_000), seed=st.integers(0, 1000))
def test_delays_double_up_to_the_most_with_a_quarter_of_jitter(failures: int, seed: int) -> None:
    delay = DIAL.delay_ms(failures, seeded(seed))

    plain = min(500 * 2 ** min(max(failures - 1, 0), 40), 60_000)
    assert 0.75 * plain - 1 <= delay <= 1.25 * plain + 1


def test_delays_without_jitter_are_the_published_ones() -> None:
    delays = [DIAL.delay_ms(failures, Fixed()) for failures in range(1, 10)]

    assert delays == [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]


@given(seed=st.integers(0, 10**6))
def test_jitter_spreads_delays(seed: int) -> None:
    rng = seeded(seed)

    assert len({Backoff(1000, 60_000).delay_ms(7, rng) for _ in range(50)}) > 10


def test_addresses_that_worked_come_first() -> None:
    book = AddressBook(Fixed())
    book.announce("p", ["/a", "/b", "/c"], 0)
    book.failed("p", "/a", 0)
    book.reached("p", "/c", 5)

    entry = book.get("p")

    assert entry is not None
    assert entry.best_first() == ["/c", "/b", "/a"]
    assert entry.dial_failures == 1


def test_claims_never_push_out_an_address_that_works() -> None:
    book = AddressBook(Fixed())
    book.reached("p", "/good", 5)

    for number in range(100):
        book.announce("p", [f"/claim{number}"], 9)

    entry = book.get("p")
    assert entry is not None
    assert "/good" in entry.addresses
    assert len(entry.addresses) == MAX_ADDRESSES


def test_a_peer_that_never_answers_is_forgotten_unless_it_is_wanted() -> None:
    book = AddressBook(Fixed())
    for peer_id in ("loose", "wanted"):
        book.announce(peer_id, ["/a"], 0)
    book.want("wanted")

    for _ in range(FORGET_AFTER_FAILURES):
        book.failed("loose", "/a", 0)
        book.failed("wanted", "/a", 0)

    assert book.get("loose") is None
    assert book.get("wanted") is not None
    assert "loose" in book.take_changes().removed


def test_a_full_book_lets_the_longest_unseen_go() -> None:
    book = AddressBook(Fixed(), max_peers=3)
    for time_ms, peer_id in enumerate(["a", "b", "c"]):
        book.seen(peer_id, time_ms)
    book.want("a")
    book.add("b").ban = Ban("b", None)

    book.add("d")

    assert [entry.peer_id for entry in book] == ["a", "b", "d"]


def test_pages_follow_one_another_without_gap_or_overlap() -> None:
    book = AddressBook(Fixed())
    for number in range(25):
        book.add(f"p{number:02}")

    seen: list[str] = []
    more = True
    while more:
        page, more = book.page(seen[-1] if seen else "", 10, lambda _entry: True)
        seen += [entry.peer_id for entry in page]

    assert seen == [f"p{number:02}" for number in range(25)]


def test_what_could_not_be_written_is_written_the_next_time() -> None:
    book = AddressBook(Fixed())
    book.announce("kept", ["/a"], 0)
    book.announce("gone", ["/a"], 0)
    changes = book.take_changes()
    book.remove("gone")
    book.take_changes()

    book.put_back(changes)

    again = book.take_changes()
    assert [record.peer_id for record in again.changed] == ["kept"]
    assert again.removed == ("gone",)


class BookAgainstDisk(RuleBasedStateMachine):
    """Whatever happens, what was written down equals the book, and both are bounded."""

    peers = st.sampled_from([f"p{number}" for number in range(8)])
    addresses = st.sampled_from([f"/a{number}" for number in range(30)])

    def __init__(self) -> None:
        super().__init__()
        self.book = AddressBook(seeded(1), max_peers=5)
        self.disk: dict[str, PeerRecord] = {}
        self.now_ms = 0

    @rule(peer=peers, addresses=st.lists(addresses, max_size=20))
    def announce(self, peer: str, addresses: list[str]) -> None:
        self.book.announce(peer, addresses, self.now_ms)

    @rule(peer=peers, address=addresses)
    def reach(self, peer: str, address: str) -> None:
        self.now_ms += 1
        self.book.reached(peer, address, self.now_ms)

    @rule(peer=peers, address=addresses)
    def fail(self, peer: str, address: str) -> None:
        self.book.failed(peer, address, self.now_ms)

    @rule(peer=st.sampled_from(["p0", "p1"]))
    def want(self, peer: str) -> None:
        self.book.want(peer)

    @rule(peer=peers)
    def remove(self, peer: str) -> None:
        self.book.remove(peer)

    @invariant()
    def bounded(self) -> None:
        assert len(self.book) <= 5
        assert all(len(entry.addresses) <= MAX_ADDRESSES for entry in self.book)
        assert self.book.wanted == {entry.peer_id for entry in self.book if entry.wanted}

    @invariant()
    def written(self) -> None:
        changes = self.book.take_changes()
        for record in changes.changed:
            self.disk[record.peer_id] = record
        for name in changes.removed:
            self.disk.pop(name, None)
        assert set(self.disk) == {entry.peer_id for entry in self.book}
        for entry in self.book:
            assert set(self.disk[entry.peer_id].addresses) == set(entry.addresses)


TestBookAgainstDisk = BookAgainstDisk.TestCase
