"""The runner of genesis jobs: as a program, as a testnet runs it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from logos_module import genesis

COMMAND = """
import os, pathlib, sys
sys.path.insert(0, sys.argv[1])
from genesis import read_job
job = read_job()
(job.public / "all").write_text(f"{job.testnet} {job.seed}")
for name, node in job.nodes.items():
    (node.folder / "own").write_text(name + str(node.settings["size"]))
with open(sys.argv[2], "a") as ran:
    ran.write("x")
sys.exit(int(sys.argv[3]))
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a job for these nodes, which ends with `code`."""

    def run(
        *names: str, code: int = 0, program: str = "python", **more: object
    ) -> subprocess.CompletedProcess[str]:
        nodes = {
            name: {"settings": {"size": 3}, "folder": str(tmp_path / "private" / name)}
            for name in names
        }
        job = {"testnet": "t", "module": "m", "seed": None, "public": str(tmp_path / "public")}
        folder = Path(genesis.__file__).parent
        command = [program, "-c", COMMAND, str(folder), str(tmp_path / "ran"), str(code)]
        return subprocess.run(
            [sys.executable, "-I", "-S", genesis.__file__, *command],
            env={**os.environ, "LOGOS_GENESIS": json.dumps(job | {"nodes": nodes} | more)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "ran").read_text(encoding="ascii"))


def test_the_job_fills_a_public_folder_and_a_private_one_for_each_node(
    run: Run, tmp_path: Path
) -> None:
    assert run("node1", "node2").returncode == 0

    assert (tmp_path / "public/all").read_text(encoding="utf-8") == "t None"
    for name in ("node1", "node2"):
        folder = tmp_path / "private" / name
        assert (folder / "own").read_text(encoding="utf-8") == f"{name}3"
        assert folder.stat().st_mode & 0o077 == 0


def test_it_runs_once_also_where_fewer_nodes_are_left(run: Run, tmp_path: Path) -> None:
    assert [run("a", "b").returncode, run("a", "b").returncode, run("b").returncode] == [0, 0, 0]
    assert runs(tmp_path) == 1


def test_a_genesis_is_not_that_of_nodes_that_came_later(run: Run, tmp_path: Path) -> None:
    run("a")

    refused = run("a", "b")

    assert refused.returncode == 1
    assert refused.stderr.startswith("GENESIS_MISMATCH: the genesis of m was made for a, and not")
    assert not (tmp_path / "private/b").exists()


def test_nodes_that_came_later_do_without_where_the_job_says_so(run: Run, tmp_path: Path) -> None:
    run("a")

    assert run("a", "b", late_nodes=True).returncode == 0
    assert runs(tmp_path) == 1
    assert not (tmp_path / "private/b").exists()
    assert run("a", "b", late_nodes=False).returncode == 1


def test_a_run_that_failed_leaves_nothing_to_the_next(run: Run, tmp_path: Path) -> None:
    failed = run("a", code=7)
    (tmp_path / "public/rest").mkdir()
    again = run("a")

    assert (failed.returncode, again.returncode) == (1, 0)
    assert "GENESIS_FAILED: the genesis job of m ended with 7" in failed.stderr
    assert runs(tmp_path) == 2
    assert not (tmp_path / "public/rest").exists()


def test_a_run_that_is_terminated_ends_its_command(tmp_path: Path) -> None:
    job = {"testnet": "t", "module": "m", "seed": None, "public": str(tmp_path), "nodes": {}}
    command = ["python", "-c", "import time; print('begun', flush=True); time.sleep(600)"]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", genesis.__file__, *command],
        env={**os.environ, "LOGOS_GENESIS": json.dumps(job)},
        stdout=subprocess.PIPE,
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == b"begun\n"
        runner.terminate()

        assert runner.stdout.read() == b""  # it ends once the command has closed it
        assert runner.wait() == 1


TERMINATED_EARLY = """
import os, runpy, signal, subprocess, sys

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)

subprocess.Popen = Popen
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Terminates a run whose command has begun, but is not known yet to be running."""


def test_a_run_that_is_terminated_while_its_command_starts_ends_it(tmp_path: Path) -> None:
    job = {"testnet": "t", "module": "m", "seed": None, "public": str(tmp_path), "nodes": {}}
    command = ["python", "-c", "import time; time.sleep(600)"]
    with subprocess.Popen(
        [sys.executable, "-c", TERMINATED_EARLY, genesis.__file__, *command],
        env={**os.environ, "LOGOS_GENESIS": json.dumps(job)},
        stdout=subprocess.PIPE,
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.read() == b""  # it ends once the command has closed it
        assert runner.wait() == 1


def test_a_run_that_is_killed_is_done_again_in_empty_folders(tmp_path: Path) -> None:
    job = {"testnet": "t", "module": "m", "seed": None, "public": str(tmp_path / "public")}
    job |= {"nodes": {"a": {"settings": {}, "folder": str(tmp_path / "a")}}}
    half = tmp_path / "a/half"
    first = f"print(open({str(half)!r}, 'w').name, flush=True); import time; time.sleep(600)"
    words = [sys.executable, "-I", "-S", genesis.__file__, "python", "-c"]
    around = {**os.environ, "LOGOS_GENESIS": json.dumps(job)}
    with subprocess.Popen(
        [*words, first], env=around, stdout=subprocess.PIPE, process_group=0
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline().strip() == bytes(half)
        os.killpg(runner.pid, signal.SIGKILL)
    assert half.exists()

    subprocess.run([*words, f"open({str(tmp_path / 'a/whole')!r}, 'w')"], env=around, check=True)

    assert [path.name for path in (tmp_path / "a").iterdir()] == ["whole"]
    assert (tmp_path / "public" / genesis.DONE).exists()


def test_a_program_that_is_not_there_is_named(run: Run) -> None:
    failed = run("a", program="no-such-program")

    assert failed.returncode == 1
    assert failed.stderr.startswith("GENESIS_FAILED: no-such-program cannot be started: No such")


@pytest.mark.parametrize("note", ["", "[]", '{"nodes": 3}'])
def test_a_note_that_cannot_be_read_is_not_taken_for_none(
    run: Run, tmp_path: Path, note: str
) -> None:
    run("a")
    (tmp_path / "public" / genesis.DONE).write_text(note, encoding="utf-8")

    refused = run("a")

    assert refused.returncode == 1
    assert refused.stderr.startswith("GENESIS_DAMAGED: ")
    assert runs(tmp_path) == 1


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "no JSON", '{"nodes": {"a": 1}}'])
def test_a_variable_that_says_nothing_is_refused(text: str | None) -> None:
    variables = {} if text is None else {"LOGOS_GENESIS": text}

    with pytest.raises(ValueError, match="LOGOS_GENESIS"):
        genesis.read_job(variables)
