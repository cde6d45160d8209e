"""RLN-36: whatever peers announce, and in whatever order, nodes come to the same members."""

from collections.abc import Iterable, Sequence
from functools import cache

import pytest

pytest.importorskip("logos_native")

from hypothesis import example, given, settings
from hypothesis import strategies as st
from mixnet_rln import LIMIT, MembersRig, Node, has_signed, slash_record

from logos_mixnet.core.rln import announced
from logos_mixnet.core.rln.announced import Announced
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import MembersFullError, MemberUnknownError
from logos_mixnet.core.rln.members import SaveSlash
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.records import Kind, Record, digest

NODES = sorted((Node.named(f"node {at}") for at in range(5)), key=lambda each: each.peer_id)
OPEN = Registry(is_open=True)


@cache
def announces(peer: int, commitment: int) -> Record:
    raw = NODES[peer].announce(commitment=NODES[commitment].commitment)
    return Record(Kind.ANNOUNCEMENT, raw)


@cache
def slashes(commitment: int) -> Record:
    return Record(Kind.SLASH, slash_record(NODES[commitment], NODES[0]))


def take(rig: MembersRig, record: Record) -> None:
    """Whether it is refused does not matter: others are told, too."""
    if record.kind is Kind.ANNOUNCEMENT:
        rig.announce(record.raw)
    else:
        rig.slash(record.raw)


def slashed(rig: MembersRig) -> dict[bytes, Record]:
    return {
        each.commitment: Record(Kind.SLASH, each.record.encode())
        for each in rig.saved
        if isinstance(each, SaveSlash) and rig.members.is_registered(each.commitment)
    }


def digest_of(rig: MembersRig) -> bytes:
    return digest(rig.members.outcome, slashed(rig))


def sync(rigs: Sequence[MembersRig]) -> bool:
    """Has each ask each other for what it has, as RLN-27 says; whether any had to be told."""
    is_told = False
    for asker in rigs:
        for other in rigs:
            if digest_of(asker) != digest_of(other):
                is_told = True
                known = [Record(Kind.ANNOUNCEMENT, x.encode()) for x in other.members.announcements]
                for record in [*known, *slashed(other).values()]:
                    take(asker, record)
    return is_told


at = st.integers(0, len(NODES) - 1)
told = st.one_of(
    st.builds(announces, at, at), st.builds(announces, at, at), st.builds(slashes, at), st.none()
)
"""None: an epoch passes."""


@pytest.mark.property
@pytest.mark.parametrize("most", [2, 4, 1_024])
@settings(max_examples=60, deadline=None)
@example(histories=[[announces(0, 1)], [announces(2, 1)]])  # copied: the same commitments
@given(histories=st.lists(st.lists(told, max_size=12), min_size=2, max_size=3))
def test_nodes_with_any_histories_come_to_the_same_members(
    most: int, histories: list[list[Record | None]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(announced, "MAX_ANNOUNCED", most)
        rigs = [MembersRig(OPEN) for _ in histories]
        for rig, history in zip(rigs, histories, strict=True):
            for record in history:
                if record is None:
                    rig.wait_epochs()
                else:
                    take(rig, record)

        rounds = [sync(rigs) for _ in range(4)]
        for rig in rigs:
            rig.wait_epochs()

    assert not rounds[-1]
    assert len({rig.roots[0] for rig in rigs}) == 1
    assert len({rig.windows[-1].ids for rig in rigs}) == 1


@pytest.mark.property
@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(1, len(NODES))))
def test_a_peer_that_keeps_announcing_moves_the_root_twice_at_most(order: list[int]) -> None:
    rig = MembersRig(OPEN)
    roots = [rig.roots[0]]
    for commitment in [*order, *order]:
        take(rig, announces(0, commitment))
        rig.wait_epochs()
        roots.append(rig.roots[0])

    assert len(set(roots)) == 2
    assert roots[0] == roots[-1] == roots[2]
    assert len(rig.saved) == 2
    assert rig.members.next_wake_ms() is None


def test_who_has_announced_two_is_out_at_the_end_of_the_epoch() -> None:
    rig = MembersRig(OPEN)
    take(rig, announces(0, 0))
    take(rig, announces(1, 1))
    rig.wait_epochs()
    before = rig.roots

    take(rig, announces(0, 2))
    rig.wait_epochs()
    assert rig.roots[1:] == before  # others are still proving under these
    rig.wait_epochs()

    assert len(rig.roots) == 1
    assert rig.windows[-1].ids == LIMIT
    NODES[1].membership(rig.members)
    for commitment in (0, 2):
        with pytest.raises(MemberUnknownError):
            rig.members.place(NODES[commitment].commitment)
    assert rig.members.is_removed(NODES[0].commitment, NODES[0].peer_id)


@pytest.mark.parametrize("copier", [0, 2])
def test_a_copied_commitment_gains_its_copier_nothing_and_costs_nobody_a_leaf(copier: int) -> None:
    """It has a leaf more, and no ids more: the secret's nullifiers are the same under both."""
    rig = MembersRig(OPEN)
    take(rig, announces(1, 1))
    take(rig, announces(copier, 1))
    rig.wait_epochs()

    NODES[1].membership(rig.members)
    assert rig.windows[-1].ids == LIMIT

    take(rig, announces(copier, copier))  # it is out, and who was copied is not
    rig.wait_epochs()
    NODES[1].membership(rig.members)


def test_to_slash_a_copied_commitment_leaves_no_leaf_to_prove_under() -> None:
    rig, alone = MembersRig(OPEN), MembersRig(OPEN)
    for record in (announces(1, 1), announces(0, 1), announces(2, 2)):
        take(rig, record)
    take(alone, announces(2, 2))
    for each in (rig, alone):
        each.wait_epochs()

    take(rig, slashes(1))
    rig.wait_epochs()

    assert rig.roots[0] == alone.roots[0]


def kept(numbers: Iterable[int]) -> Announced:
    return Announced(Announcement.decode(announces(each, each).raw, has_signed) for each in numbers)


def test_of_too_many_those_with_the_lowest_ids_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announced, "MAX_ANNOUNCED", 2)
    low, high = (Announcement.decode(announces(n, n).raw, has_signed) for n in (0, 4))

    assert kept([1, 2]).displaced_by(low) == NODES[2].peer_id
    assert kept([0, 1]).displaced_by(low) is None
    with pytest.raises(MembersFullError):
        kept([1, 2]).displaced_by(high)


def test_a_displaced_peer_takes_its_slashes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announced, "MAX_ANNOUNCED", 2)
    rig = MembersRig(OPEN)
    for record in (announces(1, 1), announces(2, 2), slashes(2), announces(0, 0)):
        take(rig, record)

    save = rig.saved[-1]

    assert not isinstance(save, SaveSlash)
    assert save.displaced == NODES[2].peer_id
    assert save.forgotten == {NODES[2].commitment}
