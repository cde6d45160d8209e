"""DST-30: positions in order, with the fingerprint of any range."""

from functools import reduce
from operator import xor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from logos_delivery.core.archive.types import Position
from logos_delivery.core.sync import ids
from logos_delivery.core.sync.ids import IdSet, fingerprint
from logos_delivery.core.sync.index import Index
from logos_delivery.core.sync.types import NO_HASH, Bounds, Scope, between

positions = st.builds(
    Position, st.integers(0, 40), st.integers(0, 3).map(lambda value: bytes([value]) * 32)
)


class Ids(RuleBasedStateMachine):
    """A set beside a plain one; its blocks have four positions."""

    def __init__(self) -> None:
        super().__init__()
        self.set = IdSet()
        self.model: set[Position] = set()

    @rule(one=positions)
    def add(self, one: Position) -> None:
        assert self.set.add(one) == (one not in self.model)
        self.model.add(one)

    @rule(first=positions)
    def remove(self, first: Position) -> None:
        gone = sorted(one for one in self.model if one < first)
        assert self.set.remove_before(first) == gone
        self.model.difference_update(gone)

    @rule(lower=positions, upper=positions)
    def ask(self, lower: Position, upper: Position) -> None:
        bounds = Bounds(lower, upper)
        inside = sorted(one for one in self.model if lower <= one < upper)
        assert self.set.count(bounds) == len(inside)
        assert list(self.set.items(bounds)) == inside
        total = reduce(xor, (int.from_bytes(one.hash, "big") for one in inside), 0)
        assert self.set.total(bounds) == total
        assert (lower in self.set) == (lower in self.model)

    @invariant()
    def it_is_the_same(self) -> None:
        assert list(self.set) == sorted(self.model)
        assert len(self.set) == len(self.model)
        assert self.set.first == min(self.model, default=None)


@pytest.mark.property
def test_a_set_is_a_sorted_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415

    monkeypatch.setattr(ids, "BLOCK", 4)
    run_state_machine_as_test(Ids, settings=settings(max_examples=60, stateful_step_count=60))


def test_a_fingerprint_is_32_bytes() -> None:
    assert fingerprint(0) == bytes(32)
    assert fingerprint(258) == bytes(30) + b"\1\2"


TOPICS = ["/a/1/x/p", "/b/1/x/p"]
SHARDS = ["/waku/2/rs/3/0", "/waku/2/rs/3/1"]
added = st.tuples(
    st.builds(Position, st.integers(0, 40), st.binary(min_size=32, max_size=32)),
    st.sampled_from(SHARDS),
    st.sampled_from(TOPICS),
)
scopes = st.builds(
    Scope, st.frozensets(st.sampled_from(SHARDS)), st.frozensets(st.sampled_from(TOPICS))
)


@pytest.mark.property
@given(st.lists(added, max_size=30), scopes, st.integers(0, 41), st.integers(0, 41))
def test_a_view_has_the_topics_of_its_scope(
    entries: list[tuple[Position, str, str]], scope: Scope, start: int, end: int
) -> None:
    index = Index()
    known: dict[Position, tuple[str, str]] = {}
    for position, shard, topic in entries:
        index.add(position, shard, topic)
        known.setdefault(position, (shard, topic))

    view, bounds = index.view(scope), between(start, end)

    wanted = sorted(
        one
        for one, topics in known.items()
        if start <= one.timestamp_ns < end and scope.has(*topics)
    )
    total = reduce(xor, (int.from_bytes(one.hash, "big") for one in wanted), 0)
    assert view.items(bounds) == wanted
    assert view.fingerprint(bounds) == fingerprint(total)
    assert view.count(bounds) >= len(wanted)


def test_an_index_that_is_full_forgets_its_oldest_and_says_so() -> None:
    index = Index(max_ids=200)
    for number in range(1, 300):
        index.add(Position(number, bytes([number % 256]) * 32), SHARDS[number % 2], TOPICS[0])
        assert len(index) <= 200

    left = index.view(Scope()).items(between(0, 1000))
    assert left[-1].timestamp_ns == 299
    assert left[0] == index.floor
    index.add(Position(1, NO_HASH), SHARDS[0], TOPICS[0])
    assert Position(1, NO_HASH) not in index


def test_an_index_forgets_what_is_before_a_position() -> None:
    index = Index()
    for number in range(10):
        index.add(Position(number, bytes(32)), SHARDS[number % 2], TOPICS[0])

    index.remove_before(Position(8, NO_HASH))
    index.remove_before(Position(3, NO_HASH))

    assert [one.timestamp_ns for one in index.view(Scope()).items(between(0, 99))] == [8, 9]
    assert index.floor == Position(8, NO_HASH)
    assert len(index) == 2
