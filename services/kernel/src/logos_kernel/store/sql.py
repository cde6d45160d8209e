"""`ModuleStore` over SQLAlchemy: what a kernel remembers, in `kernel.sqlite` (KER-8)."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, LargeBinary, String, delete, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_kernel.core.errors import DiskFullError, StoreFailedError
from logos_kernel.core.types import INSTANCE_ID_BYTES, Desired, ProcessId, Record
from logos_module.database import Sessions, open_database

_THE_KERNEL: Final = 1

_ROOM_BYTES: Final = 64 * 1024
"""With less, SQLite cannot open a database: its index of the log takes 32 KiB at once."""


class Base(DeclarativeBase):
    """The kernel's tables."""


class ModuleRow(Base):
    """One module of the profile."""

    __tablename__ = "module"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    desired: Mapped[str] = mapped_column(String(16))
    epoch: Mapped[int] = mapped_column(BigInteger)
    restart_count: Mapped[int]
    pid: Mapped[int | None]
    start_ticks: Mapped[int | None] = mapped_column(BigInteger)
    endpoint: Mapped[str]
    instance_id: Mapped[bytes] = mapped_column(LargeBinary(INSTANCE_ID_BYTES))


class KernelRow(Base):
    """The kernel itself: one row."""

    __tablename__ = "kernel"

    id: Mapped[int] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator["SqlModuleStore"]:
    """Opens the store of a kernel; raises what `open_database` raises."""
    async with open_database(folder / "kernel.sqlite", Base.metadata) as sessions:
        yield SqlModuleStore(sessions, folder)


class SqlModuleStore:
    """One transaction per call."""

    def __init__(self, sessions: Sessions, folder: Path) -> None:
        self._sessions = sessions
        self._folder = folder

    async def begin(self) -> int:
        """Counts a start of a kernel on this state; returns its number, from 1."""
        async with self._writing() as session:
            row = await session.get(KernelRow, _THE_KERNEL)
            epoch = 1 if row is None else row.epoch + 1
            await session.merge(KernelRow(id=_THE_KERNEL, epoch=epoch))
        return epoch

    async def load(self) -> list[Record]:
        """Returns all records, by name."""
        with _refusing(self._folder):
            async with self._sessions() as session:
                rows = await session.scalars(select(ModuleRow).order_by(ModuleRow.name))
                return [_to_record(row) for row in rows]

    async def save(self, *records: Record) -> None:
        """Stores records in place of those of their names: all of them, or none."""
        async with self._writing() as session:
            for record in records:
                await session.merge(_to_row(record))

    async def forget(self, name: str) -> None:
        """Removes a record, if there is one."""
        async with self._writing() as session:
            await session.execute(delete(ModuleRow).where(ModuleRow.name == name))

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncSession]:
        with _refusing(self._folder):
            async with self._sessions.begin() as session:
                yield session


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    """Turns what the database raises into errors of the kernel."""
    try:
        yield
    except (SQLAlchemyError, ValueError) as error:
        # SQLite says one thing of a full disk when it writes, and others when it opens.
        is_refused = isinstance(error, OperationalError)
        if is_refused and ("disk is full" in str(error) or not _has_room(folder)):
            raise DiskFullError(f"the disk of {folder} is full; make room and try again") from error
        cause = getattr(error, "orig", None) or error
        raise StoreFailedError(f"{folder / 'kernel.sqlite'}: {cause}") from error


def _has_room(folder: Path) -> bool:
    try:
        return shutil.disk_usage(folder).free >= _ROOM_BYTES
    except OSError:
        return True  # then that is not what is wrong with it


def _to_row(record: Record) -> ModuleRow:
    process = record.process
    return ModuleRow(
        name=record.name,
        desired=record.desired.value,
        epoch=record.epoch,
        restart_count=record.restart_count,
        pid=None if process is None else process.pid,
        start_ticks=None if process is None else process.start_ticks,
        endpoint=record.endpoint,
        instance_id=record.instance_id,
    )


def _to_record(row: ModuleRow) -> Record:
    has_process = row.pid is not None and row.start_ticks is not None
    return Record(
        name=row.name,
        desired=Desired(row.desired),
        epoch=row.epoch,
        restart_count=row.restart_count,
        process=ProcessId(row.pid or 0, row.start_ticks or 0) if has_process else None,
        endpoint=row.endpoint,
        instance_id=row.instance_id,
    )
