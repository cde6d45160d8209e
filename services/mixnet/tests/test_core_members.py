"""RLN-21, RLN-22, RLN-23: members, roots, announcements and slashing."""

from typing import Any

import pytest

pytest.importorskip("logos_native")

from hypothesis import given, settings
from hypothesis import strategies as st
from mixnet_rln import (
    EPOCH,
    EPOCHS,
    LIMIT,
    MembersRig,
    Node,
    evidence_against,
    has_signed,
    slash_record,
)

from logos_base.errors import DiskFullError, LogosError, RemoteFaultError
from logos_crypto.hashes import MODULUS
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import MemberExistsError, MemberUnknownError
from logos_mixnet.core.rln.members import ROOTS, SPREAD
from logos_mixnet.core.rln.nullifiers import Point
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.slashing import Evidence, SlashRecord

NODES = [Node.named(name) for name in ("ada", "bob", "eve", "kim", "lou", "max")]
ADA, BOB, EVE = NODES[:3]
OPEN = Registry(is_open=True)


def reason(error: Exception | None) -> str | None:
    assert error is None or isinstance(error, LogosError)
    return None if error is None else error.reason


def record(node: Node, reporter: Node = ADA) -> bytes:
    return slash_record(node, reporter)


@pytest.mark.property
@settings(max_examples=15, deadline=None)
@given(order=st.permutations(NODES), split=st.integers(0, len(NODES)))
def test_nodes_that_heard_of_the_same_members_have_the_same_root(
    order: list[Node], split: int
) -> None:
    one, other = MembersRig(OPEN), MembersRig(OPEN)
    for node in NODES:
        assert one.announce(node.announce()) is None
    one.wait_epochs(2)

    for node in order[:split]:
        other.announce(node.announce())
    other.wait_epochs()
    for node in order[split:] + order[:1]:
        other.announce(node.announce())
    other.wait_epochs()

    assert one.roots[0] == other.roots[0]
    assert one.windows[-1].ids == other.windows[-1].ids == LIMIT * len(NODES)


def test_members_of_the_genesis_list_make_one_root() -> None:
    rig = MembersRig(Registry(genesis=tuple(node.commitment for node in NODES)))

    assert len(rig.windows) == 1
    assert len(rig.roots) == 1
    assert [rig.members.place(node.commitment).index for node in NODES] == list(range(6))
    assert rig.members.next_wake_ms() is None
    assert reason(rig.announce(Node.named("zoe").announce())) == "RLN_REGISTRATION_CLOSED"


def test_a_genesis_list_names_nobody_twice() -> None:
    with pytest.raises(MemberExistsError):
        MembersRig(Registry(genesis=(ADA.commitment, BOB.commitment, ADA.commitment)))


def test_an_announced_member_joins_when_the_next_epoch_begins() -> None:
    rig = MembersRig(OPEN)
    for node in (ADA, BOB):
        rig.announce(node.announce())
    with pytest.raises(MemberUnknownError):
        rig.members.place(ADA.commitment)
    assert rig.members.next_wake_ms() == EPOCHS.start_ms(EPOCH + 1) - EPOCHS.period_ms // SPREAD

    rig.wait_epochs()

    assert len(rig.windows) == 2
    assert ADA.membership(rig.members).root == BOB.membership(rig.members).root == rig.roots[0]


def test_the_window_has_the_newest_roots() -> None:
    rig = MembersRig(OPEN)
    seen = [rig.roots[0]]
    for node in NODES:
        rig.announce(node.announce())
        rig.wait_epochs()
        seen.insert(0, rig.roots[0])

    assert list(rig.roots) == seen[:ROOTS]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"commitment": EVE.commitment, "peer_id": ADA.peer_id}, "RLN_SIGNATURE_INVALID"),
        ({"limit": LIMIT + 1}, "RLN_LIMIT_MISMATCH"),
        ({"identifier": bytes(32)}, "RLN_ANNOUNCEMENT_MALFORMED"),
        ({"commitment": bytes(32)}, "RLN_ANNOUNCEMENT_MALFORMED"),
        ({"commitment": MODULUS.to_bytes(32, "little")}, "RLN_ANNOUNCEMENT_MALFORMED"),
        ({"limit": 0}, "RLN_ANNOUNCEMENT_MALFORMED"),
        ({"peer_id": bytes(39)}, "RLN_ANNOUNCEMENT_MALFORMED"),
    ],
)
def test_what_is_no_new_member_is_refused(changed: dict[str, Any], expected: str) -> None:
    rig = MembersRig(OPEN)
    rig.announce(ADA.announce())
    rig.announce(BOB.announce(commitment=NODES[4].commitment))

    assert reason(rig.announce(BOB.announce(**changed))) == expected
    assert len(rig.saved) == 2


