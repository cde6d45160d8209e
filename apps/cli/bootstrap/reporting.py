"""Progress of the preparation, on stderr: one updated line on a terminal, else plain lines."""
# ruff: noqa: INP001 - run as a folder, never imported

import errno
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

KEPT_LINES = 40
PLAIN_INTERVAL_S = 10.0
TERMINAL_INTERVAL_S = 0.2

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
USAGE, FAILED, INTERRUPTED = 2, 5, 130
"""Exit codes, as in docs/operations.md."""

_BROKEN = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EAGAIN}


class SetupError(Exception):
    """The environment cannot be prepared. The text tells the user what to do."""

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code


def code_of(error: OSError) -> int:
    """Returns the exit code of a failed system call: missing resources are not a usage error."""
    return FAILED if error.errno in _BROKEN else USAGE


def report(text: str) -> None:
    """Prints a line to stderr, if it is open."""
    _write(f"{text}\n")


def run(
    arguments: list[str],
    *,
    label: str,
    counted: str,
    folder: Path,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Runs a long program and prints its progress.

    Args:
        arguments: The program.
        label: The step, e.g. `building the native core`.
        counted: Pattern of the output lines that count as a step; its first group names it.
        folder: Where to run it.
        variables: Its environment; None for ours.

    Raises:
        SetupError: It failed; with its last lines.
    """
    begun = time.monotonic()
    last, steps, newest = 0.0, 0, ""
    last_lines: deque[str] = deque(maxlen=KEPT_LINES)
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    interval = TERMINAL_INTERVAL_S if on_terminal else PLAIN_INTERVAL_S
    report(f"{label} …")
    with _running(arguments, folder, variables) as process:
        for line in process.stdout or ():
            last_lines.append(line.rstrip())
            if (step := re.search(counted, line)) is None:
                continue
            steps, newest = steps + 1, step[1]
            if time.monotonic() - last >= interval:
                last = time.monotonic()
                _move(f"  {steps} done, now {newest}, {last - begun:.0f} s", on_terminal)
    seconds = time.monotonic() - begun
    if process.returncode != 0:
        output = "\n".join(f"    {line}" for line in last_lines)
        raise SetupError(f"{label} failed with {process.returncode}:\n{output}", FAILED)
    _move(f"  {label}: done in {seconds:.0f} s", on_terminal)
    if on_terminal:
        _write("\n")


@contextmanager
def _running(
    arguments: list[str], folder: Path, variables: Mapping[str, str] | None
) -> Iterator[subprocess.Popen[str]]:
    """Runs a program that does not outlive this process, whatever ends that, and waits for it.

    A signal that comes while it is being started is obeyed once it can be ended.
    """
    came: list[int] = []
    raising = [one for one in ENDING if callable(signal.getsignal(one))]
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in raising}
    process: subprocess.Popen[str] | None = None
    with ExitStack() as running:
        try:
            try:
                process = running.enter_context(_begun(arguments, folder, variables))
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
            for each in came:
                signal.raise_signal(each)
            yield process
        except BaseException:
            if process is not None:
                process.terminate()
            raise


def _begun(
    arguments: list[str], folder: Path, variables: Mapping[str, str] | None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        arguments,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _move(text: str, on_terminal: bool) -> None:
    _write(f"\r\x1b[K{text[:100]}" if on_terminal else f"{text}\n")


def _write(text: str) -> None:
    """Writes to stderr; ignores errors, which could not be reported anywhere."""
    with suppress(OSError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()
