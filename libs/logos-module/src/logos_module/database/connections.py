"""How a transaction runs: on the event loop with a server, whole in a thread with SQLite.

SQLite answers in microseconds, so that passing each statement to a thread and back costs more
than the statement (docs/adr/0037). There the coroutine of a transaction is run in a thread from
its first line to its last: all that it awaits is its session, which is ready at once.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar, cast

from sqlalchemy import Connection, Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

P = ParamSpec("P")
T = TypeVar("T")

Work = Callable[[AsyncSession], Coroutine[Any, Any, T]]

BEGIN: Final = "begin_statement"
"""Execution option: the statement with which SQLite begins a transaction."""
WRITE: Final = "BEGIN IMMEDIATE"
READERS: Final = 4
"""Threads that read, beside the one that writes."""


class Connections(Protocol):
    """The connections of a module to its database."""

    async def read(self, work: Work[T]) -> T:
        """Does work in a transaction, and rolls it back."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Does work in a transaction, and commits it unless it raises. One at a time."""
        ...

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Does work on a connection, as `write`."""
        ...

    async def close(self) -> None:
        """Closes all of them; nothing runs on one any more."""
        ...


class LoopConnections:
    """To a server: transactions wait for its answers on the event loop."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)

    async def read(self, work: Work[T]) -> T:
        """As `Connections`."""
        async with self._sessions() as session:
            return await work(session)

    async def write(self, work: Work[T]) -> T:
        """As `Connections`."""
        async with self._sessions.begin() as session:
            return await work(session)

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `Connections`."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(work, *args, **kwargs)

    async def close(self) -> None:
        """As `Connections`."""
        await self._engine.dispose()


class ThreadConnections:
    """To a file: a transaction is run by a thread, whole."""

    def __init__(self, engine: Callable[[int], Engine]) -> None:
        """`engine` makes one of so many connections, which may be used by any thread.

        The one that writes has an engine of its own: its pages stay in its cache while no other
        connection writes.
        """
        self._reads = engine(READERS)
        self._writes = engine(1).execution_options(**{BEGIN: WRITE})
        self._readers = ThreadPoolExecutor(READERS, "database-read")
        self._writer = ThreadPoolExecutor(1, "database-write")

    async def read(self, work: Work[T]) -> T:
        """As `Connections`."""
        return await _in(self._readers, _read, self._reads, work)

    async def write(self, work: Work[T]) -> T:
        """As `Connections`."""
        return await _in(self._writer, _write, self._writes, work)

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `Connections`."""

        def in_transaction() -> T:
            with self._writes.begin() as connection:
                return work(connection, *args, **kwargs)

        return await _in(self._writer, in_transaction)

    async def close(self) -> None:
        """As `Connections`."""
        await _in(self._writer, self._reads.dispose)
        await _in(self._writer, self._writes.dispose)  # SQLite writes when the last one closes
        self._readers.shutdown(wait=False)
        self._writer.shutdown(wait=False)


async def _in(
    pool: ThreadPoolExecutor, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        pool, lambda: context.run(work, *args, **kwargs)
    )


def _read(engine: Engine, work: Work[T]) -> T:
    with Session(engine, expire_on_commit=False) as session:
        return _driven(work, session)


def _write(engine: Engine, work: Work[T]) -> T:
    with Session(engine, expire_on_commit=False) as session, session.begin():
        return _driven(work, session)


def _driven(work: Work[T], session: Session) -> T:
    """Runs a coroutine that awaits nothing but its session."""
    running = work(cast(AsyncSession, _ReadySession(session)))
    try:
        running.send(None)
    except StopIteration as end:
        done: T = end.value
        return done
    running.close()
    raise RuntimeError("a transaction may await nothing but its session")


class _ReadySession:
    """What stores use of an `AsyncSession`: each answer is there when it is awaited."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.add = session.add
        self.add_all = session.add_all
        self.expunge_all = session.expunge_all
        self.get_bind = session.get_bind

    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.execute(*args, **kwargs)

    async def scalar(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.scalar(*args, **kwargs)

    async def scalars(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.scalars(*args, **kwargs)

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.get(*args, **kwargs)

    async def merge(self, *args: Any, **kwargs: Any) -> Any:
        return self._session.merge(*args, **kwargs)

    async def flush(self) -> None:
        self._session.flush()

    async def run_sync(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return work(self._session, *args, **kwargs)
