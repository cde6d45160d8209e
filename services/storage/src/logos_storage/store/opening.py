"""Opens the store of a node: folder, database, worker threads."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from logos_module.database import open_database
from logos_module.shielded import Shielded
from logos_storage.core.quota import Quota
from logos_storage.core.types import MonotonicMs, WallClockUs
from logos_storage.store.datasets import DatasetStore
from logos_storage.store.fresh import FreshBlocks
from logos_storage.store.sql import SCHEMA, Catalog
from logos_storage.store.sweep import CATALOGUE, check_catalogue
from logos_storage.store.trees import DiskExecutor

HEADROOM_BYTES: Final = 8 * 1024 * 1024
"""Left free on the disk, so that the catalogue can still note what goes (STO-17)."""

FRESH_BYTES: Final = 32 * 1024 * 1024
"""As much as one reader is ahead of what it has (STO-30)."""


@asynccontextmanager
async def open_store(
    folder: Path,
    *,
    quota_bytes: int,
    monotonic_ms: MonotonicMs,
    wall_clock_us: WallClockUs,
    headroom_bytes: int = HEADROOM_BYTES,
) -> AsyncIterator[DatasetStore]:
    """Opens and sweeps a store; what is under way when it closes is finished or undone.

    Raises:
        CatalogueLostError: There is content without a catalogue; nothing was changed.
        DatabaseDamagedError, DatabaseUnavailableError, DiskFullError: As `open_database`.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(check_catalogue, folder)
    threads = ThreadPoolExecutor(max(4, os.cpu_count() or 1), "storage-disk")
    with threads:
        async with (
            open_database(folder / CATALOGUE, SCHEMA) as database,
            Shielded() as shielded,
            asyncio.TaskGroup() as tasks,
        ):
            executor = DiskExecutor(
                threads,
                tasks,
                shielded,
                Quota(quota_bytes),
                monotonic_ms,
                headroom_bytes,
                FreshBlocks(FRESH_BYTES),
            )
            catalog = Catalog(database)
            store = DatasetStore(executor, catalog, folder, wall_clock_us)
            await store.start()
            yield store
