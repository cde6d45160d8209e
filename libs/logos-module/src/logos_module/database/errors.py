"""Errors of opening a database. Later failures are `StoreFailedError` or `DiskFullError`."""

from sqlalchemy.exc import DBAPIError

from logos_base.errors import ErrorKind, LogosError, StateError


class DatabaseDamagedError(StateError):
    """The file is not a database, is damaged, or has other tables."""

    reason = "DATABASE_DAMAGED"


class DatabaseNewerError(StateError):
    """A later release has written the database. Nothing was changed."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "DATABASE_NEWER"


class UpgradeFailedError(StateError):
    """The database could not be upgraded to the version of the code, and is unchanged."""

    reason = "DATABASE_UPGRADE_FAILED"


class DatabaseInUseError(LogosError):
    """Another process has the database open."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DATABASE_IN_USE"


class DatabaseUnavailableError(LogosError):
    """The database cannot be opened: e.g. no permission, or no server answers at its URL."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DATABASE_UNAVAILABLE"


def cause_of(error: BaseException) -> BaseException:
    """Returns the driver's error, without SQLAlchemy's report of the statement."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    return orig or error
