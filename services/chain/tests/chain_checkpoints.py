"""Nodes on databases of their own, whose chains begin with checkpoints of one another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from chain_world import TWO, World, give, node, quiet

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId
from logos_chain.operations.exporting import Exported, ExportOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.importing import Importing
from logos_chain.store.opening import open_store
from logos_chain.store.sql import SqlChainStore
from logos_mantle.blocks import Block

SPECIFICATION = b"\7" * 32


@asynccontextmanager
async def opened(place: Path | str, world: World) -> AsyncIterator[SqlChainStore]:
    async with open_store(place, keep_slots=world.parameters.uncle_window_slots) as store:
        yield store.chain


def exports(store: SqlChainStore, world: World, folder: Path) -> ExportOperations:
    genesis = BlockId(world.root.id)
    return ExportOperations(store, genesis=genesis, specification=SPECIFICATION, folder=folder)


async def exported(store: SqlChainStore, world: World, path: Path) -> Exported:
    """Exports into a file."""
    async with exports(store, world, path.parent).export() as made:
        raw = b"".join([each async for each in made.chunks()])
        await asyncio.to_thread(path.write_bytes, raw)
        return made


def importing(store: SqlChainStore, world: World, path: Path, wanted: bytes = b"") -> Importing:
    return Importing(store, world.network, SPECIFICATION, path=path, wanted=wanted)


@asynccontextmanager
async def begun(
    store: SqlChainStore, world: World, rule: Rule = Rule.ONLINE
) -> AsyncIterator[FollowOperations]:
    """A node on a store that may have been begun with a checkpoint."""
    async with node(world, store, rule=rule, imported=await store.imported()) as follow:
        yield follow


@dataclass(frozen=True)
class Made:
    """A checkpoint of a small chain."""

    world: World
    blocks: list[Block]
    """After the genesis."""
    path: Path
    exported: Exported

    @property
    def height(self) -> int:
        return self.exported.summary.height

    @property
    def later(self) -> list[Block]:
        """The blocks after the checkpoint's."""
        return self.blocks[self.height :]


async def made(folder: Path, count: int = 12, world: World | None = None) -> Made:
    """A chain of blocks that spend a note each, and the checkpoint of a node that has them."""
    world = world or World(TWO)
    blocks = world.chain(world.root, "main", count)
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    async with opened(folder / "whole.sqlite", world) as store:
        async with begun(store, world) as follow:
            await give(follow, blocks)
            await quiet(follow)
        path = folder / "checkpoint"
        return Made(world, blocks, path, await exported(store, world, path))
