import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from mixnet_nodes import seeded

from logos_mixnet.core.address_book import (
    MAX_ADDRESSES,
    AddressBook,
    PeerEntry,
    PeerRecord,
    SignedCopy,
    loaded,
)
from logos_mixnet.core.confidence import AddressScore, Confidence, Learned

pytestmark = pytest.mark.property

LOW, MEDIUM, HIGH, INFINITE = Confidence
DIALLED, NAMED, SAID = "/dialled", "/named", "/said"


def book() -> AddressBook:
    return AddressBook(seeded(1), max_peers=5)


def entry_of(book: AddressBook, peer_id: str = "p") -> PeerEntry:
    entry = book.get(peer_id)
    assert entry is not None
    return entry


def signed(seq: int = 1, heard_ms: int = 0) -> SignedCopy:
    return SignedCopy(b"record %d" % seq, seq, heard_ms)


def test_what_is_believed_most_is_dialled_first_and_last_what_fails() -> None:
    known = book()
    known.announce("p", ["/heard"], 9, confidence=LOW)
    known.announce("p", [SAID], 1, confidence=MEDIUM)
    known.reached("p", DIALLED, 2)
    known.announce("p", [NAMED], 0, confidence=INFINITE)
    assert entry_of(known).best_first() == [NAMED, DIALLED, SAID, "/heard"]

    known.failed("p", NAMED, 10)

    assert entry_of(known).best_first() == [DIALLED, SAID, "/heard", NAMED]


def test_of_the_same_confidence_the_last_reached_or_named_is_first() -> None:
    known = book()
    known.reached("p", "/old", 1)
    known.reached("p", "/new", 2)
    known.announce("p", ["/a"], 3)
    known.announce("p", ["/b"], 4)

    assert entry_of(known).best_first() == ["/new", "/old", "/b", "/a"]


def test_confidence_never_falls() -> None:
    known = book()
    known.reached("p", DIALLED, 5)
    known.announce("p", [DIALLED], 6, confidence=LOW)

    score = entry_of(known).addresses[DIALLED]
    assert (score.confidence, score.reached_ms, score.heard_ms) == (HIGH, 5, 6)


def test_hearsay_never_displaces_what_the_peer_says_or_what_works() -> None:
    known = book()
    known.announce("p", [f"/said{at}" for at in range(MAX_ADDRESSES - 1)], 0)
    known.reached("p", DIALLED, 0)
    before = set(entry_of(known).addresses)

    known.announce("p", [f"/heard{at}" for at in range(100)], 1, confidence=LOW)
    assert set(entry_of(known).addresses) == before

    known.failed("p", "/said3", 2)
    known.announce("p", ["/heard"], 3, confidence=LOW)
    assert set(entry_of(known).addresses) == before - {"/said3"} | {"/heard"}


def test_what_the_profile_names_is_never_displaced() -> None:
    known = book()
    known.announce("p", [NAMED], 0, confidence=INFINITE)
    for _ in range(5):
        known.failed("p", NAMED, 0)

    known.announce("p", [f"/said{at}" for at in range(100)], 1)
    known.reached("p", DIALLED, 2)

    assert NAMED in entry_of(known).addresses
    assert entry_of(known).best_first()[0] == DIALLED


def test_a_full_book_lets_the_least_believed_go_and_of_those_the_longest_unheard() -> None:
    known = book()
    known.reached("dialled", "/d", 1)
    known.announce("said", ["/s"], 2)
    for at, name in enumerate(("old", "new", "newer")):
        known.announce(name, ["/h"], 10 + at, confidence=LOW)

    assert known.hear("next", signed(heard_ms=20), ["/n"], confidence=LOW)
    assert {entry.peer_id for entry in known} == {"dialled", "said", "new", "newer", "next"}
    for at in range(10):
        known.reached(f"more{at}", "/m", 30 + at)
    assert not known.hear("late", signed(), ["/n"], confidence=LOW)
    assert known.get("late") is None


