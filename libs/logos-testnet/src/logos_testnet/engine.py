"""The container engine, through its command line."""

import asyncio
import shutil
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logos_testnet.errors import EngineError

ADVICE = "start it, or run the testnet as processes: `./logos up --runtime processes`"
TOKEN_PROGRAM: Final = "logos-token"  # noqa: S105 - the name of a program
"""Prints the operator's token in a kernel's container."""
_LAST_LINES = 15


async def engine_answers() -> bool:
    """Returns whether a container engine and compose v2 are available."""
    if shutil.which("docker") is None:
        return False
    for arguments in (["version", "--format", "{{.Server.Version}}"], ["compose", "version"]):
        code, _, _ = await _docker(arguments)
        if code != 0:
            return False
    return True


async def run_docker(
    arguments: Sequence[str],
    *,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    accepted: Collection[int] = (0,),
) -> str:
    """Runs `docker` and returns its stdout.

    Args:
        arguments: Arguments of `docker`.
        folder: Working folder.
        on_line: Called with each line of stderr, where compose prints its progress.
        accepted: Exit codes that are no failure.

    Raises:
        EngineError: The program is missing, or failed; with its last lines of stderr.
    """
    if shutil.which("docker") is None:
        raise EngineError(f"`docker` is not installed: install it, {ADVICE}")
    code, output, errors = await _docker(arguments, folder=folder, on_line=on_line)
    if code not in accepted:
        last = "\n".join(errors)
        raise EngineError(f"`docker {' '.join(arguments)}` failed with {code}:\n{last}")
    return output


@dataclass(frozen=True, slots=True)
class Publisher:
    """A container that publishes a port."""

    container: str
    """Its id."""
    project: str
    """Its compose project; empty if it has none."""


async def publisher_of(port: int) -> Publisher | None:
    """Returns the container that publishes a port of this machine; None if none does.

    Raises:
        EngineError: There is no engine, or it does not answer.
    """
    form = '{{.ID}}\t{{.Label "com.docker.compose.project"}}'
    listed = await run_docker(["ps", "--filter", f"publish={port}", "--format", form])
    for line in listed.splitlines():
        container, _, project = line.partition("\t")
        return Publisher(container, project)
    return None


async def _docker(
    arguments: Sequence[str],
    *,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> tuple[int, str, Sequence[str]]:
    """Runs `docker`; returns its exit code, its stdout and its last lines of stderr."""
    process = await asyncio.create_subprocess_exec(
        "docker",
        *arguments,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1024 * 1024,
    )
    if process.stdout is None or process.stderr is None:
        raise EngineError("docker has no output")
    last: deque[str] = deque(maxlen=_LAST_LINES)

    async def read_errors(stream: asyncio.StreamReader) -> None:
        async for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip()
            last.append(line)
            if on_line is not None and line:
                on_line(line)

    try:
        output, _ = await asyncio.gather(process.stdout.read(), read_errors(process.stderr))
        return await process.wait(), output.decode("utf-8", "replace"), last
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
