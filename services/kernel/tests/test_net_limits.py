"""What a module that is a process may use (KER-26)."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from logos_base.needs import Limits
from logos_kernel.net.limits import (
    DATA_BESIDE_BYTES,
    OPEN_FILES,
    Cgroups,
    CgroupUnusableError,
    ProcessLimits,
)

LIMITS = Limits(memory_mib=256, cpus=0.5, processes=40)
MIB = 1024 * 1024


@pytest.fixture
def process() -> Iterator[int]:
    with subprocess.Popen(["sleep", "9999"]) as child:
        yield child.pid
        child.kill()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the system shows of a cgroup that a kernel may divide."""
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    return tmp_path


def test_a_process_has_its_files_and_its_data_limited(process: int) -> None:
    ProcessLimits().apply("storage", 1, process, LIMITS)

    data_bytes = 256 * MIB + DATA_BESIDE_BYTES
    assert resource.prlimit(process, resource.RLIMIT_DATA) == (data_bytes, data_bytes)
    assert resource.prlimit(process, resource.RLIMIT_NOFILE) == (OPEN_FILES, OPEN_FILES)


def test_a_stricter_limit_stays(process: int) -> None:
    resource.prlimit(process, resource.RLIMIT_NOFILE, (100, 200))

    ProcessLimits().apply("storage", 1, process, LIMITS)

    assert resource.prlimit(process, resource.RLIMIT_NOFILE) == (200, 200)


def test_one_that_has_ended_is_no_error() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()

    ProcessLimits().apply("storage", 1, child.pid, LIMITS)


def test_each_start_has_a_cgroup_with_the_limits_of_the_manifest(
    folder: Path, process: int
) -> None:
    Cgroups(folder).apply("storage", 7, process, LIMITS)

    assert (folder / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    written = {path.name: path.read_text() for path in (folder / "storage.7").iterdir()}
    assert written == {
        "memory.max": str(256 * MIB),
        "pids.max": "40",
        "cpu.max": "50000 100000",
        "cgroup.procs": str(process),
    }
    assert resource.prlimit(process, resource.RLIMIT_NOFILE)[0] == OPEN_FILES


def test_a_cgroup_is_removed_once_nothing_runs_in_it(folder: Path) -> None:
    cgroups = Cgroups(folder)
    for name in ("storage.1", "storage.2", "mixnet.1"):
        (folder / name).mkdir()
    (folder / "storage.2" / "busy").touch()

    cgroups.release("storage")

    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"storage.2", "mixnet.1"}


@pytest.mark.parametrize("controllers", ["cpu memory", None])
def test_a_folder_that_limits_too_little_is_refused(folder: Path, controllers: str | None) -> None:
    (folder / "cgroup.controllers").unlink()
    if controllers is not None:
        (folder / "cgroup.controllers").write_text(controllers)

    with pytest.raises(CgroupUnusableError, match=folder.name):
        Cgroups(folder)
