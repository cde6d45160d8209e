"""The tables of the chain's database (CHS-1, CHS-14).

Numbers of 64 bits are 8 bytes, most significant first: no database has unsigned integers, and
both compare bytes in the order of these numbers (CHS-6).
"""

from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlalchemy import Column, Index, LargeBinary, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_chain.store.rows import KINDS
from logos_module.database import Schema

_SMALL_ROWS: Final = {"sqlite_with_rowid": False}
"""SQLite then keeps a row beside its key, and no number of its own."""


class Base(DeclarativeBase):
    """The tables of the chain."""


class BlockRow(Base):
    """A kept block. Both indexes hold all that is read of many blocks at a time."""

    __tablename__ = "block"
    __table_args__ = (
        Index("block_by_height", "is_final", "height", "id"),
        Index("block_by_arrival", "is_final", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    """Its place in the order of arrivals."""
    id: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    parent: Mapped[bytes] = mapped_column(LargeBinary(32))
    height: Mapped[bytes] = mapped_column(LargeBinary(8))
    slot: Mapped[bytes] = mapped_column(LargeBinary(8))
    is_final: Mapped[bool]
    transactions: Mapped[bytes] = mapped_column(LargeBinary)
    """Their hashes in their order, 32 bytes each."""
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class BlockTransactionRow(Base):
    """A transaction of a kept block."""

    __tablename__ = "block_transaction"
    __table_args__ = _SMALL_ROWS

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    block: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its number."""


class SettledRow(Base):
    """The newest final block: one row."""

    __tablename__ = "settled"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    head: Mapped[bytes] = mapped_column(LargeBinary)
    ledger_sum: Mapped[bytes] = mapped_column(LargeBinary(16))
    """Of all rows of the ledger (CHS-9)."""


class SnapshotsRow(Base):
    """The snapshots of the head: one row, apart because it is large and seldom changes."""

    __tablename__ = "snapshots"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class AncestorRow(Base):
    """An ancestor of the newest final block that a tree still wants."""

    __tablename__ = "ancestor"
    __table_args__ = _SMALL_ROWS

    slot: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


def _ledger_table(name: str) -> Table:
    return Table(
        f"ledger_{name}",
        Base.metadata,
        Column("key", LargeBinary, primary_key=True),
        Column("value", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


LEDGER: Final = MappingProxyType({kind.name: _ledger_table(kind.name) for kind in KINDS})
"""The ledger's tables by their names in `State`."""

SCHEMA: Final = Schema(Base.metadata, Path(__file__).parent / "versions")
