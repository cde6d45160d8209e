"""FOL-19: what blocks have changed is there until they are final, and whoever needs it is asked."""

import pytest
from chain_memory import MemoryStore
from chain_world import TWO, World, give, node, quiet

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.wallet.types import BlockChanges
from logos_chain.operations.following import FollowOperations


class Listening:
    """Takes what each final block has changed, at the last moment."""

    def __init__(self) -> None:
        self.seen: list[BlockChanges | None] = []
        self.failures = 0

    def attach(self, follow: FollowOperations) -> None:
        async def prepare(final: tuple[BlockId, ...]) -> None:
            if self.failures:
                self.failures -= 1
                raise StoreFailedError("no room")
            self.seen += [await follow.changes(each) for each in final]

        follow.preparing(prepare)


async def test_changes_of_blocks_can_be_had_until_they_are_final() -> None:
    world, store = World(TWO), MemoryStore()
    blocks = world.chain(world.root, "a", 6)
    ids = [BlockId(each.id) for each in blocks]
    async with node(world, store, rule=Rule.ONLINE) as follow:
        await give(follow, blocks)
        await quiet(follow)

        found = [await follow.changes(each) for each in ids]

        assert [each is None for each in found] == [store.is_final(each) for each in ids]
        assert [each.block for each in found if each is not None] == ids[-2:]
        last = found[-1]
        assert last is not None
        assert last.parent == ids[-2]
        assert last.voucher == blocks[-1].header.leadership.voucher
        assert last.transactions == tuple(each.transaction for each in blocks[-1].transactions)


async def test_none_is_missed_over_a_failing_disk_and_a_restart() -> None:
    world, store, listening = World(TWO), MemoryStore(), Listening()
    blocks = world.chain(world.root, "a", 8)
    async with node(world, store) as follow:
        await give(follow, blocks[:5])
    assert len(store.final_blocks) == 1
    listening.failures = 1

    async with node(world, store, rule=Rule.ONLINE, attach=listening.attach) as follow:
        await give(follow, blocks[5:])
        await quiet(follow)

    assert len(store.final_blocks) == 7
    seen = [None if each is None else each.block for each in listening.seen]
    assert seen == [each.id for each in store.final_blocks[1:]]
    assert listening.failures == 0


async def test_the_way_between_two_blocks_leads_over_their_common_ancestor() -> None:
    world = World()
    common = world.chain(world.root, "common", 2)
    left, right = (world.chain(common[-1], name, 2, first=2) for name in ("left", "right"))
    async with node(world) as follow:
        await give(follow, [*common, *left, *right])

        way = follow.way(BlockId(left[-1].id), BlockId(right[-1].id))

        assert way.undone == tuple(each.id for each in left[::-1])
        assert way.done == tuple(each.id for each in right)
        with pytest.raises(LookupError):
            follow.way(BlockId(bytes(32)), BlockId(left[-1].id))
