"""Leads: has slots searched and proofs made, proposes blocks, and gives them to the chain first.

What is decided here is in core/leading.py. Slots are searched in a worker thread, one part at a
time; proofs are made by the node's prover, ahead of all others.

Spec: docs/protocol/chain-leading.md, LEA-1 to LEA-13.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from logos_base.errors import LogosError
from logos_chain.core.consensus.lottery import entropy_contribution, lottery_of
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.leader_ports import (
    AgedPathStore,
    Choose,
    LeaderWallet,
    ProposalNotes,
    Publish,
)
from logos_chain.core.leadership import LEADERSHIP, OwnNote, private_values, public_values
from logos_chain.core.leading import (
    Cancel,
    Counts,
    Effect,
    Leading,
    Look,
    Miss,
    Missed,
    Propose,
    Proposed,
    Prove,
    Search,
    Seen,
    Standing,
    Timing,
)
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.winning import Part
from logos_chain.operations.aged_paths import AgedPathKeeper
from logos_chain.operations.chain_events import EventsLost, Listener, TipMoved
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.proposing import MadeProof, OneTimeKey, Proposer
from logos_crypto.circuits import CircuitKey, witness
from logos_crypto.jobs import CircuitJob
from logos_crypto.prover import Priority, ProofJob
from logos_crypto.trees import MerklePath
from logos_mantle.blocks import Block
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_NOTES: Final = 1024
"""Notes that lead; of more, those of the highest values (LEA-2)."""
TAKE_S: Final = 30.0
"""A node that has not taken its own block after that is not waited for."""

Make = Callable[[ProofJob[bytes], Priority], Coroutine[Any, Any, bytes]]
"""`Prover.prove`."""


@dataclass(frozen=True, slots=True)
class LeaderPorts:
    """What leading asks of the rest of the node."""

    wallet: LeaderWallet
    notes: ProposalNotes
    paths: AgedPathStore
    choose: Choose
    publish: Publish


@dataclass(frozen=True, slots=True)
class Listen:
    """Follow what the chain tells, from now on."""


class LeadOperations:
    """The leader of one node. Enter `running` first; it is not online until `allow`."""

    def __init__(
        self,
        follow: FollowOperations,
        parameters: Parameters,
        clock: SlotClock,
        *,
        key: CircuitKey,
        make: Make,
        ports: LeaderPorts,
        unix_ms: Callable[[], int],
        done: Sequence[int] = (),
        timing: Timing | None = None,
    ) -> None:
        """
        Args:
            follow: The chain, which is running.
            parameters: Of the network.
            clock: Of the network.
            key: The proving key of leadership.
            make: `prove` of the node's prover.
            ports: Of the node.
            unix_ms: The wall clock, the same as that of `follow`.
            done: What `ProposalNotes.slots` returned at this start.
            timing: When proofs are begun; None: the usual.
        """
        self._follow = follow
        self._parameters = parameters
        self._key = key
        self._make = make
        self._wallet = ports.wallet
        self._publish = ports.publish
        self._unix_ms = unix_ms
        self._paths = AgedPathKeeper(follow.aged_paths, ports.paths)
        self._proposer = Proposer(
            follow, parameters, wallet=ports.wallet, notes=ports.notes, choose=ports.choose
        )
        self._machine = Leading(parameters, clock, follow.is_on_chain, timing=timing, done=done)
        self._driver: Driver[Effect | Listen] = Driver(self._machine, self._perform, unix_ms)
        self._notes: dict[bytes, OwnNote] = {}
        self._watched: frozenset[bytes] = frozenset()
        self._proving: dict[int, asyncio.Task[None]] = {}
        self._made: dict[int, MadeProof] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Leads for as long as the context is open; raises `ChainListenersFullError`."""
        with self._follow.events.listen() as heard:
            self._heard = heard
            self._driver.put(_began)
            try:
                async with self._driver.running():
                    yield
            finally:
                self._made.clear()

    # -- inputs --------------------------------------------------------------------------------

    def allow(self, *, may_propose: bool) -> None:
        """Says whether the node is online: `Starting.may_propose`, at each change (LEA-1)."""
        machine = self._machine
        self._driver.put(machine.went_online if may_propose else machine.went_offline)

    def switch(self, *, is_on: bool) -> None:
        """Switches leading on or off, for an operator. A block that is being signed is sent."""
        machine = self._machine
        self._driver.put(machine.switched_on if is_on else machine.switched_off)

    def notes_changed(self) -> None:
        """The wallet has other notes, and no block has changed them: it was restored, or opened."""
        self._driver.put(self._machine.notes_changed)

    # -- what there is -------------------------------------------------------------------------

    @property
    def counts(self) -> Counts:
        """What became of the slots that were won."""
        return self._machine.counts

    @property
    def standing(self) -> Standing:
        """Whether the node leads, and if not, why."""
        return self._machine.standing(self._unix_ms())

    @property
    def next_win(self) -> int | None:
        """The earliest slot that is known to be won. Secret: it tells who will propose."""
        return self._machine.next_win

    @property
    def last_proposed(self) -> Proposed | None:
        """The last block that was proposed since the start."""
        return self._machine.last_proposed

    @property
    def last_missed(self) -> Missed | None:
        """The last slot that was won and not proposed in since the start, and why."""
        return self._machine.last_missed

    # -- effects -------------------------------------------------------------------------------

    def _perform(self, effect: Effect | Listen) -> None:
        match effect:
            case Listen():
                self._driver.start(self._listen(self._heard))
            case Look():
                self._driver.start(self._look(effect))
            case Search(part):
                self._driver.start(self._search(part))
            case Prove():
                self._proving[effect.attempt] = self._driver.start(self._prove(effect))
            case Cancel(attempt):
                self._made.pop(attempt, None)
                task = self._proving.pop(attempt, None)
                if task is not None:
                    task.cancel()
            case Propose():
                self._driver.start(self._propose(effect))

    async def _listen(self, heard: Listener) -> None:
        self._driver.put(self._machine.moved, self._follow.tip)
        while True:
            event = await heard.next()
            if isinstance(event, (TipMoved, EventsLost)):
                self._driver.put(self._machine.moved, self._follow.tip)

    async def _look(self, asked: Look) -> None:
        notes = sorted(self._wallet.leader_notes(), key=lambda each: -each.leader.value)
        self._notes = {each.id: each for each in notes[:MAX_NOTES]}
        keys = frozenset(each.public_key for each in self._notes.values())
        if keys - self._watched:
            await self._follow.watch(keys)
            self._watched = keys
        ids = tuple(self._notes)

        def unspent(ledger: Ledger) -> list[bytes]:
            return [each for each in ids if ledger.note(each) is not None]

        there = (await self._follow.at_tip(unspent)).value
        aged = await self._paths.aged(asked.roots, there)
        values = {each: self._notes[each].leader.value for each in there}
        self._driver.report(self._machine.looked, Seen(values, aged))

    async def _search(self, part: Part) -> None:
        note, slots = self._notes.get(part.note), list[int]()
        if note is not None:
            lottery = lottery_of(part.epoch, self._parameters.activation)
            found: Iterator[int] = lottery.winning_slots(note.leader, part.first, part.end)
            slots = await asyncio.to_thread(list, found)
        self._driver.report(self._machine.found, part, slots)

    async def _prove(self, asked: Prove) -> None:
        started = asyncio.get_running_loop().time()
        try:
            made = await self._proof(asked)
        except LogosError as error:
            log.warning("no proof of leadership was made", extra={"error": str(error)})
            made = Miss.PROOF_FAILED
        self._proving.pop(asked.attempt, None)
        if isinstance(made, MadeProof):
            self._made[asked.attempt] = made
            took_ms = round((asyncio.get_running_loop().time() - started) * 1000)
            self._driver.report(self._machine.proved, asked.attempt, took_ms)
        else:
            self._driver.report(self._machine.unproved, asked.attempt, made)

    async def _proof(self, asked: Prove) -> MadeProof | Miss | None:
        """Returns a proof, why there is none, or None if the ledger stands elsewhere."""

        def latest(ledger: Ledger) -> tuple[bytes, MerklePath | None]:
            return ledger.root, ledger.note_path(asked.note)

        there = await self._follow.at_tip(latest)
        while there.tip != asked.parent:
            if self._follow.tip.id != asked.parent:
                return None
            there = await self._follow.at_tip(latest)  # the tip went, and has come back
        root, path = there.value
        note, aged = self._notes.get(asked.note), self._aged(asked)
        if note is None or path is None or aged is None:
            return Miss.NOTE_SPENT
        key, entropy = OneTimeKey(), entropy_contribution(asked.slot, note.leader)
        public = public_values(
            lottery_of(asked.epoch, self._parameters.activation),
            aged_root=asked.epoch.aged_root,
            latest_root=root,
            slot=asked.slot,
            entropy=entropy,
            leader_key=key.public,
        )
        values = witness(LEADERSHIP, public, private_values(note, aged, path))
        proof = await self._make(CircuitJob(values, self._key), Priority.LEADERSHIP)
        return MadeProof(asked, entropy, proof, key)

    def _aged(self, asked: Prove) -> MerklePath | None:
        return self._paths.path(asked.epoch.aged_root, asked.note)

    async def _propose(self, asked: Propose) -> None:
        made = self._made.pop(asked.attempt)
        block = await self._proposer.block(made, is_on_tip=asked.is_on_tip)
        if isinstance(block, Miss):
            self._driver.report(self._machine.unproposed, asked.attempt, block)
            return
        if not await self._is_taken(block):
            self._driver.report(self._machine.unproposed, asked.attempt, Miss.REFUSED)
            return
        self._driver.report(self._machine.proposed, asked.attempt, BlockId(block.id))
        try:
            await self._publish(block)
        except LogosError as error:  # the chain has it, and others can ask for it
            log.warning("an own block was not published", extra={"error": str(error)})

    async def _is_taken(self, block: Block) -> bool:
        try:
            async with asyncio.timeout(TAKE_S):
                reason = await self._follow.take_own(block)
        except (LogosError, TimeoutError) as error:
            log.warning("an own block was not taken", extra={"error": str(error)})
            return False
        if reason is not None:
            log.error("an own block was refused", extra={"reason": reason})
        return reason is None


def _began(_now_ms: int) -> tuple[Listen]:
    return (Listen(),)
