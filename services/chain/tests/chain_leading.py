"""Leaders of a small world: with a clock that is set, and a prover that makes no proofs."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache

from chain_blocks import TWENTY
from chain_ledger import ALICE, field_of, named
from chain_memory import MemoryStore
from chain_world import Scripted, World, until

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.lottery import LeaderNote, lottery_of
from logos_chain.core.leader_ports import BlockLimits
from logos_chain.core.leadership import OwnNote
from logos_chain.core.leading import Timing
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.leading import LeaderPorts, LeadOperations
from logos_chain.operations.opening import Opening
from logos_crypto.circuits import CircuitKey
from logos_crypto.jobs import CircuitJob
from logos_crypto.prover import Priority, ProofJob
from logos_crypto.trees import MerklePath
from logos_mantle.blocks import Block
from logos_mantle.operations import operation_id
from logos_mantle.transactions import SignedTransaction

SECRET = field_of(1)
"""Alice's."""
LAST = 23
"""The last of Alice's notes, which leads; others are there to be spent."""


@cache
def any_key() -> CircuitKey:
    """Of the circuit whose key is made in a tenth of a second: the scripted prover has no use."""
    return CircuitKey.insecure_from_seed("signature2", bytes(32))


def own_notes(world: World, places: Iterable[int] = (LAST,)) -> list[OwnNote]:
    outputs, made = world.genesis.transfer.outputs, operation_id(world.genesis.transfer)
    return [
        OwnNote(LeaderNote(world.funds[at], SECRET, outputs[at].value), ALICE, made, at)
        for at in places
    ]


@dataclass
class Clock:
    """Unix time that only a test moves."""

    ms: int = 0

    def __call__(self) -> int:
        return self.ms


@dataclass
class Wallet:
    notes: list[OwnNote]
    issued: list[bytes] = field(default_factory=list)
    fails: bool = False

    def leader_notes(self) -> Sequence[OwnNote]:
        return self.notes

    async def issue_voucher(self) -> bytes:
        if self.fails:
            raise StoreFailedError("it failed")
        self.issued.append(named(f"voucher {len(self.issued)}"))
        return self.issued[-1]


