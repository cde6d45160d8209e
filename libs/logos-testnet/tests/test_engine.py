"""The container engine's command line, played by a program."""

import os
from pathlib import Path

import pytest

from logos_testnet.engine import run_docker
from logos_testnet.errors import EngineError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def play(folder: Path, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)


async def test_a_failure_has_the_last_lines_of_stderr(folder: Path) -> None:
    play(folder, "seq 100 >&2; exit 3")

    with pytest.raises(EngineError) as caught:
        await run_docker(["up"])

    assert str(caught.value).splitlines() == [
        "`docker up` failed with 3:",
        *map(str, range(86, 101)),
    ]


async def test_an_exit_code_that_is_no_failure_can_be_named(folder: Path) -> None:
    play(folder, "echo done; exit 137")

    assert await run_docker(["exec"], accepted=(0, 137)) == "done\n"
    with pytest.raises(EngineError, match="failed with 137"):
        await run_docker(["exec"])


async def test_a_program_is_not_left_running_when_its_output_cannot_be_handled(
    folder: Path,
) -> None:
    play(folder, "echo $$ >&2; exec sleep 600")
    pids: list[int] = []

    def fail(line: str) -> None:
        pids.append(int(line))
        raise RuntimeError("no terminal")

    with pytest.raises(RuntimeError, match="no terminal"):
        await run_docker(["up"], on_line=fail)

    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
