"""Rate limits of whole nodes, with real proofs (RLN-24 to RLN-29); R2, R3, R5, R6."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

pytest.importorskip("logos_native")

from mixnet_nodes import seeded, until
from mixnet_rln import APPLICATION, LIMIT, Node, has_signed, line_frame, packet
from mixnet_rln_nodes import EPOCHS, PROOF_BYTES, RlnNetwork, RlnNode, proven, rln_network

from logos_crypto import rln
from logos_crypto.rln import Membership, RateLimitProof
from logos_crypto.trees import RlnTree
from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.rln import guard
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.errors import PeerEquivocatedError, SecretLostError
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.message_ids import Purpose, Save
from logos_mixnet.core.rln.records import Kind, Record
from logos_mixnet.core.rln.slashing import SlashRecord
from logos_mixnet.core.rln.status import MembershipStatus
from mixnet_memory_stores import MemoryMembers, MemoryMessageIdStore

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
    return node.rln.members.machine.is_removed(spammer.commitment, spammer.peer_id)


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


async def test_members_of_a_genesis_prove_in_the_epoch_in_which_they_start(
    network: RlnNetwork,
) -> None:
    """RLN-39: the clock stands still, so no cut passes. A secret that may be older waits."""
    nodes = (ADA, BOB, CAT)
    for node in nodes:
        await network.start(node, store=await knowing(nodes), is_new=node is not CAT)
    await until(lambda: all(each.rln.standing.is_member for each in network.nodes))
    ada, bob, cat = network.nodes

    proof = await ada.rln.prove(packet(1), Purpose.FORWARD)

    assert len({each.root for each in network.nodes}) == 1
    assert await bob.refusal(packet(1), proof) is None
    assert await proven(cat, packet(2)) == "RLN_BUDGET_SPENT"
    assert await proven(bob, packet(2)) is not None


async def test_who_comes_after_a_genesis_joins_as_ever(network: RlnNetwork) -> None:
    """RLN-39: and those who announce themselves although they are in it are one member each."""
    nodes = (ADA, BOB)
    for node in nodes:
        await network.start(node, store=await knowing(nodes), is_new=True)

    late = await network.start(EVE)

    await network.settle(3)
    assert late.rln.state().status is MembershipStatus.ACTIVE
    network.wait_epochs()  # its store is new (RLN-26)
    proof = await late.rln.prove(packet(1), Purpose.FORWARD)
    assert [await each.refusal(packet(1), proof) for each in network.nodes[:2]] == [None, None]


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


async def test_r2_a_proof_is_for_one_packet_epoch_root_and_application(
    network: RlnNetwork,
) -> None:
    """Each condition of RLN-19 fails by itself, and has a reason of its own."""
    ada, bob = await network.start(ADA), await network.start(BOB)
    await network.settle(2)
    epoch, gap = EPOCHS.at(network.clock.ms), EPOCHS.max_gap
    membership = ADA.membership(ada.rln.members.machine)
    external = Application(b"another application").external_nullifier(epoch)
    foreign = membership.prove(external, rln.signal_x(packet(1)), 0)
    stranger = RlnTree()
    stranger.set(0, ADA.identity.rate_commitment(LIMIT))
    alone = Membership.of(
        ADA.identity,
        limit=LIMIT,
        siblings=stranger.path(0).siblings,
        index=0,
        root=stranger.root,
    )
    good = patched(membership, packet(1), epoch)

    refusals = [
        await bob.refusal(packet(2), good),
        await bob.refusal(packet(1), patched(membership, packet(1), epoch + gap + 1)),
        await bob.refusal(packet(1), patched(membership, packet(1), epoch - gap - 1)),
        await bob.refusal(packet(1), patched(alone, packet(1), epoch)),
        await bob.refusal(packet(1), RateLimitProof.of(foreign, rln.epoch_bytes(epoch)).to_bytes()),
        await bob.refusal(packet(1), good[:-1]),
    ]

    assert refusals == [
        "SIGNAL_MISMATCH",
        "RLN_EPOCH_TOO_FAR",
        "RLN_EPOCH_TOO_FAR",
        "ROOT_UNKNOWN",
        "PROOF_INVALID",
        "RLN_PROOF_MALFORMED",
    ]
    assert await bob.refusal(packet(1), good) is None
    assert await bob.refusal(packet(3), patched(membership, packet(3), epoch + gap, 1)) is None
    assert sum(bob.rln.checks.guard.dropped.values()) == len(refusals)


async def test_r5_damaged_proofs_are_dropped_counted_and_nothing_else(
    network: RlnNetwork,
) -> None:
    ada, bob = await network.start(ADA), await network.start(BOB)
    await network.settle(2)
    good = await ada.rln.prove(packet(1), Purpose.OWN)
    draw = seeded(5)
    damaged = [damage(good, draw) for _ in range(400)]

    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(bob.refusal(packet(1), each)) for each in damaged]

    reasons = [each.result() for each in asked]
    assert None not in reasons
    assert {"RLN_PROOF_MALFORMED", "SIGNAL_MISMATCH", "ROOT_UNKNOWN"} <= set(reasons)
    assert sum(bob.rln.checks.guard.dropped.values()) == len(damaged)
    assert bob.rln.checks.guard.noted == 0
    assert bob.rln.convicted == 0
    assert await bob.refusal(packet(1), good) is None


async def test_r6_a_flood_without_valid_proofs_grows_nothing_and_passes(
    network: RlnNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames are as good as one can make them without a secret: only the proof is false."""
    monkeypatch.setattr(guard, "MAX_VERIFYING", most := 128)
    ada, bob = await network.start(ADA), await network.start(BOB)
    await network.settle(2)
    epoch, root = EPOCHS.at(network.clock.ms), bob.root
    good = await ada.rln.prove(packet(0), Purpose.OWN)
    groth16 = ProofFrame.decode(good).groth16
    flood = [
        (packet(at), replace(line_frame(at, 0, epoch, packet(at), root), groth16=groth16).encode())
        for at in range(1, 401)
    ]

    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(bob.refusal(*each)) for each in flood]
        honest = tasks.create_task(bob.refusal(packet(0), good))

    reasons = Counter(each.result() for each in asked)
    assert reasons["PROOF_INVALID"] == most
    assert reasons["RLN_VERIFIER_BUSY"] == len(flood) - most
    assert honest.result() == "RLN_VERIFIER_BUSY"  # dropped meanwhile, as the rest is
    assert bob.rln.checks.guard.noted == 0
    assert await bob.refusal(packet(0), good) is None


