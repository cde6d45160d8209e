"""Exit codes of the commands, and how a failure ends one."""

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
    """The input is wrong: trying again does not help."""
    UNREACHABLE = 3
    """Nobody answers, or not now: trying again may help."""
    NOT_FOUND = 4
    """What was asked for does not exist, as far as the node can tell."""
    FAILED = 5
    """It was tried, and it failed."""
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class UsageError(LogosError):
    """The command line asks for what there is not."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "USAGE"


@contextmanager
def explained(address: str = "") -> Iterator[None]:
    """Turns a failure of the body into a message on stderr and an exit code.

    Args:
        address: The node that is called, for the message when nobody answers.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.TyperException):
        raise  # Typer's own: it says them and ends
    except (Exception, KeyboardInterrupt, InterruptedBySignalError) as error:
        from logos_cli.messages import tell  # noqa: PLC0415 - only failures need what it imports

        raise typer.Exit(tell(error, address)) from error
