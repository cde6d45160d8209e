"""Runs programs for the developer commands."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from logos_base.errors import ErrorKind, LogosError
from logos_cli.streams import STDERR, STDIN, ReaderGoneError, reader_is_gone


class ProgramFailedError(LogosError):
    """A program of the tool chain failed."""

    kind = ErrorKind.INTERNAL
    reason = "PROGRAM_FAILED"


def tool(name: str) -> str:
    """Returns the path of a program of the virtual environment."""
    return str(Path(sys.executable).parent / name)


def tool_environment(**changes: str) -> dict[str, str]:
    """Returns our environment with the virtual environment's programs first in PATH."""
    folder = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}", **changes}


def run(
    arguments: Sequence[str],
    root: Path,
    *,
    variables: Mapping[str, str] | None = None,
    to_stderr: bool = False,
) -> int:
    """Runs a program with our standard streams; returns its exit code.

    On an interrupt, it waits until the program has cleaned up and ended.

    Args:
        arguments: The program and its arguments.
        root: Working folder.
        variables: Its environment; None for ours.
        to_stderr: Whether to redirect its stdout to stderr.

    Raises:
        ReaderGoneError: It failed, and the reader of our stdout has closed it.
    """
    with _interrupts_held() as came:
        process = subprocess.Popen(
            arguments,
            cwd=root,
            env=variables or tool_environment(),
            stdout=STDERR if to_stderr else None,
        )
    with process:
        try:
            if came:
                raise KeyboardInterrupt
            code = process.wait()
        except KeyboardInterrupt:
            if not os.isatty(STDIN):  # a terminal interrupts it itself
                process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if code != 0 and not to_stderr and reader_is_gone():
        raise ReaderGoneError
    return code


@contextmanager
def _interrupts_held() -> Iterator[list[int]]:
    """Defers interrupts: a program that is being started would miss them."""
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield came
        return
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)


def capture(
    arguments: Sequence[str],
    root: Path,
    *,
    text: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Runs a program; returns its exit code and its output."""
    done = subprocess.run(
        arguments,
        cwd=root,
        env=variables or tool_environment(),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout
