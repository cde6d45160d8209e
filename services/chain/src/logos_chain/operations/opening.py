"""Takes up the chain that the store keeps, or begins one.

The state at the newest final block is loaded, and the blocks above it are executed once more in
the order in which they were added. Their proofs were verified before they were kept.

Spec: docs/protocol/chain-following.md, FOL-12 to FOL-14; chain-checkpoints.md, CKP-8.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from logos_base.errors import StateError
from logos_chain.core.aged import AgedPaths
from logos_chain.core.blocks import candidate_of
from logos_chain.core.branch import Branches
from logos_chain.core.consensus.epochs import epoch_at, genesis_state
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import (
    Accepted,
    CutOff,
    Effect,
    Finalised,
    Follower,
    Reorganised,
)
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.consensus.validation import first_fault
from logos_chain.core.ledger.errors import SupplyBrokenError
from logos_chain.core.ledger.ledger import Applied, Ledger, Refused
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.ports import (
    ChainStore,
    ChainStoreDamagedError,
    Imported,
    KeptBlock,
    Settled,
)
from logos_chain.operations.ledger_lane import LedgerLane
from logos_chain.operations.settling import Settling
from logos_mantle.blocks import Block
from logos_mantle.errors import MalformedError
from logos_mantle.genesis import Genesis
from logos_mantle.octets import KEY_BYTES

log = logging.getLogger(__name__)

PAGE_BLOCKS: Final = 16
"""Kept blocks that are read at once: 32 MiB at most."""


class ChainOtherGenesisError(StateError):
    """The chain on disk begins with another genesis block (FOL-12)."""

    reason = "CHAIN_OTHER_GENESIS"


@dataclass(frozen=True, slots=True)
class Network:
    """What the nodes of a chain agree on."""

    parameters: Parameters
    ledger: LedgerParameters
    genesis: Genesis

    @property
    def clock(self) -> SlotClock:
        """Slot 0 begins at the genesis' time."""
        return SlotClock(self.genesis.parameters.genesis_time_s * 1000, self.parameters.slot_ms)


@dataclass(frozen=True, slots=True)
class OpenChain:
    """A chain that was taken up, with its parts."""

    network: Network
    store: ChainStore
    follower: Follower
    lane: LedgerLane
    settling: Settling
    imported: Imported | None = None
    """The checkpoint that it was begun with; None: with the genesis."""

    @property
    def first_height(self) -> int:
        """Of the oldest block that the node has (CKP-10)."""
        return 0 if self.imported is None else self.imported.height


