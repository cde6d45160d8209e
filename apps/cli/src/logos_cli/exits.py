"""Exit codes of the commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import typer

from logos_base.errors import ErrorKind, LogosError
from logos_cli.running import InterruptedBySignalError


class Exit(IntEnum):
    """Exit codes. Scripts rely on them: add, never renumber."""

    OK = 0
    USAGE = 2
    """The input is wrong: a retry does not help."""
    UNREACHABLE = 3
    """No server answers, or not now: a retry may help."""
    NOT_FOUND = 4
    """The requested item does not exist, as far as the node knows."""
    FAILED = 5
    """The operation failed."""
    REFUSED = 6
    """The caller may not do this: its token is missing, not accepted, or not enough."""
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class UsageError(LogosError):
    """The command line is not valid."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "USAGE"


@contextmanager
def explained(address: str = "") -> Iterator[None]:
    """Turns a failure of the body into a message on stderr and an exit code.

    Args:
        address: Address of the node, for the message if it does not answer.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise  # Typer prints its own exceptions
    except (Exception, KeyboardInterrupt, InterruptedBySignalError) as error:
        from logos_cli.messages import report_error  # noqa: PLC0415 - only failures need what it imports

        raise typer.Exit(report_error(error, address)) from error
