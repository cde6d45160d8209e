"""MPL-19, MPL-23: what is read of a mempool, while it works and after."""

import asyncio
import threading

from chain_ledger import named
from chain_pooling import PoolNode
from chain_world import World, until

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.mempool.errors import MempoolRefusal
from logos_chain.core.mempool.types import Limits, Stage, Status
from logos_chain.operations.pool_inputs import MAX_OF_SOURCE, PoolInput, PoolInputs
from logos_chain.operations.pool_view import PoolView

PENDING = Status(Stage.PENDING)
DROPPED = Status(Stage.DROPPED, reason=MempoolRefusal.EXPIRED)


def test_what_waits_is_seen_until_something_else_becomes_of_it() -> None:
    view, world = PoolView(Limits()), World()
    one, two = world.spend(0), world.spend(1)
    for each in (one, two, one):
        view.told(each.hash, PENDING, each)

    assert (len(view), view.size_bytes) == (2, len(one.encoded) + len(two.encoded))
    assert view.status(one.hash) == PENDING
    view.told(one.hash, DROPPED, None)
    assert view.get(one.hash) is None
    assert view.status(one.hash) == DROPPED
    view.told(one.hash, PENDING, None)  # it is told, and dropped in the same step
    assert view.status(one.hash) is None
    view.told(two.hash, Status(Stage.INCLUDED, BlockId(named("block"))), None)
    assert (len(view), view.size_bytes) == (0, 0)


def test_the_oldest_statuses_are_forgotten() -> None:
    view = PoolView(Limits(statuses=2))
    for each in (0, 1, 2, 0, 3, 4):
        view.told(named(f"{each}"), DROPPED, None)

    known = [each for each in range(5) if view.status(named(f"{each}")) is not None]
    assert known == [0, 2, 3, 4]


def test_pages_are_in_the_order_of_arrival_and_bounded() -> None:
    view, world = PoolView(Limits()), World()
    made = [world.spend(at) for at in range(9)]
    for each in made:
        view.told(each.hash, PENDING, each)

    assert view.page(0, 4) == made[:4]
    assert view.page(8, 4) == made[8:]
    assert view.page(9, 4) == view.page(0, 0) == []
    assert view.page(0, 10**9) == made


def test_outcomes_come_before_transactions_and_room_is_given_back() -> None:
    """MPL-22."""
    inputs = PoolInputs()
    made = [PoolInput(lambda _: (), source="a", size_bytes=1) for _ in range(MAX_OF_SOURCE)]
    assert all(inputs.put(each) for each in made)
    assert not inputs.put(made[0])
    first = PoolInput(lambda _: ())
    inputs.put_first(first)

    assert inputs.pop() is first
    assert [inputs.pop() for _ in made] == made
    assert inputs.pop() is None
    assert len(inputs) == 0
    assert all(inputs.put(each) for each in made)


async def test_readers_see_what_was_before_a_step_and_wait_for_nothing() -> None:
    """MPL-23."""
    node = PoolNode()
    one, two = node.world.spend(0), node.world.spend(1)
    began, goes_on = threading.Event(), threading.Event()

    async with node.running() as pooled:
        await pooled.receive(one, two)
        moved = pooled.pool._machine.moved

        def slow(*args: object) -> object:
            effects = moved(*args)  # type: ignore[arg-type]
            began.set()
            assert goes_on.wait(30)
            return effects

        pooled.pool._machine.moved = slow  # type: ignore[method-assign,assignment]
        block = node.world.make(node.world.root, "one", [one])
        assert await pooled.follow.take(block.encode(), "a") is None
        await until(began.is_set)

        assert pooled.waiting == [one.hash, two.hash]
        assert pooled.pool.status(one.hash) == PENDING
        assert pooled.pool.get(one.hash) == one
        await asyncio.sleep(0)
        goes_on.set()
        await until(lambda: pooled.waiting == [two.hash])
        assert pooled.pool.status(one.hash) == Status(Stage.INCLUDED, BlockId(block.id))
