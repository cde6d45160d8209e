"""The programs `./logos` and `logosctl`, and their exit codes.

Every outcome becomes an exit code of docs/operations.md here; 1 is not one of them. The
commands are imported inside: that takes half a second, in which Ctrl-C must work too.
"""

import sys
from collections.abc import Callable
from typing import NoReturn

from logos_cli import streams

_FAILED = 5
_INTERRUPTED = 130


def logos() -> NoReturn:
    """The program `./logos`."""

    def work() -> None:
        from logos_cli.logos import app  # noqa: PLC0415 - see above
        from logos_cli.program import run_program  # noqa: PLC0415 - see above

        run_program(app, "./logos")

    _end(work)


def logosctl() -> NoReturn:
    """The program `logosctl`."""

    def work() -> None:
        from logos_cli.main import app  # noqa: PLC0415 - see above
        from logos_cli.program import run_program  # noqa: PLC0415 - see above

        run_program(app, "logosctl")

    _end(work)


def outcome_of(work: Callable[[], object]) -> int:
    """Runs a function that may end by SystemExit, and returns its exit code."""
    try:
        code = _code_of(work)
        try:
            sys.stdout.flush()
        except streams.ReaderGoneError:
            return code
    except BaseException as error:  # noqa: BLE001 - every outcome has an exit code
        return _report(error)
    return code


def _end(work: Callable[[], object]) -> NoReturn:
    streams.prepare()
    sys.exit(outcome_of(work))


def _code_of(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as ended:
        code = ended.code
    else:
        code = 0
    if code is None:
        return 0
    # Libraries exit with 1 for any failure.
    return code if isinstance(code, int) and code != 1 else _FAILED


def _report(error: BaseException) -> int:
    try:
        from logos_cli.messages import report_error  # noqa: PLC0415 - see above

        return report_error(error)
    except BaseException:  # noqa: BLE001 - the import failed, or was interrupted again
        if isinstance(error, KeyboardInterrupt):
            return _INTERRUPTED
        sys.stderr.write(f"error: internal error: {error!r} (INTERNAL)\n")
        return _FAILED
