import asyncio
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contents import pieces_of
from logos_storage.core import manifest as manifests
from logos_storage.core import merkle, wire
from logos_storage.core.batch import check_batch
from logos_storage.core.cid import MANIFEST, TREE, Cid, cid_of, parse_text
from logos_storage.core.errors import (
    BadDataError,
    DatasetBusyError,
    DatasetUnknownError,
    QuotaExceededError,
)
from logos_storage.core.flush import FLUSH_MS
from logos_storage.core.manifest import Manifest
from logos_storage.core.ports import DatasetRecord, Description, Tree
from logos_storage.core.types import MonotonicMs
from logos_storage.core.wire import BlockRange, ServedBlock, WantBlocks
from logos_storage.store.datasets import DatasetStore
from logos_storage.store.opening import open_store
from reference_tree import ReferenceTree

MIB = 1 << 20
GENERATED = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-storage/generated-datasets.json").read_text("utf-8")
)


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def opened(
    folder: Path, quota_bytes: int = 1 << 30, monotonic_ms: MonotonicMs = monotonic_ms
) -> AbstractAsyncContextManager[DatasetStore]:
    return open_store(
        folder,
        quota_bytes=quota_bytes,
        monotonic_ms=monotonic_ms,
        wall_clock_us=lambda: 1_700_000_000_000_000,
    )


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DatasetStore]:
    async with opened(tmp_path) as store:
        yield store


def content_of(size: int, salt: bytes = b"") -> bytes:
    return hashlib.shake_128(salt).digest(size)


async def put(store: DatasetStore, content: bytes, step: int = MIB, **header: Any) -> DatasetRecord:
    description = Description(**{"block_size_bytes": 65536, **header})
    return await store.put(description, pieces_of(content, step))


async def whole(tree: Any, first: int, end: int) -> bytes:
    return b"".join(await tree.read(first, end))


async def read(store: DatasetStore, record: DatasetRecord) -> bytes:
    async with store.open(record) as tree:
        size = record.manifest.size_bytes
        blocks = [await whole(tree, at, at + 1) for at in range(tree.shape.block_count)]
        return b"".join(blocks)[:size]


async def accounts(store: DatasetStore) -> tuple[int, int, int]:
    space = await store.space()
    return space.used_bytes, space.reserved_bytes, space.datasets


def change(folder: Path, pattern: str, at: int) -> None:
    """Flips a bit in the one file that a pattern matches."""
    (path,) = folder.glob(pattern)
    raw = bytearray(path.read_bytes())
    raw[at] ^= 4
    path.write_bytes(raw)


def bytes_under(folder: Path, pattern: str) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob(pattern)))


def files_under(folder: Path) -> list[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if not path.name.startswith("storage.db"))


async def answer_of(store: DatasetStore, record: DatasetRecord, *span: int) -> memoryview:
    """What a provider sends for blocks [first, end)."""
    shape = record.manifest.shape
    async with store.open_served(shape.tree_cid) as tree:
        assert tree is not None
        blocks = await tree.serve((BlockRange(span[0], span[1] - span[0]),))
    frame = wire.encode_response(1, shape.tree_cid, shape.block_count, blocks)
    return memoryview(b"".join(frame)[5:])


def request_for(record: DatasetRecord, *span: int) -> WantBlocks:
    return WantBlocks(1, record.manifest.tree_cid, (BlockRange(span[0], span[1] - span[0]),))


async def keep(tree: Tree, body: memoryview, request: WantBlocks, size_bytes: int) -> None:
    await tree.keep(check_batch(body, request, tree.shape, size_bytes), size_bytes)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 3 * MIB, 3 * MIB + 12345])
@pytest.mark.parametrize("step", [999_983, MIB, 4 * MIB])
async def test_gives_back_what_was_put(store: DatasetStore, size: int, step: int) -> None:
    content = content_of(size)

    record = await put(store, content, step)

    assert record.is_complete
    assert await read(store, record) == content
    assert await store.find(record.cid) == record
    space = await store.space()
    assert (space.used_bytes, space.reserved_bytes) == (
        size + record.manifest.shape.packed_bytes,
        0,
    )


