"""KER-20: which ends were kills for want of memory."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starts import FixedStarts

from logos_base.manifest import Manifest
from logos_kernel.core.types import Exit, Places, Plan
from logos_kernel.net.oom import OomKills
from logos_kernel.net.process import Processes

MEMORY_V1 = Path("/sys/fs/cgroup/memory")
LIMIT_BYTES = 64 * 1024 * 1024


class Machine:
    """A machine with one process, of pid 7, in a cgroup."""

    def __init__(self, folder: Path, line: str, file: str) -> None:
        (folder / "proc" / "7").mkdir(parents=True)
        (folder / "proc" / "7" / "cgroup").write_text(f"4:cpu:/x\n{line}\n")
        self._file = folder / "cgroups" / file
        self._file.parent.mkdir(parents=True)
        self.count(2)
        self.kills = OomKills(folder / "proc", folder / "cgroups")

    def count(self, kills: int) -> None:
        self._file.write_text(f"under_oom 0\noom_kill {kills}\noom_group_kill 9\n")


@pytest.fixture(
    params=[
        ("5:hugetlb,memory:/a/b", "memory/a/b/memory.oom_control"),
        ("0::/a/b", "a/b/memory.events"),
    ],
    ids=["v1", "v2"],
)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    return Machine(tmp_path, *request.param)


def test_a_kill_that_the_cgroup_counts_is_one_of_memory_and_taken_once(machine: Machine) -> None:
    file = machine.kills.file_of(7)
    assert file is not None
    assert machine.kills.is_of(file, -9) is False, "the two before were others"

    machine.count(3)

    assert machine.kills.is_of(file, -11) is False
    assert machine.kills.is_of(file, 1) is False
    assert machine.kills.is_of(file, -9) is True
    assert machine.kills.is_of(file, -9) is False


def test_what_cannot_be_known_is_not_guessed(machine: Machine, tmp_path: Path) -> None:
    file = machine.kills.file_of(7)

    assert machine.kills.file_of(8) is None
    assert machine.kills.is_of(None, -9) is None
    assert machine.kills.is_of(file, None) is None
    assert OomKills(tmp_path / "proc", tmp_path / "none").file_of(7) is None


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """A cgroup (v1) whose processes get 64 MiB together."""
    folder = MEMORY_V1 / f"logos-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(LIMIT_BYTES))
    except OSError as error:
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield folder
    folder.rmdir()


async def test_a_memory_hog_is_reported_as_out_of_memory(
    small_cgroup: Path, tmp_path: Path
) -> None:
    """kernel.md 14.6."""
    hog = "print('hungry', flush=True); kept = [b'x' * (1 << 20) for _ in range(200)]"
    plan = Plan(Manifest("hog", "0.1.0", command=(sys.executable, "-c", hog)))
    places = Places(
        tmp_path / "r" / "n",
        tmp_path / "m",
        tmp_path / "l",
        "unix:/k.sock",
        {"hog": tmp_path / "hog.secret"},
    )
    processes = Processes(FixedStarts({"hog": plan}), places, dict(os.environ))
    ended: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
    own = OomKills().file_of(os.getpid())
    assert own is not None

    (small_cgroup / "cgroup.procs").write_text(str(os.getpid()))  # children are born there
    try:
        await processes.start("hog", 1, lambda _process, how: ended.set_result(how))
    finally:
        (own.parent / "cgroup.procs").write_text(str(os.getpid()))
    async with asyncio.timeout(60):
        how = await ended

    assert how == Exit(-9, ("hungry",), is_oom=True)
    assert str(how) == "ended by signal 9, out of memory: hungry"
    processes.close()
