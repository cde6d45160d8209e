"""MPL-15 to MPL-25: random transactions, blocks and restarts; and the mempool on a database."""

from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from chain_pooling import Pooled, PoolNode
from chain_world import TWO, World, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logos_chain.core.consensus.epochs import epoch_at
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Admitted
from logos_chain.core.mempool.errors import SubmissionRefusedError
from logos_chain.core.mempool.types import BlockLimits, Stage
from logos_chain.store.opening import open_store
from logos_mantle.blocks import Block
from logos_mantle.transactions import SignedTransaction

FUNDS = 5
"""Few notes, so that transactions conflict."""
numbers = st.integers(0, 11)
steps = st.lists(
    st.tuples(
        st.sampled_from(["receive", "submit", "block", "block", "restart"]), numbers, numbers
    ),
    max_size=30,
)


def drawn(world: World, one: int, other: int) -> SignedTransaction:
    """One of some dozens; the proofs of a few do not hold."""
    fund = one % FUNDS
    return world.false(fund) if other == 11 else world.spend(fund, f"{other % 3}")


class Run:
    """What happens, to a node that is restarted now and then."""

    def __init__(self, node: PoolNode) -> None:
        self.node = node
        self.blocks: list[Block] = [node.world.root]
        self.pooled: Pooled

    async def step(self, what: str, one: int, other: int) -> None:
        transaction = drawn(self.node.world, one, other)
        if what == "receive":
            await self.pooled.pool.received(transaction.encoded, f"peer {one}")
        elif what == "submit" and transaction.hash not in self.pooled.waiting:
            with suppress(SubmissionRefusedError):
                assert await self.pooled.pool.submit(transaction.encoded) == transaction.hash
        elif what == "block":
            await self.add(one, other)

    async def add(self, one: int, other: int) -> None:
        """A block on one of the last ones: with what is chosen, or with something else."""
        parent = self.blocks[-1 - one % min(4, len(self.blocks))]
        world, pooled = self.node.world, self.pooled
        held = [drawn(world, one, other)]
        if parent.id == pooled.follow.tip.id and other % 2:
            held = list(await pooled.pool.choose(BlockLimits(transactions=1 + other % 4)))
        made = world.make(parent, f"{len(self.blocks)} {one} {other}", held)
        if await pooled.follow.take(made.encode(), "a") is None:
            self.blocks.append(made)

    async def check(self) -> None:
        pooled, world = self.pooled, self.node.world
        await pooled.quiet()
        await until(lambda: all(each.is_ready for each in pooled.pool._machine._waiting))
        tip, waiting = pooled.follow.tip, pooled.pool.waiting(0, 1000)
        assert {each.hash for each in pooled.pool._machine.waiting()} == set(pooled.waiting)
        assert pooled.pool.size_bytes == sum(len(each.encoded) for each in waiting)
        ledger = world.replayed(tip.id)
        slot = tip.slot + 1
        epoch = epoch_at(world.parameters, tip.state, slot)
        verdicts = ledger.rehearse(waiting, slot=slot, epoch=epoch)
        assert all(isinstance(each, Admitted) for each in verdicts)
        path = world.path(tip.id)
        included = {each.hash: block for block in path for each in block.transactions}
        assert not included.keys() & set(pooled.waiting)
        for identifier, block in included.items():
            found = await pooled.statuses.status_of(identifier)
            assert found is not None
            assert found.status.block == block.id
            assert found.confirmations == len(path) - 1 - path.index(block)
            final = pooled.node.store.is_final(BlockId(block.id))
            assert (found.status.stage is Stage.FINAL) == final


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=steps, rule=st.sampled_from(list(Rule)))
async def test_what_waits_is_valid_at_the_tip_whatever_happens(
    steps: list[tuple[str, int, int]], rule: Rule
) -> None:
    run = Run(PoolNode(World(TWO), rule=rule))
    async with AsyncExitStack() as stack:
        run.pooled = await stack.enter_async_context(run.node.running())
        for what, one, other in steps:
            if what == "restart":
                await run.check()
                before = run.pooled.waiting
                await stack.aclose()
                run.pooled = await stack.enter_async_context(run.node.running())
                assert sorted(run.pooled.waiting) == sorted(before)
            else:
                await run.step(what, one, other)
        await run.check()


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "sqlite":
        return tmp_path / "chain.sqlite"
    return str(request.getfixturevalue("postgresql_url"))


async def test_a_mempool_on_a_database_goes_on_after_a_restart(place: Path | str) -> None:
    """MPL-20, CHS-17."""
    world = World(TWO)
    chain = world.chain(world.root, "a", 6)
    waiting = [world.spend(at) for at in range(12, 18)]
    for turn in range(3):
        async with open_store(place, keep_slots=TWO.uncle_window_slots) as store:
            node = PoolNode(world, store=store.chain, disk=store.transactions, rule=Rule.ONLINE)
            async with node.running() as pooled:
                assert sorted(pooled.waiting) == sorted(each.hash for each in waiting[: 2 * turn])
                await pooled.give(*chain[2 * turn : 2 * turn + 2])
                await pooled.receive(*waiting[2 * turn : 2 * turn + 2])
                for at in range(2 * turn + 2):
                    found = await pooled.statuses.status_of(world.spend(at, "a").hash)
                    assert found is not None
                    assert found.confirmations == 2 * turn + 1 - at
                chosen = await pooled.pool.choose(BlockLimits())
                assert len(chosen) == 2 * turn + 2
