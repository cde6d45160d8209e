"""Leads chains for the benchmarks of the chain, with a real proof in each block, ahead of time.

A node makes a block when its slot has come. This one goes from each slot that it wins to the next,
so that a chain takes as long as its proofs do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from secrets import randbelow
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.consensus.lottery import entropy_contribution, lottery_of
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.leadership import LEADERSHIP, OwnNote, private_values, public_values
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.verifying import Proof
from logos_crypto.circuits import CircuitKey, public_inputs, witness
from logos_crypto.hashes import MODULUS
from logos_crypto.jobs import CircuitJob
from logos_mantle.blocks import Block, body_root
from logos_mantle.headers import Header, ProofOfLeadership
from logos_mantle.transactions import SignedTransaction
from logos_module.prover import Prover

EPOCHS: Final = 4
"""Slots of so many are searched for the next one that is won."""


@dataclass(frozen=True, slots=True)
class Leader:
    """Leads a chain on its tip, by notes that nothing spends; no wallet has its vouchers."""

    follow: FollowOperations
    parameters: Parameters
    notes: Sequence[OwnNote]
    prover: Prover
    key: CircuitKey = field(repr=False)

    async def block(self, transactions: Sequence[SignedTransaction] = ()) -> tuple[Block, Proof]:
        """Returns the block of the next slot that is won, and its proof of leadership."""
        follow = self.follow
        slot, own = next(self._wins())
        aged, latest = await follow.aged_path(own.id, slot), await follow.note_path(own.id)
        assert aged is not None
        assert latest.value is not None
        key = Ed25519PrivateKey.generate()
        leader_key = key.public_key().public_bytes_raw()
        entropy = entropy_contribution(slot, own.leader)
        epoch = follow.epoch_at(slot)
        public = public_values(
            lottery_of(epoch, self.parameters.activation),
            aged_root=epoch.aged_root,
            latest_root=follow.tip.state.ledger_root,
            slot=slot,
            entropy=entropy,
            leader_key=leader_key,
        )
        asked = witness(LEADERSHIP, public, private_values(own, aged, latest.value))
        proof = await self.prover.prove(CircuitJob(asked, self.key))
        leadership = ProofOfLeadership(
            randbelow(MODULUS).to_bytes(32, "little"), entropy, proof, leader_key
        )
        root = body_root((), [each.hash for each in transactions])
        header = Header(follow.tip.id, slot, root, leadership)
        block = Block(header, key.sign(header.encoded), (), tuple(transactions))
        return block, (public_inputs(LEADERSHIP, public), proof)

    def _wins(self) -> Iterator[tuple[int, OwnNote]]:
        """Slots after the tip that are won, in their order."""
        first = self.follow.tip.slot + 1
        for slot in range(first, first + EPOCHS * self.parameters.epoch_slots):
            lottery = lottery_of(self.follow.epoch_at(slot), self.parameters.activation)
            for own in self.notes:
                if lottery.wins(slot, own.leader):
                    yield slot, own
