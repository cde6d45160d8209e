"""Blocks between nodes as proposals: header, uncles, and the hashes of the transactions.

A proposal becomes a block again by the transactions that wait here. If one is missing, the block
is downloaded by its id.

Spec: docs/protocol/chain-network.md, CNW-15 to CNW-19; mantle.md, MAN-27, MAN-28, MAN-30.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

from logos_base.errors import MessageKnownError
from logos_base.gossip import Gossip, Heard, Verdict
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import EARLY_SLOTS
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.net_ports import Transactions
from logos_chain.operations.download import Take
from logos_chain.operations.gossiping import JudgedTopic, Room
from logos_chain.operations.served_chain import WholeChain
from logos_mantle.blocks import MAX_PROPOSAL_BYTES, PROPOSAL_BYTES, Block, Proposal
from logos_mantle.errors import MalformedError, ValueUnencodableError
from logos_mantle.headers import HEADER_BYTES, SIGNED_HEADER_BYTES, Header
from logos_mantle.transactions import SignedTransaction
from logos_zone_sdk.core.signatures import is_signature

GOSSIP: Final = "gossip"
"""The source of a block whose neighbour is not known."""
ROOM: Final = Room(messages=32, size_bytes=32 * MAX_PROPOSAL_BYTES, of_one=8)
"""1.1 MB of proposals; the blocks that they name have 64 MiB at most."""
_SIZES: Final = range(PROPOSAL_BYTES, MAX_PROPOSAL_BYTES + 1, SIGNED_HEADER_BYTES)
"""One for each number of uncles."""
MAX_FETCHES: Final = 6
"""Blocks of proposals that are downloaded at once."""
MAX_FETCHES_OF_ONE: Final = 2
"""Of them, those that one neighbour has told of: it may stall each of them."""


class FetchesBlocks(Protocol):
    """`SyncOperations`, as far as proposals need it."""

    async def fetch_block(self, block: BlockId, peers: Sequence[str] = ()) -> bool:
        """Downloads a block and has it taken; returns whether it is here. Errors: LogosError."""
        ...


class ProposalGossip:
    """The proposals of one chain, from and for other nodes."""

    def __init__(
        self,
        chain: WholeChain,
        take: Take,
        gossip: Gossip,
        topic: str,
        *,
        sync: FetchesBlocks,
        transactions: Transactions,
        clock: SlotClock,
        unix_ms: Callable[[], int],
    ) -> None:
        self._chain = chain
        self._take = take
        self._gossip = gossip
        self._topic = topic
        self._sync = sync
        self._transactions = transactions
        self._clock = clock
        self._unix_ms = unix_ms
        self._fetches: Counter[str] = Counter()
        """By neighbour."""
        self.judged = JudgedTopic(gossip, topic, self._glance, self._judge, ROOM)

    async def run(self) -> None:
        """Takes proposals and passes on those that are valid, until cancelled."""
        await self.judged.run()

    async def publish(self, block: Block) -> None:
        """Sends out a block of this node as a proposal; one that is known already is enough.

        Raises NoNeighboursError, NetworkUnavailableError, NetworkDeniedError.
        """
        raw = await asyncio.to_thread(block.proposal().encode)
        with suppress(MessageKnownError):
            await self._gossip.publish(self._topic, raw)

    def _glance(self, raw: bytes) -> Verdict | None:
        """Judges by size, header, id and slot (CNW-17): 7 us."""
        if len(raw) not in _SIZES:
            return Verdict.REJECT
        try:
            header = Header.decode(raw[:HEADER_BYTES])
        except MalformedError:
            return Verdict.REJECT
        newest = self._clock.slot_at(self._unix_ms()) + EARLY_SLOTS
        is_in_time = self._chain.final_slot < header.slot <= newest
        if not is_in_time or self._chain.has(BlockId(header.id)):
            return Verdict.IGNORE
        return None

    async def _judge(self, heard: Heard) -> Verdict:
        proposal = await asyncio.to_thread(_opened, heard.data)
        if proposal is None:
            return Verdict.REJECT
        source = heard.neighbour or GOSSIP
        transactions = self._resolved(proposal)
        if transactions is None:
            return await self._fetched(BlockId(proposal.header.id), heard.neighbour)
        block = Block(proposal.header, proposal.signature, proposal.uncles, transactions)
        try:
            raw = await asyncio.to_thread(block.encode)
        except ValueUnencodableError:  # over 2 MiB together
            return Verdict.REJECT
        return verdict_on(await self._take(raw, source))

    def _resolved(self, proposal: Proposal) -> tuple[SignedTransaction, ...] | None:
        """Returns the transactions in their order (MAN-30); None: one is not here."""
        found: list[SignedTransaction] = []
        for each in proposal.references:
            transaction = self._transactions.get(each)
            if transaction is None:
                return None
            found.append(transaction)
        return tuple(found)

    async def _fetched(self, block: BlockId, neighbour: str) -> Verdict:
        """Downloads a block (CNW-19). Who passed its proposal on is not to blame for its body."""
        of_one = self._fetches[neighbour]
        if self._fetches.total() >= MAX_FETCHES or of_one >= MAX_FETCHES_OF_ONE:
            return Verdict.IGNORE
        self._fetches[neighbour] += 1
        try:
            is_here = await self._sync.fetch_block(block, [neighbour])
        finally:
            self._fetches -= Counter([neighbour])
        return Verdict.ACCEPT if is_here else Verdict.IGNORE


def verdict_on(reason: RejectReason | None) -> Verdict:
    """Returns the verdict on what was given as a block (CNW-18)."""
    if reason is None:
        return Verdict.ACCEPT
    return Verdict.REJECT if reason.is_fault else Verdict.IGNORE


def _opened(raw: bytes) -> Proposal | None:
    """Decodes a proposal; None: it is none, or its root or its signature does not hold."""
    try:
        proposal = Proposal.decode(raw)
    except MalformedError:
        return None
    header = proposal.header
    is_signed = is_signature(header.leadership.leader_key, header.encoded, proposal.signature)
    return proposal if is_signed and proposal.has_body_root() else None