async def test_a_peer_that_announces_two_commitments_splits_nothing(network: RlnNetwork) -> None:
    """RLN-36: Eve gives one announcement to Ada, another to Bob, and a third to Cat."""
    relays = [await network.start(node) for node in (ADA, BOB, CAT)]
    await network.settle(3)
    before = relays[0].root
    for relay, node in zip(relays, (EVE, BOB, CAT), strict=True):
        raw = EVE.announce(commitment=node.commitment)
        with suppress(PeerEquivocatedError):  # Cat may have heard of both before
            await relay.rln._take(Record(Kind.ANNOUNCEMENT, raw))  # as its own

    await until(lambda: all(has_slashed(each, EVE) for each in relays))
    network.wait_epochs()

    await until(lambda: {each.root for each in relays} == {before})
    digests = {each.rln.members.digest() for each in relays}
    assert len(digests) == 1


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000])
async def test_a_clock_that_jumps_an_hour_and_comes_back_uses_no_id_twice(
    network: RlnNetwork, jump_ms: int
) -> None:
    ada, bob = await network.start(ADA), await network.start(BOB)
    await network.settle(2)
    proofs = [await ada.rln.prove(packet(1), Purpose.OWN)]
    assert await bob.refusal(packet(1), proofs[0]) is None

    network.clock.ms += jump_ms
    network.look()
    proofs.append(await ada.rln.prove(packet(2), Purpose.OWN))
    assert await bob.refusal(packet(2), proofs[1]) is None
    network.clock.ms -= jump_ms
    network.look()
    assert await bob.refusal(packet(2), proofs[1]) == "RLN_EPOCH_TOO_FAR"
    proofs += [await ada.rln.prove(packet(at), Purpose.OWN) for at in range(3, 3 + LIMIT - 1)]

    frames = [ProofFrame.decode(each) for each in proofs]
    assert len({each.nullifier for each in frames}) == len(frames)
    assert await proven(ada, packet(9)) == "RLN_BUDGET_SPENT"
    for at, proof in enumerate(proofs[2:], 3):
        assert await bob.refusal(packet(at), proof) is None


