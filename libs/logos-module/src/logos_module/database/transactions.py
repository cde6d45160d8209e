"""Transactions that complete even if their callers are cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from copy import copy
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, Protocol, Self, TypeVar

from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from logos_base.errors import LogosError
from logos_module.database.connections import Connections, Work
from logos_module.shielded import Shielded

P = ParamSpec("P")
T = TypeVar("T")

_FAULTS_OF_OURS: Final = (DataError, IntegrityError, ProgrammingError)


class Database:
    """An open database.

    A transaction runs in a task of its own: a caller that is cancelled returns at once, and
    the transaction is still committed or rolled back. Write transactions of one process run
    one at a time, in the order of their calls, so data that one has read is still current
    when it writes. Work awaits nothing but its session, and may run in a thread of its own.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        place: str,
        failures: tuple[type[Exception], ...],
        failure: Callable[[Exception], LogosError],
        shielded: Shielded,
    ) -> None:
        self.place = place
        """Its name in messages, without secrets."""
        self._failures = failures
        self._failure = failure
        self._shielded = shielded
        self._connections = connections
        self._write_lock = asyncio.Lock()

    def raising(self, failure: Callable[[str], LogosError]) -> Self:
        """Returns the same database for a store that has its own class of error for failures."""
        one = copy(self)
        one._failure = lambda error: failure(str(self._failure(error)))  # noqa: SLF001
        return one

    async def read(self, work: Work[T]) -> T:
        """Does work on one snapshot of the database; writes are rolled back.

        Raises:
            StoreFailedError: The database or its disk failed.
        """
        return await self._shielded.run(self._read(work))

    async def write(self, work: Work[T]) -> T:
        """Does work and commits it: all of it, or nothing. Durable when this returns.

        Raises:
            DiskFullError, StoreFailedError: Nothing was written; if the connection to a
                database server broke, the outcome is unknown.
        """
        return await self._shielded.run(self._write(work))

    async def _read(self, work: Work[T]) -> T:
        try:
            return await self._connections.read(work)
        except _FAULTS_OF_OURS:
            raise
        except self._failures as error:
            raise self._failure(error) from error

    async def _write(self, work: Work[T]) -> T:
        try:
            async with self._write_lock:
                return await self._connections.write(work)
        except _FAULTS_OF_OURS:
            raise
        except self._failures as error:
            raise self._failure(error) from error


class HasDatabase(Protocol):
    """A store whose methods are transactions of its database."""

    @property
    def database(self) -> Database: ...


S = TypeVar("S", bound=HasDatabase)

Method = Callable[Concatenate[S, AsyncSession, P], Coroutine[Any, Any, T]]
Call = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def reading(method: Method[S, P, T]) -> Call[S, P, T]:
    """Makes a method of a store one read transaction; the session is its first argument."""

    @wraps(method)
    async def call(store: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store.database.read(lambda session: method(store, session, *args, **kwargs))

    return call


def writing(method: Method[S, P, T]) -> Call[S, P, T]:
    """Makes a method of a store one write transaction; the session is its first argument."""

    @wraps(method)
    async def call(store: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await store.database.write(lambda session: method(store, session, *args, **kwargs))

    return call
