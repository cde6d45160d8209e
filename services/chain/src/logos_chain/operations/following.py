"""Follows the chain: takes blocks in, verifies and executes them, keeps the valid ones, and tells
what has become of the chain.

What is decided here is in core/consensus/follower.py. Proofs of several blocks are verified at
once, and while a block is executed; they are executed one at a time, since there is one ledger.

Spec: docs/protocol/chain-following.md, FOL-1 to FOL-18.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from logos_base.errors import LogosError, StoreFailedError
from logos_chain.core.blocks import candidate_of, kept_block, unreadable
from logos_chain.core.branch import Branches, Place, Walk, walk
from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import (
    Accepted,
    CutOff,
    Effect,
    FetchAncestors,
    Finalised,
    Rejected,
    Reorganised,
    SignedTwice,
    Verify,
)
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId, Candidate, SignedHeader
from logos_chain.core.ledger.errors import Refusal, Unmet
from logos_chain.core.ledger.ledger import Applied, Ledger, Refused
from logos_chain.core.ledger.types import Supply, UnspentNote
from logos_chain.core.pending import Pending
from logos_chain.core.ports import Imported
from logos_chain.core.wallet.types import BlockChanges
from logos_chain.operations.chain_events import BlocksFinal, ChainEvents, NewBlock, TipMoved
from logos_chain.operations.obliged import ObligationsOnTheWay
from logos_chain.operations.opening import OpenChain
from logos_chain.operations.settling import Prepare
from logos_chain.operations.verifying import Verifier
from logos_crypto.trees import MerklePath
from logos_mantle.blocks import MAX_BLOCK_BYTES, Block
from logos_mantle.errors import MalformedError
from logos_module.driver import Driver
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

OWN: Final = ""
"""The source of this node's own blocks."""

_OF_ONE_COPY: Final = frozenset(
    {
        RejectReason.BODY_TOO_LARGE,
        RejectReason.TOO_MANY_TRANSACTIONS,
        RejectReason.WRONG_BODY_ROOT,
        RejectReason.INVALID_SIGNATURE,
        RejectReason.INVALID_BODY,
    }
)
"""What another copy of a block may keep, since the id does not commit to it."""

R = TypeVar("R")

Fetching = Callable[[FetchAncestors], Awaitable[None]]
"""Downloads what is missing below a block and gives it to `take`; LogosError: it cannot be had.
It is cancelled when the block is given up, so there are no more of them than orphans."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a block is not taken (FOL-4)."""

    reason: RejectReason
    detail: Refusal | Unmet | None = None
    """Which rule its body breaks, or which kind of proof of it does not hold."""
    transaction: int | None = None
    """Its place in the block; None: the block as a whole."""
    operation: int | None = None


@dataclass(frozen=True, slots=True)
class RejectedBlock:
    """A block was not taken. Peers are scored by it: see `RejectReason.is_fault`."""

    block: BlockId | None
    """None: not even its header could be read."""
    source: str
    fault: Fault


@dataclass(frozen=True, slots=True)
class Flush:
    """Bring the disk up to date."""


@dataclass(slots=True)
class _Body:
    block: Block
    raw: bytes
    candidate: Candidate
    source: str
    outcome: asyncio.Future[RejectReason | None]
    fault: Fault | None = None
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class AtTip(Generic[R]):
    """What was read of the ledger, and at which block."""

    tip: BlockId
    value: R


