"""DST-32 to DST-36, DST-40: two nodes make their sets equal."""

import hashlib
import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logos_base.errors import RemoteFaultError
from logos_delivery.core.archive.types import Position
from logos_delivery.core.sync import reconciling
from logos_delivery.core.sync import session as sessions
from logos_delivery.core.sync.errors import (
    SyncEndlessError,
    SyncPayloadMalformedError,
    SyncPayloadTooLargeError,
)
from logos_delivery.core.sync.index import Index
from logos_delivery.core.sync.reconciling import compare, parts_of
from logos_delivery.core.sync.session import MAX_ROUNDS, Session
from logos_delivery.core.sync.types import (
    NO_HASH,
    Bounds,
    Fingerprint,
    ItemSet,
    Payload,
    Range,
    Scope,
    Skip,
    between,
)
from logos_delivery.core.sync.wire import decode, encode

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/sync.json").read_text(encoding="utf-8")
)
SHARD = "/waku/2/rs/3/0"
TOPIC = "/a/1/b/c"
START = Position(0, NO_HASH)
END_NS = 1 << 40


def position(time_ns: int, text: object) -> Position:
    return Position(time_ns, hashlib.sha256(f"{time_ns} {text}".encode()).digest())


def index_of(positions: Iterable[Position]) -> Index:
    index = Index()
    for one in positions:
        index.add(one, SHARD, TOPIC)
    return index


def reconcile(ours: Index, theirs: Index, end_ns: int = END_NS) -> tuple[Session, Session, int]:
    """Lets two sessions take turns to the end; then each is given what it lacks."""
    first, second = Session(ours, Scope(), START), Session(theirs, Scope(), START)
    raw: bytes | None = first.begin(between(0, end_ns))
    receivers = [(second, theirs, ours), (first, ours, theirs)]
    given: list[tuple[Index, Position]] = []
    rounds = 0
    while raw is not None:
        session, own, other = receivers[rounds % 2]
        turn = session.received(raw)
        assert all(one in own for one in turn.to_send)
        given += ((other, one) for one in turn.to_send)
        raw = turn.reply
        rounds += 1
    for other, one in given:
        other.add(one, SHARD, TOPIC)
    return first, second, rounds


# Sets are told whole up to five messages here, so that small ones have to be divided.
sets = st.sets(st.builds(position, st.integers(0, 300), st.integers(0, 2)), max_size=60)


@pytest.mark.property
@example(set(), set())
@example(set(), {position(1, "x")})
@example({position(5, number) for number in range(300)}, {position(5, 299)})
@given(sets, sets)
def test_two_sets_end_equal(ours: set[Position], theirs: set[Position]) -> None:
    first, second = index_of(ours), index_of(theirs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reconciling, "MAX_SET", 5)
        one, other, _ = reconcile(first, second, end_ns=301)

    everything = sorted(ours | theirs)
    assert first.view(Scope()).items(between(0, 400)) == everything
    assert second.view(Scope()).items(between(0, 400)) == everything
    assert one.sent == len(ours - theirs)
    assert other.sent == len(theirs - ours)
    assert one.wanted == theirs - ours
    assert other.wanted == ours - theirs


def test_a_small_difference_costs_few_bytes_and_rounds() -> None:
    everything = [position(number * 1000, number) for number in range(10_000)]
    missing = {17, 5_000, 5_001, 9_999}
    ours = index_of(everything)
    theirs = index_of(one for number, one in enumerate(everything) if number not in missing)

    one, _, rounds = reconcile(ours, theirs, end_ns=10_000_000)

    assert one.sent == len(missing)
    whole = len(everything) * 40
    assert one.size_bytes < whole / 15
    assert rounds < 12


