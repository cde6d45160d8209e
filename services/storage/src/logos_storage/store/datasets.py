"""The store of one node: catalogue, files and quota kept in step.

The order of things is what makes it safe to be killed at any moment: files are
durable and in place before a row speaks of them; a row is gone before its files
go. What no row speaks of is set aside at the next start.

Spec: docs/protocol/storage.md, STO-10 to STO-16.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from logos_base.errors import DiskFullError
from logos_storage.core import manifest as manifests
from logos_storage.core.cid import MANIFEST, Cid, cid_of
from logos_storage.core.errors import (
    DatasetBusyError,
    DatasetUnknownError,
    QuotaExceededError,
)
from logos_storage.core.manifest import Manifest
from logos_storage.core.ports import DatasetRecord, SpaceReport
from logos_storage.core.types import TreeShape, WallClockUs
from logos_storage.store import files as tree_files
from logos_storage.store.files import BITMAP, TreeFiles, read_bitfield
from logos_storage.store.sql import Catalog, StoredDataset, StoredTree
from logos_storage.store.sweep import TREES, UPLOADS, Content, sweep
from logos_storage.store.trees import DiskExecutor, OpenTree, open_files
from logos_storage.store.uploads import UploadFiles

_UPLOAD_JOBS: Final = 8
"""Jobs under way in all puts together; each holds about a MiB, at most four."""

_SERVED: Final = ""
"""Name under which a tree's use by other nodes is counted."""