class FollowOperations:
    """The chain of one node, which was opened. Enter `running` first."""

    def __init__(self, chain: OpenChain, verifier: Verifier, unix_ms: Callable[[], int]) -> None:
        self._chain = chain
        self._verifier = verifier
        self._follower = chain.follower
        self._lane = chain.lane
        self._settling = chain.settling
        self._settling.told = self._told_final
        self._driver: Driver[Effect | Flush] = Driver(chain.follower, self._perform, unix_ms)
        self._pending: Pending[_Body] = Pending()
        self._copies: dict[BlockId, _Body] = {}
        """Other bytes of pending blocks, from another source: one of each."""
        self._fetches: dict[BlockId, asyncio.Task[None]] = {}
        self._is_over = False
        self.events = ChainEvents()
        self.fetching: Fetching | None = None
        """None: blocks without parents are given up."""
        self.rejected: list[Callable[[RejectedBlock], None]] = []
        """Are told of blocks that were not taken; never wait and never fail."""
        self.signed_twice: list[Callable[[SignedTwice], None]] = []

    def preparing(self, prepare: Prepare) -> None:
        """Has it awaited before blocks become final on disk (FOL-19). Before `running`."""
        self._settling.prepare.append(prepare)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows for as long as the context is open; the chain must be opened anew after it."""
        try:
            async with self._driver.running():
                await self._bring_up_to_date()  # with what the taking up of the chain has decided
                yield
        finally:
            self._is_over = True
            for each in (*self._pending.clear(), *self._copies.values()):
                _end(each.outcome)
            await self._lane.close()

    # -- blocks --------------------------------------------------------------------------------

    async def take(self, raw: bytes, source: str) -> RejectReason | None:
        """Takes an encoded block, and returns once it is decided (FOL-15). Untrusted.

        A block that waits for its ancestors is decided when they are. A caller that does not wait
        for that may be cancelled.

        Args:
            raw: At most 2,098,960 bytes.
            source: The peer that has sent it.

        Returns:
            Why it was not taken; None: it is in the tree, and durable.

        Raises:
            ModuleDrainingError: The node stops.
        """
        if len(raw) > MAX_BLOCK_BYTES:
            return self._refuse(None, source, RejectReason.BODY_TOO_LARGE)
        if not self._pending.enter(len(raw)):
            return self._refuse(None, source, RejectReason.BUSY)
        try:
            body = await asyncio.to_thread(_decoded, raw)
        except MalformedError as error:
            self._pending.leave(len(raw))
            return self._refuse(*_swap(unreadable(raw, error), source))
        except BaseException:
            self._pending.leave(len(raw))
            raise
        return await self._decide(*body, raw, source)

    async def take_own(self, block: Block) -> RejectReason | None:
        """Takes a block that this node has made, as `take` does."""
        raw = await asyncio.to_thread(block.encode)
        return await self.take(raw, OWN)

    def go_online(self) -> None:
        """The online rule is in force from now on."""
        self._driver.put(self._follower.go_online)

    def go_bootstrap(self) -> None:
        """The bootstrap rule is in force from now on."""
        self._driver.put(self._follower.go_bootstrap)

    async def _decide(
        self, block: Block, candidate: Candidate, raw: bytes, source: str
    ) -> RejectReason | None:
        if self._is_over:
            self._pending.leave(len(raw))
            raise _stopping()
        identifier = candidate.header.id
        outcome: asyncio.Future[RejectReason | None] = asyncio.get_running_loop().create_future()
        body = _Body(block, raw, candidate, source, outcome)
        pending = self._pending.get(identifier)
        if pending is None:
            self._begin(body)
        elif identifier in self._copies or pending.source == source or pending.raw == raw:
            self._pending.leave(len(raw))
            return self._refuse(identifier, source, RejectReason.ALREADY_KNOWN)
        else:
            self._copies[identifier] = body
        return await asyncio.shield(outcome)

    def _begin(self, body: _Body) -> None:
        self._pending.put(body.candidate.header.id, body, len(body.raw))
        self._driver.put(self._follower.received, body.candidate, body.source)

    def _refuse(self, block: BlockId | None, source: str, reason: RejectReason) -> RejectReason:
        self._tell_rejected(RejectedBlock(block, source, Fault(reason)))
        return reason

    def _tell_rejected(self, rejected: RejectedBlock) -> None:
        for each in self.rejected:
            each(rejected)

    # -- what there is -------------------------------------------------------------------------

    @property
    def tip(self) -> TreeBlock:
        """The last block of the local chain."""
        return self._follower.tip

    def is_on_chain(self, block: BlockId) -> bool:
        """Returns whether a block is of the local chain, as far as the tree has it."""
        found = self._follower.tree.get(block)
        return found is not None and self._follower.tree.is_ancestor(found, self.tip)

    def is_final(self, block: BlockId) -> bool:
        """Returns whether a block will never leave the local chain."""
        return self._chain.store.is_final(block) or block == self.latest_immutable.id

    def tree_block(self, block: BlockId) -> TreeBlock | None:
        """Returns a block of the tree, or an ancestor of its root that uncles may name."""
        return self._follower.tree.get(block)

    @property
    def latest_immutable(self) -> TreeBlock:
        """The newest block that is final."""
        return self._follower.latest_immutable

    @property
    def imported(self) -> Imported | None:
        """The checkpoint that the chain was begun with; None: with its genesis."""
        return self._chain.imported

    @property
    def pending(self) -> int:
        """Blocks that are not decided."""
        return len(self._pending)

    def epoch_at(self, slot: int) -> EpochState:
        """Returns the epoch state of a slot on the local chain; `ValueError` before the tip's."""
        return self._follower.epoch_at(slot)

    def uncles_for(self, slot: int) -> list[SignedHeader]:
        """Returns the uncles of a block of this slot on the tip."""
        return self._follower.uncles_for(slot)

    async def block(self, identifier: BlockId) -> Block | None:
        """Returns a valid block, final or not; raises StoreFailedError."""
        kept = await self._chain.store.block(identifier)
        return None if kept is None else await asyncio.to_thread(Block.decode, kept.raw)

    async def changes(self, identifier: BlockId) -> BlockChanges | None:
        """Returns what a block of the tree has done; None: it is final on disk, or not here.

        A caller that must not miss a block reads its changes in `preparing` at the latest. Raises
        StoreFailedError.
        """
        block = await self.block(identifier)
        applied = await self._lane.run(partial(Branches.applied, block=identifier))
        if block is None or applied is None:
            return None
        return BlockChanges.of(
            identifier,
            block.header.parent,
            voucher=block.header.leadership.voucher,
            transactions=block.transactions,
            applied=applied,
        )

    def way(self, start: BlockId, end: BlockId) -> Walk:
        """Returns the way between two blocks of the tree; `LookupError` if one is not there."""
        return walk(self._place, start, end)

    def _place(self, identifier: BlockId) -> Place:
        found = self._follower.tree.get(identifier)
        if found is None:
            raise LookupError("a block that is not in the tree")
        return Place(found.parent, found.height)

    async def at_tip(self, read: Callable[[Ledger], R]) -> AtTip[R]:
        """Reads the ledger at the local tip. `read` runs in the ledger's thread: it changes
        nothing but by `Ledger.rehearse`, and keeps nothing of the ledger.
        """
        return await self._lane.at_tip(lambda there: AtTip(there.tip, read(there.ledger)))

    async def at_this_tip(self, tip: BlockId, read: Callable[[Ledger], R]) -> R | None:
        """Reads the ledger as `at_tip`, if a block is still the tip then; None: it is not."""
        return await self._lane.at_tip(
            lambda there: read(there.ledger) if there.tip == tip else None
        )

    async def at_final(self, read: Callable[[Ledger, BlockId], R]) -> R:
        """Reads the ledger at the newest block that is final on disk, as `at_tip`."""

        def there(branches: Branches) -> R:
            branches.go(branches.root)
            return read(branches.ledger, branches.root)

        return await self._lane.run(there)

    async def supply(self) -> AtTip[Supply]:
        """Returns where all tokens are at the tip."""
        return await self.at_tip(lambda ledger: ledger.supply)

    async def notes_of(self, keys: Iterable[bytes]) -> AtTip[list[tuple[bytes, UnspentNote]]]:
        """Returns the unspent notes of public keys of 32 bytes, by id; looks at every note."""
        wanted = frozenset(keys)
        return await self.at_tip(lambda ledger: ledger.notes_of(wanted))

    async def note_path(self, note: bytes) -> AtTip[MerklePath | None]:
        """Returns a note's path to the root after the tip; its id has 32 bytes."""
        return await self.at_tip(lambda ledger: ledger.note_path(note))

    async def aged_path(self, note: bytes, slot: int) -> MerklePath | None:
        """Returns a note's path to the aged root of a slot on the local chain (FOL-16).

        Args:
            note: Its id, 32 bytes.
            slot: Not before the tip's.

        Returns:
            None if the note does not take part, or its path was not taken as the epoch before
            began: its key was not watched, or this node was not up.
        """
        found = await self.aged_paths(self.epoch_at(slot).aged_root, [note])
        return found.get(note)

    async def aged_paths(self, root: bytes, notes: Iterable[bytes]) -> dict[bytes, MerklePath]:
        """Returns the paths of notes to an aged root, of those that are there (FOL-16).

        Args:
            root: 32 bytes.
            notes: Ids, 32 bytes each.
        """
        wanted = tuple(notes)

        def found(branches: Branches) -> dict[bytes, MerklePath]:
            is_now = branches.ledger.root == root
            path = branches.ledger.note_path if is_now else partial(branches.aged.path, root)
            paths = ((each, path(each)) for each in wanted)
            return {note: one for note, one in paths if one is not None}

        return await self._lane.at_tip(found)

    async def watch(self, keys: Iterable[bytes]) -> None:
        """Takes paths of the notes of these keys too, from the next epoch that begins on."""
        wanted = tuple(keys)
        await self._lane.run(lambda branches: branches.aged.watch(wanted))

    # -- effects -------------------------------------------------------------------------------

    def _perform(self, effect: Effect | Flush) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Verify():
                self._driver.start(self._verify(effect))
            case Accepted():
                self._accept(effect)
            case Rejected():
                self._reject(effect)
            case Reorganised(common, removed, added):
                moved = self._lane.run(partial(Branches.move_tip, tip=added[-1]))
                self._driver.start(moved)
                self.events.tell(TipMoved(common, removed, added))
            case Finalised() | CutOff():
                self._settle(effect)
            case SignedTwice():
                for each in self.signed_twice:
                    each(effect)
            case FetchAncestors():
                self._fetches[effect.block] = self._driver.start(self._fetch(effect))
            case Flush():
                return self._bring_up_to_date()
        return None

    async def _verify(self, asked: Verify) -> None:
        identifier = asked.candidate.header.id
        body = self._pending.get(identifier)
        if body is None:
            raise RuntimeError("a block without its body")
        found = await self._checked(asked, body)
        if isinstance(found, Fault):
            body.fault = found
            self._driver.report(self._follower.refused, identifier, found.reason)
        else:
            body.is_kept = True
            self._driver.report(self._follower.verified, identifier, found)

    async def _checked(self, asked: Verify, body: _Body) -> bytes | Fault:
        """Returns the ledger root after a block that is valid and durable (FOL-3, FOL-7)."""
        reason = await self._verifier.claims(asked.claims)
        if reason is not None:
            return Fault(reason)
        header, obligations = asked.candidate.header, ObligationsOnTheWay(self._verifier)
        execute = partial(
            Branches.execute,
            block=header.id,
            parent=header.parent,
            transactions=body.block.transactions,
            slot=header.slot,
            epoch=asked.claims[0].epoch,
            voucher=header.voucher,
            obliged=obligations.give,
        )
        executing = self._lane.give(partial(_executed, execute, obligations))
        try:
            unmet = await obligations.verify()
            result = await executing
        finally:
            executing.cancel()  # where this ends early, and the ledger has not come to it
        match result:
            case None:
                return Fault(RejectReason.PARENT_UNKNOWN)
            case Refused(detail, transaction, operation):
                return Fault(RejectReason.INVALID_BODY, detail, transaction, operation)
            case Applied(delta):
                fault = await self._kept(unmet, body)
                if fault is None:
                    return delta.after.root
                await self._lane.run(partial(Branches.drop, block=header.id))
                return fault

    async def _kept(self, unmet: Unmet | None, body: _Body) -> Fault | None:
        if unmet is not None:
            return Fault(RejectReason.INVALID_BODY, unmet)
        parent = self._follower.tree.get(body.candidate.header.parent)
        if parent is None:
            return Fault(RejectReason.PARENT_UNKNOWN)
        block = kept_block(body.block, body.raw, parent.height + 1)
        try:
            is_kept = await self._settling.keep(block)
        except StoreFailedError as error:
            log.warning("a valid block was not stored", extra={"error": str(error)})
            return Fault(RejectReason.NOT_STORED)
        return None if is_kept else Fault(RejectReason.PARENT_UNKNOWN)

    def _accept(self, accepted: Accepted) -> None:
        self._settling.accepted(accepted.block)
        body = self._pending.take(accepted.block.id)
        self.events.tell(NewBlock(accepted.block, accepted.source))
        if body is not None:
            body.outcome.set_result(None)
        self._drop_copy(accepted.block.id, RejectReason.ALREADY_KNOWN)

    def _reject(self, rejected: Rejected) -> None:
        identifier, reason = rejected.block, rejected.reason
        body, fetch = self._pending.take(identifier), self._fetches.pop(identifier, None)
        if fetch is not None:
            fetch.cancel()
        self._settling.rejected(identifier)
        if self._settling.is_due:
            self._driver.report(_flush)
        fault = Fault(reason)
        if body is not None:
            if body.is_kept:
                self._driver.start(self._lane.run(partial(Branches.drop, block=identifier)))
            fault = body.fault or fault
            body.outcome.set_result(reason)
        self._tell_rejected(RejectedBlock(identifier, rejected.source, fault))
        if reason in _OF_ONE_COPY and identifier in self._copies:
            self._begin(self._copies.pop(identifier))
        else:
            self._drop_copy(identifier, reason)

    def _drop_copy(self, block: BlockId, reason: RejectReason) -> None:
        copy = self._copies.pop(block, None)
        if copy is not None:
            self._pending.leave(len(copy.raw))
            copy.outcome.set_result(self._refuse(block, copy.source, reason))

    def _settle(self, decided: Finalised | CutOff) -> None:
        if isinstance(decided, Finalised):
            self._settling.finalised(decided.blocks)
        else:
            # Now: a block that comes again later may be executed before the disk is up to date.
            self._driver.start(self._lane.run(partial(Branches.forget, cut=decided.blocks)))
            self._settling.cut_off(decided.blocks)
        self._driver.report(_flush)  # after what else this step has decided

    async def _fetch(self, wanted: FetchAncestors) -> None:
        try:
            if self.fetching is not None:
                await self.fetching(wanted)
                return
        except LogosError as error:
            log.info("ancestors of a block were not had", extra={"error": str(error)})
        finally:
            if self._fetches.get(wanted.block) is asyncio.current_task():
                del self._fetches[wanted.block]
        self._driver.report(self._follower.abandoned, wanted.block)

    async def _bring_up_to_date(self) -> None:
        try:
            await self._settling.flush()
        except StoreFailedError as error:  # it waits for the next block
            log.warning("final blocks were not stored", extra={"error": str(error)})

    def _told_final(self, blocks: tuple[BlockId, ...]) -> None:
        self.events.tell(BlocksFinal(blocks))


def _flush(_now_ms: int) -> tuple[Flush]:
    return (Flush(),)


def _executed(
    execute: Callable[[Branches], Applied | Refused | None],
    obligations: ObligationsOnTheWay,
    branches: Branches,
) -> Applied | Refused | None:
    result = None
    try:
        result = execute(branches)
    finally:
        obligations.end(result)
    return result


def _decoded(raw: bytes) -> tuple[Block, Candidate]:
    block = Block.decode(raw)
    return block, candidate_of(block, len(raw))


def _swap(
    found: tuple[BlockId | None, RejectReason], source: str
) -> tuple[BlockId | None, str, RejectReason]:
    return found[0], source, found[1]


def _end(outcome: asyncio.Future[RejectReason | None]) -> None:
    if not outcome.done():
        outcome.set_exception(_stopping())
        outcome.exception()  # it may be that no caller waits


def _stopping() -> ModuleDrainingError:
    return ModuleDrainingError("the module is about to stop")
