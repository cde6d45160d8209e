"""The two programs, `./logos` and `logosctl`, and how each of them ends.

Whatever happens becomes an exit code of docs/operations.md here; 1 is none. The commands
are imported only once this stands: it takes half a second, and Ctrl-C must end it too.
"""

import sys
from collections.abc import Callable
from typing import NoReturn

from logos_cli import streams

_FAILED = 5
_INTERRUPTED = 130


def logos() -> NoReturn:
    """The program behind `./logos`."""

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
    """Runs what ends by SystemExit, as the commands do, and returns its exit code."""
    try:
        code = _code_of(work)
        try:
            sys.stdout.flush()
        except streams.ReaderGoneError:
            return code
    except BaseException as error:  # noqa: BLE001 - every outcome has an exit code
        return _told(error)
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
    # 1 is what libraries exit with where they know no better.
    return code if isinstance(code, int) and code != 1 else _FAILED


def _told(error: BaseException) -> int:
    try:
        from logos_cli.messages import tell  # noqa: PLC0415 - see above

        return tell(error)
    except BaseException:  # noqa: BLE001 - it cannot even be imported, or was interrupted again
        if isinstance(error, KeyboardInterrupt):
            return _INTERRUPTED
        sys.stderr.write(f"error: a fault of this program: {error!r} (INTERNAL)\n")
        return _FAILED
