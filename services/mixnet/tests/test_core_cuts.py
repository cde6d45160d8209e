"""RLN-37: nodes learn at different times who joined or left, and accept each other's proofs.

The machines of many nodes, with trees whose root is just a name for their members.
"""

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import pytest

pytest.importorskip("logos_native")

from hypothesis import example, given, settings
from hypothesis import strategies as st
from mixnet_rln import APPLICATION, EPOCHS, LIMIT, Node, slash_record

from logos_base.machine import Answer, Ticket
from logos_mixnet.core.rln import members as rules
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import MemberUnknownError
from logos_mixnet.core.rln.members import (
    Members,
    MembersChanged,
    PlantTree,
    SaveAnnouncement,
    SaveSlash,
)
from logos_mixnet.core.rln.ports import Registry

OLD: Final = [Node.named(f"old {at}") for at in range(4)]
NEW: Final = [Node.named(f"new {at}") for at in range(4)]
ANNOUNCED: Final = {node.commitment: node.announce() for node in OLD + NEW}
SLASHED: Final = slash_record(OLD[3], OLD[0])
PERIOD_MS: Final = EPOCHS.period_ms
SPREAD_MS: Final = 2_000
BEGIN_MS: Final = 500 * PERIOD_MS


@dataclass(frozen=True)
class NamedTree:
    """The part of a tree that the machine reads."""

    root: bytes
    siblings: tuple[bytes, ...] = ()

    def path(self, _index: int) -> "NamedTree":
        return self


def named(wanted: PlantTree) -> Any:
    return NamedTree(b"".join(wanted.leaves[at] for at in sorted(wanted.leaves)))


@dataclass
class Member:
    """One node's machine, and what it accepts."""

    node: Node
    begin_ms: int
    members: Members
    window: tuple[bytes, ...] = ()
    seen: dict[bytes, int] = field(default_factory=dict)

    @property
    def root(self) -> bytes | None:
        """The root that its proofs name; None: it is no member."""
        try:
            return self.members.place(self.node.commitment).root
        except MemberUnknownError:
            return None


def trusting(_peer_id: bytes, _message: bytes, _signature: bytes) -> bool:
    return True


class Crowd:
    """Nodes whose machines wake when they ask to, and receive messages with a delay."""

    def __init__(self) -> None:
        self.now_ms = BEGIN_MS
        self.members: list[Member] = []
        self.first_ms: dict[bytes, int] = {}
        """When a root was first accepted anywhere."""
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()

    def at(self, at_ms: int, do: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (at_ms, next(self._order), do))

    def add(self, node: Node, known: Sequence[Node]) -> Member:
        stored = tuple(Announcement.decode(ANNOUNCED[each.commitment], trusting) for each in known)
        registry = Registry(announced=stored, is_open=True)
        member = Member(node, self.now_ms, Members(APPLICATION, EPOCHS, LIMIT, trusting, registry))
        self.members.append(member)
        self._wake(member)
        return member

    def hear(self, member: Member, raw: bytes) -> None:
        step = member.members.slashed if raw == SLASHED else member.members.announced
        self._perform(member, step(Ticket(1), raw, self.now_ms))
        self._arm(member)

    def run(self, until_ms: int) -> Iterator[int]:
        """Yields after all that happens at one time."""
        while self._agenda and self._agenda[0][0] <= until_ms:
            self.now_ms, _, do = heapq.heappop(self._agenda)
            do()
            if not self._agenda or self._agenda[0][0] > self.now_ms:
                yield self.now_ms

    def _wake(self, member: Member) -> None:
        self._perform(member, member.members.tick(self.now_ms))
        self._arm(member)

    def _arm(self, member: Member) -> None:
        wake_ms = member.members.next_wake_ms()
        if wake_ms is not None:
            self.at(max(wake_ms, self.now_ms + 1), lambda: self._wake_if_due(member))

    def _wake_if_due(self, member: Member) -> None:
        wake_ms = member.members.next_wake_ms()
        if wake_ms is not None and wake_ms <= self.now_ms:
            self._wake(member)

    def _perform(self, member: Member, effects: Sequence[Any]) -> None:
        for effect in effects:
            match effect:
                case SaveAnnouncement():
                    self._perform(member, member.members.announcement_saved(effect, self.now_ms))
                case SaveSlash():
                    self._perform(member, member.members.slash_saved(effect, self.now_ms))
                case PlantTree():
                    self.at(self.now_ms + 100, lambda wanted=effect: self._plant(member, wanted))  # type: ignore[misc]  # a bound argument
                case MembersChanged():
                    member.window = effect.roots
                    for root in effect.roots:
                        self.first_ms.setdefault(root, self.now_ms)
                case _:
                    assert isinstance(effect, Answer)

    def _plant(self, member: Member, wanted: PlantTree) -> None:
        self._perform(member, member.members.planted(wanted, named(wanted), self.now_ms))
        self._arm(member)