class DatasetStore:
    """`Datasets` over a folder and a database. One per folder at a time."""

    def __init__(
        self, executor: DiskExecutor, catalog: Catalog, folder: Path, wall_clock_us: WallClockUs
    ) -> None:
        self._executor = executor
        self._catalog = catalog
        self.aside = Content()
        """What the start has set aside, this time or before."""
        self._folder = folder
        self._trees_folder = folder / TREES
        self._uploads_folder = folder / UPLOADS
        self._wall_clock_us = wall_clock_us
        self._open: dict[str, OpenTree] = {}
        self._changing = asyncio.Lock()
        """Held while rows and folders change together."""
        self._slots = asyncio.Semaphore(_UPLOAD_JOBS)

    async def start(self) -> None:
        """Sets aside what no row speaks of, and counts what is used."""
        trees = await self._catalog.trees()
        swept = await self._executor.run(sweep, self._folder, trees)
        self.aside = swept.aside
        for tree in trees:
            is_complete = tree.is_complete and tree.shape.name in swept.sound
            if is_complete != tree.is_complete:
                await self._catalog.set_complete(tree.shape, is_complete=False)
            stored = StoredTree(tree.shape, tree.size_bytes, is_complete)
            self._executor.quota.used_bytes += await self._used_bytes(stored)

    @asynccontextmanager
    async def put(
        self, *, block_size_bytes: int, filename: str, mimetype: str, size_hint_bytes: int
    ) -> AsyncIterator["Put"]:
        """Opens a put; what is not finished at the end leaves nothing."""
        folder = self._uploads_folder / secrets.token_hex(16)
        with self._executor.quota.reservation(size_hint_bytes) as reservation:
            self._check_disk(size_hint_bytes)
            upload = UploadFiles(self._executor, self._slots, reservation, folder, block_size_bytes)
            try:
                await upload.open()
                yield Put(self, upload, filename, mimetype)
            finally:
                await self._executor.shielded.run(self._discard(upload))

    async def _discard(self, upload: UploadFiles) -> None:
        async with self._changing:  # after a commit that has begun, or instead of it
            upload.is_discarded = True
        await upload.settle()
        upload.close()
        await self._executor.run(tree_files.remove_folder, upload.folder)

    def _check_disk(self, size_bytes: int) -> None:
        free_bytes = tree_files.disk_free(self._trees_folder)
        if size_bytes + self._executor.headroom_bytes > free_bytes:
            raise DiskFullError(
                f"the disk of this node has {free_bytes} bytes left; make room and try again"
            )

    async def commit(self, upload: UploadFiles, filename: str, mimetype: str) -> DatasetRecord:
        """Makes a put a dataset."""
        shape = await upload.finish()
        size = upload.size_bytes
        manifest = Manifest(shape.tree_cid, size, shape.block_size_bytes, filename, mimetype)
        raw = manifests.encode(manifest)
        return await self._executor.shielded.run(self._place(upload, shape, raw))

    async def _place(self, upload: UploadFiles, shape: TreeShape, raw: bytes) -> DatasetRecord:
        replaced: Path | None = None
        async with self._changing:
            if upload.is_discarded:
                raise asyncio.CancelledError
            before = await self._catalog.tree(shape)
            used_before = 0 if before is None else await self._used_bytes(before)
            is_new = before is None or not before.is_complete
            if is_new:
                replaced = await self._executor.run(self._move_in, upload.folder, shape)
            tree = StoredTree(shape, upload.size_bytes, is_complete=True)
            try:
                stored = await self._catalog.add(
                    cid_of(MANIFEST, raw), raw, tree, self._wall_clock_us()
                )
            except BaseException:
                if is_new:
                    await self._executor.run(self._move_back, upload.folder, shape, replaced)
                raise
            upload.release()
            used = await self._used_bytes(stored.tree)
            self._executor.quota.used_bytes += used - used_before
            if is_new:
                await self._replace_open(shape)
        if replaced is not None:
            await self._executor.run(tree_files.remove_folder, replaced)
        return await self._to_record(stored)

    def _move_in(self, folder: Path, shape: TreeShape) -> Path | None:
        """Moves a finished put into place; returns where what was there is now."""
        target = self._trees_folder / shape.name
        with tree_files.disk_errors():
            tree_files.sync_folder(folder)
            replaced = self._move_out(shape) if target.exists() else None
            folder.rename(target)
            tree_files.sync_folder(self._trees_folder)
        return replaced

    def _move_back(self, folder: Path, shape: TreeShape, replaced: Path | None) -> None:
        """Undoes `_move_in`: the row could not be written."""
        target = self._trees_folder / shape.name
        target.rename(folder)
        if replaced is not None:
            replaced.rename(target)

    def _move_out(self, shape: TreeShape) -> Path:
        trash = self._uploads_folder / secrets.token_hex(16)
        with tree_files.disk_errors():
            (self._trees_folder / shape.name).rename(trash)
        return trash

    async def _replace_open(self, shape: TreeShape) -> None:
        """Lets who fetches a tree go on with the one that was put."""
        tree = self._open.get(shape.name)
        if tree is not None:
            files = await self._executor.run(TreeFiles, self._trees_folder / shape.name)
            tree.replace(files)

    async def find(self, cid: Cid) -> DatasetRecord | None:
        """Returns a dataset of which this node holds at least the manifest."""
        stored = await self._catalog.dataset(cid)
        return None if stored is None else await self._to_record(stored)

    async def manifest(self, cid: Cid) -> bytes | None:
        """Returns the bytes of a manifest that this node holds."""
        stored = await self._catalog.dataset(cid)
        return None if stored is None else stored.raw_manifest

    async def adopt(self, cid: Cid, raw: bytes) -> DatasetRecord:
        """Takes on a verified manifest, so that its blocks can be kept.

        Raises:
            QuotaExceededError: The whole dataset is larger than the quota, whatever
                part of it is wanted; nothing is allocated for it.
        """
        manifest = manifests.decode(raw)
        quota_bytes = self._executor.quota.limit_bytes
        if manifest.size_bytes > quota_bytes:
            raise QuotaExceededError(
                f"the dataset has {manifest.size_bytes} bytes, the quota is {quota_bytes}"
            )
        return await self._executor.shielded.run(self._adopt(cid, raw, manifest))

    async def _adopt(self, cid: Cid, raw: bytes, manifest: Manifest) -> DatasetRecord:
        shape = manifest.shape
        is_empty = shape.block_count == 0
        async with self._changing:
            before = await self._catalog.tree(shape)
            used_before = 0 if before is None else await self._used_bytes(before)
            if before is None:
                self._executor.quota.require(shape.packed_bytes)
            if before is None and is_empty:
                await self._executor.run(_make_empty, self._trees_folder / shape.name)
            tree = StoredTree(shape, manifest.size_bytes, is_complete=is_empty)
            stored = await self._catalog.add(cid, raw, tree, self._wall_clock_us())
            used = await self._used_bytes(stored.tree)
            self._executor.quota.used_bytes += used - used_before
        return await self._to_record(stored)

    @asynccontextmanager
    async def open(self, record: DatasetRecord) -> AsyncIterator[OpenTree]:
        """Opens the tree of a dataset; DatasetUnknownError if it was deleted meanwhile."""
        async with self._changing:
            stored = await self._catalog.dataset(record.cid)
            if stored is None:
                raise DatasetUnknownError("the dataset was deleted a moment ago")
            tree = await self._acquire(stored.tree, str(record.cid))
        try:
            yield tree
        finally:
            await self._executor.shielded.run(self._release(tree, str(record.cid)))

    @asynccontextmanager
    async def open_served(self, tree_cid: Cid) -> AsyncIterator[OpenTree | None]:
        """Opens the tree of which this node holds most, by what peers call it."""
        tree: OpenTree | None = None
        async with self._changing:
            trees = await self._catalog.trees(tree_cid)
            if trees:
                best = max(trees, key=lambda one: (one.is_complete, self._open_held(one)))
                tree = await self._acquire(best, _SERVED)
        try:
            yield tree
        finally:
            if tree is not None:
                await self._executor.shielded.run(self._release(tree, _SERVED))

    def _open_held(self, tree: StoredTree) -> int:
        opened = self._open.get(tree.shape.name)
        return 0 if opened is None else opened.bitfield.held

    async def _acquire(self, stored: StoredTree, user: str) -> OpenTree:
        tree = self._open.get(stored.shape.name)
        if tree is None:
            files, bitfield = await self._executor.run(
                open_files,
                self._trees_folder / stored.shape.name,
                stored.shape,
                is_complete=stored.is_complete,
                headroom_bytes=self._executor.headroom_bytes,
            )
            tree = OpenTree(self._executor, stored.shape, files, bitfield, self._completed)
            self._open[stored.shape.name] = tree
        tree.uses[user] += 1
        return tree

    async def _release(self, tree: OpenTree, user: str) -> None:
        async with self._changing:
            tree.uses[user] -= 1
            tree.uses += type(tree.uses)()  # forgets the zeros
            if not tree.uses:
                del self._open[tree.shape.name]
                await tree.close()

    async def _completed(self, shape: TreeShape) -> None:
        """Notes that the last block came; its bytes are durable."""
        await self._catalog.set_complete(shape, is_complete=True)
        stored = await self._catalog.tree(shape)
        if stored is not None:  # from here on it counts without the padding of its last block
            padded_bytes = shape.block_count * shape.block_size_bytes
            self._executor.quota.free(padded_bytes - stored.size_bytes)
        bitmap = self._trees_folder / shape.name / BITMAP
        await self._executor.run(bitmap.unlink, missing_ok=True)

    async def drop_if_empty(self, cid: Cid) -> None:
        """Deletes a dataset of which no block came."""
        record = await self.find(cid)
        if record is not None and not record.blocks_held and not record.is_complete:
            try:
                await self.delete(cid)
            except DatasetBusyError:
                return  # another get of it goes on

    async def delete(self, cid: Cid) -> int:
        """Deletes a dataset; returns the bytes freed.

        Raises:
            DatasetBusyError: It is being read, fetched or served.
        """
        return await self._executor.shielded.run(self._delete(cid))

    async def _delete(self, cid: Cid) -> int:
        async with self._changing:
            stored = await self._catalog.dataset(cid)
            if stored is None:
                return 0
            shape = stored.tree.shape
            is_shared = await self._catalog.is_shared(shape)
            opened = self._open.get(shape.name)
            if opened is not None and (opened.uses[str(cid)] or not is_shared):
                raise DatasetBusyError("the dataset is being read, fetched or served")
            used_bytes = 0 if is_shared else await self._used_bytes(stored.tree)
            await self._catalog.remove(cid)
            if is_shared:
                return 0
            self._executor.quota.free(used_bytes)
            trash = None
            if await self._executor.run((self._trees_folder / shape.name).exists):
                trash = await self._executor.run(self._move_out, shape)
        if trash is not None:
            await self._executor.run(tree_files.remove_folder, trash)
        return used_bytes

    async def page(self, *, below: int | None, limit: int) -> list[DatasetRecord]:
        """Returns datasets, newest first, whose number is below a bound."""
        stored = await self._catalog.datasets(below=below, limit=limit)
        return [await self._to_record(one) for one in stored]

    async def held_cids(self) -> list[Cid]:
        """Returns the manifests of which this node holds at least one block, or all."""
        cids: list[Cid] = []
        below: int | None = None
        while page := await self.page(below=below, limit=1000):
            cids += [one.cid for one in page if one.blocks_held or one.is_complete]
            below = page[-1].number
        return cids

    async def space(self) -> SpaceReport:
        quota = self._executor.quota
        return SpaceReport(
            quota_bytes=quota.limit_bytes,
            used_bytes=quota.used_bytes,
            reserved_bytes=quota.reserved_bytes,
            disk_free_bytes=tree_files.disk_free(self._trees_folder),
            datasets=await self._catalog.count(),
        )

    async def _to_record(self, stored: StoredDataset) -> DatasetRecord:
        return DatasetRecord(
            number=stored.number,
            cid=stored.cid,
            manifest=manifests.decode(stored.raw_manifest),
            stored_at_us=stored.stored_at_us,
            blocks_held=await self._held(stored.tree),
        )

    async def _held(self, tree: StoredTree) -> int:
        opened = self._open.get(tree.shape.name)
        if opened is not None:
            return opened.bitfield.held
        if tree.is_complete:
            return tree.shape.block_count
        folder = self._trees_folder / tree.shape.name
        return (await self._executor.run(read_bitfield, folder, tree.shape)).held

    async def _used_bytes(self, tree: StoredTree) -> int:
        """Returns what a tree counts for: what is held of it, and the whole tree file."""
        held_bytes = tree.size_bytes
        if not tree.is_complete:
            held_bytes = await self._held(tree) * tree.shape.block_size_bytes
        return held_bytes + tree.shape.packed_bytes


class Put:
    """`Upload` of one put."""

    def __init__(
        self, store: DatasetStore, upload: UploadFiles, filename: str, mimetype: str
    ) -> None:
        self._store = store
        self._upload = upload
        self._filename = filename
        self._mimetype = mimetype

    async def write(self, data: bytes | memoryview) -> None:
        """Takes the next bytes; waits while the disk is busy."""
        await self._upload.write(data)

    async def finish(self) -> DatasetRecord:
        """Makes the content a dataset, on disk when this returns."""
        return await self._store.commit(self._upload, self._filename, self._mimetype)


def _make_empty(folder: Path) -> None:
    """Makes the files of a tree over no blocks (STO-4)."""
    TreeFiles(folder, create=True).close()
    tree_files.sync_folder(folder)
    tree_files.sync_folder(folder.parent)
