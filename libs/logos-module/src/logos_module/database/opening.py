"""Opens a database: check, create or upgrade, serve, close; the same for every backend."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Connection

from logos_base.errors import LogosError
from logos_module.database.connections import Connections
from logos_module.database.errors import (
    DatabaseDamagedError,
    DatabaseInUseError,
    UpgradeFailedError,
    cause_of,
)
from logos_module.database.schema import Fit, Schema
from logos_module.database.sqlite import SqliteFile
from logos_module.database.transactions import Database
from logos_module.shielded import Shielded

OWNED_TRIES: Final = 2
"""To own a database that is shared otherwise, each for as long as the backend waits."""


class Backend(Protocol):
    """One database of one kind."""

    place: str
    """Its name in messages, without secrets."""
    failures: tuple[type[Exception], ...]
    """Exceptions that its driver raises."""

    def owned(self) -> AbstractAsyncContextManager[None]:
        """Holds a lock against all other processes while it is entered."""
        ...

    def shared(self) -> AbstractAsyncContextManager[None]:
        """Holds a lock against processes that own the database while it is entered."""
        ...

    async def check(self, schema: Schema) -> Fit:
        """Refuses a damaged or newer database, before any change."""
        ...

    def connections(self) -> Connections: ...

    def upgrade_connections(self) -> Connections: ...

    def check_references(self, connection: Connection) -> None:
        """Raises ValueError if an upgrade has left a dangling foreign key."""
        ...

    def with_advice(self, error: DatabaseDamagedError) -> DatabaseDamagedError:
        """Adds to an error the way out for an operator."""
        ...

    def refusal(self, error: Exception, /) -> LogosError | None:
        """Returns the error to raise if the database caused `error`; None if it did not."""
        ...

    def failure(self, error: Exception) -> LogosError:
        """Returns the error for a transaction that failed."""
        ...


@asynccontextmanager
async def open_database(
    place: Path | str, schema: Schema, *, is_shared: bool = False
) -> AsyncIterator[Database]:
    """Opens a database, brings its tables to the newest version, and closes it at the end.

    Damage that is found while the body runs, and is not handled there, raises the same errors.

    Args:
        place: The file of an SQLite database, in a folder that the caller has locked; or the
            URL of a PostgreSQL database, `postgresql+asyncpg://…`.
        schema: Its tables.
        is_shared: Whether other processes that say so too may have it open, of a server. It is
            created and upgraded by one of them while none of the others has it open.

    Raises:
        DatabaseDamagedError: It is damaged or has other tables. It was not changed.
        DatabaseNewerError: A later release has written it. It was not changed.
        UpgradeFailedError: It could not be upgraded, and is unchanged.
        DatabaseInUseError, DatabaseUnavailableError: It cannot be opened.
        DiskFullError: The disk is too full to open it.
    """
    backend = _backend(place)
    try:
        join = is_shared and not isinstance(backend, SqliteFile)
        opened = _joined(backend, schema) if join else _owned(backend, schema)
        async with opened as fit, _open(backend.connections) as (connections, shielded):
            await shielded.run(_begin(connections, schema, fit))
            yield Database(
                connections,
                place=backend.place,
                failures=backend.failures,
                failure=backend.failure,
                shielded=shielded,
            )
    except Exception as error:
        refusal = backend.refusal(_single(error))
        if refusal is None:
            raise
        raise refusal from error


@asynccontextmanager
async def _owned(backend: Backend, schema: Schema) -> AsyncIterator[Fit]:
    """Holds a database for this process alone, in the newest version if there are tables."""
    async with backend.owned():
        try:
            fit = await backend.check(schema)
            if fit is Fit.OLDER:
                await _upgrade(backend, schema)
        except DatabaseDamagedError as error:
            raise backend.with_advice(error) from error
        yield fit


@asynccontextmanager
async def _joined(backend: Backend, schema: Schema) -> AsyncIterator[Fit]:
    """Holds a database together with others, in the newest version.

    One that must be created or upgraded is owned for that. Another process may be faster, and
    have it open by then.
    """
    for tries_left in reversed(range(OWNED_TRIES + 1)):
        async with backend.shared():
            fit = await backend.check(schema)
            if fit is Fit.CURRENT:
                yield fit
                return
        if tries_left:
            with suppress(DatabaseInUseError):
                await _make_current(backend, schema)
    raise DatabaseInUseError(
        f"{backend.place} must be upgraded, and other processes have it open: stop them first"
    )


async def _make_current(backend: Backend, schema: Schema) -> None:
    """Creates or upgrades a database; raises DatabaseInUseError while another has it open."""
    async with _owned(backend, schema) as fit, _open(backend.connections) as (made, shielded):
        await shielded.run(_begin(made, schema, fit))


def _backend(place: Path | str) -> Backend:
    if isinstance(place, Path):
        return SqliteFile(place)
    from logos_module.database.postgresql import PostgresqlServer  # noqa: PLC0415  few need it

    return PostgresqlServer(place)


async def _begin(connections: Connections, schema: Schema, fit: Fit) -> None:
    """Connects, so that errors are raised now, and creates the tables of a new database."""
    await connections.run(schema.create if fit is Fit.NEW else lambda _: None)


async def _upgrade(backend: Backend, schema: Schema) -> None:
    async with _open(backend.upgrade_connections) as (connections, shielded):
        await shielded.run(connections.run(_run_scripts, backend, schema))  # undone if it fails


def _run_scripts(connection: Connection, backend: Backend, schema: Schema) -> None:
    from logos_module.database.upgrade import upgrade  # noqa: PLC0415  takes half a second

    try:
        upgrade(connection, schema)
        backend.check_references(connection)
        schema.check_tables(connection, backend.place)
    except LogosError:
        raise
    except Exception as error:
        refusal = backend.refusal(error)
        if refusal is not None:
            raise refusal from error
        raise UpgradeFailedError(
            f"{backend.place} cannot be upgraded to version {schema.numbers[-1]}, and is"
            f" unchanged: {cause_of(error)}; install the former release again, and report this"
        ) from error


@asynccontextmanager
async def _open(make: Callable[[], Connections]) -> AsyncIterator[tuple[Connections, Shielded]]:
    """Ends transactions, then connections, even if the caller is cancelled meanwhile."""
    connections = make()
    async with Shielded() as closing:
        try:
            async with Shielded() as shielded:
                yield connections, shielded
        finally:
            await closing.run(connections.close())


def _single(error: Exception) -> Exception:
    """Unwraps exception groups of one error."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
