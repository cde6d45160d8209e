"""`ModuleStore` over SQLAlchemy: what a kernel remembers, in `kernel.sqlite` (KER-8)."""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import BigInteger, LargeBinary, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_base.audit import AuditRecord
from logos_base.errors import StoreFailedError
from logos_kernel.core.access import Access
from logos_kernel.core.errors import StateLockedError
from logos_kernel.core.journal import Entries
from logos_kernel.core.settings import Version
from logos_kernel.core.types import INSTANCE_ID_BYTES, Desired, Record
from logos_kernel.core.versions import ModuleVersion
from logos_kernel.store import access as access_tables
from logos_kernel.store import journal, upgrades
from logos_kernel.store import settings as settings_table
from logos_kernel.store.events import SqlEventStore
from logos_kernel.store.tables import Base
from logos_module.database import Database, reading, writing

_THE_KERNEL: Final = 1


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


class SqlModuleStore:
    """One transaction per call.

    After another kernel has begun on the same state, this one can change nothing. The lock that
    keeps that from happening is lost when a PostgreSQL server restarts.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.events = SqlEventStore(database, self._check)
        self._epoch = 0

    @writing
    async def begin(self, session: AsyncSession) -> int:
        """Counts a start of a kernel on this state; returns its number, from 1."""
        self._epoch = await _epoch_of(session) + 1
        await session.merge(KernelRow(id=_THE_KERNEL, epoch=self._epoch))
        return self._epoch

    @reading
    async def load(self, session: AsyncSession) -> list[Record]:
        """Returns all records, by name."""
        rows = await session.scalars(select(ModuleRow).order_by(ModuleRow.name))
        try:
            return await upgrades.completed(session, map(_to_record, rows))
        except ValueError as error:
            raise StoreFailedError(f"{self.database.place}: {error}") from error

    @writing
    async def save(self, session: AsyncSession, *records: Record) -> None:
        """Stores records in place of those of their names: all of them, or none."""
        await self._check(session)
        for record in records:
            await session.merge(_to_row(record))
            await upgrades.save(session, record)

    @reading
    async def load_entries(self, session: AsyncSession) -> Entries:
        """Returns the entries of the journal that are kept, oldest first."""
        try:
            return await journal.load(session)
        except ValueError as error:
            raise StoreFailedError(f"{self.database.place}: {error}") from error

    @writing
    async def keep(self, session: AsyncSession, entries: Entries) -> None:
        """Adds entries to the journal, and removes the oldest beyond what is kept."""
        await self._check(session)
        await journal.add(session, entries)

    @writing
    async def forget(self, session: AsyncSession, name: str) -> None:
        """Removes a record, if there is one, and the exits and settings of that module."""
        await self._check(session)
        await session.execute(delete(ModuleRow).where(ModuleRow.name == name))
        await journal.forget(session, name)
        await settings_table.forget(session, name)
        await upgrades.forget(session, name)

    @reading
    async def load_versions(self, session: AsyncSession) -> list[ModuleVersion]:
        """Returns the installed versions of modules."""
        try:
            return await upgrades.load_versions(session)
        except ValueError as error:
            raise StoreFailedError(f"{self.database.place}: {error}") from error

    @writing
    async def save_version(
        self, session: AsyncSession, new: ModuleVersion, displaced: ModuleVersion | None
    ) -> None:
        """Adds an installed version, in place of the one that it displaces and of an equal one."""
        await self._check(session)
        await upgrades.save_version(session, new, displaced)

    @reading
    async def load_settings(self, session: AsyncSession) -> Mapping[str, list[Version]]:
        """Returns the kept versions of each module's settings, oldest first."""
        try:
            return await settings_table.load(session)
        except ValueError as error:
            raise StoreFailedError(f"{self.database.place}: {error}") from error

    @writing
    async def save_settings(
        self, session: AsyncSession, versions: Mapping[str, list[Version]]
    ) -> None:
        """Stores the settings of modules in place of all that they had: of all, or of none."""
        await self._check(session)
        for module, of_module in versions.items():
            await settings_table.replace(session, module, of_module)

    @reading
    async def load_access(self, session: AsyncSession) -> Access:
        """Returns the decisions of operators on access."""
        try:
            return await access_tables.load(session)
        except ValueError as error:
            raise StoreFailedError(f"{self.database.place}: {error}") from error

    @writing
    async def save_access(self, session: AsyncSession, access: Access, record: AuditRecord) -> None:
        """Stores decisions in place of all others, and appends to the audit log; or neither."""
        await self._check(session)
        await access_tables.replace(session, access)
        await access_tables.audit(session, [record])

    @writing
    async def audit(self, session: AsyncSession, records: Sequence[AuditRecord]) -> None:
        """Appends to the audit log."""
        await self._check(session)
        await access_tables.audit(session, records)

    @reading
    async def read_audit(self, session: AsyncSession, start: int, limit: int) -> list[AuditRecord]:
        """Returns up to `limit` records of the audit log, from a sequence on."""
        return await access_tables.read_audit(session, start, limit)

    async def _check(self, session: AsyncSession) -> None:
        epoch = await _epoch_of(session)
        if epoch != self._epoch:
            raise StateLockedError(
                f"another kernel has started on {self.database.place}, as epoch {epoch}: this one,"
                f" epoch {self._epoch}, must end"
            )


async def _epoch_of(session: AsyncSession) -> int:
    """Returns the number of the newest start, which stays that until the transaction ends."""
    row = await session.get(KernelRow, _THE_KERNEL, with_for_update=True)
    return 0 if row is None else row.epoch


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
    return Record(
        name=row.name,
        desired=Desired(row.desired),
        epoch=row.epoch,
        restart_count=row.restart_count,
        process=upgrades.to_process(row.pid, row.start_ticks),
        endpoint=row.endpoint,
        instance_id=row.instance_id,
    )
