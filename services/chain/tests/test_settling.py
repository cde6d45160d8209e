"""FOL-9 to FOL-11: the disk follows what the follower has decided, whatever comes between."""

from functools import partial

from chain_memory import MemoryStore
from chain_world import NOON_MS, TWO, World, noon

from logos_chain.core.blocks import candidate_of, kept_block
from logos_chain.core.branch import Branches
from logos_chain.core.consensus.follower import (
    Accepted,
    CutOff,
    Effect,
    Finalised,
    Rejected,
    Reorganised,
    Verify,
)
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Applied
from logos_chain.operations.opening import OpenChain, Opening
from logos_mantle.blocks import Block


class Steps:
    """Takes blocks as `FollowOperations` does, one step at a time."""

    def __init__(self, world: World, chain: OpenChain) -> None:
        self.world = world
        self.chain = chain
        self.roots: dict[bytes, bytes] = {}
        self.rejected: list[bytes] = []

    async def keep(self, block: Block) -> bool:
        """Up to where the block is on disk."""
        raw = block.encode()
        candidate = candidate_of(block, len(raw))
        [verify] = self.chain.follower.received(candidate, "a", NOON_MS)
        assert isinstance(verify, Verify)
        header = candidate.header
        result = await self.chain.lane.run(
            partial(
                Branches.execute,
                block=header.id,
                parent=header.parent,
                transactions=block.transactions,
                slot=header.slot,
                epoch=verify.claims[0].epoch,
                voucher=header.voucher,
            )
        )
        assert isinstance(result, Applied)
        self.roots[header.id] = result.delta.after.root
        return await self.chain.settling.keep(kept_block(block, raw, 1))

    async def join(self, block: Block) -> None:
        """From there on, but for the disk."""
        identifier = BlockId(block.id)
        effects = self.chain.follower.verified(identifier, self.roots[identifier], NOON_MS)
        for each in effects:
            await self.see(each)

    async def see(self, effect: Effect) -> None:
        settling = self.chain.settling
        match effect:
            case Accepted(block):
                settling.accepted(block)
            case Reorganised(added=added):
                await self.chain.lane.run(partial(Branches.move_tip, tip=added[-1]))
            case Finalised(blocks):
                settling.finalised(blocks)
            case CutOff(blocks):
                await self.chain.lane.run(partial(Branches.forget, cut=blocks))
                settling.cut_off(blocks)
            case Rejected(block=rejected):
                self.rejected.append(rejected)
                settling.rejected(rejected)
                await self.chain.lane.run(partial(Branches.drop, block=rejected))
            case _:
                raise AssertionError(effect)

    async def take(self, *blocks: Block) -> None:
        for each in blocks:
            assert await self.keep(each)
            await self.join(each)


async def opened(world: World, store: MemoryStore) -> Steps:
    return Steps(world, await Opening(store, world.network).open(Rule.ONLINE, noon))


async def test_a_kept_block_is_dropped_with_its_parent_though_it_was_not_decided() -> None:
    world, store = World(TWO), MemoryStore()
    steps = await opened(world, store)
    parent = world.make(world.root, "parent")
    late = world.make(parent, "late")
    await steps.take(parent)
    assert await steps.keep(late)

    await steps.take(*world.chain(world.root, "a", 3))
    await steps.chain.settling.flush()

    assert late.id not in store.kept
    assert parent.id not in store.kept
    await steps.join(late)
    assert steps.rejected == [late.id]
    await steps.chain.settling.flush()
    assert await steps.chain.lane.run(len) == 2
    await steps.chain.lane.close()


async def test_a_block_is_not_kept_whose_parent_was_cut_off_meanwhile() -> None:
    world, store = World(TWO), MemoryStore()
    steps = await opened(world, store)
    parent = world.make(world.root, "parent")
    late = world.make(parent, "late")
    await steps.take(parent)
    keep = steps.chain.settling.keep

    async def never(_block: object) -> bool:
        return True

    steps.chain.settling.keep = never  # type: ignore[method-assign,assignment]
    assert await steps.keep(late)
    steps.chain.settling.keep = keep  # type: ignore[method-assign]
    await steps.take(*world.chain(world.root, "a", 3))

    assert not await keep(kept_block(late, late.encode(), 2))
    assert late.id not in store.kept
    await steps.chain.lane.close()


async def test_a_flush_with_nothing_due_asks_nothing_of_the_disk() -> None:
    world, store = World(TWO), MemoryStore()
    steps = await opened(world, store)
    await steps.take(*world.chain(world.root, "a", 2))

    await steps.chain.settling.flush()

    assert store.settles == []
    await steps.chain.lane.close()
