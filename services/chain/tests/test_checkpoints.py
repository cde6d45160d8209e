"""CKP-1 to CKP-9: a chain goes on from a checkpoint as if it had all blocks."""

import asyncio
import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from chain_checkpoints import Made, begun, exported, exports, importing, made, opened
from chain_kept import KeptMarks
from chain_ledger import contents, genesis
from chain_world import TWO, World, give, quiet, state_of

from logos_base.errors import DiskFullError
from logos_chain.core.checkpoints.errors import (
    CheckpointAlteredError,
    CheckpointBusyError,
    CheckpointMalformedError,
    CheckpointOtherChainError,
    CheckpointOtherHashError,
    CheckpointTruncatedError,
    CheckpointUnreadableError,
    CheckpointVersionUnknownError,
)
from logos_chain.core.checkpoints.format import SUMMARY_BYTES, CheckpointWriter, Summary
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.operations import exporting
from logos_chain.operations.opening import ChainOtherGenesisError
from logos_chain.operations.starting import past_of
from logos_chain.store import settling
from logos_chain.store.sql import SqlChainStore
from logos_mantle.headers import SignedHeader


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return tmp_path / "fresh.sqlite"


@pytest.mark.parametrize("rule", list(Rule))
async def test_a_chain_goes_on_from_a_checkpoint_as_if_it_had_all_blocks(
    tmp_path: Path, place: Path | str, rule: Rule
) -> None:
    """CKP-1."""
    given = await made(tmp_path / "other")
    world, later = given.world, given.later
    assert 0 < given.height < len(given.blocks)

    async with opened(place, world) as store:
        await importing(store, world, given.path).run()
        async with begun(store, world, rule) as follow:
            assert follow.tip.id == given.blocks[given.height - 1].id
            assert await give(follow, later) == [None] * len(later)
            await quiet(follow)
            assert follow.tip.id == given.blocks[-1].id
            assert await state_of(follow) == contents(world.replayed(follow.tip.id))
            tip = follow.tip
        async with begun(store, world, rule) as follow:
            assert (follow.tip.id, follow.tip.state) == (tip.id, tip.state)
            assert await state_of(follow) == contents(world.replayed(tip.id))


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
async def test_a_checkpoint_can_be_of_any_height(tmp_path: Path, count: int) -> None:
    given = await made(tmp_path / "other", count)
    more = given.world.chain(given.blocks[-1] if count else given.world.root, "more", 6, first=12)

    async with opened(tmp_path / "fresh", given.world) as store:
        await importing(store, given.world, given.path).run()
        async with begun(store, given.world) as follow:
            assert set(await give(follow, [*given.later, *more])) == {None}
            assert await state_of(follow) == contents(given.world.replayed(more[-1].id))


async def test_ancestors_that_uncles_may_name_come_along(tmp_path: Path) -> None:
    """CKP-3."""
    given = await made(tmp_path / "other", 8)
    world, below, root = given.world, *given.blocks[given.height - 2 : given.height]
    names = [each.id for each in (world.root, *given.blocks)]
    async with (
        opened(tmp_path / "fresh", world) as store,
        opened(tmp_path / "other" / "whole.sqlite", world) as whole,
    ):
        await importing(store, world, given.path).run()
        async with begun(store, world) as follow, begun(whole, world) as other:
            both = [(follow.tree_block(each), other.tree_block(each)) for each in names]
            assert below.id in [one.id for one, _ in both if one is not None]
            for one, two in both[: given.height + 1]:
                assert (one is None) == (two is None)
                assert one is None or two is None or one.state == two.state
            fork = world.make(below, "uncle")
            uncle = SignedHeader(fork.header, fork.signature)
            block = world.make(root, "carries", uncles=[uncle])
            assert await give(other, [block]) == await give(follow, [block]) == [None]