def test_after_a_restart_the_same_is_known() -> None:
    known = book()
    known.announce("p", ["/heard"], 9, confidence=LOW)
    known.reached("p", DIALLED, 12)
    known.hear("p", signed(7, 8), [SAID], confidence=MEDIUM)
    record = entry_of(known).record()

    again = book()
    again.load([record])

    assert entry_of(again).record() == record
    assert again.with_records() == ["p"]
    assert record.learned == (Learned(HIGH, 12, 12), Learned(MEDIUM, 8, 0), Learned(LOW, 9, 0))


@pytest.mark.parametrize(
    ("wanted", "reached_ms", "expected"),
    [(True, 0, INFINITE), (False, 5, HIGH), (False, 0, MEDIUM)],
)
def test_what_a_former_profile_named_is_believed_as_it_deserves(
    wanted: bool,  # noqa: FBT001 - a parameter
    reached_ms: int,
    expected: Confidence,
) -> None:
    learned = (Learned(INFINITE, 1, reached_ms),)

    entry = loaded(PeerRecord("p", (NAMED,), wanted, 0, learned))

    assert entry.addresses[NAMED].confidence is expected


def test_records_beyond_the_limit_are_dropped_also_on_load_the_oldest_first() -> None:
    records = [
        PeerRecord(name, ("/a",), wanted=False, last_seen_ms=0, signed=signed(1, at))
        for name, at in (("b", 2), ("a", 3), ("c", 1))
    ]
    known = AddressBook(seeded(1), max_records=2)

    known.load(records)

    assert known.with_records() == ["b", "a"]
    assert known.take_changes().changed[0].peer_id == "c"


@given(scores=st.lists(st.tuples(st.sampled_from(Confidence), st.integers(0, 9)), min_size=1))
def test_the_greatest_confidence_of_an_address_is_that_of_the_peer(
    scores: list[tuple[Confidence, int]],
) -> None:
    entry = PeerEntry("p")
    for at, (confidence, heard_ms) in enumerate(scores):
        entry.addresses[f"/{at}"] = AddressScore(confidence, heard_ms)

    assert entry.confidence is max(confidence for confidence, _ in scores)
    assert entry.heard_ms == max(heard_ms for _, heard_ms in scores)


class BookUnderHearsay(RuleBasedStateMachine):
    """No amount of hearsay costs a peer or an address that is believed more."""

    heard = st.sampled_from([f"h{number}" for number in range(20)])
    known_ones = st.sampled_from(["k0", "k1", "k2"])
    addresses = st.sampled_from([f"/a{number}" for number in range(40)])

    def __init__(self) -> None:
        super().__init__()
        self.book = book()
        self.sure: dict[str, set[str]] = {}
        self.now_ms = 0

    @rule(peer=heard, addresses=st.lists(addresses, min_size=1, max_size=20))
    def hear(self, peer: str, addresses: list[str]) -> None:
        self.now_ms += 1
        self.book.hear(peer, signed(1, self.now_ms), addresses, confidence=LOW)

    @rule(peer=known_ones, addresses=st.lists(addresses, min_size=1, max_size=20))
    def hear_of_known(self, peer: str, addresses: list[str]) -> None:
        if peer in self.sure:
            self.book.hear(peer, signed(2, self.now_ms), addresses, confidence=LOW)

    @rule(peer=known_ones, address=addresses)
    def reach(self, peer: str, address: str) -> None:
        if len(self.sure.get(peer, ())) < MAX_ADDRESSES - 1:
            self.now_ms += 1
            self.book.reached(peer, address, self.now_ms)
            self.sure.setdefault(peer, set()).add(address)

    @invariant()
    def kept(self) -> None:
        assert len(self.book) <= 5
        for peer, addresses in self.sure.items():
            assert addresses <= set(entry_of(self.book, peer).addresses)
            assert entry_of(self.book, peer).confidence is HIGH


TestBookUnderHearsay = BookUnderHearsay.TestCase
