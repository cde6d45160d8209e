"""Where modules live as processes of this machine, and how they start there."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import pytest
from starts import FixedStarts

from logos_base.manifest import Manifest
from logos_kernel.core.effects import Signal
from logos_kernel.core.types import Exit, Places, Plan, ProcessId
from logos_kernel.net.limits import Cgroups
from logos_kernel.net.process import Processes
from runtime_contract import SCRIPTS, RuntimeContract


class Started:
    """The runtime of processes with the modules of the contract, below `<tmp>/checkout`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._children: list[Popen[bytes]] = []
        self.runtime = self._open()

    def _open(self) -> Processes:
        root = self._root
        plans = {
            name: Plan(Manifest(name, "0.1.0", command=("sh", "-c", script)))
            for name, script in SCRIPTS.items()
        }
        secrets = {name: root / f"{name}.secret" for name in SCRIPTS}
        places = Places(
            root / "run", root / "modules", root / "logs", "unix:/k.sock", join_secrets=secrets
        )
        return Processes(FixedStarts(plans), places, {"PATH": os.environ["PATH"]})

    def renew(self) -> Processes:
        self.close()
        self.runtime = self._open()
        return self.runtime

    def close(self) -> None:
        """Closes the runtime; its children are this process's, which has not ended."""
        watched = self.runtime._watched.values()
        self._children += [one._parent for one in watched if isinstance(one._parent, Popen)]
        self.runtime.close()

    def end(self) -> None:
        """Ends all that was started."""
        self.close()
        for child in self._children:
            child.kill()
            child.wait()


class TestProcesses(RuntimeContract):
    @pytest.fixture
    async def rig(self, tmp_path: Path) -> AsyncIterator[Started]:
        started = Started(tmp_path / "checkout")
        yield started
        started.end()


@dataclass
class Rig:
    """Processes of modules below `<tmp>/checkout`."""

    processes: Processes
    ends: "asyncio.Queue[Exit]" = field(default_factory=asyncio.Queue)

    async def start(self, module: str, epoch: int) -> Exit:
        await self.processes.start(module, epoch, self._ended)
        async with asyncio.timeout(60):
            return await self.ends.get()

    def _ended(self, _process: ProcessId, exit_: Exit) -> None:
        self.ends.put_nowait(exit_)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    root = tmp_path / "checkout"
    commands = {
        "base": "true",
        "bad": "zero\0byte",
        "lost": "no-such-program",
        "stays": "sleep 9999",
        "told": "env",
        "new": "env",
    }
    plans = {
        name: Plan(Manifest(name, "0.1.0", command=tuple(command.split())))
        for name, command in commands.items()
    }
    places = Places(
        root / "run" / "node1",
        root / "modules",
        root / "logs",
        "unix:/k.sock",
        join_secrets={name: root / f"{name}.secret" for name in commands},
    )
    processes = Processes(FixedStarts(plans, beside={"new"}), places, {"PATH": os.environ["PATH"]})
    yield Rig(processes)
    processes.close()


async def test_a_start_makes_the_folders_that_it_needs(rig: Rig, tmp_path: Path) -> None:
    assert (await rig.start("base", 1)).code == 0

    root = tmp_path / "checkout"
    assert (root / "modules" / "base").is_dir()
    assert (root / "logs" / "base.log").is_file()
    assert (root / "run" / "node1").stat().st_mode & 0o777 == 0o700


async def test_a_swept_folder_of_sockets_is_made_again(rig: Rig, tmp_path: Path) -> None:
    await rig.start("base", 1)
    (tmp_path / "checkout" / "run").rename(tmp_path / "swept")

    await rig.start("base", 2)

    assert (tmp_path / "checkout" / "run" / "node1").is_dir()


async def test_nothing_appears_where_a_moved_checkout_was(rig: Rig, tmp_path: Path) -> None:
    await rig.start("base", 1)
    (tmp_path / "checkout").rename(tmp_path / "moved")

    with pytest.raises(FileNotFoundError):
        await rig.start("base", 2)

    assert not (tmp_path / "checkout").exists()


@pytest.mark.parametrize("module", ["bad", "lost"])
async def test_a_command_that_cannot_be_run_is_an_error_of_the_start(rig: Rig, module: str) -> None:
    with pytest.raises(OSError, match=r"zero|no-such-program"):
        await rig.start(module, 1)


async def test_an_end_is_reported_where_the_log_cannot_be_read(rig: Rig, tmp_path: Path) -> None:
    process = await rig.processes.start("stays", 1, rig._ended)
    (tmp_path / "checkout" / "logs" / "stays.log").unlink()
    (tmp_path / "checkout" / "logs" / "stays.log").mkdir()

    rig.processes.end(process, Signal.KILL)

    async with asyncio.timeout(60):
        assert (await rig.ends.get()).code == -9


async def test_a_process_that_cannot_be_limited_is_ended(rig: Rig, tmp_path: Path) -> None:
    cgroup = tmp_path / "cgroup"
    cgroup.mkdir()
    (cgroup / "cgroup.controllers").write_text("cpu memory pids")
    rig.processes._limits = Cgroups(cgroup)
    (cgroup / "stays.1").touch()  # where its cgroup would be

    with pytest.raises(FileExistsError):
        await rig.processes.start("stays", 1, rig._ended)

    assert not rig.processes._watched
    assert rig.ends.empty()


async def test_a_start_beside_another(rig: Rig, tmp_path: Path) -> None:
    """KER-48."""
    for module, epoch in (("told", 3), ("new", 4)):
        await rig.start(module, epoch)
    root = tmp_path / "checkout"
    told, new = (
        (root / "logs" / f"{name}.log").read_text().splitlines() for name in ("told", "new")
    )

    assert f"LOGOS_LISTEN=unix:{root}/run/node1/told.sock" in told
    assert not [line for line in told if line.startswith("LOGOS_BESIDE=")]
    assert f"LOGOS_LISTEN=unix:{root}/run/node1/new.4.sock" in new
    assert "LOGOS_BESIDE=1" in new