class Opening:
    """Opens the chain of one node; can be asked how far it is."""

    def __init__(
        self,
        store: ChainStore,
        network: Network,
        *,
        watched: Iterable[bytes] = (),
        imported: Imported | None = None,
    ) -> None:
        """
        Args:
            store: Of this node.
            network: Whose chain it is.
            imported: The checkpoint that the store was begun with, if it was.
            watched: Public keys, 32 bytes each, whose notes take part in the lottery here.
        """
        self._store = store
        self._network = network
        self._imported = imported
        self._aged = AgedPaths(watched)
        self.restored = 0
        """Kept blocks that were executed again so far."""
        self.height = 0
        """Of the local tip so far."""

    async def open(self, rule: Rule, unix_ms: Callable[[], int]) -> OpenChain:
        """Loads or begins the chain.

        Args:
            rule: That the follower starts with.
            unix_ms: The wall clock.

        Raises:
            ChainStoreDamagedError, ChainOtherGenesisError: Nothing was changed.
            GenesisInvalidError: The ledger refuses the genesis.
            DiskFullError, StoreFailedError
        """
        settled = await self._store.load()
        if settled is None:
            settled = await self._begin()
        else:
            await self._check_genesis()
        chain = await self._assemble(settled, rule)
        try:
            stale = await self._restore(chain, unix_ms)
            chain.settling.cut_off(stale)
        except BaseException:
            await chain.lane.close()
            raise
        return chain

    async def _begin(self) -> Settled:
        settled, block = await asyncio.to_thread(begin_chain, self._network)
        await self._store.begin(block, settled)
        loaded = await self._store.load()
        if loaded is None:
            raise ChainStoreDamagedError("the store does not hold the chain that was just begun")
        return loaded

    async def _check_genesis(self) -> None:
        own = BlockId(self._network.genesis.block.id)
        if self._imported is not None:
            kept = self._imported.genesis
        else:
            [kept] = await self._store.final(0, 1)
        if kept != own:
            raise ChainOtherGenesisError(
                f"the chain on disk begins with {kept.hex()}, this network's with {own.hex()}: "
                "give the node the genesis of its chain, or an empty folder"
            )

    async def _assemble(self, settled: Settled, rule: Rule) -> OpenChain:
        network, root = self._network, settled.root
        parameters = network.parameters
        branches = await asyncio.to_thread(self._branches, settled)
        tree = BlockTree(
            root,
            below=settled.below,
            keep_slots=parameters.uncle_window_slots,
            final=self._store,
        )
        lane = LedgerLane(branches)
        settling = Settling(self._store, lane, tree)
        follower = Follower(parameters, network.clock, tree, rule=rule)
        self.height = root.height
        return OpenChain(network, self._store, follower, lane, settling, self._imported)

    def _branches(self, settled: Settled) -> Branches:
        head = settled.head
        if settled.root.state.ledger_root != head.root:
            raise _damaged(settled.root.id, "has another ledger root than the state that is kept")
        try:
            ledger = Ledger(self._network.ledger, settled.state, head)
        except (SupplyBrokenError, ValueError) as error:
            raise _damaged(settled.root.id, f"has a state that does not fit: {error}") from error
        first = Ledger.from_genesis(self._network.ledger, self._network.genesis)
        if first.root in {head.aged_root, head.epoch_root}:
            self._aged.hold(head)
            self._aged.take(first)
        return Branches(ledger, settled.root.id, self._aged)

    async def _restore(self, chain: OpenChain, unix_ms: Callable[[], int]) -> list[BlockId]:
        """Executes the kept blocks again (FOL-13).

        Returns those whose parents were cut off before a stop.
        """
        stale: list[BlockId] = []
        passed = 0
        while page := await self._store.unsettled(passed, PAGE_BLOCKS):
            passed += len(page)
            for kept in page:
                effects = await self._again(chain, kept, unix_ms())
                if effects is None:
                    log.info("a kept block of a fork that was given up is dropped")
                    stale.append(kept.id)
                else:
                    await self._see(chain, effects)
                    self.restored += 1
                    self.height = chain.follower.tip.height
        return stale

    async def _again(self, chain: OpenChain, kept: KeptBlock, now_ms: int) -> list[Effect] | None:
        block = await asyncio.to_thread(_decoded, kept)
        candidate = candidate_of(block, len(kept.raw))
        header, tree = candidate.header, chain.follower.tree
        reason = first_fault(self._network.parameters, tree, candidate, header.slot)
        if reason in {RejectReason.BELOW_LIB, RejectReason.PARENT_UNKNOWN}:
            return None
        parent = tree.get(header.parent)
        if reason is not None or parent is None:
            raise _damaged(kept.id, f"is no valid block: {reason}")
        epoch = epoch_at(self._network.parameters, parent.state, header.slot)
        result = await chain.lane.run(
            partial(
                Branches.execute,
                block=header.id,
                parent=header.parent,
                transactions=block.transactions,
                slot=header.slot,
                epoch=epoch,
                voucher=header.voucher,
            )
        )
        match result:
            case Applied():
                return chain.follower.restore(candidate, result.delta.after.root, now_ms)
            case Refused():
                raise _damaged(kept.id, f"does not execute: {result.reason}")
            case None:
                return None

    async def _see(self, chain: OpenChain, effects: list[Effect]) -> None:
        for each in effects:
            match each:
                case Accepted(block):
                    chain.settling.accepted(block)
                case Reorganised(added=added):
                    await chain.lane.run(partial(Branches.move_tip, tip=added[-1]))
                case Finalised(blocks):
                    chain.settling.finalised(blocks)
                case CutOff(blocks):
                    await chain.lane.run(partial(Branches.forget, cut=blocks))
                    chain.settling.cut_off(blocks)
                case _:
                    pass  # who signed twice was told before the stop


def begin_chain(network: Network) -> tuple[Settled, KeptBlock]:
    """Returns what a store of a new chain holds; raises `GenesisInvalidError` (FOL-12)."""
    genesis = network.genesis
    block = genesis.block
    ledger = Ledger.from_genesis(network.ledger, genesis)
    state = genesis_state(ledger.root, genesis.parameters.epoch_nonce_value, ledger.head.genesis)
    identifier, parent = BlockId(block.id), BlockId(block.header.parent)
    root = TreeBlock(identifier, parent, 0, state, bytes(KEY_BYTES))
    kept = KeptBlock(
        identifier, parent, 0, 0, block.encode(), tuple([each.hash for each in block.transactions])
    )
    return Settled(root, (), ledger.state, ledger.head), kept


def _decoded(kept: KeptBlock) -> Block:
    try:
        block = Block.decode(kept.raw)
    except MalformedError as error:
        raise _damaged(kept.id, f"does not decode: {error}") from error
    if block.id != kept.id:
        raise _damaged(kept.id, "is another block")
    return block


def _damaged(block: BlockId, what: str) -> ChainStoreDamagedError:
    return ChainStoreDamagedError(
        f"the kept block {block.hex()} {what}: restore the node's folder from a backup, or begin "
        "with an empty one and let it download the chain"
    )
