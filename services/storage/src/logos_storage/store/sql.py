"""The catalogue: which datasets there are, and which trees they stand on.

Rows say what is durable: files are on disk before the row that speaks of them,
and gone only after it is gone.

Spec: docs/protocol/storage.md, STO-10, STO-15.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    LargeBinary,
    String,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_base.errors import DiskFullError
from logos_storage.core import cid as cids
from logos_storage.core.cid import Cid, parse_text
from logos_storage.core.types import TreeShape

P = ParamSpec("P")
T = TypeVar("T")

_DISK_IS_FULL: Final = "database or disk is full"


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
    """A manifest, and with it a claim on a tree."""

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


class Through(Protocol):
    """Does work to its end even where its caller is cancelled."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> Awaitable[T]: ...


Method = Callable[Concatenate["Catalog", P], Coroutine[Any, Any, T]]


def uninterrupted(method: Method[P, T]) -> Method[P, T]:
    """A connection whose statement is cancelled is lost; so none is."""

    @wraps(method)
    async def call(self: "Catalog", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.through(method(self, *args, **kwargs))

    return call


class Catalog:
    """Rows of one node. One transaction a call."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], through: Through) -> None:
        self.through = through
        self._sessions = sessions

    @uninterrupted
    async def dataset(self, cid: Cid) -> StoredDataset | None:
        async with self._sessions() as session:
            query = select(DatasetRow, TreeRow).join(TreeRow).where(DatasetRow.cid == str(cid))
            row = (await session.execute(query)).first()
        return None if row is None else _to_dataset(row[0], row[1])

    @uninterrupted
    async def datasets(self, *, below: int | None, limit: int) -> list[StoredDataset]:
        query = select(DatasetRow, TreeRow).join(TreeRow).order_by(DatasetRow.number.desc())
        if below is not None:
            query = query.where(DatasetRow.number < below)
        async with self._sessions() as session:
            rows = (await session.execute(query.limit(limit))).all()
        return [_to_dataset(row[0], row[1]) for row in rows]

    @uninterrupted
    async def count(self) -> int:
        async with self._sessions() as session:
            return await session.scalar(select(func.count()).select_from(DatasetRow)) or 0

    @uninterrupted
    async def tree(self, shape: TreeShape) -> StoredTree | None:
        async with self._sessions() as session:
            row = await session.get(TreeRow, shape.name)
        return None if row is None else _to_tree(row)

    @uninterrupted
    async def trees(self, tree_cid: Cid | None = None) -> list[StoredTree]:
        query = select(TreeRow)
        if tree_cid is not None:
            query = query.where(TreeRow.tree_cid == str(tree_cid))
        async with self._sessions() as session:
            return [_to_tree(row) for row in await session.scalars(query)]

    @uninterrupted
    async def add(
        self, cid: Cid, raw_manifest: bytes, tree: StoredTree, stored_at_us: int
    ) -> StoredDataset:
        """Adds a dataset and, if it is new, its tree. The same one again changes nothing."""
        async with self._writing() as session:
            tree_row = await session.get(TreeRow, tree.shape.name)
            if tree_row is None:
                tree_row = _from_tree(tree)
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

    @uninterrupted
    async def set_complete(self, shape: TreeShape, *, is_complete: bool) -> None:
        async with self._writing() as session:
            await session.execute(
                update(TreeRow).where(TreeRow.name == shape.name).values(is_complete=is_complete)
            )

    @uninterrupted
    async def is_shared(self, shape: TreeShape) -> bool:
        """Says whether more than one dataset stands on a tree."""
        query = select(func.count()).where(DatasetRow.tree_name == shape.name)
        async with self._sessions() as session:
            return (await session.scalar(query) or 0) > 1

    @uninterrupted
    async def remove(self, cid: Cid) -> None:
        """Removes a dataset, and its tree if no other stands on it."""
        async with self._writing() as session:
            await session.execute(delete(DatasetRow).where(DatasetRow.cid == str(cid)))
            used = select(DatasetRow.tree_name)
            await session.execute(delete(TreeRow).where(TreeRow.name.not_in(used)))

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncSession]:
        try:
            async with self._sessions.begin() as session:
                yield session
        except OperationalError as error:
            if _DISK_IS_FULL in str(error.orig):
                raise DiskFullError(
                    "the disk of this node is full; make room and try again"
                ) from error
            raise


def _from_tree(tree: StoredTree) -> TreeRow:
    return TreeRow(
        name=tree.shape.name,
        tree_cid=str(tree.shape.tree_cid),
        block_size_bytes=tree.shape.block_size_bytes,
        block_count=tree.shape.block_count,
        size_bytes=tree.size_bytes,
        is_complete=tree.is_complete,
    )


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
