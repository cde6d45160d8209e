"""STO-11: a put that is cancelled, at whatever point it waits, leaves nothing or a dataset."""

import asyncio
import gc
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from contents import pieces_of
from logos_base.errors import DiskFullError
from logos_module.database import open_database
from logos_module.shielded import Shielded
from logos_storage.core.ports import DatasetRecord, Description
from logos_storage.core.quota import Quota
from logos_storage.store import files as tree_files
from logos_storage.store.datasets import DatasetStore
from logos_storage.store.fresh import FreshBlocks
from logos_storage.store.sql import SCHEMA, Catalog
from logos_storage.store.trees import DiskExecutor

CONTENT = hashlib.shake_128(b"cancelled").digest(10 * (1 << 20))  # more than there are slots
STEPS_OF_A_JOB = 50
"""Rounds of the event loop that a job takes: far more than it takes to clean up after it."""


class NewestFirst(Executor):
    """Does jobs on the event loop, each some rounds after it was submitted, the newest first.

    Threads may do the same: nothing says when one that has taken a job comes to it.
    """

    def __init__(self) -> None:
        self._jobs: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, work: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self._jobs.append((future, lambda: work(*args, **kwargs)))
        if len(self._jobs) == 1:
            self._wait(STEPS_OF_A_JOB)
        return future

    def _wait(self, rounds: int) -> None:
        loop = asyncio.get_running_loop()
        if rounds:
            loop.call_soon(self._wait, rounds - 1)
            return
        future, work = self._jobs.pop()
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001  whoever submitted it gets it
            future.set_exception(error)
        if self._jobs:
            self._wait(STEPS_OF_A_JOB)


class CancelledAt:
    """Awaits a coroutine, and cancels it where it waits for the nth time."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any], point: int) -> None:
        self.has_ended_before = True
        self._coroutine = coroutine
        self._point = point

    def __await__(self) -> Generator[Any, Any, Any]:
        resume: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        for point in count():
            try:
                waited_for = resume()
            except StopIteration as end:
                return end.value
            if point == self._point:
                self.has_ended_before = False
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited_for
                resume = lambda: self._coroutine.send(None)  # noqa: E731
            except BaseException as error:  # noqa: BLE001  passed on into the coroutine
                thrown = error
                resume = lambda: self._coroutine.throw(thrown)  # noqa: E731, B023
        return None


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[DatasetStore]:
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    async with (
        open_database(folder / "storage.db", SCHEMA) as database,
        Shielded() as shielded,
        asyncio.TaskGroup() as tasks,
    ):
        quota = Quota(1 << 30)
        executor = DiskExecutor(NewestFirst(), tasks, shielded, quota, lambda: 0, 0, FreshBlocks(0))
        store = DatasetStore(executor, Catalog(database), folder, lambda: 0)
        await store.start()
        yield store


async def put(store: DatasetStore) -> DatasetRecord:
    return await store.put(Description(65536), pieces_of(CONTENT))


async def read(store: DatasetStore, record: DatasetRecord) -> bytes:
    async with store.open(record) as tree:
        return b"".join(await tree.read(0, tree.shape.block_count))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def bytes_under(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*/*"))


def open_files() -> set[str]:
    gc.collect()
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:
            continue  # the one that the list was read by
    return found


async def cancelled(coroutine: Coroutine[Any, Any, Any], point: int) -> bool:
    """Cancels a coroutine at its nth waiting; returns whether it came to that."""
    awaited = CancelledAt(coroutine, point)
    try:
        await awaited
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
    return not awaited.has_ended_before


async def check(folder: Path) -> int:
    """Checks what a put has left, and returns the number of datasets."""
    assert names(folder / "uploads") == set()
    async with opened(folder) as store:
        records = await store.page(below=None, limit=10)
        for record in records:
            assert await read(store, record) == CONTENT
        assert store.aside.trees == 0
        assert names(folder / "trees") == {one.manifest.shape.name for one in records}
        assert (await store.space()).used_bytes == bytes_under(folder / "trees")
    return len(records)


@pytest.mark.stress
async def test_a_put_leaves_nothing_or_a_dataset_wherever_it_is_cancelled(tmp_path: Path) -> None:
    stored = []
    was_cancelled = True
    while was_cancelled:
        point = len(stored)
        async with opened(tmp_path / str(point)) as store:
            was_cancelled = await cancelled(put(store), point)
            files = open_files()  # whoever was cancelled has nothing open any more
        assert not [name for name in files if "/uploads/" in name or "/trees/" in name]
        stored.append(await check(tmp_path / str(point)))

    # Opening, places for jobs, the last jobs, the tree, making it durable: nothing is stored.
    assert len(stored) > 6
    assert stored[:5] == [0] * 5
    assert stored[-1] == 1


async def test_a_commit_that_has_begun_is_not_torn_apart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store, asyncio.TaskGroup() as tasks:
        putting = tasks.create_task(put(store))
        while not store._changing.locked():  # noqa: ASYNC110  a lock tells nobody
            await asyncio.sleep(0)
        putting.cancel()

    assert await check(tmp_path) == 1


async def test_an_opening_that_is_cancelled_leaves_no_folder_and_no_use(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        record = await put(store)
        for point in count():
            was_cancelled = await cancelled(read(store, record), point)
            assert not store._open, f"point {point}"
            if not was_cancelled:
                break
        assert point > 2

        assert await store.delete(record.cid) > 0
    assert names(tmp_path / "trees") == names(tmp_path / "uploads") == set()


@pytest.mark.parametrize("step", ["the row", "the folder"])
async def test_a_put_that_cannot_be_noted_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Otherwise it takes room until the next start, where there is none."""

    async def fail(*_: Any) -> None:
        raise DiskFullError("the disk is full")

    def fail_on_trees(path: Path) -> None:
        if path.name == "trees":
            raise DiskFullError("the disk is full")

    async with opened(tmp_path) as store:
        with monkeypatch.context() as patched:
            if step == "the row":
                patched.setattr(store._catalog, "add", fail)
            else:
                patched.setattr(tree_files, "sync_folder", fail_on_trees)
            with pytest.raises(DiskFullError):
                await put(store)
        assert names(tmp_path / "trees") == names(tmp_path / "uploads") == set()
        assert (await store.space()).used_bytes == 0
        assert await read(store, await put(store)) == CONTENT


async def test_a_put_in_place_of_a_part_leaves_no_trash(tmp_path: Path) -> None:
    async with opened(tmp_path / "other") as other:
        record = await put(other)
        raw = await other.manifest(record.cid)
    assert raw is not None
    async with opened(tmp_path / "mine") as store:
        part = await store.adopt(record.cid, raw)
        async with store.open(part):
            assert len(names(tmp_path / "mine" / "trees")) == 1

        await put(store)

        assert names(tmp_path / "mine" / "uploads") == set()
        assert await read(store, part) == CONTENT
