"""Makes the environment that a command needs, then runs it. Standard library only.

Nothing is done twice: stamps in `.venv` record the lock files and sources of what was
installed, so a warm start only hashes a few files. If `.venv`'s Python runs this, the command
runs in this process; else in a process of that Python.
"""
# ruff: noqa: INP001 - run as a folder, never imported

import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

from environment import ALTERNATIVE, Environment
from reporting import FAILED, INTERRUPTED, SetupError, code_of, report

DEVELOPER_COMMANDS = {"test", "check", "lock", "proto", "module", "shots"}
NATIVE_COMMANDS = {"up", "test", "check", "shots"}
HELP = {"-h", "--help", "--version"}


def main() -> int:
    """Prepares the environment and runs the command; returns an exit code."""
    root, arguments = Path(sys.argv[1]), sys.argv[2:]
    try:
        environment = Environment(root)
        is_changed = prepare(environment, root, arguments)
        os.environ["LOGOS_ROOT"] = str(root)
        if is_changed or not environment.is_ours():
            python = str(environment.python)
            os.execv(python, [python, "-P", "-m", "logos_cli", *arguments])  # noqa: S606 - no shell is wanted
        logos = _program(root, arguments)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - every outcome has a code
        return report_error(error, root)
    return logos()


def _program(root: Path, arguments: list[str]) -> Callable[[], int]:
    """Returns the command line's program, for this process without the bootstrap's modules."""
    sys.path.remove(str(Path(__file__).parent))
    sys.argv = [str(root / "logos"), *arguments]
    from logos_cli.entry import logos  # noqa: PLC0415 - not before the environment stands

    return logos


def report_error(error: BaseException, root: Path) -> int:
    """Prints why the command cannot run; returns the exit code."""
    if isinstance(error, KeyboardInterrupt):
        report("interrupted; the next run continues")
        return INTERRUPTED
    if isinstance(error, SetupError):
        report(f"error: {error}")
        return error.code
    if isinstance(error, OSError):
        name = os.fsdecode(error.filename or root)
        report(f"error: {name}: {error.strerror}\n  {_owners(root)}{ALTERNATIVE}")
        return code_of(error)
    report(f"error: internal error: {error!r} (INTERNAL)")
    if os.environ.get("LOGOS_DEBUG"):
        report("".join(traceback.format_exception(error)))
    else:
        report("  please report it, with the traceback that LOGOS_DEBUG=1 prints")
    return FAILED


def prepare(environment: Environment, root: Path, arguments: list[str]) -> bool:
    """Installs what the command needs; returns whether anything was installed."""
    words = list(takewhile(lambda word: word != "--", arguments))
    command = next((word for word in words if not word.startswith("-")), "")
    working = not HELP & set(words)  # help needs no tools
    developer = working and command in DEVELOPER_COMMANDS
    native = working and command in NATIVE_COMMANDS and not _in_containers(arguments)
    if not environment.missing(developer=developer, native=native):
        return False
    if "_LOGOS_COMPLETE" in os.environ:
        sys.exit(5)  # shell completion must not install anything
    (root / ".logos").mkdir(exist_ok=True)
    environment.refuse_others()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    with (root / ".logos" / "bootstrap.lock").open("a") as lock:
        _take(lock.fileno())
        environment.prepare(environment.missing(developer=developer, native=native))
    return True


def _owners(root: Path) -> str:
    """Returns a hint if the checkout belongs to another user, and so cannot be changed."""
    for folder in (root, root / ".venv", root / ".logos", root / "dist"):
        try:
            if folder.lstat().st_uid != os.geteuid():
                return f"{folder} belongs to another user: use a checkout of your own,\n  "
        except OSError:
            continue
    return ""


def _in_containers(arguments: list[str]) -> bool:
    return "containers" in arguments or "--runtime=containers" in arguments


def _take(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report("another `./logos` is preparing the environment; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)


if __name__ == "__main__":
    sys.exit(main())
