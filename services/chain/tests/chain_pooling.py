"""Mempools on chains that move, with a clock that is set."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from chain_kept import KeptTransactions
from chain_leading import Clock
from chain_memory import MemoryStore
from chain_world import Scripted, World, until

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.mempool.errors import Reason
from logos_chain.core.mempool.mempool import Told
from logos_chain.core.mempool.types import Limits, Stage
from logos_chain.core.node_ports import SavedTransactions
from logos_chain.core.ports import ChainStore
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import Opening
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.transaction_status import TransactionStatuses
from logos_mantle.blocks import Block
from logos_mantle.transactions import SignedTransaction

NOW_MS = 1_000_000
"""A thousand slots after the genesis: more than the blocks of a test have."""


@dataclass
class PoolNode:
    """What outlives a process."""

    world: World = field(default_factory=World)
    clock: Clock = field(default_factory=lambda: Clock(NOW_MS))
    store: ChainStore = field(default_factory=MemoryStore)
    saved: KeptTransactions = field(default_factory=KeptTransactions)
    disk: SavedTransactions | None = None
    """Instead of `saved`."""
    verifier: Scripted = field(default_factory=Scripted)
    limits: Limits = field(default_factory=lambda: Limits(safe_blocks=2))
    rule: Rule = Rule.BOOTSTRAP

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Pooled"]:
        chain = await Opening(self.store, self.world.network).open(self.rule, self.clock)
        follow = FollowOperations(chain, self.verifier, self.clock)
        async with follow.running():
            pool = MempoolOperations(
                follow,
                self.store,
                self.world.network,
                verifier=self.verifier,
                saved=self.disk or self.saved,
                unix_ms=self.clock,
                limits=self.limits,
            )
            pooled = Pooled(self, follow, pool)
            pool.told.append(pooled.told.append)
            pool.pass_on.append(
                lambda signed, source: pooled.passed_on.append((signed.encoded, source))
            )
            async with pool.running():
                await pooled.quiet()
                yield pooled


@dataclass
class Pooled:
    node: PoolNode
    follow: FollowOperations
    pool: MempoolOperations
    told: list[Told] = field(default_factory=list)
    passed_on: list[tuple[bytes, str]] = field(default_factory=list)

    async def quiet(self) -> None:
        """Waits until the mempool knows the tip, and nothing is left to do."""
        lane = self.pool._lane
        await until(
            lambda: (
                self.pool._is_restored
                and not lane._chain.is_behind
                and not len(lane._inputs)
                and not lane._news.is_set()
            )
        )

    async def give(self, *blocks: Block) -> None:
        for each in blocks:
            assert await self.follow.take(each.encode(), "a") is None
        await self.quiet()

    async def receive(
        self, *transactions: SignedTransaction, source: str = "a"
    ) -> list[Reason | None]:
        return [await self.pool.received(each.encoded, source) for each in transactions]

    def stage(self, transaction: SignedTransaction) -> Stage | None:
        status = self.pool.status(transaction.hash)
        return None if status is None else status.stage

    def stages(self, transaction: SignedTransaction) -> list[Stage]:
        """All that was told of a transaction."""
        return [each.status.stage for each in self.told if each.hash == transaction.hash]

    @property
    def waiting(self) -> list[bytes]:
        return [each.hash for each in self.pool.waiting(0, 1000)]

    @property
    def statuses(self) -> TransactionStatuses:
        limits = self.node.limits
        return TransactionStatuses(
            self.pool.status, self.follow, self.node.store, safe_blocks=limits.safe_blocks
        )