def test_equal_sets_cost_one_answer() -> None:
    everything = [position(number, number) for number in range(5_000)]

    one, _, rounds = reconcile(index_of(everything), index_of(everything))

    assert rounds == 2
    assert one.size_bytes < 64


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["answers"], ids=lambda case: case["id"])
def test_fingerprints_are_answered_as_by_the_reference(case: dict[str, Any]) -> None:
    ours, theirs = Index(), Index()
    for number in range(case["messages"]):
        time_ns = case["first"] + number
        ours.add(position(time_ns, number), SHARD, TOPIC)
        text = f"{number}x" if number in case["differs"] else number
        theirs.add(position(time_ns, text), SHARD, TOPIC)
    whole = between(case["first"], case["first"] + case["messages"])

    asked = Fingerprint(whole, theirs.view(Scope()).fingerprint(whole))
    outcome = compare(ours.view(Scope()), [asked], START)

    kinds = {Fingerprint: "fingerprint", ItemSet: "set", Skip: "skip"}
    assert [kinds[type(one)] for one in outcome.ranges] == case["ranges"]
    for number in case["differs"]:
        time_ns = case["first"] + number
        sets_with_it = [
            one
            for one in outcome.ranges
            if isinstance(one, ItemSet) and position(time_ns, number) in one.items
        ]
        assert len(sets_with_it) == (1 if "set" in case["ranges"] else 0)


def test_parts_have_equal_times_and_the_first_have_the_rest() -> None:
    parts = parts_of(between(100, 183))

    assert [one.width_ns for one in parts] == [11, 11, 11, 10, 10, 10, 10, 10]
    assert parts[0].lower == Position(100, NO_HASH)
    assert parts[-1].upper == Position(183, NO_HASH)
    assert all(one.upper == other.lower for one, other in pairwise(parts))


def test_a_set_is_answered_by_ours_unless_they_have_seen_it() -> None:
    ours, theirs = position(5, "ours"), position(6, "theirs")
    view = index_of([ours]).view(Scope())

    for is_reconciled in (False, True):
        asked = ItemSet(between(0, 10), (theirs,), is_reconciled=is_reconciled)
        outcome = compare(view, [asked], START)
        assert outcome.missing_there == [ours]
        assert outcome.missing_here == [theirs]
        answer = [] if is_reconciled else [ItemSet(between(0, 10), (ours,), is_reconciled=True)]
        assert outcome.ranges == answer


def test_a_set_that_is_ours_is_skipped() -> None:
    ours = position(5, "ours")
    asked = ItemSet(between(0, 10), (ours,), is_reconciled=False)

    outcome = compare(index_of([ours]).view(Scope()), [asked], START)

    assert (outcome.ranges, outcome.missing_there, outcome.missing_here) == ([], [], [])


def test_ranges_that_are_skipped_are_joined() -> None:
    view = index_of([position(50, "x")]).view(Scope())
    ranges: list[Range] = [
        Skip(between(0, 10)),
        Fingerprint(between(10, 20), bytes(32)),
        ItemSet(between(20, 30), (), is_reconciled=True),
        Fingerprint(between(30, 60), bytes(32)),
        Skip(between(60, 70)),
    ]

    outcome = compare(view, ranges, START)

    assert outcome.ranges == [
        Skip(between(0, 30)),
        ItemSet(between(30, 60), (position(50, "x"),), is_reconciled=False),
        Skip(between(60, 70)),
    ]


def test_what_is_before_the_floor_is_not_compared() -> None:
    view = index_of([position(500, "x")]).view(Scope())
    floor = Position(400, NO_HASH)
    old, kept = position(350, "old"), position(450, "kept")
    ranges: list[Range] = [
        Fingerprint(between(0, 100), b"\1" * 32),
        ItemSet(between(100, 400), (position(200, "x"),), is_reconciled=False),
        ItemSet(between(400, 401), (), is_reconciled=True),
    ]

    assert compare(view, ranges, floor).missing_here == []
    assert compare(view, ranges, floor).ranges == []
    across = ItemSet(between(300, 460), (old, kept), is_reconciled=True)
    assert compare(view, [across], floor).missing_here == [kept]


def test_parts_before_the_floor_are_skipped() -> None:
    index = index_of([position(800 + number % 200, number) for number in range(300)])
    asked = Fingerprint(between(0, 1000), b"\1" * 32)

    outcome = compare(index.view(Scope()), [asked], Position(800, NO_HASH))

    assert outcome.ranges[0] == Skip(between(0, 750))
    assert [type(one) for one in outcome.ranges[1:]] == [Fingerprint, Fingerprint]