@pytest.mark.parametrize("block_size", [4096, 16384, 524288])
async def test_other_block_sizes_make_other_trees(store: DatasetStore, block_size: int) -> None:
    content = content_of(1_234_567)

    record = await put(store, content, step=100_003, block_size_bytes=block_size)

    padded = content.ljust(-(-len(content) // block_size) * block_size, b"\0")
    leaves = [
        hashlib.sha256(padded[at : at + block_size]).digest()
        for at in range(0, len(padded), block_size)
    ]
    assert record.manifest.tree_cid.digest == ReferenceTree(leaves).root
    assert await read(store, record) == content


@pytest.mark.vectors
@pytest.mark.parametrize("case", GENERATED["cases"], ids=lambda case: case["id"])
async def test_agrees_with_the_vectors(store: DatasetStore, case: dict[str, Any]) -> None:
    seed = GENERATED["seed"].encode()
    pieces = [
        hashlib.sha256(seed + number.to_bytes(8, "big")).digest()
        for number in range(case["size_bytes"] // 32 + 1)
    ]

    record = await put(store, b"".join(pieces)[: case["size_bytes"]])

    assert str(record.cid) == case["manifest_cid_current"]
    assert str(record.manifest.tree_cid) == case["tree_cid"]


async def test_the_same_again_changes_nothing(store: DatasetStore, tmp_path: Path) -> None:
    content = content_of(300_000)
    first = await put(store, content)
    before, files = await accounts(store), files_under(tmp_path)

    assert await put(store, content) == first

    assert await accounts(store) == before
    assert files_under(tmp_path) == files


async def test_names_and_contents_of_a_put_are_durable_before_it_is_a_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, _recording(getattr(os, name), synced))

    async with opened(tmp_path) as store:
        await put(store, content_of(300_000))

    kinds = [re.sub("[0-9a-f]{32}", "ID", path.removeprefix(f"{tmp_path}/")) for path in synced]
    assert [kind for kind in kinds if "storage.db" not in kind] == [
        "uploads/ID/data",
        "uploads/ID/tree",
        "uploads/ID",
        "trees",
    ]


def _recording(sync: Callable[[int], None], synced: list[str]) -> Callable[[int], None]:
    def recorded(file: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        sync(file)

    return recorded


async def test_two_names_share_one_tree_until_both_are_gone(
    store: DatasetStore, tmp_path: Path
) -> None:
    content = content_of(300_000)
    one = await put(store, content, filename="one")
    two = await put(store, content, filename="two")
    used_bytes = (await store.space()).used_bytes

    assert one.cid != two.cid
    assert used_bytes == 300_000 + one.manifest.shape.packed_bytes
    assert await store.delete(one.cid) == 0
    assert await store.find(one.cid) is None
    assert await read(store, two) == content
    assert await store.delete(two.cid) == used_bytes
    assert (await store.space()).used_bytes == 0
    assert files_under(tmp_path) == []


@pytest.mark.parametrize("order", [(b"a", b"a\0"), (b"a\0", b"a")])
async def test_contents_that_differ_in_trailing_zeros_alone_stay_apart(
    store: DatasetStore, order: tuple[bytes, bytes]
) -> None:
    """Padded they are the same block, so they share a tree (STO-4)."""
    records = [await put(store, content) for content in order]

    assert records[0].manifest.tree_cid == records[1].manifest.tree_cid
    assert [await read(store, record) for record in records] == list(order)
    for record in records:
        await store.delete(record.cid)
    assert (await store.space()).used_bytes == 0


async def test_a_put_whose_content_breaks_off_leaves_nothing(
    store: DatasetStore, tmp_path: Path
) -> None:
    async def breaking_off() -> AsyncIterator[bytes]:
        yield content_of(3 * MIB)
        assert await accounts(store) == (0, 10 * MIB, 0)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await store.put(Description(65536, size_hint_bytes=10 * MIB), breaking_off())

    assert await accounts(store) == (0, 0, 0)
    assert files_under(tmp_path) == []


async def test_many_small_writes_are_joined(store: DatasetStore) -> None:
    content = content_of(70_000)

    record = await put(store, content, step=7)

    assert await read(store, record) == content


async def test_lack_of_quota_is_told_before_the_first_byte(tmp_path: Path) -> None:
    async with opened(tmp_path, 4 * MIB) as store:
        with pytest.raises(QuotaExceededError):
            await put(store, b"", size_hint_bytes=4 * MIB + 1)

        assert (await store.space()).reserved_bytes == 0


async def test_a_put_over_the_quota_fails_and_gives_everything_back(tmp_path: Path) -> None:
    async with opened(tmp_path, 4 * MIB) as store:
        kept = await put(store, content_of(MIB))
        before = await accounts(store)
        with pytest.raises(QuotaExceededError):
            await put(store, content_of(5 * MIB), step=65536)

        assert await accounts(store) == before
        assert await read(store, kept) == content_of(MIB)
        await put(store, content_of(2 * MIB, b"fits"))
    assert len(files_under(tmp_path)) == 4


async def test_of_two_puts_that_fit_only_one_by_one_one_fails(tmp_path: Path) -> None:
    async with opened(tmp_path, 8 * MIB) as store:
        outcomes = await asyncio.gather(
            *(put(store, content_of(5 * MIB, salt), 65536) for salt in (b"one", b"two")),
            return_exceptions=True,
        )

        failed = [one for one in outcomes if isinstance(one, BaseException)]
        assert [type(one) for one in failed] == [QuotaExceededError]
        assert (await store.space()).reserved_bytes == 0


async def test_what_is_in_use_is_not_deleted(store: DatasetStore) -> None:
    record = await put(store, content_of(MIB))

    async with store.open(record):
        with pytest.raises(DatasetBusyError):
            await store.delete(record.cid)
    async with store.open_served(record.manifest.tree_cid):
        with pytest.raises(DatasetBusyError):
            await store.delete(record.cid)

    assert await store.delete(record.cid) > 0
    assert await store.delete(record.cid) == 0
    with pytest.raises(DatasetUnknownError):
        async with store.open(record):
            pass


async def test_lists_newest_first_in_pages(store: DatasetStore) -> None:
    records = [await put(store, bytes((number,))) for number in range(5)]
    newest_first = records[::-1]

    assert await store.page(below=None, limit=3) == newest_first[:3]
    assert await store.page(below=newest_first[2].number, limit=3) == newest_first[3:]
    assert await store.held_cids() == [record.cid for record in newest_first]


@pytest.mark.parametrize("name", ["data", "tree"])
async def test_decay_on_disk_is_never_given_out(
    store: DatasetStore, tmp_path: Path, name: str
) -> None:
    record = await put(store, content_of(10 * 65536))
    change(tmp_path, f"trees/*/{name}", at=33)

    async with store.open(record) as tree:
        with pytest.raises(BadDataError):
            await tree.read(0, 10)
        with pytest.raises(BadDataError):
            await tree.serve((BlockRange(0, 2),))
        assert await whole(tree, 5, 6) == content_of(10 * 65536)[5 * 65536 : 6 * 65536]


async def test_a_monstrous_manifest_is_refused_by_the_quota_alone(
    store: DatasetStore, tmp_path: Path
) -> None:
    manifest = Manifest(Cid(TREE, bytes(32)), 1 << 60, 4096)
    raw = manifests.encode(manifest)

    with pytest.raises(QuotaExceededError):
        await store.adopt(cid_of(MANIFEST, raw), raw)

    assert files_under(tmp_path) == []
    assert (await store.space()).datasets == 0


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[DatasetStore]:
    async with opened(tmp_path / "provider") as store:
        yield store


async def adopted(store: DatasetStore, record: DatasetRecord) -> DatasetRecord:
    return await store.adopt(record.cid, manifests.encode(record.manifest))


async def test_blocks_of_others_are_kept_and_make_a_dataset(
    tmp_path: Path, provider: DatasetStore
) -> None:
    content = content_of(20 * 65536 + 5)
    there = await put(provider, content)
    async with opened(tmp_path / "mine") as store:
        record = await adopted(store, there)
        async with store.open(record) as tree, tree.reserve(0, 21):
            assert (await store.space()).reserved_bytes == 21 * 65536
            for span in ((18, 21), (0, 4), (4, 18)):
                body = await answer_of(provider, there, *span)
                await keep(tree, body, request_for(there, *span), len(content))
                assert tree.bitfield.holds(*span)
                assert (await whole(tree, *span))[:5] == content[span[0] * 65536 :][:5]
            (served,) = await tree.serve((BlockRange(20, 1),))
            assert served.data[:5] == content[-5:]

        record = await store.find(record.cid) or record
        assert record.is_complete
        assert await read(store, record) == content
        space = await store.space()
        assert space.used_bytes == (await provider.space()).used_bytes
        assert space.reserved_bytes == 0
    mine, theirs = (files_under(tmp_path / who) for who in ("mine", "provider"))
    assert mine == theirs
    for name in mine:
        assert (tmp_path / "mine" / name).read_bytes() == (
            tmp_path / "provider" / name
        ).read_bytes()


async def test_what_was_kept_is_known_after_a_restart(
    tmp_path: Path, provider: DatasetStore
) -> None:
    there = await put(provider, content_of(20 * 65536))
    async with opened(tmp_path / "mine") as store:
        record = await adopted(store, there)
        async with store.open(record) as tree:
            body = await answer_of(provider, there, 3, 9)
            await keep(tree, body, request_for(there, 3, 9), 20 * 65536)
        used_bytes = (await store.space()).used_bytes

    async with opened(tmp_path / "mine") as store:
        record = await store.find(there.cid) or record
        assert record.blocks_held == 6
        assert (await store.space()).used_bytes == used_bytes
        async with store.open(record) as tree:
            assert tree.bitfield.holds(3, 9)
            assert await whole(tree, 3, 9) == content_of(20 * 65536)[3 * 65536 : 9 * 65536]
            assert [one.index for one in await tree.serve((BlockRange(0, 20),))] == [*range(3, 9)]
        assert await store.delete(there.cid) == used_bytes
        assert (await store.space()).used_bytes == 0


async def test_what_was_kept_is_known_while_its_tree_closes(
    tmp_path: Path, provider: DatasetStore
) -> None:
    there = await put(provider, content_of(20 * 65536))
    async with opened(tmp_path / "mine") as store:
        record = await adopted(store, there)
        async with asyncio.TaskGroup() as tasks:
            async with store.open(record) as tree:
                body = await answer_of(provider, there, 3, 9)
                await keep(tree, body, request_for(there, 3, 9), 20 * 65536)
                looking = tasks.create_task(looked(store, record))
                await asyncio.sleep(0)  # it looks, again and again, while the tree is closed
            looking.cancel()
        await store.delete_empty(there.cid)
        assert ((await store.find(there.cid)) or record).blocks_held == 6


async def looked(store: DatasetStore, record: DatasetRecord) -> None:
    """Checks, until cancelled, that six blocks are here."""
    while True:
        assert ((await store.find(record.cid)) or record).blocks_held == 6


async def test_only_what_is_empty_is_deleted_as_empty(store: DatasetStore) -> None:
    record = await put(store, b"x")
    await store.delete_empty(record.cid)
    assert await store.find(record.cid) is not None

    await store.delete(record.cid)
    again = await adopted(store, record)
    await store.delete_empty(again.cid)
    assert await store.find(record.cid) is None


async def test_after_a_kill_the_blocks_of_the_last_flush_are_known_and_true(
    tmp_path: Path, provider: DatasetStore
) -> None:
    """A copy of the folder is what a process that was killed leaves behind."""
    there = await put(provider, content_of(20 * 65536))
    now = [0]
    async with opened(tmp_path / "mine", monotonic_ms=lambda: now[0]) as store:
        record = await adopted(store, there)
        async with store.open(record) as tree:
            for span, time_ms in (((0, 4), 0), ((4, 8), FLUSH_MS), ((8, 12), FLUSH_MS + 1)):
                now[0] = time_ms
                body = await answer_of(provider, there, *span)
                await keep(tree, body, request_for(there, *span), 20 * 65536)
                await flushed(tmp_path / "mine", 1 if time_ms else 0)
            shutil.copytree(tmp_path / "mine", tmp_path / "killed")

    async with opened(tmp_path / "killed") as store:
        found = await store.find(there.cid)
        assert found is not None
        assert found.blocks_held == 8
        async with store.open(found) as tree:
            assert await whole(tree, 0, 8) == content_of(20 * 65536)[: 8 * 65536]
            body = await answer_of(provider, there, 8, 20)
            await keep(tree, body, request_for(there, 8, 20), 20 * 65536)
        assert await read(store, found) == content_of(20 * 65536)


async def flushed(folder: Path, bitmaps: int) -> None:
    """Waits for the flush that goes on beside the fetch."""
    while len(bytes_under(folder, "trees/*/bitmap")) < bitmaps:  # noqa: ASYNC110  a file tells nobody
        await asyncio.sleep(0.005)


async def test_a_fetch_without_an_answer_leaves_no_trace(
    tmp_path: Path, provider: DatasetStore
) -> None:
    there = await put(provider, content_of(4 * 65536))
    async with opened(tmp_path / "mine") as store:
        record = await adopted(store, there)
        async with store.open(record) as tree:
            assert tree.bitfield.held == 0

        assert bytes_under(tmp_path, "mine/trees/*/*") == b""
        await store.delete(there.cid)
        assert (await store.space()).used_bytes == 0
        assert files_under(tmp_path / "mine") == []


@pytest.mark.parametrize("by", ["put", "adopt"])
async def test_blocks_kept_while_a_row_is_written_are_counted_once(
    tmp_path: Path, provider: DatasetStore, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    content = content_of(8 * 65536)
    there = await put(provider, content)
    body, request = await answer_of(provider, there, 0, 4), request_for(there, 0, 4)
    named = replace(there.manifest, filename="again")
    async with opened(tmp_path / "mine") as store:
        record = await adopted(store, there)
        async with store.open(record) as tree:
            add = store._catalog.add

            async def keep_and_add(*args: Any) -> Any:
                await keep(tree, body, request, len(content))
                return await add(*args)

            monkeypatch.setattr(store._catalog, "add", keep_and_add)
            if by == "put":
                await put(store, content)
            else:
                await store.adopt(
                    cid_of(MANIFEST, manifests.encode(named)), manifests.encode(named)
                )

        used_bytes = (await store.space()).used_bytes
    async with opened(tmp_path / "mine") as store:
        assert (await store.space()).used_bytes == used_bytes


async def test_a_put_completes_a_tree_that_is_being_fetched(
    tmp_path: Path, provider: DatasetStore
) -> None:
    content = content_of(8 * 65536)
    there = await put(provider, content)
    async with opened(tmp_path / "mine") as store:
        record = await adopted(store, there)
        async with store.open(record) as tree:
            body = await answer_of(provider, there, 0, 2)
            await keep(tree, body, request_for(there, 0, 2), len(content))
            other = await put(store, content, filename="other")
            assert tree.bitfield.is_full
            assert await whole(tree, 0, 8) == content
            await keep(tree, body, request_for(there, 0, 2), len(content))

        assert await read(store, other) == content
        assert (await store.find(there.cid) or record).is_complete
        assert (await store.space()).used_bytes == len(content) + record.manifest.shape.packed_bytes


async def test_a_lying_geometry_does_not_spoil_the_true_one(
    tmp_path: Path, provider: DatasetStore
) -> None:
    content = content_of(4 * 65536)
    there = await put(provider, content)
    lie = Manifest(there.manifest.tree_cid, len(content), 16384)
    raw = manifests.encode(lie)
    async with opened(tmp_path / "mine") as store:
        await store.adopt(cid_of(MANIFEST, raw), raw)
        record = await adopted(store, there)
        async with store.open(record) as tree:
            body = await answer_of(provider, there, 0, 4)
            await keep(tree, body, request_for(there, 0, 4), len(content))
        async with store.open_served(there.manifest.tree_cid) as served:
            assert served is not None
            assert served.shape == there.manifest.shape

        assert await read(store, record) == content


async def test_a_dataset_whose_files_are_gone_is_not_said_to_be_here(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        record = await put(store, content_of(100_000))
    shutil.rmtree(tmp_path / "trees")

    async with opened(tmp_path) as store:
        found = await store.find(record.cid)
        assert found is not None
        assert found.blocks_held == 0


async def test_a_request_for_an_unknown_tree_is_served_nothing(store: DatasetStore) -> None:
    async with store.open_served(Cid(TREE, bytes(32))) as tree:
        assert tree is None


async def test_blocks_served_prove_themselves(store: DatasetStore) -> None:
    record = await put(store, content_of(5 * 65536 + 1))
    verifier = merkle.Verifier(record.manifest.tree_cid.digest, 6)

    async with store.open(record) as tree:
        blocks = await tree.serve((BlockRange(1, 2), BlockRange(5, 9)))

    assert [block.index for block in blocks] == [1, 2, 5]
    for block in blocks:
        assert isinstance(block, ServedBlock)
        proof = merkle.Proof(block.index, 6, tuple(block.path))
        verifier.verify(hashlib.sha256(block.data).digest(), proof)


async def test_text_of_cids_is_what_the_catalogue_is_read_by(store: DatasetStore) -> None:
    record = await put(store, b"x")

    assert await store.find(parse_text(str(record.cid), MANIFEST)) == record
    assert await store.manifest(record.cid) == manifests.encode(record.manifest)
