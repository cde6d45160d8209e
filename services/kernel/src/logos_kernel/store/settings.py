"""The table of settings: the last versions of each module (KER-40)."""

from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import BigInteger, String, delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_kernel.core.settings import Outcome, Version
from logos_kernel.store.tables import Base


class SettingsRow(Base):
    """One version of a module's settings."""

    __tablename__ = "settings"

    module: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    changes: Mapped[str]
    document: Mapped[str]
    by: Mapped[str] = mapped_column(String(80))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    outcome: Mapped[str] = mapped_column(String(16))
    detail: Mapped[str]


async def load(session: AsyncSession) -> Mapping[str, list[Version]]:
    """Returns the versions of each module, oldest first; `ValueError` for unknown words."""
    found: dict[str, list[Version]] = {}
    order = SettingsRow.module, SettingsRow.number
    for row in await session.scalars(select(SettingsRow).order_by(*order)):
        found.setdefault(row.module, []).append(_to_version(row))
    return found


async def replace(session: AsyncSession, module: str, versions: list[Version]) -> None:
    """Stores the versions of a module in place of all that it had."""
    await forget(session, module)
    session.add_all(
        SettingsRow(module=module, **asdict(one) | {"outcome": one.outcome.value})
        for one in versions
    )


async def forget(session: AsyncSession, module: str) -> None:
    """Removes the settings of a module."""
    await session.execute(delete(SettingsRow).where(SettingsRow.module == module))


def _to_version(row: SettingsRow) -> Version:
    return Version(
        number=row.number,
        changes=row.changes,
        document=row.document,
        by=row.by,
        at_ms=row.at_ms,
        outcome=Outcome(row.outcome),
        detail=row.detail,
    )
