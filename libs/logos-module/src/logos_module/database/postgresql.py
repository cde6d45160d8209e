"""A database of a PostgreSQL server: for one process, or for several. Needs `asyncpg`."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, TextClause, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from logos_base.errors import ConfigError, LogosError, StoreFailedError
from logos_module.database.connections import LoopConnections
from logos_module.database.errors import (
    DatabaseDamagedError,
    DatabaseInUseError,
    DatabaseUnavailableError,
    cause_of,
)
from logos_module.database.schema import Fit, Schema
from logos_module.disk import disk_full

try:
    import asyncpg
except ModuleNotFoundError as error:
    raise DatabaseUnavailableError(
        "PostgreSQL needs the package asyncpg: install logos-module[postgresql]"
    ) from error

DRIVER: Final = "postgresql+asyncpg"
CONNECT_TIMEOUT_S: Final = 10
STATEMENT_TIMEOUT_S: Final = 30
OWNER_WAIT_MS: Final = 5000
"""How long to wait for the lock: the former owner may just have ended."""

_DISK_FULL: Final = "53100"
"""SQLSTATE `disk_full`."""

_LOCKED: Final = "55P03"
"""SQLSTATE `lock_not_available`."""

_KEY: Final = "hashtext('logos'), hashtext(coalesce(current_schema(), ''))"
_TAKE: Final = text(f"SELECT pg_advisory_lock({_KEY})")
_RELEASE: Final = text("SELECT pg_advisory_unlock_all()")
_TAKE_SHARED: Final = text(f"SELECT pg_advisory_lock_shared({_KEY})")


class PostgresqlServer:
    """One schema of one database."""

    failures: tuple[type[Exception], ...] = (
        SQLAlchemyError,
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    )

    def __init__(self, url: str) -> None:
        """Raises `ConfigError` unless the URL is one of PostgreSQL."""
        try:
            self._url = make_url(url)
        except ArgumentError as error:
            raise ConfigError(["the database URL is malformed"]) from error
        if self._url.drivername != DRIVER:
            raise ConfigError([f"the database URL must begin with {DRIVER}://"])
        self.place = self._url.render_as_string(hide_password=True)

    def owned(self) -> AbstractAsyncContextManager[None]:
        """Holds an advisory lock on a connection of its own.

        The server releases it when that connection ends, however it ends.
        """
        return self._locked(_TAKE)

    def shared(self) -> AbstractAsyncContextManager[None]:
        """Holds the same lock together with others."""
        return self._locked(_TAKE_SHARED)

    @asynccontextmanager
    async def _locked(self, take: TextClause) -> AsyncIterator[None]:
        settings = {"lock_timeout": str(OWNER_WAIT_MS), "idle_session_timeout": "0"}
        engine = self._engine_without_timeout(settings, isolation_level="AUTOCOMMIT")
        try:
            connection = await engine.connect()
        except self.failures as error:
            raise self._unavailable(error) from error
        try:
            await self._take_lock(connection, take)
            yield
            await self._release(connection)
        finally:
            await connection.close()

    async def _release(self, connection: AsyncConnection) -> None:
        """Releases the lock now: the server notices the end of a connection a little later."""
        with suppress(*self.failures):
            await connection.execute(_RELEASE)

    async def _take_lock(self, connection: AsyncConnection, take: TextClause) -> None:
        try:
            await connection.execute(take)
        except self.failures as error:
            if getattr(cause_of(error), "sqlstate", None) == _LOCKED:
                raise DatabaseInUseError(f"another process has {self.place} open") from error
            raise self._unavailable(error) from error

    async def check(self, schema: Schema) -> Fit:
        """Returns the version of the database relative to the code; errors as `Schema.fit_of`."""
        connections = self.upgrade_connections()
        try:
            return await connections.run(schema.fit_of, self.place)
        except self.failures as error:
            raise self._unavailable(error) from error

    def connections(self) -> LoopConnections:
        """Returns what the module's transactions run on."""
        engine = create_async_engine(
            self._url,
            isolation_level="REPEATABLE READ",
            pool_pre_ping=True,
            connect_args={
                "timeout": CONNECT_TIMEOUT_S,
                "command_timeout": STATEMENT_TIMEOUT_S,
                "server_settings": {"synchronous_commit": "on"},
            },
        )
        return LoopConnections(engine)

    def upgrade_connections(self) -> LoopConnections:
        """Returns connections without a statement timeout."""
        return LoopConnections(self._engine_without_timeout({}))

    def _engine_without_timeout(self, settings: dict[str, str], **options: Any) -> AsyncEngine:
        return create_async_engine(
            self._url,
            poolclass=NullPool,
            connect_args={"timeout": CONNECT_TIMEOUT_S, "server_settings": settings},
            **options,
        )

    def _unavailable(self, error: Exception) -> DatabaseUnavailableError:
        return DatabaseUnavailableError(f"{self.place} cannot be opened: {cause_of(error)}")

    def check_references(self, connection: Connection) -> None:
        """Does nothing: PostgreSQL checks foreign keys itself."""

    def with_advice(self, error: DatabaseDamagedError) -> DatabaseDamagedError:
        """Returns the error unchanged: the server's operator restores backups."""
        return error

    def refusal(self, _error: Exception, /) -> LogosError | None:
        """Returns None: errors of a server are reported by the transaction that meets them."""
        return None

    def failure(self, error: Exception) -> LogosError:
        """Returns the error for a transaction that failed."""
        cause = cause_of(error)
        if getattr(cause, "sqlstate", None) == _DISK_FULL:
            return disk_full(self.place)
        return StoreFailedError(f"{self.place}: {cause}")
