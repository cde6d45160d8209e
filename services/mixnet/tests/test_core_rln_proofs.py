"""Real proofs: members who prepare them, guards that verify them with zerokit's key.

mixnet.md 11, R1; R2 to R6 are named in what follows.
"""

from collections.abc import Sequence
from typing import Any, Final

import pytest

pytest.importorskip("logos_native")

from mixnet_rln import APPLICATION, EPOCH, EPOCHS, LIMIT, MembersRig, Node, packet

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_crypto import rln
from logos_crypto.refusals import RefusedError
from logos_crypto.rln import RateLimitProof
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.guard import Convict, ProofGuard, Report, Verify
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.slashing import SlashRecord
from logos_mixnet.core.rln.verification import verify_all

pytestmark = [pytest.mark.native, pytest.mark.proofs]

ADA, EVE, BOB = (Node.named(name) for name in ("ada", "eve", "bob"))
GENESIS: Final = Registry(genesis=(ADA.commitment, EVE.commitment))


class Relay:
    """A node's members and guard, and the network that it tells."""

    def __init__(self, node: Node, registry: Registry = GENESIS) -> None:
        self.node = node
        self.rig = MembersRig(registry)
        self.guard = ProofGuard(APPLICATION, EPOCHS)
        self.tickets = 0
        self.told = 0
        self.outcomes: dict[Ticket, str] = {}
        self.reports: list[Report] = []
        self.records: list[bytes] = []
        self.tell_guard()

    def tell_guard(self) -> None:
        for change in self.rig.windows[self.told :]:
            self.perform(self.guard.members_changed(change.roots, change.ids, self.rig.now_ms))
        self.told = len(self.rig.windows)

    def receive(self, raw: bytes, signal: bytes) -> str:
        self.tickets += 1
        ticket = Ticket(self.tickets)
        self.perform(self.guard.check(ticket, raw, signal, self.rig.now_ms))
        return self.outcomes[ticket]

    def wait_epochs(self, count: int) -> None:
        for _ in range(count):
            self.rig.wait_epochs()
            self.tell_guard()
            self.perform(self.guard.tick(self.rig.now_ms))

    def hear(self, report: Report) -> None:
        self.perform(self.guard.heard(report.shares, self.rig.now_ms))

    def perform(self, effects: Sequence[Any]) -> None:
        todo = list(effects)
        while todo:
            effect = todo.pop(0)
            match effect:
                case Verify():
                    (error,) = verify_all([effect])
                    todo += self.guard.verified(effect.ticket, error, self.rig.now_ms)
                case Convict():
                    record = SlashRecord.sign(self.node.sign, self.node.peer_id, effect.evidence)
                    self.records.append(record.encode())
                case Report():
                    self.reports.append(effect)
                case Answer():
                    self.outcomes[effect.ticket] = "accepted"
                case Refuse(ticket, LogosError() as error):
                    self.outcomes[ticket] = error.reason


@pytest.fixture(scope="module")
def sent() -> bytes:
    """Ada's proof for packet 1, under id 0."""
    return ADA.prove(MembersRig(GENESIS).members, packet(1))


def changed(raw: bytes, **fields: Any) -> bytes:
    """The proof with other public values beside it: what a patched client sends."""
    places = {"root": 133, "epoch": 167, "x": 201, "y": 235, "nullifier": 269}
    moved = bytearray(raw)
    for name, value in fields.items():
        moved[places[name] : places[name] + 32] = value
    return bytes(moved)


def test_a_relay_accepts_a_members_proof_and_takes_it_once(sent: bytes) -> None:
    relay = Relay(BOB)

    assert relay.receive(sent, packet(1)) == "accepted"
    assert relay.receive(sent, packet(1)) == "RLN_PROOF_REPEATED"


def test_r2_a_proof_moved_elsewhere_is_refused(sent: bytes) -> None:
    relay = Relay(BOB)
    other_x = rln.signal_x(packet(2))
    next_epoch = rln.epoch_bytes(EPOCH + 1)

    assert relay.receive(sent, packet(2)) == "SIGNAL_MISMATCH"
    assert relay.receive(changed(sent, x=other_x), packet(2)) == "PROOF_INVALID"
    assert relay.receive(changed(sent, epoch=next_epoch), packet(1)) == "PROOF_INVALID"
    for name in ("y", "nullifier"):
        assert relay.receive(changed(sent, **{name: other_x}), packet(1)) == "PROOF_INVALID"
    assert relay.receive(changed(sent, root=other_x), packet(1)) == "ROOT_UNKNOWN"
    assert relay.guard.noted == 0
    relay.wait_epochs(EPOCHS.max_gap)
    assert relay.receive(sent, packet(1)) == "accepted"
    late = Relay(BOB)
    late.wait_epochs(EPOCHS.max_gap + 1)
    assert late.receive(sent, packet(1)) == "RLN_EPOCH_TOO_FAR"