@dataclass
class Notes:
    """`ProposalNotes` that lives longer than a process."""

    noted: set[tuple[int, bytes]] = field(default_factory=set)
    fails: bool = False
    is_killed: bool = False
    """A process ends right after its next note."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def slots(self) -> Sequence[int]:
        return sorted(slot for slot, _ in self.noted)

    async def note(self, slot: int, note: bytes, *, final_slot: int) -> bool:
        assert final_slot < slot
        if self.fails:
            raise StoreFailedError("it failed")
        if (slot, note) in self.noted:
            return False
        self.noted.add((slot, note))
        if self.is_killed:
            self.reached.set()
            await asyncio.Event().wait()
        return True


@dataclass
class Paths:
    """`AgedPathStore` in memory."""

    paths: dict[bytes, dict[bytes, MerklePath]] = field(default_factory=dict)
    fails: bool = False

    async def load(self, root: bytes) -> Mapping[bytes, MerklePath]:
        self._fail()
        return self.paths.get(root, {})

    async def keep(self, root: bytes, paths: Mapping[bytes, MerklePath]) -> None:
        self._fail()
        self.paths[root] = self.paths.get(root, {}) | dict(paths)

    async def drop_others(self, roots: Iterable[bytes]) -> None:
        self._fail()
        self.paths = {each: self.paths[each] for each in roots if each in self.paths}

    def _fail(self) -> None:
        if self.fails:
            raise StoreFailedError("it failed")


@dataclass
class Prover:
    """Checks each witness, and says of what a test lets that it is proven."""

    proof: bytes = bytes(128)
    is_held: bool = False
    jobs: list[CircuitJob] = field(default_factory=list)
    cancelled: int = 0

    def __post_init__(self) -> None:
        self._let = asyncio.Event()

    def let(self) -> None:
        self.is_held = False
        self._let.set()

    async def prove(self, job: ProofJob[bytes], priority: Priority = Priority.ORDINARY) -> bytes:
        assert priority is Priority.LEADERSHIP
        assert isinstance(job, CircuitJob)
        job.check()
        self.jobs.append(job)
        try:
            while self.is_held:
                await self._let.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.proof


@dataclass
class Pool:
    """A mempool, and the network."""

    transactions: list[SignedTransaction] = field(default_factory=list)
    limits: BlockLimits | None = None
    hangs: bool = False
    fails: bool = False
    published: list[Block] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def choose(self, limits: BlockLimits) -> Sequence[SignedTransaction]:
        self.limits = limits
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails:
            raise StoreFailedError("it failed")
        return self.transactions

    async def publish(self, block: Block) -> None:
        self.published.append(block)
        self.news.set()
        if self.fails:
            raise StoreFailedError("it failed")


@dataclass
class Node:
    """What a leader and its chain need, which outlives both."""

    world: World = field(default_factory=World)
    clock: Clock = field(default_factory=Clock)
    store: MemoryStore = field(default_factory=MemoryStore)
    notes: Notes = field(default_factory=Notes)
    paths: Paths = field(default_factory=Paths)
    prover: Prover = field(default_factory=Prover)
    pool: Pool = field(default_factory=Pool)
    verifier: Scripted = field(default_factory=Scripted)
    is_told_of_notes: bool = True
    """Whether it reads at its start what was noted."""

    def __post_init__(self) -> None:
        self.wallet = Wallet(own_notes(self.world))

    @property
    def ports(self) -> LeaderPorts:
        return LeaderPorts(self.wallet, self.notes, self.paths, self.pool.choose, self.pool.publish)

    @asynccontextmanager
    async def chain(self) -> AsyncIterator[FollowOperations]:
        opening = Opening(self.store, self.world.network)
        chain = await opening.open(Rule.ONLINE, self.clock)
        follow = FollowOperations(chain, self.verifier, self.clock)
        async with follow.running():
            yield follow

    @asynccontextmanager
    async def leader(self, *, is_online: bool = True) -> AsyncIterator["Running"]:
        async with self.chain() as follow:
            lead = LeadOperations(
                follow,
                self.world.parameters,
                self.world.network.clock,
                key=any_key(),
                make=self.prover.prove,
                ports=self.ports,
                unix_ms=self.clock,
                done=await self.notes.slots() if self.is_told_of_notes else (),
                timing=Timing(prove_ms=1500, margin_ms=500, late_ms=3000),
            )
            async with lead.running():
                if is_online:
                    lead.allow(may_propose=True)
                yield Running(self, follow, lead)


@dataclass
class Running:
    node: Node
    follow: FollowOperations
    lead: LeadOperations

    def wins(self, first: int, end: int) -> list[int]:
        """Slots of the first epoch that the wallet's notes win, by a search of its own."""
        lottery = lottery_of(self.follow.epoch_at(first), TWENTY.activation)
        return sorted(
            {
                slot
                for note in self.node.wallet.notes
                for slot in lottery.winning_slots(note.leader, first, end)
            }
        )

    async def searched(self, slot: int) -> None:
        """Waits until a slot is found."""
        await until(lambda: self.lead.next_win == slot)

    def at(self, slot: float) -> None:
        """It is that time now."""
        self.node.clock.ms = round(slot * 1000)
        self.tick()

    def tick(self) -> None:
        self.lead._driver.put(self.lead._machine.tick)

    @property
    def settled(self) -> int:
        """Slots that were proposed in or missed."""
        return self.lead.counts.proposed + self.lead.counts.missed

    async def lead_at(self, slot: int) -> None:
        """Lets time pass up to a slot that is won, and waits for what becomes of it."""
        before = self.settled
        self.at(slot - 0.25)
        await until(lambda: self.lead._machine._attempt is not None or self.settled > before)
        self.at(slot)
        await until(lambda: self.settled > before)
