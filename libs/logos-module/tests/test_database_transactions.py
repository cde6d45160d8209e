"""Transactions are whole, in order and durable, on SQLite and on PostgreSQL alike."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from families import SCHEMA, Families, Parent
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from logos_base.errors import ConfigError, DiskFullError, StoreFailedError
from logos_module.database import (
    Database,
    DatabaseInUseError,
    DatabaseUnavailableError,
    open_database,
    postgresql,
)

Place = Path | str


class Pause:
    """In the midst of a transaction, which may run in another thread: it asks for as long."""

    def __init__(self) -> None:
        self._has_come = threading.Event()
        self.go_on = threading.Event()

    async def until_come(self) -> None:
        await asyncio.to_thread(self._has_come.wait)

    async def wait(self, session: AsyncSession) -> None:
        self._has_come.set()
        while not self.go_on.is_set():
            await session.execute(select(1))


class Halfway(Pause):
    """A transaction that adds parents 1 and 2, and waits between them."""

    async def __call__(self, session: AsyncSession) -> None:
        session.add(Parent(id=1))
        await session.flush()
        await self.wait(session)
        session.add(Parent(id=2))


async def parents_in(place: Place) -> list[int]:
    async with open_database(place, SCHEMA) as database:
        return await Families(database).parents()


async def test_what_was_committed_is_there_again(place: Place) -> None:
    async with open_database(place, SCHEMA) as database:
        await Families(database).add(7)

    assert await parents_in(place) == [7]


async def test_a_caller_that_is_cancelled_is_let_go_and_the_transaction_committed(
    place: Place,
) -> None:
    halfway = Halfway()
    async with open_database(place, SCHEMA) as database, asyncio.TaskGroup() as tasks:
        writing = tasks.create_task(database.write(halfway))
        await halfway.until_come()

        writing.cancel()
        await asyncio.wait((writing,))
        later = tasks.create_task(Families(database).add(3))
        halfway.go_on.set()
        await later

        assert writing.cancelled()
        assert await Families(database).parents() == [1, 2, 3]


async def test_a_database_closes_after_its_transactions_even_where_its_owner_is_cancelled(
    place: Place,
) -> None:
    halfway = Halfway()
    has_left = asyncio.Event()

    async def own() -> None:
        async with open_database(place, SCHEMA) as database:
            try:
                await database.write(halfway)
            finally:
                has_left.set()

    async with asyncio.TaskGroup() as tasks:
        owner = tasks.create_task(own())
        await halfway.until_come()
        owner.cancel()
        await has_left.wait()
        owner.cancel()  # and once more, while it closes
        await asyncio.sleep(0)
        halfway.go_on.set()
        await asyncio.wait((owner,))

    assert owner.cancelled()
    assert await parents_in(place) == [1, 2]


async def test_wherever_a_caller_is_cancelled_nothing_is_torn_lost_or_left_open(
    place: Place,
) -> None:
    async with open_database(place, SCHEMA) as database:
        store = Families(database)
        acknowledged: list[int] = []

        async def add(number: int) -> None:
            await store.add(number, -number)
            acknowledged.append(number)

        for rounds in range(1, 40):
            async with asyncio.TaskGroup() as tasks:
                adding = tasks.create_task(add(rounds))
                for _ in range(rounds):
                    await asyncio.sleep(0)
                adding.cancel()
            await add(-100 - rounds)  # comes after what was cancelled
        parents = await store.parents()
        open_transactions = await transactions_in(database, place)

    assert set(acknowledged) <= set(parents)
    assert parents == sorted(-number for number in parents)
    assert open_transactions == 0
    assert await parents_in(place) == parents


async def transactions_in(database: Database, place: Place) -> int:
    """How many transactions are open, seen from outside."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place, timeout=0)) as other:
            other.execute("BEGIN EXCLUSIVE")  # fails while another transaction writes
            other.rollback()
        return 0
    query = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    return await database.read(lambda session: session.scalar(text(query))) or 0


async def test_work_that_fails_leaves_nothing(place: Place) -> None:
    async def fail(session: AsyncSession) -> None:
        session.add(Parent(id=1))
        await session.flush()
        raise ValueError("no")

    async with open_database(place, SCHEMA) as database:
        with pytest.raises(ValueError, match="no"):
            await database.write(fail)
        await Families(database).add(2)
        with pytest.raises(IntegrityError):
            await Families(database).add(3, 2)

        assert await Families(database).parents() == [2]


