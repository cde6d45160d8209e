"""WAL-14, WAL-15, WAL-29 with real proofs: transfers, deposits and claims of the wallet hold."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from chain_wallet import CHANNEL, SHOP
from chain_wallet_node import OWN, Running, WalletNode, scanned
from chain_world import TWO
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from oracle import pairing

import logos_native
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.validation import LeadershipClaim
from logos_chain.core.ledger.errors import Unmet
from logos_chain.core.ledger.obligations import CircuitObligation, Obligation
from logos_chain.core.wallet.types import Order
from logos_chain.operations.verifying import CIRCUITS, CircuitProofs, ProofVerifier
from logos_chain.operations.wallets import proving
from logos_crypto.keys import CircuitKeys
from logos_mantle.channels import ChannelDeposit, ChannelInscribe
from logos_mantle.notes import Note
from logos_mantle.proofs import ClaimProof, InscriptionProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer
from logos_module.keys import make_keys
from logos_module.prover import Prover

pytestmark = [pytest.mark.proofs, pytest.mark.timeout(600)]


@dataclass
class Bodies:
    """The module's verifier for what stands in bodies; leaders prove nothing here."""

    verifier: ProofVerifier
    met: list[Obligation] = field(default_factory=list)

    async def claims(self, _claims: Sequence[LeadershipClaim]) -> RejectReason | None:
        return None

    async def obligations(self, obligations: Sequence[Obligation]) -> Unmet | None:
        unmet = await self.verifier.obligations(obligations)
        self.met += [] if unmet else obligations
        return unmet


async def test_a_transfer_and_a_claim_are_verified_and_final(tmp_path: Path) -> None:
    store = CircuitKeys(tmp_path)
    keys = make_keys(store, insecure_seed=bytes(32), circuits=CIRCUITS)
    verifier = Bodies(ProofVerifier(await CircuitProofs.load(store, keys), TWO.activation))
    own = {each: keys.load_key(store, each) for each in proving.CIRCUITS}
    async with Prover(workers=1) as prover:
        node = WalletNode(verifier=verifier, keys=own, make=prover.prove)
        world = node.world
        async with node.up() as running:
            await running.settle()
            # What is above the largest note is paid by three, which takes the larger circuit.
            for value, inputs in ((1_000, 1), (sum(OWN) - 3_000_000, 3)):
                voucher = await running.wallet.issue_voucher()
                await running.wallet.send([Note(value, SHOP)], tip=500_000)
                signed = node.pool.taken[-1]
                [transfer] = signed.transaction.operations
                assert isinstance(transfer, Transfer)
                assert len(transfer.inputs) == inputs
                parent = world.blocks[running.follow.tip.id]
                await running.take(world.led(parent, f"{value}", voucher, [signed]))
            parent = world.blocks[running.follow.tip.id]
            await running.take(world.make(parent, "epoch", gap=TWO.epoch_slots))
            before = running.wallet.balances().confirmed

            await running.wallet.claim()
            claim = node.pool.taken[-1]
            bad = world.make(world.blocks[running.follow.tip.id], "bad", [spoilt(claim)])
            refused = await running.follow.take(bad.encode(), "a")
            assert refused is RejectReason.INVALID_BODY
            tip = await running.extend("claim", claim)

            assert running.wallet.balances().confirmed > before
            assert len(verifier.met) >= 4
            found = await running.contents()
    assert found == await scanned(node, tip)
    met = {each.circuit: each for each in verifier.met if isinstance(each, CircuitObligation)}
    assert met.keys() == set(proving.CIRCUITS)
    for each in met.values():
        key = json.loads(keys.load_verifier(store, each.circuit).to_json())
        other = replace(each, public=each.public[:-32] + bytes(32))
        assert await asyncio.to_thread(holds_in_python, key, each), each.circuit
        assert not await asyncio.to_thread(holds_in_python, key, other), each.circuit


async def test_a_deposit_of_two_notes_is_verified(tmp_path: Path) -> None:
    """WAL-14, HTP-17: what the wallet signs for its own notes is what the ledger asks for."""
    store = CircuitKeys(tmp_path)
    keys = make_keys(store, insecure_seed=bytes(32), circuits=CIRCUITS)
    verifier = Bodies(ProofVerifier(await CircuitProofs.load(store, keys), TWO.activation))
    own = {each: keys.load_key(store, each) for each in proving.CIRCUITS}
    async with Prover(workers=1) as prover:
        node = WalletNode(verifier=verifier, keys=own, make=prover.prove)
        async with node.up() as running:
            await running.settle()
            await running.extend("channel", await channel_made(running))
            free = [key for key, each in running.wallet.notes().items() if each.is_free]
            deposit = ChannelDeposit(CHANNEL, tuple(free[:2]), b"for the zone")
            await running.wallet.fulfil(Order(operations=(deposit,)))
            made = node.pool.taken[-1]
            assert made.transaction.operations[0] == deposit
            await running.extend("deposit", made)
            values = [each.note.value for each in running.wallet.notes().values() if each.channel]
            assert running.wallet.balances().in_channels == sum(values) > 0
            assert len(values) == 2


async def channel_made(running: Running) -> SignedTransaction:
    """A transaction that makes a channel, paid by the wallet."""
    signer = Ed25519PrivateKey.generate()
    inscribe = ChannelInscribe(CHANNEL, b"", bytes(32), signer.public_key().public_bytes_raw())
    made = await running.wallet.prepare(Order(operations=(inscribe,)))
    proofs = InscriptionProof(signer.sign(made.draft.hash)), ZkSignatureProof(made.transfer_proof)
    return SignedTransaction(made.draft.transaction, proofs)


def holds_in_python(key: Any, asked: CircuitObligation) -> bool:
    """Asks pairings in pure Python, which know nothing of what has made the proof."""
    numbers = [asked.public[at : at + 32] for at in range(0, len(asked.public), 32)]
    public = [str(int.from_bytes(each, "little")) for each in numbers]
    return pairing.verifies(key, json.loads(logos_native.proof_to_json(asked.proof)), public)


def spoilt(signed: SignedTransaction) -> SignedTransaction:
    """The same with the proof of another statement."""
    _, transfer = signed.proofs
    return replace(signed, proofs=(ClaimProof(transfer.encode()), transfer))
