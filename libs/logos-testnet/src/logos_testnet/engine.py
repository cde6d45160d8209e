"""The container engine, through its command line."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from logos_testnet.errors import EngineError

ADVICE = "start it, or run the testnet as processes: `./logos up --runtime processes`"


async def engine_answers() -> bool:
    """Whether an engine and compose v2 are there."""
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
) -> str:
    """Runs `docker` and returns what it wrote to stdout.

    Args:
        arguments: What follows `docker`.
        folder: Where to run it.
        on_line: Gets each line of stderr, where compose tells its progress.

    Raises:
        EngineError: There is no such program, or it failed; with its last words.
    """
    if shutil.which("docker") is None:
        raise EngineError(f"there is no `docker` here: install it, {ADVICE}")
    code, output, said = await _docker(arguments, folder=folder, on_line=on_line)
    if code != 0:
        last = "\n".join(said[-15:])
        raise EngineError(f"`docker {' '.join(arguments)}` failed with {code}:\n{last}")
    return output


async def _docker(
    arguments: Sequence[str],
    *,
    folder: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> tuple[int, str, list[str]]:
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
    said: list[str] = []

    async def listen(stream: asyncio.StreamReader) -> None:
        async for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip()
            said.append(line)
            if on_line is not None and line:
                on_line(line)

    try:
        output, _ = await asyncio.gather(process.stdout.read(), listen(process.stderr))
        return await process.wait(), output.decode("utf-8", "replace"), said
    except asyncio.CancelledError:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
