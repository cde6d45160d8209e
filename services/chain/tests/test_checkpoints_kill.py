"""CKP-9: a process that is killed while it imports has begun, or has not."""

import asyncio
from pathlib import Path

import pytest
from chain_checkpoints import Made, begun, importing, made, opened
from chain_killing import KILLS, writers


async def looked_at(folder: Path, given: Made, *, was_told: bool) -> bool:
    """Returns whether the chain was begun; goes on with it in either case."""
    async with opened(folder / "fresh.sqlite", given.world) as store:
        imported = await store.imported()
        settled = await store.load()
        assert (imported is None) == (settled is None) == (not await store.final(0, 1))
        assert imported is not None or not was_told
        await importing(store, given.world, given.path).run()
        async with begun(store, given.world) as follow:
            assert follow.tip.height == given.height
        return imported is not None


@pytest.mark.stress
def test_an_import_outlives_kills_at_any_point(tmp_path: Path) -> None:
    given, seen = asyncio.run(made(tmp_path)), set()
    with writers("chain_checkpoint_writer.py", tmp_path) as those:
        for _ in range(KILLS):
            told: list[str] = []
            those.kill_one(told.append)
            seen.add(asyncio.run(looked_at(tmp_path, given, was_told=bool(told))))
            for each in tmp_path.glob("fresh.sqlite*"):
                each.unlink()

    assert seen
