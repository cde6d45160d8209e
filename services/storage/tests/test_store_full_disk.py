"""A disk without room: a small tmpfs, filled up."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from contents import pieces_of
from full_disk import small_disk
from logos_base.errors import DiskFullError
from logos_storage.core import wire
from logos_storage.core.batch import check_batch
from logos_storage.core.ports import DatasetRecord, Description
from logos_storage.core.wire import BlockRange, WantBlocks
from logos_storage.store.datasets import DatasetStore
from logos_storage.store.opening import open_store

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    with small_disk(tmp_path / "disk", mebibytes=16) as folder:
        yield folder


def opened(
    folder: Path, headroom_bytes: int, quota_bytes: int = 1 << 30
) -> AbstractAsyncContextManager[DatasetStore]:
    return open_store(
        folder,
        quota_bytes=quota_bytes,
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
        wall_clock_us=lambda: 0,
        headroom_bytes=headroom_bytes,
    )


async def put(store: DatasetStore, size: int, salt: bytes = b"", hint: int = 0) -> DatasetRecord:
    content = hashlib.shake_128(salt).digest(size)
    return await store.put(Description(65536, size_hint_bytes=hint), pieces_of(content))


async def is_whole(store: DatasetStore, record: DatasetRecord) -> bool:
    async with store.open(record) as tree:
        return (
            len(b"".join(await tree.read(0, tree.shape.block_count))) >= record.manifest.size_bytes
        )


def entries(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


@pytest.mark.parametrize("headroom_bytes", [0, MIB], ids=["to the brim", "with headroom"])
async def test_a_put_that_fills_the_disk_fails_and_later_ones_work(
    disk: Path, headroom_bytes: int
) -> None:
    async with opened(disk / "state", headroom_bytes) as store:
        kept = await put(store, 4 * MIB)
        used_bytes = (await store.space()).used_bytes
        for _ in range(3):
            with pytest.raises(DiskFullError):
                await put(store, 20 * MIB, b"too much")

        space = await store.space()
        assert (space.used_bytes, space.reserved_bytes, space.datasets) == (used_bytes, 0, 1)
        assert entries(disk / "state/uploads") == 0
        assert await is_whole(store, kept)
        assert await is_whole(store, await put(store, 4 * MIB, b"fits"))
        await store.delete(kept.cid)
        assert await is_whole(store, await put(store, 4 * MIB, b"fits again"))


async def test_lack_of_room_is_told_before_the_first_byte(disk: Path) -> None:
    async with opened(disk / "state", MIB) as store:
        with pytest.raises(DiskFullError):
            await put(store, 0, hint=20 * MIB)

        assert (await store.space()).reserved_bytes == 0


async def test_a_disk_filled_by_others_to_the_last_byte_spoils_nothing(disk: Path) -> None:
    """The catalogue cannot write either; the put fails all the same way."""
    async with opened(disk / "state", 0) as store:
        kept = await put(store, 2 * MIB)
        filler = disk / "filler"
        fill(filler)
        with pytest.raises(DiskFullError):
            await put(store, MIB, b"no room")
        with pytest.raises(DiskFullError):
            await put(store, 1, b"not even for this")

        assert await is_whole(store, kept)
        filler.unlink()
        assert await is_whole(store, await put(store, MIB, b"room again"))
        assert entries(disk / "state/uploads") == 0
    async with opened(disk / "state", 0) as store:
        assert (await store.space()).datasets == 2


async def test_a_start_without_room_says_so_and_later_ones_work(disk: Path) -> None:
    async with opened(disk / "state", 0) as store:
        kept = await put(store, 2 * MIB)
    filler = disk / "filler"
    fill(filler)

    for folder in (disk / "state", disk / "fresh"):
        with pytest.raises(DiskFullError):
            async with opened(folder, 0):
                pass

    filler.unlink()
    async with opened(disk / "state", 0) as store:
        assert await is_whole(store, kept)
    async with opened(disk / "fresh", 0) as store:
        assert (await store.space()).datasets == 0


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


async def test_a_fetch_that_fills_the_disk_fails_and_keeps_what_it_has(
    disk: Path, tmp_path: Path
) -> None:
    async with opened(tmp_path / "provider", 0) as provider, opened(disk / "state", MIB) as store:
        there = await put(provider, 20 * MIB)
        shape = there.manifest.shape
        raw = await provider.manifest(there.cid)
        assert raw is not None
        record = await store.adopt(there.cid, raw)
        failed_at = None
        async with store.open(record) as tree, provider.open(there) as source:
            for first in range(0, shape.block_count, 16):
                span = (BlockRange(first, 16),)
                frame = wire.encode_response(
                    1, shape.tree_cid, shape.block_count, await source.serve(span)
                )
                body = memoryview(b"".join(frame)[5:])
                try:
                    request = WantBlocks(1, shape.tree_cid, span)
                    await tree.keep(check_batch(body, request, shape, 20 * MIB), 20 * MIB)
                except DiskFullError:
                    failed_at = first
                    break
            assert failed_at is not None
            assert tree.bitfield.held == failed_at
            assert len(b"".join(await tree.read(0, failed_at))) == failed_at * 65536

        assert await store.delete(there.cid) > 0
        assert await is_whole(store, await put(store, 4 * MIB))
