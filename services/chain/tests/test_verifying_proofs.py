"""Blocks with real proofs are taken, and no public input of them can be changed (FOL-3, ZK-7)."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from chain_ledger import ALICE, BOB, field_of, named
from chain_memory import MemoryStore
from chain_world import TWO, World, noon
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.blocks import candidate_of, signed_bytes
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.lottery import LeaderNote, entropy_contribution, lottery_of
from logos_chain.core.consensus.types import SignedHeader
from logos_chain.core.consensus.validation import LeadershipClaim, claims
from logos_chain.core.ledger.errors import Unmet
from logos_chain.operations.following import Fault, FollowOperations, RejectedBlock
from logos_chain.operations.opening import Opening
from logos_chain.operations.verifying import (
    CIRCUITS,
    LEADERSHIP,
    CircuitProofs,
    ProofVerifier,
    leadership_inputs,
)
from logos_crypto.circuits import Cancellation, CircuitKey, key_halves, selectors, witness
from logos_crypto.keys import CircuitKeys, KeySet
from logos_crypto.trees import MerklePath
from logos_mantle.blocks import Block, body_root
from logos_mantle.derivations import public_key, reduced
from logos_mantle.headers import Header, ProofOfLeadership
from logos_mantle.notes import Note
from logos_mantle.operations import operation_id
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer
from logos_module.keys import make_keys

pytestmark = [pytest.mark.proofs, pytest.mark.timeout(600)]

SECRET = field_of(1)
"""Alice's."""


def number(value: bytes) -> int:
    return int.from_bytes(value, "little")


@dataclass
class Setup:
    store: CircuitKeys
    keys: KeySet
    proofs: CircuitProofs

    def key(self, circuit: str) -> CircuitKey:
        return self.keys.load_key(self.store, circuit)


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    store = CircuitKeys(Path(tmp_path_factory.mktemp("keys")))
    keys = make_keys(store, insecure_seed=bytes(32), circuits=CIRCUITS)
    return Setup(store, keys, asyncio.run(CircuitProofs.load(store, keys)))


def signature_of(setup: Setup, transaction: Transaction) -> ZkSignatureProof:
    secrets = [1, 0]
    public = {
        "public_keys": [number(public_key(field_of(each))) for each in secrets],
        "message": number(transaction.hash_value),
    }
    made = witness("signature2", public, {"secret_keys": secrets})
    return ZkSignatureProof(made.prove(setup.key("signature2"), Cancellation()))


def path_values(name: str, path: MerklePath | None) -> dict[str, Any]:
    assert path is not None
    return {
        f"{name}_path": [number(each) for each in path.siblings],
        f"{name}_selectors": selectors(path.index, 32),
    }


async def led(
    setup: Setup,
    world: World,
    follow: FollowOperations,
    name: str,
    transactions: tuple[SignedTransaction, ...] = (),
) -> Block:
    """Makes a block on the tip as a leader does: with the first of Alice's notes that wins."""
    value, first = 1_000_000, follow.tip.slot + 1
    epoch = follow.epoch_at(first)
    lottery = lottery_of(epoch, TWO.activation)
    slot, place = min(
        (slot, place)
        for place in range(2, len(world.funds))
        for slot in lottery.winning_slots(
            LeaderNote(world.funds[place], SECRET, value), first, TWO.epoch_slots
        )
    )
    note = world.funds[place]
    leader = LeaderNote(note, SECRET, value)
    key = Ed25519PrivateKey.from_private_bytes(named(f"key {name}"))
    leader_key = key.public_key().public_bytes_raw()
    low, high = key_halves(leader_key)
    latest = (await follow.note_path(note)).value
    public = {
        "entropy_contribution": number(entropy_contribution(slot, leader)),
        "slot": slot,
        "epoch_nonce": number(lottery.nonce),
        "t0": lottery.t0,
        "t1": lottery.t1,
        "aged_root": number(epoch.aged_root),
        "latest_root": number(follow.tip.state.ledger_root),
        "leader_key_low": low,
        "leader_key_high": high,
    }
    private = {
        "secret_key": number(SECRET),
        "value": value,
        "operation_id": number(reduced(operation_id(world.genesis.transfer))),
        "output_index": place,
        **path_values("aged", await follow.aged_path(note, slot)),
        **path_values("latest", latest),
    }
    proof = witness(LEADERSHIP, public, private).prove(setup.key(LEADERSHIP), Cancellation())
    leadership = ProofOfLeadership(
        named(f"voucher {name}"), entropy_contribution(slot, leader), proof, leader_key
    )
    root = body_root((), [each.hash for each in transactions])
    header = Header(follow.tip.id, slot, root, leadership)
    return Block(header, key.sign(header.encoded), (), transactions)


