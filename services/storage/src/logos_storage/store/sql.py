"""The catalogue: which datasets there are, and which trees they use.

A row states what is durable: its files are on disk before it is written, and
removed only after it is deleted.

Spec: docs/protocol/storage.md, STO-10, STO-15.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_module.database import Database, Schema, reading, writing
from logos_storage.core import cid as cids
from logos_storage.core.cid import Cid, parse_text
from logos_storage.core.types import TreeShape


class Base(DeclarativeBase):
    """The tables of the storage module."""


class TreeRow(Base):
    """A tree of which there are files."""

    __tablename__ = "tree"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    tree_cid: Mapped[str] = mapped_column(String(128), index=True)
    block_size_bytes: Mapped[int]
    block_count: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    is_complete: Mapped[bool]


class DatasetRow(Base):
    """A manifest, which refers to a tree."""

    __tablename__ = "dataset"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  declared so by SQLAlchemy

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    cid: Mapped[str] = mapped_column(String(128), unique=True)
    tree_name: Mapped[str] = mapped_column(ForeignKey("tree.name"), index=True)
    manifest: Mapped[bytes] = mapped_column(LargeBinary)
    stored_at_us: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class StoredTree:
    """What the catalogue knows of a tree."""

    shape: TreeShape
    size_bytes: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class StoredDataset:
    """What the catalogue knows of a dataset."""

    number: int
    cid: Cid
    raw_manifest: bytes
    stored_at_us: int
    tree: StoredTree


SCHEMA: Final = Schema(Base.metadata, Path(__file__).parent / "versions")


class Catalog:
    """Rows of one node. One transaction a call."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @reading
    async def dataset(self, session: AsyncSession, cid: Cid) -> StoredDataset | None:
        query = select(DatasetRow, TreeRow).join(TreeRow).where(DatasetRow.cid == str(cid))
        row = (await session.execute(query)).first()
        return None if row is None else _to_dataset(row[0], row[1])

    @reading
    async def datasets(
        self, session: AsyncSession, *, below: int | None, limit: int
    ) -> list[StoredDataset]:
        query = select(DatasetRow, TreeRow).join(TreeRow).order_by(DatasetRow.number.desc())
        if below is not None:
            query = query.where(DatasetRow.number < below)
        rows = (await session.execute(query.limit(limit))).all()
        return [_to_dataset(row[0], row[1]) for row in rows]

    @reading
    async def count(self, session: AsyncSession) -> int:
        return await session.scalar(select(func.count()).select_from(DatasetRow)) or 0

    @reading
    async def tree(self, session: AsyncSession, shape: TreeShape) -> StoredTree | None:
        row = await session.get(TreeRow, shape.name)
        return None if row is None else _to_tree(row)

    @reading
    async def trees(self, session: AsyncSession, tree_cid: Cid | None = None) -> list[StoredTree]:
        query = select(TreeRow)
        if tree_cid is not None:
            query = query.where(TreeRow.tree_cid == str(tree_cid))
        return [_to_tree(row) for row in await session.scalars(query)]

    @writing
    async def add(
        self,
        session: AsyncSession,
        cid: Cid,
        raw_manifest: bytes,
        tree: StoredTree,
        stored_at_us: int,
    ) -> StoredDataset:
        """Adds a dataset and, if it is new, its tree. The same one again changes nothing."""
        tree_row = await session.get(TreeRow, tree.shape.name)
        if tree_row is None:
            tree_row = TreeRow(
                name=tree.shape.name,
                tree_cid=str(tree.shape.tree_cid),
                block_size_bytes=tree.shape.block_size_bytes,
                block_count=tree.shape.block_count,
                size_bytes=tree.size_bytes,
                is_complete=tree.is_complete,
            )
            session.add(tree_row)
        tree_row.is_complete = tree_row.is_complete or tree.is_complete
        tree_row.size_bytes = max(tree_row.size_bytes, tree.size_bytes)
        row = await session.scalar(select(DatasetRow).where(DatasetRow.cid == str(cid)))
        if row is None:
            row = DatasetRow(
                cid=str(cid),
                tree_name=tree.shape.name,
                manifest=raw_manifest,
                stored_at_us=stored_at_us,
            )
            session.add(row)
            await session.flush()
        return _to_dataset(row, tree_row)

    @writing
    async def set_complete(
        self, session: AsyncSession, shape: TreeShape, *, is_complete: bool
    ) -> None:
        await session.execute(
            update(TreeRow).where(TreeRow.name == shape.name).values(is_complete=is_complete)
        )

    @reading
    async def is_shared(self, session: AsyncSession, shape: TreeShape) -> bool:
        """Returns whether more than one dataset uses a tree."""
        query = select(func.count()).where(DatasetRow.tree_name == shape.name)
        return (await session.scalar(query) or 0) > 1

    @writing
    async def remove(self, session: AsyncSession, cid: Cid) -> None:
        """Removes a dataset, and its tree if no other uses it."""
        await session.execute(delete(DatasetRow).where(DatasetRow.cid == str(cid)))
        used = select(DatasetRow.tree_name)
        await session.execute(delete(TreeRow).where(TreeRow.name.not_in(used)))


def _to_tree(row: TreeRow) -> StoredTree:
    tree_cid = parse_text(row.tree_cid, cids.TREE)
    shape = TreeShape(tree_cid, row.block_size_bytes, row.block_count)
    return StoredTree(shape, row.size_bytes, row.is_complete)


def _to_dataset(row: DatasetRow, tree: TreeRow) -> StoredDataset:
    return StoredDataset(
        number=row.number,
        cid=parse_text(row.cid, cids.MANIFEST),
        raw_manifest=row.manifest,
        stored_at_us=row.stored_at_us,
        tree=_to_tree(tree),
    )
