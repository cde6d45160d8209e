"""Makes the block of a proof of leadership: its body, its voucher, its signature.

What could make another block of the same slot is durable before anything is signed.

Spec: docs/protocol/chain-leading.md, LEA-6, LEA-8 to LEA-10.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_base.errors import LogosError
from logos_chain.core.blocks import uncle_of
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.leader_ports import Choose, LeaderWallet, ProposalNotes
from logos_chain.core.leading import Miss, Prove
from logos_chain.core.ledger.ledger import Admitted, Ledger, Refused
from logos_chain.core.mempool.types import BlockLimits
from logos_chain.operations.following import FollowOperations
from logos_mantle.blocks import Block, body_root
from logos_mantle.headers import Header, ProofOfLeadership, SignedHeader
from logos_mantle.transactions import SignedTransaction

log = logging.getLogger(__name__)

CHOOSE_S: Final = 1.0
"""A mempool that takes longer leaves the block empty."""


class OneTimeKey:
    """An Ed25519 key for one block (LEA-6).

    Its secret is made and kept by OpenSSL, which overwrites it when it is freed: right after the
    signature, or when the key is dropped without one.
    """

    def __init__(self) -> None:
        self._key: Ed25519PrivateKey | None = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()
        """32 bytes."""

    def sign(self, message: bytes) -> bytes:
        """Returns the only signature, 64 bytes; raises `ValueError` at the second call."""
        key, self._key = self._key, None
        if key is None:
            raise ValueError("a leader's key signs once")
        return key.sign(message)


@dataclass(frozen=True, slots=True)
class MadeProof:
    """A proof of leadership, and the key that it is bound to."""

    asked: Prove
    entropy: bytes
    """32 bytes."""
    proof: bytes
    """128 bytes."""
    key: OneTimeKey = field(repr=False)


class Proposer:
    """Makes the blocks of one node."""

    def __init__(
        self,
        follow: FollowOperations,
        parameters: Parameters,
        *,
        wallet: LeaderWallet,
        notes: ProposalNotes,
        choose: Choose,
    ) -> None:
        self._follow = follow
        self._limits = BlockLimits(
            transactions=parameters.max_transactions, size_bytes=parameters.max_body_bytes
        )
        self._wallet = wallet
        self._notes = notes
        self._choose = choose

    async def block(self, made: MadeProof, *, is_on_tip: bool) -> Block | Miss:
        """Makes and signs a block, or tells why not.

        Args:
            made: Its slot has begun.
            is_on_tip: Its parent is the tip. A block on an older one has an empty body, since the
                ledger stands elsewhere (LEA-9).
        """
        asked = made.asked
        uncles, transactions = await self._body(made) if is_on_tip else ((), ())
        miss = await self._reserve(asked)
        if miss is not None:
            return miss
        try:
            voucher = await self._wallet.issue_voucher()
        except LogosError as error:
            log.warning("the wallet issued no voucher", extra={"error": str(error)})
            return Miss.NO_VOUCHER
        leadership = ProofOfLeadership(voucher, made.entropy, made.proof, made.key.public)
        root = body_root(uncles, [each.hash for each in transactions])
        header = Header(asked.parent, asked.slot, root, leadership)
        return Block(header, made.key.sign(header.encoded), uncles, transactions)

    async def _reserve(self, asked: Prove) -> Miss | None:
        """Notes durably that the slot is signed for, or tells why it is not to be (LEA-8)."""
        if not self._follow.is_on_chain(asked.parent):
            return Miss.PARENT_GONE
        final_slot = self._follow.latest_immutable.slot
        try:
            is_new = await self._notes.note(asked.slot, asked.note, final_slot=final_slot)
        except LogosError as error:
            log.warning("a proposal could not be noted", extra={"error": str(error)})
            return Miss.NOT_STORED
        return None if is_new else Miss.ALREADY_PROPOSED

    async def _body(
        self, made: MadeProof
    ) -> tuple[tuple[SignedHeader, ...], tuple[SignedTransaction, ...]]:
        """Returns uncles and transactions that can stand after the parent; none if it moved."""
        asked = made.asked
        chosen = await self._chosen()

        def verdicts(ledger: Ledger) -> list[Admitted | Refused]:
            if ledger.head.slot >= asked.slot:  # another tip, which is told below
                return []
            return ledger.rehearse(chosen, slot=asked.slot, epoch=asked.epoch)

        there = await self._follow.at_tip(verdicts)
        if there.tip != asked.parent or self._follow.tip.id != asked.parent:
            return (), ()
        uncles = tuple(map(uncle_of, self._follow.uncles_for(asked.slot)))
        pairs = zip(chosen, there.value, strict=True)
        return uncles, tuple([each for each, one in pairs if isinstance(one, Admitted)])

    async def _chosen(self) -> Sequence[SignedTransaction]:
        try:
            async with asyncio.timeout(CHOOSE_S):
                chosen = await self._choose(self._limits)
        except (LogosError, TimeoutError) as error:
            log.warning("no transactions were chosen for a block", extra={"error": str(error)})
            return ()
        return _within(chosen, self._limits)


def _within(
    chosen: Sequence[SignedTransaction], limits: BlockLimits
) -> tuple[SignedTransaction, ...]:
    """Returns the first ones that a block has room for; gas is the ledger's to refuse."""
    kept, size_bytes = list[SignedTransaction](), 0
    for each in chosen[: limits.transactions]:
        size_bytes += len(each.encoded)
        if size_bytes > limits.size_bytes:
            break
        kept.append(each)
    return tuple(kept)
