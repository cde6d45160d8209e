"""Exit codes, and the one place where failures become messages."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Final

import grpc
import typer
from rich.markup import escape

from logos_base.errors import ConfigError, ErrorKind, LogosError
from logos_cli.console import stderr
from logos_cli.running import InterruptedBySignalError
from logos_testnet.client import reason_of


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
    INTERRUPTED = 130


_OF_KIND: Final = {
    ErrorKind.INVALID_ARGUMENT: Exit.USAGE,
    ErrorKind.OUT_OF_RANGE: Exit.USAGE,
    ErrorKind.UNAVAILABLE: Exit.UNREACHABLE,
    ErrorKind.DEADLINE_EXCEEDED: Exit.UNREACHABLE,
    ErrorKind.NOT_FOUND: Exit.NOT_FOUND,
}

_ADVICE: Final = {
    "NO_PROVIDERS": "check the CID, and that a node that holds it is up: `logosctl node list`",
    "DATASET_UNKNOWN": "`logosctl storage get CID -o FILE` fetches it from other nodes",
    "MODULE_NOT_READY": "`logosctl module list` says what it waits for; try again",
    "MODULE_DRAINING": "it is restarting; try again",
    "QUOTA_EXCEEDED": "`logosctl storage space`, then `logosctl storage delete CID`",
    "DISK_FULL": "make room on the disk that holds the node's state",
    "SERVICE_UNKNOWN": "this node runs no such module: `logosctl module list`",
    "RUNTIME_EXTERNAL": "the container engine owns it: `docker compose restart NODE-MODULE`,"
    " `./logos logs NODE MODULE`",
    "HAS_DEPENDENTS": "stop the modules that require it first",
}


def exit_of(error: grpc.aio.AioRpcError) -> Exit:
    """The exit code of a failed call."""
    name = error.code().name
    known = name in ErrorKind.__members__
    return _OF_KIND.get(ErrorKind(name), Exit.FAILED) if known else Exit.FAILED


@contextmanager
def explained(address: str = "") -> Iterator[None]:
    """Turns a failure of the body into a message on stderr and an exit code.

    Args:
        address: The node that is called, for the message when nobody answers.
    """
    try:
        yield
    except ConfigError as error:
        for problem in error.problems:
            _say(problem)
        raise typer.Exit(Exit.USAGE) from error
    except LogosError as error:
        _say(str(error), error.reason)
        raise typer.Exit(_OF_KIND.get(error.kind, Exit.FAILED)) from error
    except grpc.aio.AioRpcError as error:
        _say_call(error, address)
        raise typer.Exit(exit_of(error)) from error
    except BrokenPipeError:
        # The reader of our output is gone (`… | head`): that is its choice. Python would
        # complain once more when it flushes.
        sys.stdout = None
        raise typer.Exit(Exit.OK) from None
    except OSError as error:
        _say(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
        raise typer.Exit(Exit.USAGE) from error
    except KeyboardInterrupt:
        _say("interrupted")
        raise typer.Exit(Exit.INTERRUPTED) from None
    except InterruptedBySignalError as interruption:
        _say(f"ended by {interruption}")
        raise typer.Exit(128 + interruption.number) from None


def _say_call(error: grpc.aio.AioRpcError, address: str) -> None:
    reason = reason_of(error)
    if not reason and error.code() is grpc.StatusCode.UNAVAILABLE:
        _say(
            f"nobody answers at {address}; `./logos status` says what is up, `./logos up` starts"
            " the testnet"
        )
        return
    _say(error.details() or error.code().name.lower(), reason or error.code().name)
    if reason in _ADVICE:
        stderr.print(f"  {_ADVICE[reason]}", highlight=False, markup=False)


def _say(message: str, reason: str = "") -> None:
    label = f" [dim]({escape(reason)})[/]" if reason else ""
    stderr.print(f"[red]error:[/] {escape(message)}{label}", highlight=False, soft_wrap=True)
