"""Rate limits of whole nodes, with real proofs (RLN-24 to RLN-29; R3 of the dossier's tests)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("logos_native")

from mixnet_nodes import until
from mixnet_rln import APPLICATION, Node, has_signed, packet
from mixnet_rln_nodes import EPOCHS, PROOF_BYTES, RlnNetwork, RlnNode, proven, rln_network

from logos_crypto import rln
from logos_crypto.rln import Membership, RateLimitProof
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.rln.slashing import SlashRecord
from logos_mixnet.core.rln.status import MembershipStatus

ADA, BOB, CAT, EVE = (Node.named(name) for name in ("ada", "bob", "cat", "eve"))


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[RlnNetwork]:
    async with rln_network(tmp_path) as network:
        yield network


def patched(membership: Membership, signal: bytes, epoch: int, message_id: int = 0) -> bytes:
    """What a client proves that counts no ids and knows of no removal."""
    external_nullifier = APPLICATION.external_nullifier(epoch)
    proof = membership.prove(external_nullifier, rln.signal_x(signal), message_id)
    return RateLimitProof.of(proof, rln.epoch_bytes(epoch)).to_bytes()


def has_slashed(node: RlnNode, spammer: Node) -> bool:
    return node.rln.members.is_slashed(spammer.commitment)


async def test_members_find_each_other_and_take_each_others_packets(network: RlnNetwork) -> None:
    ada = await network.start(ADA)
    bob = await network.start(BOB)
    assert bob.rln.state().status in {MembershipStatus.NONE, MembershipStatus.PENDING}
    await network.settle(2)

    proof = await ada.rln.prove(packet(1), Purpose.OWN)

    assert len(proof) == PROOF_BYTES
    assert await bob.refusal(packet(1), proof) is None
    assert await bob.refusal(packet(1), proof) == "RLN_PROOF_REPEATED"
    assert bob.rln.state().status is MembershipStatus.ACTIVE


async def test_who_comes_late_learns_all_members_from_one_neighbour(network: RlnNetwork) -> None:
    """In a line: each knows the one before it only."""
    for number, node in enumerate((ADA, BOB, CAT)):
        await network.start(node, neighbours=(number,) if number else ())
    await network.settle(3)
    network.wait_epochs(20)

    late = await network.start(EVE, neighbours=(3,))

    await network.settle(4)
    assert late.rln.state().status is MembershipStatus.ACTIVE


async def test_r3_a_spammer_is_found_by_two_relays_through_coordination_alone(
    network: RlnNetwork,
) -> None:
    """Eve uses a message id for two packets, and gives them to two relays. Neither sees both."""
    relays = [await network.start(node) for node in (ADA, BOB, CAT)]
    eve = await network.start(EVE)
    await network.settle(4)
    epoch = EPOCHS.at(network.clock.ms)
    membership = EVE.membership(eve.rln.members.machine)
    spam = [(packet(at), patched(membership, packet(at), epoch)) for at in (1, 2)]
    ada, bob, cat = relays

    assert await ada.refusal(*spam[0]) is None
    assert await bob.refusal(*spam[1]) is None
    assert [each.rln.convicted for each in relays] == [0, 0, 0]

    network.wait_epochs()
    await until(lambda: all(has_slashed(each, EVE) for each in network.nodes))
    assert ada.rln.convicted + bob.rln.convicted > 0
    assert cat.rln.convicted == 0
    [record] = [each for each in ada.rln.members.records() if each.kind.name == "SLASH"]
    recovered = SlashRecord.decode(record.raw, has_signed).evidence.identity()
    assert recovered.secret() == EVE.identity.secret()
    assert recovered.commitment == eve.rln.state().commitment

    network.wait_epochs()  # it is removed, and refused from the next on
    await until(lambda: all(each.rln.members.machine.count == 3 for each in network.nodes))
    await until(lambda: len({each.root for each in network.nodes}) == 1)
    network.wait_epochs()
    later = patched(membership, packet(3), EPOCHS.at(network.clock.ms))
    for each in relays:
        assert await each.refusal(packet(3), later) == "ROOT_UNKNOWN"
    assert eve.rln.state().status is MembershipStatus.SLASHED
    assert await proven(eve, packet(4)) == "RLN_MEMBER_UNKNOWN"
    assert await bob.refusal(packet(5), await ada.rln.prove(packet(5), Purpose.OWN)) is None