@dataclass(frozen=True)
class Story:
    """What happens: times in milliseconds since the start, delays of each node."""

    joins: Mapping[int, int]
    slash: int | None
    delays: Sequence[int]


def begun(story: Story) -> Crowd:
    """A crowd of old members, in which others join and one is slashed."""
    crowd = Crowd()
    for node in OLD:
        crowd.add(node, OLD)
    for number, at_ms in sorted(story.joins.items(), key=lambda join: join[1]):
        crowd.at(BEGIN_MS + at_ms, lambda number=number: joins(crowd, NEW[number], story))  # type: ignore[misc]  # a bound argument
    if story.slash is not None:
        crowd.at(BEGIN_MS + story.slash, lambda: spread(crowd, SLASHED, 0, story))
    return crowd


def joins(crowd: Crowd, node: Node, story: Story) -> None:
    """A node learns of the members from a neighbour, and announces itself."""
    known = [each.node for each in crowd.members]
    member = crowd.add(node, [])
    own = len(crowd.members) - 1
    for each in known:
        raw, delay_ms = ANNOUNCED[each.commitment], story.delays[own]
        crowd.at(crowd.now_ms + delay_ms, lambda raw=raw: crowd.hear(member, raw))  # type: ignore[misc]  # a bound argument
    if story.slash is not None and BEGIN_MS + story.slash <= crowd.now_ms:
        crowd.at(crowd.now_ms + story.delays[own] + 1, lambda: crowd.hear(member, SLASHED))
    spread(crowd, ANNOUNCED[node.commitment], own, story)


def spread(crowd: Crowd, raw: bytes, origin: int, story: Story) -> None:
    """Nodes that are running receive it, the origin at once; later ones learn it from others."""
    for at, member in enumerate(crowd.members):
        delay_ms = 0 if at == origin else story.delays[(at + origin) % len(story.delays)]
        crowd.at(crowd.now_ms + delay_ms, lambda member=member: crowd.hear(member, raw))  # type: ignore[misc]  # a bound argument


def refusals(crowd: Crowd, until_ms: int, *, also_of_before: bool) -> list[tuple[int, str, str]]:
    """Returns the time of each refusal, the prover and the verifier; both are members.

    A node that has just started may lack a root that is older than itself.
    """
    found = []
    for now_ms in crowd.run(until_ms):
        for prover in crowd.members:
            root = prover.root
            for verifier in crowd.members if root is not None else ():
                is_older = crowd.first_ms[root or b""] < verifier.begin_ms + SPREAD_MS
                if verifier.root is None or (is_older and not also_of_before):
                    continue
                if root not in verifier.window:
                    found.append((now_ms - BEGIN_MS, prover.node.name, verifier.node.name))
    return found


