"""The store of one node: catalogue, files and quota kept in step.

The order of changes makes it safe to be killed at any moment: files are durable
and in place before a row refers to them; a row is deleted before its files are.
Files without a row are set aside at the next start.

Spec: docs/protocol/storage.md, STO-10 to STO-16.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from logos_storage.core import manifest as manifests
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.cid import MANIFEST, Cid, cid_of
from logos_storage.core.errors import DatasetBusyError, DatasetUnknownError, QuotaExceededError
from logos_storage.core.manifest import Manifest
from logos_storage.core.ports import DatasetRecord, Description, SpaceReport
from logos_storage.core.quota import Reservation
from logos_storage.core.types import TreeShape, WallClockUs
from logos_storage.store import files as tree_files
from logos_storage.store.files import BITMAP, TreeFiles, read_bitfield
from logos_storage.store.sql import Catalog, StoredDataset, StoredTree
from logos_storage.store.sweep import TREES, UPLOADS, Content, sweep
from logos_storage.store.trees import DiskExecutor, OpenTree
from logos_storage.store.uploads import Upload

_UPLOAD_JOBS: Final = 8
"""Jobs under way in all puts together; each holds about a MiB, at most four."""

_SERVED: Final = ""
"""Name under which a tree's use by other nodes is counted."""