async def test_a_chain_of_real_proofs(setup: Setup) -> None:
    """One test, since its blocks take seconds to make."""
    world, verifier = World(TWO), ProofVerifier(setup.proofs, TWO.activation)
    chain = await Opening(MemoryStore(), world.network, watched=[ALICE]).open(Rule.ONLINE, noon)
    follow = FollowOperations(chain, verifier, noon)
    told: list[RejectedBlock] = []
    follow.rejected.append(told.append)
    transfer = Transaction((Transfer((world.funds[0],), (Note(900_000, BOB),)),))
    signed = SignedTransaction(transfer, (signature_of(setup, transfer),))
    other = Transaction((Transfer((world.funds[1],), (Note(900_000, BOB),)),))
    borrowed = SignedTransaction(other, signed.proofs)

    async with follow.running():
        first = await led(setup, world, follow, "first", (signed,))
        false = replace(first, transactions=(replace(signed, proofs=(_spoilt(signed),)),))
        assert await follow.take(false.encode(), "b") is RejectReason.INVALID_BODY
        assert await follow.take(first.encode(), "a") is None
        assert follow.tip.state.ledger_root != world.replayed(world.root.id).root

        second = await led(setup, world, follow, "second", (borrowed,))
        assert await follow.take(second.encode(), "a") is RejectReason.INVALID_BODY
        assert [each.fault for each in told] == [
            Fault(RejectReason.INVALID_BODY, Unmet.ZK_SIGNATURE)
        ] * 2

        third = await led(setup, world, follow, "third")
        candidate = candidate_of(third, len(third.encode()))
        [claim] = claims(TWO, follow._follower.tree, candidate)
        assert await verifier.claims([claim, claim]) is None
        await check_inputs(setup, claim)
        await check_headers(verifier, claim)
        copied = replace(third.header, leadership=first.header.leadership)
        assert (
            await follow.take(replace(third, header=copied).encode(), "a")
            is RejectReason.INVALID_SIGNATURE
        )
        assert await follow.take(third.encode(), "a") is None
        assert follow.tip.id == third.id


def _spoilt(signed: SignedTransaction) -> ZkSignatureProof:
    return ZkSignatureProof(bytes(128))


async def check_inputs(setup: Setup, claim: LeadershipClaim) -> None:
    """Each public input flipped alone; proofs that are none."""
    inputs, proof = leadership_inputs(claim, TWO.activation), claim.signed.header.proof
    assert setup.proofs.all_hold(LEADERSHIP, [(inputs, proof)])
    for at in range(9):
        flipped = bytearray(inputs)
        flipped[at * 32] ^= 1
        assert not setup.proofs.all_hold(LEADERSHIP, [(bytes(flipped), proof)]), at
    swapped = proof[96:] + proof[32:96] + proof[:32]
    for bad in (bytes(128), b"\xff" * 128, swapped, proof[:-1], proof + b"\0"):
        assert not setup.proofs.all_hold(LEADERSHIP, [(inputs, proof), (inputs, bad)])


async def check_headers(verifier: ProofVerifier, claim: LeadershipClaim) -> None:
    """What a header or its chain says otherwise, signed anew by its key."""
    key = Ed25519PrivateKey.from_private_bytes(named("key third"))
    other = Ed25519PrivateKey.from_private_bytes(named("key of another"))
    header, epoch = claim.signed.header, claim.epoch

    def changed(signer: Ed25519PrivateKey = key, **changes: Any) -> LeadershipClaim:
        new = replace(header, **changes)
        return replace(claim, signed=SignedHeader(new, signer.sign(signed_bytes(new))))

    stolen = changed(other, leader_key=other.public_key().public_bytes_raw())
    for each in (
        changed(slot=header.slot + 1),
        changed(entropy=named("another")),
        stolen,
        replace(claim, latest_root=epoch.aged_root),
        replace(claim, epoch=replace(epoch, aged_root=claim.latest_root)),
        replace(claim, epoch=replace(epoch, nonce=named("another"))),
        replace(claim, epoch=replace(epoch, total_stake=epoch.total_stake + 1)),
    ):
        assert await verifier.claims([each]) is RejectReason.INVALID_PROOF
        assert await verifier.claims([claim, each]) is RejectReason.INVALID_UNCLE_PROOF
    unsigned = replace(claim, signed=replace(claim.signed, signature=bytes(64)))
    assert await verifier.claims([unsigned]) is RejectReason.INVALID_SIGNATURE
    assert await verifier.claims([changed(voucher=named("another"))]) is None