def test_r2_a_proof_for_another_application_is_refused(sent: bytes) -> None:
    relay = Relay(BOB)
    relay.guard = ProofGuard(Application(b"another application"), EPOCHS)
    relay.told = 0
    relay.tell_guard()

    assert relay.receive(sent, packet(1)) == "PROOF_INVALID"


def test_r2_a_root_is_accepted_to_the_windows_end_and_not_beyond() -> None:
    relay = Relay(BOB, Registry(genesis=(ADA.commitment,), is_open=True))
    first = relay.rig.members
    raw = ADA.prove(first, packet(1))
    again = ADA.prove(first, packet(2), 1)
    for at in range(4):
        relay.rig.announce(Node.named(f"joiner {at}").announce())
        relay.wait_epochs(1)
    assert relay.receive(raw, packet(1)) == "accepted"

    relay.rig.announce(Node.named("one more").announce())
    relay.wait_epochs(1)

    assert relay.receive(again, packet(2)) == "ROOT_UNKNOWN"


def test_r3_a_spammer_is_caught_by_two_relays_and_refused_by_all_within_two_epochs() -> None:
    relays = [Relay(ADA), Relay(BOB), Relay(Node.named("kim"))]
    members = relays[0].rig.members
    within = [EVE.prove(members, packet(at), at) for at in range(LIMIT)]
    assert all(relays[0].receive(raw, packet(at)) == "accepted" for at, raw in enumerate(within))
    with pytest.raises(RefusedError) as caught:  # one more is refused where it would be made
        EVE.prove(members, packet(9), LIMIT)
    assert caught.value.reason == "MESSAGE_ID_OUT_OF_RANGE"

    beyond = EVE.prove(members, packet(9), 0)  # by a patched client, to another relay
    assert relays[1].receive(beyond, packet(9)) == "accepted"
    for relay in relays:
        relay.wait_epochs(1)
    (of_one,), (of_other,) = relays[0].reports, relays[1].reports
    relays[0].hear(of_other)
    relays[1].hear(of_one)
    (record,), (same,) = relays[0].records, relays[1].records
    evidence = SlashRecord.decode(record, _any).evidence
    assert evidence.identity().secret() == EVE.identity.secret()
    assert SlashRecord.decode(same, _any).reporter == BOB.peer_id

    later = EVE.prove(members, packet(10), 1, EPOCH + 3)
    for relay in relays:
        assert relay.rig.slash(record) is None
        relay.wait_epochs(2)
        assert relay.receive(later, packet(10)) == "ROOT_UNKNOWN"
        honest = ADA.prove(relay.rig.members, packet(11), 2, EPOCH + 3)
        assert relay.receive(honest, packet(11)) == "accepted"


def _any(_peer_id: bytes, _message: bytes, _signature: bytes) -> bool:
    return True


def test_r5_a_damaged_proof_is_dropped_and_counted_whatever_is_damaged(sent: bytes) -> None:
    relay = Relay(BOB)
    for place in range(len(sent)):
        raw = bytearray(sent)
        raw[place] ^= 1 << place % 8

        assert relay.receive(bytes(raw), packet(1)) != "accepted"

    assert sum(relay.guard.dropped.values()) == len(sent)
    assert relay.guard.noted == 0
    assert {"RLN_PROOF_MALFORMED", "RLN_EPOCH_TOO_FAR"} < relay.guard.dropped.keys()
    assert relay.receive(sent, packet(1)) == "accepted"


def test_proofs_that_are_verified_together_are_refused_alone(sent: bytes) -> None:
    members = MembersRig(GENESIS).members
    raws = [sent, EVE.prove(members, packet(2)), changed(sent, y=bytes(32)), b"\xff" + sent[1:]]
    no_points = bytearray(sent)
    no_points[3:35] = b"\xff" * 32
    raws[3] = bytes(no_points)
    guard = Relay(BOB).guard
    checks: list[Verify] = []
    for number, raw in enumerate(raws, start=1):
        signal = packet(2 if number == 2 else 1)
        effects = guard.check(Ticket(number), raw, signal, EPOCHS.start_ms(EPOCH))
        checks += [effect for effect in effects if isinstance(effect, Verify)]

    outcomes = verify_all(checks)

    assert [None if each is None else each.reason for each in outcomes] == [
        None,
        None,
        "PROOF_INVALID",
        "POINT_NOT_CANONICAL",
    ]
    assert verify_all([]) == []
    assert RateLimitProof.from_bytes(sent).to_bytes() == sent