def test_a_peer_that_says_the_same_again_is_not_stored_again() -> None:
    rig = MembersRig(OPEN)

    assert [rig.announce(ADA.announce()) for _ in range(3)] == [None] * 3
    assert len(rig.saved) == 1
    assert reason(rig.announce(EVE.announce(limit=LIMIT + 1))) == "RLN_LIMIT_MISMATCH"


def test_a_full_disk_refuses_and_changes_nothing() -> None:
    rig = MembersRig(OPEN, error=DiskFullError("full"))

    assert reason(rig.announce(ADA.announce())) == "DISK_FULL"
    rig.wait_epochs()
    with pytest.raises(MemberUnknownError):
        rig.members.place(ADA.commitment)
    rig.error = None
    assert rig.announce(ADA.announce()) is None


def test_a_slashed_member_is_out_within_two_epochs_and_does_not_come_back() -> None:
    rig = MembersRig(Registry(genesis=(ADA.commitment,), is_open=True))
    rig.announce(EVE.announce())
    rig.announce(BOB.announce())
    rig.wait_epochs()
    with_eve = rig.roots

    assert rig.slash(record(EVE)) is None
    assert rig.slash(record(EVE, BOB)) is None  # told by another, too
    rig.wait_epochs()
    assert rig.roots[1:] == with_eve  # others are still proving under these
    rig.wait_epochs()

    assert len(rig.roots) == 1
    assert not {*rig.roots} & {*with_eve}
    with pytest.raises(MemberUnknownError):
        rig.members.place(EVE.commitment)
    BOB.membership(rig.members)
    assert reason(rig.announce(EVE.announce())) == "RLN_MEMBER_SLASHED"
    rig.announce(EVE.announce(commitment=NODES[5].commitment))
    rig.wait_epochs()
    assert len(rig.roots) == 1
    assert rig.members.next_wake_ms() is None
    last = EVE.announce(commitment=NODES[4].commitment)
    assert reason(rig.announce(last)) == "RLN_PEER_EQUIVOCATED"


def test_what_is_stored_gives_the_same_root_after_a_restart() -> None:
    rig = MembersRig(Registry(genesis=(ADA.commitment,), is_open=True))
    announced = [Announcement.decode(node.announce(), has_signed) for node in (EVE, BOB)]
    for node in (EVE, BOB):
        rig.announce(node.announce())
    rig.slash(record(EVE))
    rig.wait_epochs()

    stored = Registry(
        (ADA.commitment,), tuple(announced), frozenset({EVE.commitment}), is_open=True
    )
    again = MembersRig(stored)

    assert again.roots == (rig.roots[0],)


@pytest.mark.parametrize("value", range(6))
def test_evidence_that_proves_nothing_slashes_nobody(value: int) -> None:
    rig = MembersRig(Registry(genesis=(ADA.commitment, EVE.commitment)))
    good = evidence_against(EVE)
    values = [good.external_nullifier, good.nullifier, *good.one, *good.other]
    changed = bytearray(values[value])
    changed[0] ^= 1
    values[value] = bytes(changed)
    bad = Evidence(good.epoch, values[0], values[1], Point(*values[2:4]), Point(*values[4:]))

    raw = SlashRecord.sign(BOB.sign, BOB.peer_id, bad).encode()

    assert reason(rig.slash(raw)) == "RLN_EVIDENCE_INVALID"
    rig.wait_epochs()
    EVE.membership(rig.members)


def test_evidence_against_a_stranger_slashes_nobody() -> None:
    rig = MembersRig(Registry(genesis=(ADA.commitment,)))

    assert reason(rig.slash(record(EVE))) == "RLN_EVIDENCE_INVALID"


SIGNED: list[tuple[Any, bytes]] = [
    (Announcement, ADA.announce()),
    (SlashRecord, record(EVE)),
]


@pytest.mark.property
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_records_are_blamed_on_their_sender(data: st.DataObject) -> None:
    kind, good = data.draw(st.sampled_from(SIGNED))
    raw = bytearray(good)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(raw)))

    assert kind.decode(good, has_signed).encode() == good
    for damaged in (bytes(raw), good[:cut], good + b"\0"):
        if damaged != good:
            with pytest.raises(RemoteFaultError):
                kind.decode(damaged, has_signed)
