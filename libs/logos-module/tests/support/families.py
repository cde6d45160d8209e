"""A small store, for tests of databases."""

from pathlib import Path
from typing import Final

from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_module.database import Database, Schema, reading, writing

VERSIONS: Final = Path(__file__).parent.parent / "versions"


class Base(DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)


class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"))


SCHEMA: Final = Schema(Base.metadata, VERSIONS)


class Families:
    """Ids of parents, as a store keeps them."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @writing
    async def add(self, session: AsyncSession, *ids: int) -> None:
        session.add_all([Parent(id=number) for number in ids])

    @writing
    async def add_child(self, session: AsyncSession, number: int, *, parent: int) -> None:
        session.add(Child(id=number, parent_id=parent))

    @reading
    async def parents(self, session: AsyncSession) -> list[int]:
        return list(await session.scalars(select(Parent.id).order_by(Parent.id)))
