"""CHS-1, CHS-4, CHS-5: random calls and reopenings against a model of dicts."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from chain_store import KEEP_SLOTS, Author, is_as, opened
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import KeptBlock
from logos_chain.store.sql import SqlChainStore

choices = st.integers(0, 1 << 16)
steps = st.lists(
    st.tuples(
        st.sampled_from(("add", "add", "add", "again", "settle", "cut", "reopen")),
        choices,
        choices,
    ),
    max_size=40,
)


@dataclass
class Model:
    """What a store should have, in dicts."""

    author: Author = field(default_factory=Author)
    above: dict[BlockId, KeptBlock] = field(default_factory=dict)
    finals: list[KeptBlock] = field(default_factory=list)
    below: list[TreeBlock] = field(default_factory=list)
    gone: dict[BlockId, KeptBlock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.finals.append(self.author.genesis)

    async def step(self, store: SqlChainStore, name: str, one: int, other: int) -> None:
        if name == "add":
            parents = [self.finals[-1].id, *self.above]
            block = self.author.block(parents[one % len(parents)], len(self.author.kept))
            await store.add(block)
            self.above[block.id] = block
        elif name == "again":
            await self._add_again(store, one)
        elif name == "settle" and self.above:
            await self._settle(store, one, other)
        elif name == "cut" and self.above:
            await self._cut(store, one)

    async def _add_again(self, store: SqlChainStore, one: int) -> None:
        """One that is kept, final or not, or was cut."""
        parents = {each.id for each in (self.finals[-1], *self.above.values())}
        lost = [each for each in self.gone.values() if each.parent in parents]
        known = [*self.finals, *self.above.values(), *lost]
        block = known[one % len(known)]
        await store.add(block)
        if block.id in self.gone:
            self.above[block.id] = self.gone.pop(block.id)

    async def _settle(self, store: SqlChainStore, one: int, other: int) -> None:
        """A chain to one of the blocks, or to one of its ancestors; what is beside it is cut."""
        path = [list(self.above.values())[one % len(self.above)]]
        while path[0].parent != self.finals[-1].id:
            path.insert(0, self.above[path[0].parent])
        path = path[: 1 + other % len(path)]
        ids = {each.id for each in path}
        stays = {path[-1].id}
        cut = []
        for block in sorted(self.above.values(), key=lambda each: each.height):
            if block.id not in ids and block.parent in stays:
                stays.add(block.id)
            elif block.id not in ids:
                cut.append(block.id)
        older = self.author.root
        chain = self.author.execute(path)
        await store.settle(chain, cut)
        self.below += [older, *(block for block, _ in chain[:-1])]
        oldest = path[-1].slot - KEEP_SLOTS
        self.below = [each for each in self.below if each.slot >= oldest]
        self.finals += path
        for each in ids:
            del self.above[each]
        for each in cut:
            self.gone[each] = self.above.pop(each)

    async def _cut(self, store: SqlChainStore, one: int) -> None:
        """A leaf, and something that is not there."""
        parents = {each.parent for each in self.above.values()}
        leaves = [each for each in self.above if each not in parents]
        leaf = leaves[one % len(leaves)]
        await store.settle([], [*self.gone, leaf])
        self.gone[leaf] = self.above.pop(leaf)

    async def check(self, store: SqlChainStore) -> None:
        found = await store.load()
        assert is_as(found, self.author)
        assert found is not None
        assert list(found.below) == self.below
        await self.check_blocks(store)

    async def check_blocks(self, store: SqlChainStore) -> None:
        kept = [*self.finals, *self.above.values()]
        count = len(kept)
        assert list(await store.unsettled(0, count)) == list(self.above.values())
        assert list(await store.final(0, count)) == [each.id for each in self.finals]
        assert all(store.is_final(each.id) for each in self.finals)
        assert not any(store.is_final(each) for each in (*self.above, *self.gone))
        assert [await store.block(each.id) for each in kept] == kept
        assert [each for each in self.gone if await store.block(each)] == []
        for hash_ in {each for block in self.author.kept.values() for each in block.transactions}:
            holders = {each.id for each in kept if hash_ in each.transactions}
            assert set(await store.containing(hash_)) == holders


async def run(place: Path, walk: list[tuple[str, int, int]]) -> None:
    model = Model()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(place))
        await store.begin(model.author.genesis, model.author.settled)
        for name, one, other in walk:
            if name == "reopen":
                await stack.aclose()
                store = await stack.enter_async_context(opened(place))
                await model.check(store)
            else:
                await model.step(store, name, one, other)
                if name != "add":
                    await model.check_blocks(store)
        await model.check(store)


@settings(max_examples=40)
@given(walk=steps)
def test_a_store_is_as_its_model(walk: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "chain.sqlite", walk))