async def test_what_reading_work_writes_is_rolled_back(place: Place) -> None:
    async def write(session: AsyncSession) -> None:
        session.add(Parent(id=1))
        await session.flush()

    async with open_database(place, SCHEMA) as database:
        await database.read(write)

        assert await Families(database).parents() == []


async def test_reading_sees_one_state(place: Place) -> None:
    async with open_database(place, SCHEMA) as database:
        store = Families(database)
        pause = Pause()

        async def read_around_a_write(session: AsyncSession) -> list[int | None]:
            query = select(func.count()).select_from(Parent)
            before = await session.scalar(query)
            await pause.wait(session)
            return [before, await session.scalar(query)]

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(database.read(read_around_a_write))
            await pause.until_come()
            await store.add(1)
            pause.go_on.set()

        assert await reading == [0, 0]
        assert await store.parents() == [1]


async def test_work_on_a_file_that_awaits_anything_else_is_a_fault_and_undone(
    tmp_path: Path,
) -> None:
    async def wander(session: AsyncSession) -> None:
        session.add(Parent(id=1))
        await session.flush()
        await asyncio.sleep(0)

    async with open_database(tmp_path / "a.sqlite", SCHEMA) as database:
        with pytest.raises(RuntimeError, match="nothing but its session"):
            await database.write(wander)

        assert await Families(database).parents() == []


async def test_what_a_writer_has_read_is_true_when_it_writes(place: Place) -> None:
    async def raise_by_one(session: AsyncSession) -> None:
        highest = await session.scalar(select(func.max(Parent.id)))
        await session.execute(update(Parent).values(id=(highest or 0) + 1))

    async with open_database(place, SCHEMA) as database:
        await Families(database).add(0)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(40):
                tasks.create_task(database.write(raise_by_one))

        assert await Families(database).parents() == [40]


async def test_a_store_may_have_an_error_of_its_own_for_what_fails(tmp_path: Path) -> None:
    class CannotError(StoreFailedError):
        reason = "CANNOT"

    async with open_database(tmp_path / "a.sqlite", SCHEMA) as database:
        with pytest.raises(CannotError, match=r"a\.sqlite: no such table: other"):
            await database.raising(CannotError).read(
                lambda session: session.execute(text("SELECT * FROM other"))
            )


async def test_a_server_without_room_is_a_full_disk(postgresql_url: str) -> None:
    statement = "DO $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$"

    async with open_database(postgresql_url, SCHEMA) as database:
        with pytest.raises(DiskFullError):
            await database.write(lambda session: session.execute(text(statement)))


async def test_connections_that_the_server_has_ended_are_replaced(postgresql_url: str) -> None:
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with open_database(postgresql_url, SCHEMA) as database:
        store = Families(database)
        await store.add(1)
        await database.read(lambda session: session.execute(text(end_all)))
        await store.add(2)

        assert await store.parents() == [1, 2]


async def test_a_server_gives_a_database_to_one_process_at_a_time(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "OWNER_WAIT_MS", 50)
    async with open_database(postgresql_url, SCHEMA):
        with pytest.raises(DatabaseInUseError) as caught:
            await parents_in(postgresql_url)

    assert caught.value.reason == "DATABASE_IN_USE"
    assert await parents_in(postgresql_url) == []


UNUSABLE: list[tuple[Callable[[str], str], type[Exception]]] = [
    (lambda url: url.replace("@/test", "@/other"), DatabaseUnavailableError),
    (lambda url: url.replace("host=", "host=/nowhere"), DatabaseUnavailableError),
    (lambda url: url.replace("+asyncpg", ""), ConfigError),
    (lambda _: "no URL: secret", ConfigError),
]


@pytest.mark.parametrize(("change", "error"), UNUSABLE)
async def test_a_url_that_leads_nowhere_is_named_without_its_password(
    postgresql_url: str, change: Callable[[str], str], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        await parents_in(change(postgresql_url))

    assert "secret" not in str(caught.value)


async def test_a_transaction_fails_with_the_servers_words_when_it_is_gone(
    postgresql_url: str,
) -> None:
    end_self = "SELECT pg_terminate_backend(pg_backend_pid())"

    async with open_database(postgresql_url, SCHEMA) as database:
        with pytest.raises(StoreFailedError) as caught:
            await database.write(lambda session: session.execute(text(end_self)))

        assert caught.value.reason == "STORE_FAILED"
        assert "secret" not in str(caught.value)
        assert await Families(database).parents() == []
