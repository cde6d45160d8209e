"""All tables of the kernel's database, whichever store a program needs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.orm import configure_mappers

# Each of them has tables of the database.
from logos_kernel.store import access, events, journal, settings, upgrades  # noqa: F401
from logos_kernel.store.sql import SqlModuleStore
from logos_kernel.store.tables import Base
from logos_module.database import Schema, open_database

configure_mappers()  # else at the first query: forked kernels share it, 0.4 MiB of each

SCHEMA: Final = Schema(Base.metadata, Path(__file__).parent / "versions")


@asynccontextmanager
async def open_store(folder: Path, url: str | None = None) -> AsyncIterator[SqlModuleStore]:
    """Opens the store of a kernel; raises what `open_database` raises.

    Args:
        folder: The kernel's state folder, which it has locked.
        url: A PostgreSQL database instead of a file there.
    """
    async with open_database(url or folder / "kernel.sqlite", SCHEMA) as database:
        yield SqlModuleStore(database)