class DatasetStore:
    """`Datasets` (core/ports.py) over a folder and a database. One per folder at a time."""

    def __init__(
        self, executor: DiskExecutor, catalog: Catalog, folder: Path, wall_clock_us: WallClockUs
    ) -> None:
        self._executor = executor
        self._catalog = catalog
        self.aside = Content()
        """What this start or an earlier one has set aside."""
        self._folder = folder
        self._trees_folder = folder / TREES
        self._uploads_folder = folder / UPLOADS
        self._wall_clock_us = wall_clock_us
        self._open: dict[str, OpenTree] = {}
        self._changing = asyncio.Lock()
        """Held while rows and folders change together."""
        self._slots = asyncio.Semaphore(_UPLOAD_JOBS)

    async def start(self) -> None:
        """Sets aside files without a row, and counts what is used."""
        trees = await self._catalog.trees()
        swept = await self._executor.run(sweep, self._folder, trees)
        self.aside = swept.aside
        for tree in trees:
            is_complete = tree.is_complete and tree.shape.name in swept.sound
            if is_complete != tree.is_complete:
                await self._catalog.set_complete(tree.shape, is_complete=False)
            stored = StoredTree(tree.shape, tree.size_bytes, is_complete)
            self._executor.quota.used_bytes += _used_bytes(stored, await self._held(stored))

    async def put(
        self, description: Description, content: AsyncIterator[bytes | memoryview]
    ) -> DatasetRecord:
        executor, size_hint_bytes = self._executor, description.size_hint_bytes
        folder = self._temporary()
        with executor.quota.reservation(size_hint_bytes) as reservation:
            tree_files.check_room(self._trees_folder, size_hint_bytes, executor.headroom_bytes)
            try:
                files = await executor.run(
                    TreeFiles, folder, create=True, headroom_bytes=executor.headroom_bytes
                )
                upload = Upload(
                    executor, self._slots, reservation, files, description.block_size_bytes
                )
                try:
                    async for piece in content:
                        await upload.write(piece)
                    shape = await upload.finish()
                finally:
                    await executor.shielded.run(upload.close())
                manifest = Manifest(
                    shape.tree_cid,
                    upload.size_bytes,
                    shape.block_size_bytes,
                    description.filename,
                    description.mimetype,
                )
                await self._changing.acquire()  # `_place` releases it, at its end
                return await executor.shielded.run(self._place(folder, manifest, reservation))
            finally:
                await executor.shielded.run(self._discard(folder))

    async def _discard(self, folder: Path) -> None:
        """Removes what a put has left, after its `_place` if that has begun."""
        async with self._changing:
            pass
        await self._executor.run(tree_files.remove_folder, folder)

    def _temporary(self) -> Path:
        """Returns a new name; what has it is removed at the next start at the latest."""
        return self._uploads_folder / secrets.token_hex(16)

    async def _place(
        self, folder: Path, manifest: Manifest, reservation: Reservation
    ) -> DatasetRecord:
        """Moves a finished put into place and writes its row; releases `_changing`."""
        shape, raw, trash = manifest.shape, manifests.encode(manifest), self._temporary()
        try:
            opened = self._open.get(shape.name)
            before = await self._catalog.tree(shape)
            held_before = 0 if before is None else await self._held(before)
            is_new = before is None or not before.is_complete
            tree = StoredTree(shape, manifest.size_bytes, is_complete=True)
            files = None
            try:
                if is_new:
                    await self._executor.run(self._move_in, folder, shape, trash)
                    if opened is not None:
                        files = await self._executor.run(TreeFiles, self._trees_folder / shape.name)
                cid = cid_of(MANIFEST, raw)
                stored = await self._catalog.add(cid, raw, tree, self._wall_clock_us())
            except BaseException:
                if is_new:
                    await self._executor.run(self._move_back, folder, shape, trash)
                raise
            # Without an await: a fetch of the same tree may keep blocks until here.
            if opened is not None:
                held_before = opened.bitfield.held
            reservation.release()
            self._executor.quota.used_bytes += _used_bytes(stored.tree) - _used_bytes(
                before, held_before
            )
            if files is not None and opened is not None:
                opened.replace(files)
        finally:
            self._changing.release()
        await self._executor.run(tree_files.remove_folder, trash)
        return await self._to_record(stored)

    def _move_in(self, folder: Path, shape: TreeShape, trash: Path) -> None:
        """Moves a finished put into place, and a part of the tree that is there to the trash."""
        with tree_files.disk_errors():
            tree_files.sync_folder(folder)
            self._move_out(shape, trash)
            folder.rename(self._trees_folder / shape.name)
            tree_files.sync_folder(self._trees_folder)

    def _move_back(self, folder: Path, shape: TreeShape, trash: Path) -> None:
        """Undoes as much of `_move_in` as was done: there is no row."""
        target = self._trees_folder / shape.name
        if not folder.exists():
            target.rename(folder)
        if trash.exists():
            trash.rename(target)

    def _move_out(self, shape: TreeShape, trash: Path) -> None:
        target = self._trees_folder / shape.name
        with tree_files.disk_errors():
            if target.exists():
                target.rename(trash)

    async def find(self, cid: Cid) -> DatasetRecord | None:
        stored = await self._catalog.dataset(cid)
        return None if stored is None else await self._to_record(stored)

    async def manifest(self, cid: Cid) -> bytes | None:
        stored = await self._catalog.dataset(cid)
        return None if stored is None else stored.raw_manifest

    async def adopt(self, cid: Cid, raw: bytes) -> DatasetRecord:
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
            if before is None:
                self._executor.quota.require(shape.packed_bytes)
            if before is None and is_empty:
                await self._executor.run(_make_empty, self._trees_folder / shape.name)
            tree = StoredTree(shape, manifest.size_bytes, is_complete=is_empty)
            stored = await self._catalog.add(cid, raw, tree, self._wall_clock_us())
            if before is None or before.is_complete:  # a part counts by its blocks, as before
                self._executor.quota.used_bytes += _used_bytes(stored.tree) - _used_bytes(before)
        return await self._to_record(stored)

    @asynccontextmanager
    async def open(self, record: DatasetRecord) -> AsyncIterator[OpenTree]:
        async with self._changing:
            stored = await self._catalog.dataset(record.cid)
            if stored is None:
                raise DatasetUnknownError("the dataset was deleted while it was being opened")
            tree = await self._acquire(stored.tree, str(record.cid))
        try:
            yield tree
        finally:
            await self._executor.shielded.run(self._release(tree, str(record.cid)))

    @asynccontextmanager
    async def open_served(self, tree_cid: Cid) -> AsyncIterator[OpenTree | None]:
        tree: OpenTree | None = None
        async with self._changing:
            trees = await self._catalog.trees(tree_cid)
            held = [await self._held(one) for one in trees]
            if trees:
                tree = await self._acquire(trees[held.index(max(held))], _SERVED)
        try:
            yield tree
        finally:
            if tree is not None:
                await self._executor.shielded.run(self._release(tree, _SERVED))

    async def _acquire(self, stored: StoredTree, user: str) -> OpenTree:
        tree = self._open.get(stored.shape.name)
        if tree is None:
            files, bitfield = await self._executor.run(self._open_files, stored)
            tree = OpenTree(self._executor, stored.shape, files, bitfield, self._completed)
            self._open[stored.shape.name] = tree
        tree.uses[user] += 1
        return tree

    def _open_files(self, stored: StoredTree) -> tuple[TreeFiles, Bitfield]:
        """Opens what is on disk of a tree; a partial one is made if it is not there."""
        folder, shape = self._trees_folder / stored.shape.name, stored.shape
        headroom_bytes = self._executor.headroom_bytes
        if stored.is_complete:
            files = TreeFiles(folder, headroom_bytes=headroom_bytes)
            return files, Bitfield.full(shape.block_count)
        files = TreeFiles(folder, create=True, headroom_bytes=headroom_bytes)
        return files, read_bitfield(folder, shape)

    async def _release(self, tree: OpenTree, user: str) -> None:
        async with self._changing:
            tree.uses[user] -= 1
            if not tree.uses.total():
                try:
                    await tree.close()
                finally:  # until then its bitfield is known here alone, not on disk
                    del self._open[tree.shape.name]

    async def _completed(self, shape: TreeShape) -> None:
        """Notes that the last block came; its bytes are durable."""
        await self._catalog.set_complete(shape, is_complete=True)
        stored = await self._catalog.tree(shape)
        if stored is not None:  # from here on it counts without the padding of its last block
            padded_bytes = shape.block_count * shape.block_size_bytes
            self._executor.quota.used_bytes -= padded_bytes - stored.size_bytes
        bitmap = self._trees_folder / shape.name / BITMAP
        await self._executor.run(bitmap.unlink, missing_ok=True)

    async def delete(self, cid: Cid) -> int:
        return await self._executor.shielded.run(self._delete(cid))

    async def delete_empty(self, cid: Cid) -> None:
        await self._executor.shielded.run(self._delete(cid, only_empty=True))

    async def _delete(self, cid: Cid, *, only_empty: bool = False) -> int:
        async with self._changing:
            stored = await self._catalog.dataset(cid)
            if stored is None or (only_empty and await self._has_blocks(stored.tree)):
                return 0
            shape = stored.tree.shape
            is_shared = await self._catalog.is_shared(shape)
            opened = self._open.get(shape.name)
            if opened is not None and (opened.uses[str(cid)] or not is_shared):
                raise DatasetBusyError(
                    "the dataset is being read, fetched or served; try again later"
                )
            held = await self._held(stored.tree)
            await self._catalog.remove(cid)
            if is_shared:
                return 0
            used_bytes = _used_bytes(stored.tree, held)
            self._executor.quota.used_bytes -= used_bytes
            trash = self._temporary()
            await self._executor.run(self._move_out, shape, trash)
        await self._executor.run(tree_files.remove_folder, trash)
        return used_bytes

    async def page(self, *, below: int | None, limit: int) -> list[DatasetRecord]:
        stored = await self._catalog.datasets(below=below, limit=limit)
        return [await self._to_record(one) for one in stored]

    async def held_cids(self) -> list[Cid]:
        cids: list[Cid] = []
        below: int | None = None
        while page := await self.page(below=below, limit=1000):
            cids += [one.cid for one in page if one.blocks_held or one.is_complete]
            below = page[-1].number
        return cids

    def limit(self, quota_bytes: int) -> None:
        """Sets the most that this node may use; less than it uses now refuses all puts."""
        self._executor.quota.limit_bytes = quota_bytes

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

    async def _has_blocks(self, tree: StoredTree) -> bool:
        return tree.is_complete or await self._held(tree) > 0

    async def _held(self, tree: StoredTree) -> int:
        opened = self._open.get(tree.shape.name)
        if opened is not None:
            return opened.bitfield.held
        if tree.is_complete:
            return tree.shape.block_count
        folder = self._trees_folder / tree.shape.name
        return (await self._executor.run(read_bitfield, folder, tree.shape)).held


def _used_bytes(tree: StoredTree | None, held: int = 0) -> int:
    """Returns what a tree counts for: the blocks held, or all of it, and the whole tree file."""
    if tree is None:
        return 0
    held_bytes = tree.size_bytes if tree.is_complete else held * tree.shape.block_size_bytes
    return held_bytes + tree.shape.packed_bytes


def _make_empty(folder: Path) -> None:
    """Makes the files of a tree over no blocks (STO-4)."""
    TreeFiles(folder, create=True).close()
    tree_files.sync_folder(folder)
    tree_files.sync_folder(folder.parent)