async def test_a_proof_may_leave_for_two_epochs_and_is_accepted_for_five(
    network: RlnNetwork,
) -> None:
    """RLN-38."""
    ada, bob = await network.start(ADA), await network.start(BOB)
    await network.settle(2)
    proof = await ada.rln.prove(packet(1), Purpose.OWN)
    fresh = []
    for _ in range(4):
        fresh.append(ada.rln.is_fresh(proof))
        network.wait_epochs(1)

    assert fresh == [True, True, True, False]
    assert await bob.refusal(packet(1), proof) is None


async def test_own_messages_over_budget_wait_and_forwards_are_dropped(
    network: RlnNetwork,
) -> None:
    ada = await network.start(ADA)
    await network.start(BOB)
    await network.settle(2)
    for at in range(LIMIT):
        assert len(await proven(ada, packet(at))) == PROOF_BYTES

    assert await proven(ada, packet(7), Purpose.FORWARD) == "RLN_BUDGET_SPENT"
    assert await proven(ada, packet(7), Purpose.COVER) == "RLN_BUDGET_SPENT"
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(ada.rln.prove(packet(8), Purpose.OWN))
        await until(lambda: ada.rln.proofs.ids.deferred == 1)
        assert not waiting.done()
        network.wait_epochs()

    frame = ProofFrame.decode(waiting.result())
    assert frame.epoch == EPOCHS.at(network.clock.ms)
    assert ada.rln.proofs.ids.refused == {Purpose.FORWARD: 1, Purpose.COVER: 1}


async def test_proofs_are_there_before_the_packets(network: RlnNetwork) -> None:
    """RLN-25: after an epoch of use, as many are prepared as are needed."""
    ada = await network.start(ADA)
    await network.settle(1)
    for at in range(LIMIT):
        await ada.rln.prove(packet(at), Purpose.FORWARD)
    network.wait_epochs()
    await until(lambda: len(ada.rln.proofs.pool) == LIMIT)
    before = ada.rln.proofs.pool.not_found

    for at in range(LIMIT):
        await ada.rln.prove(packet(at), Purpose.FORWARD)

    assert ada.rln.proofs.pool.not_found == before


async def test_ids_that_cannot_be_kept_are_not_used(network: RlnNetwork) -> None:
    """RLN-35: a full disk."""
    store = FullStore()
    ada = await network.start(ADA, ids=lambda _identifier: store)
    bob = await network.start(BOB)
    await network.settle(2)
    store.is_full = True

    assert await proven(ada, packet(1)) == "STORE_UNAVAILABLE"
    proof = await bob.rln.prove(packet(2), Purpose.OWN)
    assert await ada.refusal(packet(2), proof) is None

    store.is_full = False
    assert await bob.refusal(packet(3), await ada.rln.prove(packet(3), Purpose.OWN)) is None


async def test_another_secret_than_the_announced_one_is_refused(network: RlnNetwork) -> None:
    """RLN-24: a lost rln.key."""
    members = MemoryMembers(is_open=True)
    await network.start(ADA, store=members)
    await until(lambda: len(network.nodes[0].rln.members.machine.announcements) == 1)
    changed = replace(ADA, identity=BOB.identity)

    with pytest.raises(ExceptionGroup) as caught:
        await network.start(changed, store=members)

    assert [type(each) for each in caught.value.exceptions] == [SecretLostError]


async def knowing(nodes: Iterable[Node]) -> MemoryMembers:
    """A store that begins with members."""
    members = MemoryMembers(is_open=True)
    for each in nodes:
        await members.save_announcement(Announcement.decode(each.announce(), has_signed))
    return members


class FullStore(MemoryMessageIdStore):
    """A store whose disk fills up."""

    is_full = False

    async def save(self, save: Save) -> None:
        if self.is_full:
            raise StoreError("the disk is full")
        await super().save(save)


def damage(proof: bytes, draw: Random) -> bytes:
    """Changes a bit, cuts the end off, or adds to it."""
    kind = draw.randrange(10)
    if kind == 0:
        return proof[: draw.randrange(len(proof))]
    if kind == 1:
        return proof + draw.randbytes(1 + draw.randrange(8))
    bit = draw.randrange(8 * len(proof))
    changed = bytearray(proof)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