async def test_two_nodes_export_the_same_bytes(tmp_path: Path) -> None:
    """CKP-6: the hash can be compared, whichever way a node has come to the block."""
    given = await made(tmp_path / "one")
    async with opened(tmp_path / "fresh", given.world) as store:
        await importing(store, given.world, given.path).run()
        again = await exported(store, given.world, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == given.path.read_bytes()
        assert again.hash == given.exported.hash == given.path.read_bytes()[-32:]
        assert again.size_bytes == given.path.stat().st_size
        async with begun(store, given.world) as follow:
            more = given.world.chain(given.blocks[-1], "more", 3, first=12)
            await give(follow, [*given.later, *more])
            await quiet(follow)
        mine = await exported(store, given.world, tmp_path / "mine")
    async with opened(tmp_path / "one" / "whole.sqlite", given.world) as store:
        async with begun(store, given.world) as follow:
            await give(follow, more)
            await quiet(follow)
        theirs = await exported(store, given.world, tmp_path / "theirs")

    assert mine.summary == theirs.summary
    assert mine.summary.height > given.height
    assert mine.hash == theirs.hash


async def test_a_node_that_has_begun_does_not_look_at_a_checkpoint(tmp_path: Path) -> None:
    """CKP-7."""
    given = await made(tmp_path / "other")
    async with opened(tmp_path / "other" / "whole.sqlite", given.world) as store:
        await importing(store, given.world, tmp_path / "missing").run()

        assert await store.imported() is None
        assert len(await store.final(0, 99)) == given.height + 1


async def test_what_was_imported_is_known_and_the_node_is_at_its_start(tmp_path: Path) -> None:
    """CKP-8, CON-27."""
    given = await made(tmp_path / "other")
    async with opened(tmp_path / "fresh", given.world) as store:
        assert await store.imported() is None
        await importing(store, given.world, given.path, given.exported.hash).run()
    async with opened(tmp_path / "fresh", given.world) as store:
        found = await store.imported()
        assert found is not None
        assert (found.genesis, found.hash) == (given.world.root.id, given.exported.hash)
        assert found.height == given.height
        assert (await past_of(KeptMarks(), store)).is_at_start


async def test_a_chain_that_was_begun_with_another_genesis_is_refused(tmp_path: Path) -> None:
    given = await made(tmp_path / "other")
    async with opened(tmp_path / "fresh", given.world) as store:
        await importing(store, given.world, given.path).run()
        other = another_world()

        with pytest.raises(ChainOtherGenesisError):
            async with begun(store, other):
                pass


def another_world() -> World:
    world = World(TWO)
    world.genesis = genesis((1_000_000,) * 23)
    world.network = replace(world.network, genesis=world.genesis)
    return world


# -- what is refused (CKP-5) -----------------------------------------------------------------------


async def refused(store: SqlChainStore, given: Made, raw: bytes, error: type[Exception]) -> None:
    path = given.path.with_name("wrong")
    path.write_bytes(raw)
    with pytest.raises(error):
        await importing(store, given.world, path).run()
    assert await store.load() is None
    assert await store.imported() is None


async def test_a_file_that_is_not_whole_is_refused_with_its_reason(tmp_path: Path) -> None:
    given = await made(tmp_path / "other", 6)
    raw = given.path.read_bytes()
    version = raw[:8] + b"\2" + raw[9:]
    async with opened(tmp_path / "fresh", given.world) as store:
        await refused(store, given, b"", CheckpointTruncatedError)
        await refused(store, given, b"LOG", CheckpointTruncatedError)
        await refused(store, given, b"SQLite format 3\0", CheckpointMalformedError)
        await refused(store, given, b"PNG", CheckpointMalformedError)
        await refused(store, given, version, CheckpointVersionUnknownError)
        await refused(store, given, raw + b"\0", CheckpointAlteredError)
        await refused(store, given, raw[:-1] + b"?", CheckpointAlteredError)
        for size in (SUMMARY_BYTES - 1, SUMMARY_BYTES, SUMMARY_BYTES + 3, len(raw) // 2):
            await refused(store, given, raw[:size], CheckpointTruncatedError)
        for size in (1, 31, 32, 33):
            await refused(store, given, raw[:-size], CheckpointTruncatedError)
        altered = bytearray(raw)
        altered[9] ^= 1  # of the genesis
        await refused(store, given, bytes(altered), CheckpointAlteredError)
        with pytest.raises(CheckpointUnreadableError):
            await importing(store, given.world, tmp_path / "missing").run()
        with pytest.raises(CheckpointUnreadableError):
            await importing(store, given.world, tmp_path).run()


async def test_another_chain_and_another_hash_are_refused(tmp_path: Path) -> None:
    given = await made(tmp_path / "other")
    async with opened(tmp_path / "fresh", given.world) as store:
        with pytest.raises(CheckpointOtherChainError):
            await importing(store, another_world(), given.path).run()
        strange = importing(store, given.world, given.path)
        strange._specification = bytes(32)
        with pytest.raises(CheckpointOtherChainError):
            await strange.run()
        with pytest.raises(CheckpointOtherHashError, match=given.exported.hash.hex()):
            await importing(store, given.world, given.path, bytes(32)).run()

        assert await store.load() is None


@pytest.mark.parametrize(
    "step", ["add", "_write_state", "_write_below", "_write_snapshots", "checkpoint_row", "insert"]
)
async def test_an_import_that_ends_between_two_steps_has_done_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """CKP-9."""
    given = await made(tmp_path / "other", 6)
    async with opened(tmp_path / "fresh", given.world) as store:
        done = getattr(settling, step)

        def fail(*args: object, **options: object) -> object:
            if step == "insert" and args[0] is not settling.SETTLED:
                return done(*args, **options)
            raise RuntimeError("the process ends here")

        monkeypatch.setattr(settling, step, fail)
        with pytest.raises(RuntimeError):
            await importing(store, given.world, given.path).run()
        monkeypatch.undo()
        assert (await store.load(), await store.imported()) == (None, None)
        assert await store.final(0, 1) == []
    async with opened(tmp_path / "fresh", given.world) as store:
        await importing(store, given.world, given.path).run()
        async with begun(store, given.world) as follow:
            assert follow.tip.height == given.height


# -- at work ---------------------------------------------------------------------------------------


async def test_one_checkpoint_is_exported_at_a_time(tmp_path: Path) -> None:
    given = await made(tmp_path / "other", 4)
    async with opened(tmp_path / "other" / "whole.sqlite", given.world) as store:
        operations = exports(store, given.world, tmp_path)
        async with operations.export():
            with pytest.raises(CheckpointBusyError):
                async with operations.export():
                    pass
        async with operations.export() as found:
            assert found.hash == given.exported.hash
    assert await asyncio.to_thread(os.listdir, tmp_path) == ["other"]


async def test_an_export_that_is_left_keeps_its_file_until_the_store_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begins, goes_on = threading.Event(), threading.Event()

    class SlowWriter(CheckpointWriter):
        def begin(self, summary: Summary) -> bytes:
            begins.set()
            assert goes_on.wait(30)
            return super().begin(summary)

    given = await made(tmp_path / "other", 4)
    async with opened(tmp_path / "other" / "whole.sqlite", given.world) as store:
        operations = exports(store, given.world, tmp_path)

        async def export() -> bytes:
            async with operations.export() as found:
                return found.hash

        monkeypatch.setattr(exporting, "CheckpointWriter", SlowWriter)
        async with asyncio.TaskGroup() as tasks:
            left = tasks.create_task(export())
            assert await asyncio.to_thread(begins.wait, 30)
            left.cancel()
            await asyncio.sleep(0)
            with pytest.raises(CheckpointBusyError):
                await export()
            goes_on.set()
        assert left.cancelled()
        assert not caplog.records
        assert await export() == given.exported.hash


async def test_an_export_is_of_one_moment(tmp_path: Path) -> None:
    """CKP-3: blocks that become final meanwhile do not get into it."""
    given = await made(tmp_path / "other")
    more = given.world.chain(given.blocks[-1], "more", 8, first=12)
    async with (
        opened(tmp_path / "other" / "whole.sqlite", given.world) as store,
        begun(store, given.world) as follow,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(give(follow, more))
        for turn in range(4):
            await exported(store, given.world, tmp_path / "during")
            async with opened(tmp_path / f"fresh {turn}", given.world) as fresh:
                await importing(fresh, given.world, tmp_path / "during").run()
                settled = await fresh.load()
                assert settled is not None
                Ledger(given.world.network.ledger, settled.state, settled.head)


async def test_a_full_disk_ends_an_export_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = await made(tmp_path / "other", 4)
    full = await asyncio.to_thread(Path("/dev/full").open, "wb", 0)
    async with opened(tmp_path / "other" / "whole.sqlite", given.world) as store:
        operations = exports(store, given.world, tmp_path)
        monkeypatch.setattr(exporting.tempfile, "TemporaryFile", lambda **_: full)
        with pytest.raises(DiskFullError):
            async with operations.export():
                pass
        monkeypatch.undo()
        async with operations.export() as found:
            assert found.hash == given.exported.hash


async def test_a_damaged_store_is_not_exported(tmp_path: Path) -> None:
    given = await made(tmp_path / "other", 6)
    file = tmp_path / "other" / "whole.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        newest = "SELECT MAX(key) FROM ledger_vouchers"
        connection.execute(f"DELETE FROM ledger_vouchers WHERE key IN ({newest})")  # noqa: S608
        connection.commit()
    async with opened(file, given.world) as store:
        with pytest.raises(ChainStoreDamagedError):
            await exported(store, given.world, tmp_path / "bad")