TIMES = st.one_of(
    st.integers(0, 3 * PERIOD_MS),
    st.builds(
        lambda epoch, part, by: max(0, epoch * PERIOD_MS - part * SPREAD_MS + by),
        st.integers(1, 3),
        st.integers(0, 3),
        st.integers(-20, 20),
    ),
)
"""Any time, or one close to when a node takes up new roots."""
DELAYS = st.lists(st.integers(0, SPREAD_MS - 200), min_size=8, max_size=8)
END_MS: Final = BEGIN_MS + 8 * PERIOD_MS


@pytest.mark.property
@settings(max_examples=60, deadline=None)
@example(story=Story({0: 9_990}, None, [0, 20, 40, 0, 20, 40, 0, 20]))
@given(
    story=st.builds(
        Story,
        st.dictionaries(st.integers(0, 3), TIMES, min_size=1, max_size=4),
        st.just(None),
        DELAYS,
    )
)
def test_members_accept_each_others_proofs_while_others_join(story: Story) -> None:
    crowd = begun(story)

    refused = refusals(crowd, END_MS, also_of_before=False)

    assert refused == []
    assert len({member.root for member in crowd.members}) == 1
    assert all(member.root for member in crowd.members)
    assert all(member.members.next_wake_ms() is None for member in crowd.members)


@pytest.mark.property
@settings(max_examples=40, deadline=None)
@example(story=Story({0: 5_990}, None, [20, 20, 20, 20, 0, 20, 20, 20]))
@given(
    story=st.builds(Story, st.dictionaries(st.just(0), TIMES, min_size=1), st.just(None), DELAYS)
)
def test_a_node_that_joins_alone_accepts_all_proofs_once_it_makes_its_own(story: Story) -> None:
    assert refusals(begun(story), END_MS, also_of_before=True) == []


@pytest.mark.property
@settings(max_examples=40, deadline=None)
@given(story=st.builds(Story, st.just({}), TIMES, DELAYS))
def test_a_slash_splits_nothing_and_puts_the_member_out_within_two_epochs(story: Story) -> None:
    crowd = begun(story)
    assert story.slash is not None
    heard_ms = BEGIN_MS + story.slash + max(story.delays)
    honest, slashed = crowd.members[:3], crowd.members[3].node.commitment
    out_ms = (EPOCHS.at(heard_ms) + 2) * PERIOD_MS

    refused = refusals(crowd, out_ms, also_of_before=True)

    names = {member.node.name for member in honest}
    assert [each for each in refused if {*each[1:]} <= names] == []
    for member in honest:
        assert member.root is not None
        assert not any(slashed in root for root in member.window)


def test_without_a_spread_a_change_at_the_boundary_splits_the_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: each proves under what it knew before the epoch began."""
    monkeypatch.setattr(rules, "SPREAD", PERIOD_MS + 1)

    refused = refusals(
        begun(Story({0: 9_990}, None, [0, 20, 40, 0, 20, 40, 0, 20])), END_MS, also_of_before=False
    )

    assert refused


def test_changes_without_end_delay_members_for_a_few_epochs_only() -> None:
    """An identity that is announced before each epoch keeps no member out for good."""
    crowd = Crowd()
    for node in OLD:
        crowd.add(node, OLD)
    for at in range(12):
        raw = Node.named(f"stranger {at}").announce()
        for member in crowd.members:
            when_ms = BEGIN_MS + (at + 1) * PERIOD_MS - 1_000
            crowd.at(when_ms, lambda member=member, raw=raw: crowd.hear(member, raw))  # type: ignore[misc]  # bound arguments
    before = crowd.members[0].root
    moved: list[int] = []

    for now_ms in crowd.run(END_MS):
        roots = {member.root for member in crowd.members}
        assert all(root in member.window for member in crowd.members for root in roots if root)
        assert all(len(member.window) <= rules.ROOTS for member in crowd.members)
        if roots != {before} and not moved:
            moved.append(now_ms)

    assert moved
    assert moved[0] <= BEGIN_MS + (rules.ROOTS + 1) * PERIOD_MS
