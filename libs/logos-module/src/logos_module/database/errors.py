"""Why a database cannot be opened. What fails later is `StoreFailedError` or `DiskFullError`."""

from sqlalchemy.exc import DBAPIError

from logos_base.errors import ErrorKind, LogosError, StateError


class DatabaseDamagedError(StateError):
    """It is no database, it is damaged, or its tables are not ours."""

    reason = "DATABASE_DAMAGED"


class DatabaseNewerError(StateError):
    """A later release has written it. Nothing was changed."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "DATABASE_NEWER"


class UpgradeFailedError(StateError):
    """It could not be brought to the version of the code. It is as it was before."""

    reason = "DATABASE_UPGRADE_FAILED"


class DatabaseInUseError(LogosError):
    """Another process has it open."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DATABASE_IN_USE"


class DatabaseUnavailableError(LogosError):
    """It cannot be opened now, e.g. because of its permissions, or no server answers at its URL."""

    kind = ErrorKind.UNAVAILABLE
    reason = "DATABASE_UNAVAILABLE"


def cause_of(error: BaseException) -> BaseException:
    """Returns what the driver has raised, without SQLAlchemy's report of the statement."""
    orig = error.orig if isinstance(error, DBAPIError) else None
    return orig or error
