"""RLN-19, RLN-20: proofs of received packets, their nullifiers, and who is caught.

Proofs are stood for by lines of the members' secrets here: a proof "verifies" if it is one. With
real proofs: test_core_rln_proofs.py.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

pytest.importorskip("logos_native")

from hypothesis import given, settings
from hypothesis import strategies as st
from mixnet_rln import APPLICATION, EPOCH, EPOCHS, LIMIT, NOW_MS, Node, line_frame, packet

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_crypto.rln_refusals import ProofInvalidError
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.guard import MAX_VERIFYING, Convict, ProofGuard, Report, Verify
from logos_mixnet.core.rln.nullifiers import Point, Sighting

ROOT: Final = (7).to_bytes(32, "little")
EVE: Final = Node.named("eve")
SECRET: Final = int.from_bytes(EVE.identity.secret(), "little")
FALSE: Final = b"\xff" * 128
"""Stands for a proof that does not hold."""


def frame(
    message_id: int = 0, epoch: int = EPOCH, signal: bytes = packet(1), secret: int = SECRET
) -> ProofFrame:
    return line_frame(secret, message_id, epoch, signal, ROOT)


def sighting(one: ProofFrame) -> Sighting:
    return Sighting(one.epoch, one.nullifier, Point(one.share_x, one.share_y))


class Rig:
    """A guard whose verifier answers at once, unless it is held."""

    def __init__(self, ids: int = 3 * LIMIT) -> None:
        self.now_ms = NOW_MS
        self.guard = ProofGuard(APPLICATION, EPOCHS)
        self.tickets = 0
        self.is_held = False
        self.held: list[Verify] = []
        self.verifications = 0
        self.outcomes: dict[Ticket, str] = {}
        self.convicted: list[Convict] = []
        self.reports: list[Report] = []
        self.perform(self.guard.members_changed((ROOT,), ids, self.now_ms))

    def check(self, one: ProofFrame, signal: bytes = packet(1)) -> str | None:
        return self.check_raw(one.encode(), signal)

    def check_raw(self, raw: bytes, signal: bytes = packet(1)) -> str | None:
        """What becomes of a packet: "accepted", a reason, or None while it is verified."""
        self.tickets += 1
        ticket = Ticket(self.tickets)
        self.perform(self.guard.check(ticket, raw, signal, self.now_ms))
        return self.outcomes.get(ticket)

    def release(self) -> None:
        self.is_held = False
        held, self.held = self.held, []
        self.perform(held)

    def wait_epochs(self, count: int) -> None:
        self.now_ms += count * EPOCHS.period_ms
        self.perform(self.guard.tick(self.now_ms))

    def perform(self, effects: Sequence[Any]) -> None:
        todo = list(effects)
        while todo:
            effect = todo.pop(0)
            match effect:
                case Verify() if self.is_held:
                    self.held.append(effect)
                case Verify():
                    self.verifications += 1
                    error = ProofInvalidError("no") if effect.frame.groth16 == FALSE else None
                    todo += self.guard.verified(effect.ticket, error, self.now_ms)
                case Convict():
                    self.convicted.append(effect)
                case Report():
                    self.reports.append(effect)
                case Answer():
                    self.outcomes[effect.ticket] = "accepted"
                case Refuse(ticket, LogosError() as error):
                    self.outcomes[ticket] = error.reason


def test_a_message_is_taken_once() -> None:
    rig = Rig()

    assert rig.check(frame()) == "accepted"
    assert rig.check(frame()) == "RLN_PROOF_REPEATED"
    assert rig.verifications == 1  # what was seen is not verified again
    assert rig.guard.dropped == {"RLN_PROOF_REPEATED": 1}


@pytest.mark.parametrize("away", [-6, -5, 5, 6])
def test_r2_another_epoch(away: int) -> None:
    rig = Rig()

    outcome = rig.check(frame(epoch=EPOCH + away))

    assert outcome == ("accepted" if abs(away) == 5 else "RLN_EPOCH_TOO_FAR")


def test_r2_another_root_or_packet_is_refused_before_any_proof_is_verified() -> None:
    rig = Rig()

    assert rig.check(replace(frame(), root=bytes(32))) == "ROOT_UNKNOWN"
    assert rig.check(frame(), packet(2)) == "SIGNAL_MISMATCH"
    assert rig.check(replace(frame(), groth16=FALSE)) == "PROOF_INVALID"
    assert (rig.verifications, rig.guard.noted) == (1, 0)
    rig.perform(rig.guard.members_changed((), 0, rig.now_ms))
    assert rig.check(frame()) == "ROOT_UNKNOWN"


def test_two_messages_of_one_id_convict_their_member() -> None:
    rig = Rig()
    rig.check(frame())

    second = frame(signal=packet(2))
    assert rig.check(second, packet(2)) == "RLN_MESSAGE_ID_REUSED"

    (convict,) = rig.convicted
    assert convict.commitment == EVE.commitment
    assert convict.evidence.identity().secret() == EVE.identity.secret()
    assert rig.check(frame(signal=packet(3)), packet(3)) == "RLN_MESSAGE_ID_REUSED"
    assert len(rig.convicted) == 1
    assert rig.verifications == 2  # of a convicted one nothing is verified
    assert rig.check(frame(message_id=1)) == "accepted"  # until it is removed


def test_a_second_message_that_is_not_proven_convicts_nobody() -> None:
    rig = Rig()
    rig.check(frame())

    forged = replace(frame(signal=packet(2)), groth16=FALSE)

    assert rig.check(forged, packet(2)) == "PROOF_INVALID"
    assert rig.convicted == []


def test_two_messages_that_are_verified_at_once_are_compared() -> None:
    rig = Rig()
    rig.is_held = True
    for number in (1, 1, 2):
        assert rig.check(frame(signal=packet(number)), packet(number)) is None

    rig.release()

    assert list(rig.outcomes.values()) == [
        "accepted",
        "RLN_PROOF_REPEATED",
        "RLN_MESSAGE_ID_REUSED",
    ]
    assert len(rig.convicted) == 1


def test_an_epoch_that_ends_while_a_proof_is_verified_ends_it() -> None:
    rig = Rig()
    rig.is_held = True
    rig.check(frame(epoch=EPOCH - 5))
    rig.wait_epochs(1)

    rig.release()

    assert list(rig.outcomes.values()) == ["RLN_EPOCH_TOO_FAR"]


def test_r3_two_relays_catch_together_whom_neither_catches_alone() -> None:
    one, other = Rig(), Rig()
    one.check(frame())
    other.check(frame(signal=packet(2)), packet(2))
    assert one.convicted == other.convicted == []

    one.wait_epochs(1)
    (report,) = one.reports
    other.perform(other.guard.heard(report.shares, other.now_ms))
    other.wait_epochs(1)

    (convict,) = other.convicted
    assert convict.evidence.identity().secret() == EVE.identity.secret()


def test_hearsay_is_not_noted_and_false_hearsay_convicts_nobody() -> None:
    rig = Rig()
    rig.check(frame())
    noted = sighting(frame())
    forged = Sighting(EPOCH, noted.nullifier, Point(noted.point.y, noted.point.x))

    rig.perform(rig.guard.heard([forged, sighting(frame(message_id=2))], rig.now_ms))

    assert rig.convicted == []
    assert rig.guard.noted == 1
    second = frame(signal=packet(2))
    assert rig.check(second, packet(2)) == "RLN_MESSAGE_ID_REUSED"  # and the true one still does
    assert len(rig.convicted) == 1


def test_an_epoch_is_reported_once_when_it_is_over() -> None:
    rig = Rig()
    for message_id in range(LIMIT):
        rig.check(frame(message_id=message_id))
    assert rig.guard.next_wake_ms() == EPOCHS.start_ms(EPOCH + 1)

    rig.wait_epochs(1)
    rig.wait_epochs(1)

    (report,) = rig.reports
    assert report.epoch == EPOCH
    assert report.shares == tuple(sighting(frame(message_id=at)) for at in range(LIMIT))


def test_r6_a_flood_without_proofs_leaves_nothing_behind() -> None:
    rig = Rig()
    junk = replace(frame(), root=bytes(32)).encode()
    for _ in range(2_000):
        rig.check_raw(junk)
        rig.check_raw(junk[:-1])

    assert (rig.guard.noted, rig.verifications) == (0, 0)
    assert rig.guard.dropped == {"ROOT_UNKNOWN": 2_000, "RLN_PROOF_MALFORMED": 2_000}
    assert rig.check(frame()) == "accepted"


def test_r6_only_so_many_proofs_are_verified_at_a_time() -> None:
    rig = Rig()
    rig.is_held = True
    for _ in range(MAX_VERIFYING):
        rig.check(replace(frame(), groth16=FALSE))

    assert rig.check(frame()) == "RLN_VERIFIER_BUSY"
    rig.release()
    assert rig.check(frame()) == "accepted"
    assert rig.guard.noted == 1


def test_an_epoch_has_no_more_nullifiers_than_its_members_have_ids() -> None:
    rig = Rig(ids=2)
    for message_id in range(2):
        assert rig.check(frame(message_id=message_id)) == "accepted"

    assert rig.check(frame(message_id=2)) == "RLN_NULLIFIER_LOG_FULL"
    assert rig.check(frame(epoch=EPOCH + 1)) == "accepted"
    rig.perform(rig.guard.members_changed((ROOT,), 1, rig.now_ms))
    assert rig.check(frame(message_id=1, epoch=EPOCH + 1)) == "accepted"  # of who has left
    rig.wait_epochs(6)
    rig.perform(rig.guard.members_changed((ROOT,), 1, rig.now_ms))
    rig.wait_epochs(6)
    assert rig.check(frame(epoch=EPOCH + 12)) == "accepted"
    assert rig.check(frame(message_id=1, epoch=EPOCH + 12)) == "RLN_NULLIFIER_LOG_FULL"


SENDERS: Final = [
    int.from_bytes(Node.named(name).identity.secret(), "little") for name in ("kim", "lou")
]
STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(SENDERS),
        st.integers(0, LIMIT - 1),
        st.integers(-7, 7),
        st.integers(1, 3),
        st.booleans(),
        st.sampled_from([0, 0, 0, 1, 7, -9]),
    ),
    max_size=40,
)


@pytest.mark.property
@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_what_is_accepted_is_proven_near_and_no_members_second(
    steps: list[tuple[int, int, int, int, bool, int]],
) -> None:
    rig = Rig()
    model: dict[bytes, tuple[int, int | None]] = {}
    """Of each nullifier its epoch and its packet; None once its member was caught."""
    for secret, message_id, away, number, is_false, wait in steps:
        epoch = EPOCHS.at(rig.now_ms) + away
        one = frame(message_id, epoch, packet(number), secret)
        if is_false:
            one = replace(one, groth16=FALSE)
        _, kept = model.get(one.nullifier, (epoch, 0))

        outcome = rig.check(one, packet(number))

        if abs(away) > EPOCHS.max_gap:
            assert outcome == "RLN_EPOCH_TOO_FAR"
        elif kept is None:
            assert outcome == "RLN_MESSAGE_ID_REUSED"
        elif kept == number:
            assert outcome == "RLN_PROOF_REPEATED"
        elif is_false:
            assert outcome == "PROOF_INVALID"
        else:
            assert outcome == ("RLN_MESSAGE_ID_REUSED" if kept else "accepted")
            model[one.nullifier] = (epoch, None if kept else number)
        rig.wait_epochs(wait)
        now = EPOCHS.at(rig.now_ms)
        model = {at: each for at, each in model.items() if abs(each[0] - now) <= EPOCHS.max_gap}
        assert rig.guard.noted == len(model)
    assert rig.guard.accepted == sum(each == "accepted" for each in rig.outcomes.values())
    for convict in rig.convicted:
        assert int.from_bytes(convict.evidence.identity().secret(), "little") in SENDERS
