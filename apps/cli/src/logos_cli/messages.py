"""Converts failures to messages and exit codes, in one place."""

import errno
import os
import traceback
from typing import Final

import grpc
from rich.markup import escape

from logos_base.errors import ConfigError, ErrorKind, LogosError
from logos_cli.commands import advice_of_modules
from logos_cli.console import shown, stderr
from logos_cli.exits import Exit
from logos_cli.running import InterruptedBySignalError
from logos_cli.streams import ReaderGoneError
from logos_cli.unreachable import why_unreachable
from logos_testnet.client import reason_of, retry_after_ms_of

_OF_KIND: Final = {
    ErrorKind.INVALID_ARGUMENT: Exit.USAGE,
    ErrorKind.OUT_OF_RANGE: Exit.USAGE,
    ErrorKind.UNAVAILABLE: Exit.UNREACHABLE,
    ErrorKind.DEADLINE_EXCEEDED: Exit.UNREACHABLE,
    ErrorKind.NOT_FOUND: Exit.NOT_FOUND,
    ErrorKind.UNAUTHENTICATED: Exit.REFUSED,
    ErrorKind.PERMISSION_DENIED: Exit.REFUSED,
}

_NOT_THE_INPUT: Final = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF),
        *(errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN),
    }
)
"""A full or broken disk, a closed stdout, exhausted resources; every other OSError concerns a
file that the user named."""

_OF_ERROR: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Exit], ...]] = (
    ((ReaderGoneError, BrokenPipeError), Exit.OK),
    (KeyboardInterrupt, Exit.INTERRUPTED),
    (UnicodeEncodeError, Exit.USAGE),
    ((TimeoutError, ConnectionError), Exit.UNREACHABLE),
)
"""The first match counts."""

_ACCEPTED: Final = (
    "`./logos up` repairs the testnet, or give a token that this node accepts, by LOGOS_TOKEN"
    " or --token-file; of containers `docker compose exec node1-kernel logos-token` prints one"
)

_ADVICE: Final = {
    "TOKEN_MISSING": "set LOGOS_TOKEN to what `docker compose exec node1-kernel logos-token`"
    " prints, or LOGOS_TOKEN_FILE to the operator.token of the testnet",
    "TOKEN_INVALID": _ACCEPTED,
    "TOKEN_EXPIRED": _ACCEPTED,
    "TOKEN_REVOKED": _ACCEPTED,
    "ROLE_DENIED": "give a token of a higher role, by LOGOS_TOKEN or --token-file",
    "MODULE_NOT_READY": "`logosctl module list` shows what it waits for; try again",
    "MODULE_DRAINING": "it is restarting; try again",
    "DISK_FULL": "make room on the disk that holds the node's state",
    "SERVICE_UNKNOWN": "this node runs no such module: `logosctl module list`",
}
"""Advice by the reason of a failed call, for reasons of every module."""


def exit_of(error: grpc.aio.AioRpcError) -> Exit:
    """Returns the exit code of a failed call."""
    name = error.code().name
    kind = ErrorKind(name) if name in ErrorKind.__members__ else ErrorKind.INTERNAL
    return _exit_of(kind, retry_after_ms_of(error))


def _exit_of(kind: ErrorKind, retry_after_ms: int | None) -> Exit:
    """A failure with a retry delay is UNREACHABLE: a retry may help."""
    otherwise = Exit.FAILED if retry_after_ms is None else Exit.UNREACHABLE
    return _OF_KIND.get(kind, otherwise)


def report_error(error: BaseException, address: str = "") -> Exit:
    """Prints an error to stderr; returns the exit code.

    Args:
        error: The exception that ended the command.
        address: As for `explained`.
    """
    match error:
        case ReaderGoneError() | BrokenPipeError():
            pass  # the reader has closed the output
        case KeyboardInterrupt():
            _print_error("interrupted")
        case InterruptedBySignalError():
            _print_error(f"ended by {error}")
        case ConfigError():
            for problem in error.problems:
                _print_error(problem)
        case LogosError():
            _print_error(str(error), error.reason)
        case grpc.aio.AioRpcError():
            _print_call_error(error, address)
        case UnicodeEncodeError():
            _print_error(f"not UTF-8: {error.object}", "NOT_UTF8")
        case OSError():
            name = os.fsdecode(error.filename) if error.filename else ""
            closed = "it is closed" if error.errno == errno.EBADF else ""
            reason = closed or error.strerror or str(error) or "timed out"
            _print_error(f"{name}: {reason}".removeprefix(": "))
        case _:
            _print_fault(error)
    return code_of(error)


def code_of(error: BaseException) -> Exit:
    """Returns the exit code for the exception that ended a command."""
    if isinstance(error, InterruptedBySignalError):
        return Exit(128 + error.number)
    if isinstance(error, LogosError):
        return _exit_of(error.kind, error.retry_after_ms)
    if isinstance(error, grpc.aio.AioRpcError):
        return exit_of(error)
    for types, code in _OF_ERROR:
        if isinstance(error, types):
            return code
    if isinstance(error, OSError) and error.errno not in _NOT_THE_INPUT:
        return Exit.USAGE
    return Exit.FAILED


def _print_call_error(error: grpc.aio.AioRpcError, address: str) -> None:
    reason = reason_of(error)
    if not reason and error.code() is grpc.StatusCode.UNAVAILABLE:
        _print_error(*why_unreachable(error.details() or "", address))
        return
    details = shown(error.details() or error.code().name.lower())  # the node may not be ours
    _print_error(details, shown(reason) or error.code().name)
    retry_ms = retry_after_ms_of(error)
    advice = _ADVICE.get(reason) or advice_of_modules.get(reason)
    if advice is None and retry_ms is not None:
        advice = f"try again in {retry_ms / 1000:g} s"
    if advice:
        stderr().print(f"  {advice}", highlight=False, markup=False)


def _print_fault(error: BaseException) -> None:
    _print_error(f"internal error: {type(error).__name__}: {error}", "INTERNAL")
    if os.environ.get("LOGOS_DEBUG"):
        stderr().print("".join(traceback.format_exception(error)), highlight=False, markup=False)
    else:
        stderr().print(
            "  please report it, with the traceback that LOGOS_DEBUG=1 prints", highlight=False
        )


def _print_error(message: str, reason: str = "") -> None:
    label = f" [dim]({escape(reason)})[/]" if reason else ""
    stderr().print(f"[red]error:[/] {escape(message)}{label}", highlight=False, soft_wrap=True)
