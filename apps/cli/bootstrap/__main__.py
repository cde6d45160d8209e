"""Makes the environment that a command needs, then runs it. Standard library only.

Nothing is done twice: stamps in `.venv` say what was installed from which lock files
and sources, so a warm start costs the hashing of a few files.
"""
# ruff: noqa: INP001 - run as a folder, imported by nobody

import fcntl
import os
import sys
from pathlib import Path

from environment import Environment
from telling import SetupError, tell

DEVELOPER_COMMANDS = {"test", "check", "lock", "proto"}
NATIVE_COMMANDS = {"up", "test", "check"}


def main() -> int:
    """Prepares the environment and becomes the command; returns only if it cannot."""
    root, arguments = Path(sys.argv[1]), sys.argv[2:]
    environment = Environment(root)
    try:
        prepare(environment, root, arguments)
    except SetupError as error:
        tell(f"error: {error}")
        return 2
    except KeyboardInterrupt:
        tell("interrupted; what was built so far is kept")
        return 130
    variables = {**os.environ, "LOGOS_ROOT": str(root)}
    python = str(environment.python)
    command = [python, "-P", "-m", "logos_cli", *arguments]
    return os.execve(python, command, variables)  # noqa: S606 - no shell is wanted


def prepare(environment: Environment, root: Path, arguments: list[str]) -> None:
    """Makes up what the command needs and the environment lacks; mostly nothing."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    developer = command in DEVELOPER_COMMANDS
    native = command in NATIVE_COMMANDS and not _in_containers(arguments)
    if not environment.missing(developer=developer, native=native):
        return
    (root / ".logos").mkdir(exist_ok=True)
    with (root / ".logos" / "bootstrap.lock").open("a") as lock:
        _take(lock.fileno())
        environment.prepare(environment.missing(developer=developer, native=native))


def _in_containers(arguments: list[str]) -> bool:
    return "containers" in arguments or "--runtime=containers" in arguments


def _take(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell("another `./logos` is preparing the environment; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)


if __name__ == "__main__":
    sys.exit(main())