def test_only_topics_that_both_name_are_compared() -> None:
    index = Index()
    index.add(position(1, "a"), "/waku/2/rs/3/0", "/a/1/b/c")
    index.add(position(2, "b"), "/waku/2/rs/3/1", "/a/1/b/c")
    index.add(position(3, "c"), "/waku/2/rs/3/1", "/x/1/b/c")
    ours = Scope(frozenset({"/waku/2/rs/3/1", "/waku/2/rs/3/2"}))
    asked = ItemSet(between(0, 10), (), is_reconciled=False)

    def sent(theirs: Scope) -> list[Position]:
        turn = Session(index, ours, START).received(encode(Payload(theirs, (asked,))))
        return list(turn.to_send)

    assert sent(Scope()) == [position(2, "b"), position(3, "c")]
    assert sent(Scope(content_topics=frozenset({"/x/1/b/c"}))) == [position(3, "c")]
    other = Session(index, ours, START).received(
        encode(Payload(Scope(frozenset({"/waku/2/rs/3/9"})), (asked,)))
    )
    assert (other.reply, other.to_send, other.is_over) == (b"\0", (), True)


def test_a_message_is_sent_once_however_often_it_is_missing() -> None:
    session = Session(index_of([position(5, "x")]), Scope(), START)
    asked = encode(Payload(ranges=(ItemSet(between(0, 10), (), is_reconciled=False),)))

    assert session.received(asked).to_send == (position(5, "x"),)
    assert session.received(asked).to_send == ()
    assert session.sent == 1


def test_a_reconciliation_without_an_end_is_ended() -> None:
    session = Session(index_of([position(5, "x")]), Scope(), START)
    asked = encode(Payload(ranges=(Fingerprint(between(0, 10), b"\1" * 32),)))
    for _ in range(MAX_ROUNDS):
        assert not session.received(asked).is_over

    with pytest.raises(SyncEndlessError):
        session.received(asked)


def test_what_a_peer_claims_to_have_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_ITEMS", 5)
    session = Session(Index(), Scope(), START)

    def claimed(first: int) -> bytes:
        items = tuple(position(time_ns, "x") for time_ns in range(first, first + 3))
        return encode(Payload(ranges=(ItemSet(between(0, 100), items, is_reconciled=False),)))

    session.received(claimed(1))
    with pytest.raises(SyncPayloadTooLargeError):
        session.received(claimed(10))


def test_bytes_that_are_no_ranges_end_a_session_with_their_error() -> None:
    with pytest.raises(SyncPayloadMalformedError):
        Session(Index(), Scope(), START).received(b"\xff" * 20)


def hostile(time_ns: int) -> st.SearchStrategy[tuple[Position, int, bytes]]:
    steps = st.builds(lambda step: Position(time_ns + step, NO_HASH), st.integers(1, 20))
    return st.tuples(
        steps
        | st.builds(
            Position,
            st.just(time_ns),
            st.binary(min_size=1, max_size=3).filter(any).map(lambda raw: raw.ljust(32, b"\0")),
        ),
        st.integers(0, 2),
        st.binary(min_size=32, max_size=32),
    )


@st.composite
def hostile_payloads(draw: st.DrawFn) -> bytes:
    """Ranges that are well formed, of any kind and with any ends."""
    end = Position(draw(st.integers(0, 30)), NO_HASH)
    ranges: list[Range] = []
    for _ in range(draw(st.integers(1, 6))):
        upper, kind, value = draw(hostile(end.timestamp_ns))
        if upper <= end:
            continue
        bounds = Bounds(end, upper)
        if kind == 0:
            ranges.append(Skip(bounds))
        elif kind == 1:
            ranges.append(Fingerprint(bounds, value))
        else:
            item = Position(end.timestamp_ns, value)
            items = (item,) if end <= item < upper else ()
            ranges.append(ItemSet(bounds, items, draw(st.booleans())))
        end = upper
    return encode(Payload(ranges=tuple(ranges)))


CROWD = [position(25, number) for number in range(110)]


@pytest.mark.property
@settings(max_examples=50)
@given(
    st.lists(hostile_payloads(), max_size=4),
    st.sets(st.integers(0, 60), max_size=60),
    st.integers(0, 40),
)
def test_every_answer_to_a_hostile_peer_can_be_read(
    payloads: list[bytes], times: set[int], floor: int
) -> None:
    index = index_of(position(time_ns, time_ns) for time_ns in times)
    for one in CROWD:
        index.add(one, SHARD, TOPIC)
    session = Session(index, Scope(), Position(floor, NO_HASH))

    for raw in payloads:
        try:
            turn = session.received(raw)
        except RemoteFaultError:
            return
        if turn.reply is not None:
            decode(turn.reply)
