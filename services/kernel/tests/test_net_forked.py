"""Modules that the testnet's fork server starts for the kernel."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starts import FixedStarts

from fork_rig import READY_S
from logos_base.manifest import Manifest
from logos_forkserver import client, launch
from logos_kernel.core.effects import Signal
from logos_kernel.core.types import Exit, Places, Plan, ProcessId
from logos_kernel.net import exits
from logos_kernel.net.process import Processes, start_ticks

PROGRAM = """\
import os, signal, sys
print(os.getppid(), os.environ["LOGOS_MODULE"], os.environ["LOGOS_EPOCH"], os.getcwd(), flush=True)
if sys.argv[1:] == ["waits"]:
    signal.pause()
sys.exit(3)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """The pid of a fork server at `<tmp>/forks.sock`."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "loaded.py").write_text("", encoding="utf-8")
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    path = tmp_path / "forks.sock"
    pid = launch.start(path, ["loaded"], variables=variables, output=tmp_path / "server.log")
    try:
        client.end_check(client.begin_check(path, timeout_s=READY_S))
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)  # not reaped yet: it is the server
        os.waitpid(pid, 0)


@dataclass
class Rig:
    """A kernel's processes, and how they have ended."""

    folder: Path
    processes: Processes
    ends: "asyncio.Queue[Exit]" = field(default_factory=asyncio.Queue)

    async def start(self, module: str) -> ProcessId:
        return await self.processes.start(module, 7, self.ended)

    def ended(self, _process: ProcessId, exit_: Exit) -> None:
        self.ends.put_nowait(exit_)

    async def end(self) -> Exit:
        async with asyncio.timeout(READY_S):
            return await self.ends.get()

    def log(self, module: str) -> str:
        return (self.folder / "logs" / f"{module}.log").read_text(encoding="utf-8")

    async def parent(self, module: str) -> int:
        """The parent of a module, in its own words."""
        async with asyncio.timeout(READY_S):
            while not self.log(module).endswith("\n"):  # noqa: ASYNC110 -- another process
                await asyncio.sleep(0.01)
        return int(self.log(module).split()[0])


@pytest.fixture
async def rig(server: int, tmp_path: Path) -> AsyncIterator[Rig]:
    def plan(name: str, *arguments: str, preload: tuple[str, ...] = ("program",)) -> Plan:
        command = ("python", "-m", "program", *arguments)
        return Plan(Manifest(name, "0.1.0", command=command, preload=preload))

    plans = [plan("ends"), plan("waits", "waits"), plan("own", "waits", preload=())]
    places = Places(
        kernel_target="unix:/k.sock",
        run_dir=tmp_path / "run",
        state_dir=tmp_path / "modules",
        log_dir=tmp_path / "logs",
        join_secrets={each.manifest.name: tmp_path / "secret" for each in plans},
        fork_server=tmp_path / "forks.sock",
    )
    by_name = {each.manifest.name: each for each in plans}
    processes = Processes(FixedStarts(by_name), places, {"PYTHONPATH": str(tmp_path)})
    yield Rig(tmp_path, processes)
    processes.close()


async def test_a_module_is_forked_and_its_exit_code_known(rig: Rig, server: int) -> None:
    await rig.start("ends")

    ended = await rig.end()

    assert rig.log("ends") == f"{server} ends 7 {rig.folder}/modules/ends\n"
    assert (ended.code, ended.lines) == (3, (rig.log("ends").strip(),))


async def test_a_module_that_declares_nothing_starts_by_its_own_command(rig: Rig) -> None:
    process = await rig.start("own")

    assert await rig.parent("own") == os.getpid()
    rig.processes.end(process, Signal.KILL)
    assert (await rig.end()).code == -signal.SIGKILL


async def test_a_kill_is_told_once(rig: Rig) -> None:
    process = await rig.start("waits")
    assert rig.processes.is_alive(process)
    assert start_ticks(process.pid) == process.start_ticks

    rig.processes.end(process, Signal.KILL)

    assert (await rig.end()).code == -signal.SIGKILL
    assert not rig.processes.is_alive(process)
    rig.processes.end(process, Signal.KILL)  # what has ended is no error
    assert rig.ends.empty()


async def test_modules_outlive_the_fork_server_and_their_end_is_seen(rig: Rig, server: int) -> None:
    process = await rig.start("waits")
    await rig.parent("waits")

    os.kill(server, signal.SIGKILL)
    async with asyncio.timeout(READY_S):
        while rig.processes._watched[process]._parent is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert rig.processes.is_alive(process)
    rig.processes.end(process, Signal.TERM)
    assert (await rig.end()).code is None
    assert rig.ends.empty()


async def test_without_a_fork_server_a_module_starts_by_its_own_command(
    rig: Rig, server: int, caplog: pytest.LogCaptureFixture
) -> None:
    os.kill(server, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, server, os.WEXITED | os.WNOWAIT)

    await rig.start("ends")

    assert (await rig.end()).code == 3
    assert rig.log("ends").split()[0] == str(os.getpid())
    assert [record.__dict__["reason"] for record in caplog.records] == ["FORK_SERVER_UNAVAILABLE"]


async def test_changed_code_is_not_forked(
    rig: Rig, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "loaded.py").write_text("new = True", encoding="utf-8")

    await rig.start("ends")

    assert (await rig.end()).code == 3
    assert rig.log("ends").split()[0] == str(os.getpid())
    assert [record.__dict__["reason"] for record in caplog.records] == ["FORK_SERVER_OUTDATED"]


def _freeze(server: int) -> None:
    os.kill(server, signal.SIGSTOP)
    os.waitid(os.P_PID, server, os.WSTOPPED)  # it takes effect some time after it was sent


async def test_a_fork_server_that_hangs_holds_no_end_back(
    rig: Rig, server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exits, "EXIT_CODE_TIMEOUT_S", 0.1)
    process = await rig.start("waits")
    await rig.parent("waits")
    _freeze(server)

    rig.processes.end(process, Signal.KILL)

    assert (await rig.end()).code is None
    os.kill(server, signal.SIGCONT)


async def test_the_event_loop_goes_on_while_a_fork_server_hangs(
    rig: Rig, server: int, caplog: pytest.LogCaptureFixture
) -> None:
    _freeze(server)
    rig.processes._fork_timeout_s = 1.0
    turns = 0

    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(rig.start("ends"))
        while not starting.done():
            await asyncio.sleep(0)
            turns += 1

    assert turns > 100  # a loop that waits itself takes no more than a few
    assert (await rig.end()).code == 3  # by its own command
    await rig.start("ends")  # and the server is left alone for a while
    assert (await rig.end()).code == 3
    assert [record.__dict__["reason"] for record in caplog.records] == ["FORK_SERVER_UNAVAILABLE"]
    os.kill(server, signal.SIGCONT)


async def test_a_later_kernel_watches_a_forked_module(rig: Rig) -> None:
    process = await rig.start("waits")
    await rig.parent("waits")
    rig.processes.close()  # as at the end of a kernel

    assert rig.processes.is_alive(process)
    rig.processes.watch("waits", process, rig.ended)
    rig.processes.end(process, Signal.KILL)

    assert (await rig.end()).code is None
    assert rig.ends.empty()


async def test_a_missing_state_folder_is_told_as_by_exec(rig: Rig) -> None:
    await rig.start("ends")
    await rig.end()
    (rig.folder / "modules").rename(rig.folder / "moved")

    with pytest.raises(FileNotFoundError):
        await rig.start("ends")
