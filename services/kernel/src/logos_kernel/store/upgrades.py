"""The tables of upgrades and of installed versions (KER-48, KER-49)."""

from collections.abc import Iterable
from dataclasses import asdict, replace

from sqlalchemy import BigInteger, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_base.errors import ConfigError
from logos_kernel.core.types import ProcessId, Record
from logos_kernel.core.upgrade import OPERATION_ID_CHARS, Phase, Upgrade
from logos_kernel.core.versions import ModuleVersion
from logos_kernel.store.tables import Base


class UpgradeRow(Base):
    """The last upgrade of one module."""

    __tablename__ = "upgrade"

    module: Mapped[str] = mapped_column(String(64), primary_key=True)
    operation: Mapped[str] = mapped_column(String(OPERATION_ID_CHARS))
    old: Mapped[str] = mapped_column(String(64))
    new: Mapped[str] = mapped_column(String(64))
    phase: Mapped[str] = mapped_column(String(16))
    started_ms: Mapped[int] = mapped_column(BigInteger)
    ended_ms: Mapped[int] = mapped_column(BigInteger)
    why: Mapped[str]


class RunningRow(Base):
    """Which version of a module runs, and a second process of it."""

    __tablename__ = "running_version"

    module: Mapped[str] = mapped_column(String(64), primary_key=True)
    newest: Mapped[int] = mapped_column(BigInteger)
    installed: Mapped[str] = mapped_column(String(64))
    beside_pid: Mapped[int | None]
    beside_start_ticks: Mapped[int | None] = mapped_column(BigInteger)
    leaving: Mapped[bool]


class VersionRow(Base):
    """One installed version of a module."""

    __tablename__ = "version"

    module: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    manifest: Mapped[str]
    directory: Mapped[str]
    installed_ms: Mapped[int] = mapped_column(BigInteger)


async def completed(session: AsyncSession, records: Iterable[Record]) -> list[Record]:
    """Adds to records what these tables hold; raises `ValueError` for words not known."""
    last = {row.module: _to_upgrade(row) for row in await session.scalars(select(UpgradeRow))}
    running = {row.module: row for row in await session.scalars(select(RunningRow))}
    return [_completed(one, running.get(one.name), last.get(one.name)) for one in records]


async def save(session: AsyncSession, record: Record) -> None:
    """Stores which version of a module runs, and its last upgrade."""
    beside = record.beside
    await session.merge(
        RunningRow(
            module=record.name,
            newest=record.newest,
            installed=record.installed,
            beside_pid=None if beside is None else beside.pid,
            beside_start_ticks=None if beside is None else beside.start_ticks,
            leaving=record.is_leaving,
        )
    )
    if record.upgrade is None:
        await session.execute(delete(UpgradeRow).where(UpgradeRow.module == record.name))
    else:
        one = asdict(record.upgrade)
        await session.merge(UpgradeRow(**one | {"phase": record.upgrade.phase.value}))


async def forget(session: AsyncSession, module: str) -> None:
    """Removes what is known of a module, but for its installed versions."""
    await session.execute(delete(UpgradeRow).where(UpgradeRow.module == module))
    await session.execute(delete(RunningRow).where(RunningRow.module == module))


def _completed(record: Record, row: RunningRow | None, last: Upgrade | None) -> Record:
    if row is None:
        return replace(record, upgrade=last)
    beside = to_process(row.beside_pid, row.beside_start_ticks)
    return replace(
        record,
        newest=row.newest,
        installed=row.installed,
        beside=beside,
        upgrade=last,
        is_leaving=row.leaving,
    )


def to_process(pid: int | None, start_ticks: int | None) -> ProcessId | None:
    """Returns a process of which both are there."""
    return None if pid is None or start_ticks is None else ProcessId(pid, start_ticks)


def _to_upgrade(row: UpgradeRow) -> Upgrade:
    return Upgrade(
        row.operation,
        row.module,
        row.old,
        row.new,
        Phase(row.phase),
        row.started_ms,
        row.ended_ms,
        row.why,
    )


async def load_versions(session: AsyncSession) -> list[ModuleVersion]:
    """Returns all installed versions; raises `ValueError` for a manifest that it cannot read."""
    rows = await session.scalars(select(VersionRow))
    try:
        return [ModuleVersion.of(row.manifest, row.directory, row.installed_ms) for row in rows]
    except ConfigError as error:
        raise ValueError(f"an installed manifest cannot be read: {error}") from error


async def save_version(
    session: AsyncSession, new: ModuleVersion, displaced: ModuleVersion | None
) -> None:
    """Adds a version, in place of the one that it displaces and of an equal one."""
    for module, version in {one.key for one in (new, displaced) if one is not None}:
        is_it = (VersionRow.module == module) & (VersionRow.version == version)
        await session.execute(delete(VersionRow).where(is_it))
    session.add(
        VersionRow(
            module=new.manifest.name,
            version=new.manifest.version,
            manifest=new.text,
            directory=new.directory,
            installed_ms=new.installed_ms,
        )
    )
