"""The tables of the journal: transitions of the node, and exits of its modules (KER-19, KER-20)."""

from dataclasses import asdict

from sqlalchemy import BigInteger, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_kernel.core.journal import (
    MAX_EXITS,
    MAX_TRANSITIONS,
    Entries,
    PastExit,
    Reason,
    Transition,
)
from logos_kernel.core.types import Exit, ModuleState
from logos_kernel.store.tables import Base


class TransitionRow(Base):
    """One change of a module's state."""

    __tablename__ = "transition"

    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    module: Mapped[str] = mapped_column(String(64))
    epoch: Mapped[int] = mapped_column(BigInteger)
    old: Mapped[str] = mapped_column(String(16))
    new: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str]
    at_ms: Mapped[int] = mapped_column(BigInteger)


class ExitRow(Base):
    """One end of a module's process."""

    __tablename__ = "exit"

    module: Mapped[str] = mapped_column(String(64), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    code: Mapped[int | None]
    is_oom: Mapped[bool | None]
    reason: Mapped[str] = mapped_column(String(32))
    at_ms: Mapped[int] = mapped_column(BigInteger)


async def load(session: AsyncSession) -> Entries:
    """Returns all entries, oldest first; raises `ValueError` for words that it does not know."""
    rows = await session.scalars(select(TransitionRow).order_by(TransitionRow.revision))
    exits = await session.scalars(select(ExitRow).order_by(ExitRow.module, ExitRow.epoch))
    return Entries(tuple(map(_to_transition, rows)), tuple(map(_to_exit, exits)))


async def add(session: AsyncSession, entries: Entries) -> None:
    """Adds entries, and removes the oldest beyond what is kept."""
    session.add_all(map(_to_transition_row, entries.transitions))
    for last in entries.transitions[-1:]:
        is_old = TransitionRow.revision <= last.revision - MAX_TRANSITIONS
        await session.execute(delete(TransitionRow).where(is_old))
    for one in entries.exits:
        await session.merge(_to_exit_row(one))
    await session.flush()
    for name in {one.module for one in entries.exits}:
        of_module = ExitRow.module == name
        newest = select(ExitRow.epoch).where(of_module).order_by(ExitRow.epoch.desc())
        is_kept = ExitRow.epoch.in_(newest.limit(MAX_EXITS))
        await session.execute(delete(ExitRow).where(of_module, ~is_kept))


async def forget(session: AsyncSession, module: str) -> None:
    """Removes the exits of a module."""
    await session.execute(delete(ExitRow).where(ExitRow.module == module))


def _to_transition_row(one: Transition) -> TransitionRow:
    words = {"old": one.old.value, "new": one.new.value, "reason": one.reason.value}
    return TransitionRow(**asdict(one) | words)


def _to_transition(row: TransitionRow) -> Transition:
    return Transition(
        revision=row.revision,
        module=row.module,
        epoch=row.epoch,
        old=ModuleState(row.old),
        new=ModuleState(row.new),
        reason=Reason(row.reason),
        detail=row.detail,
        at_ms=row.at_ms,
    )


def _to_exit_row(one: PastExit) -> ExitRow:
    return ExitRow(
        module=one.module,
        epoch=one.epoch,
        code=one.exit.code,
        is_oom=one.exit.is_oom,
        reason=one.reason.value,
        at_ms=one.at_ms,
    )


def _to_exit(row: ExitRow) -> PastExit:
    how = Exit(row.code, is_oom=row.is_oom)
    return PastExit(row.module, row.epoch, how, Reason(row.reason), row.at_ms)
