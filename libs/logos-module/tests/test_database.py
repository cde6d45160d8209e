"""A module's own database: durable, and strict about its keys."""

from pathlib import Path

import pytest
from sqlalchemy import ForeignKey, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_module.database import open_database


class Base(DeclarativeBase):
    pass


class Parent(Base):
    __tablename__ = "parent"
    id: Mapped[int] = mapped_column(primary_key=True)


class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey("parent.id"))


async def test_what_was_committed_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    async with open_database(path, Base.metadata) as sessions, sessions.begin() as session:
        session.add(Parent(id=7))
    async with open_database(path, Base.metadata) as sessions, sessions() as session:
        found = await session.get(Parent, 7)

    assert found is not None


async def test_commits_reach_the_disk_and_keys_are_kept(tmp_path: Path) -> None:
    async with open_database(tmp_path / "a.sqlite", Base.metadata) as sessions:
        async with sessions() as session:
            values = [
                (await session.execute(text(f"PRAGMA {name}"))).scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        assert values == ["wal", 2, 1, 5000]
        with pytest.raises(IntegrityError):
            async with sessions.begin() as session:
                session.add(Child(id=1, parent_id=99))
