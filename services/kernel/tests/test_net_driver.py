"""KER-8: the loop does nothing before what it rests on is durable."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from kernel_driver import Half, plans

from logos_base.errors import DiskFullError
from logos_kernel.core.effects import Signal
from logos_kernel.core.supervise import RestartPolicy
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import (
    Described,
    Desired,
    Exit,
    Identity,
    Introduction,
    ModuleState,
    ProcessId,
    Record,
    Runtime,
)
from logos_kernel.net.driver import Driver
from logos_kernel.net.external import External
from logos_kernel.net.router import Router
from logos_kernel.store.memory import MemoryModuleStore
from logos_module.interceptor import Gate

INSTANCE = b"sixteen bytes..."


class Disk(MemoryModuleStore):
    """A store whose writes fail for the modules that a test names."""

    def __init__(self, *records: Record) -> None:
        super().__init__()
        self._records = {record.name: record for record in records}
        self.full_for: set[str] = set()
        self.held = asyncio.Event()
        self.held.set()
        self.begun = asyncio.Event()

    async def save(self, *records: Record) -> None:
        self.begun.set()
        await self.held.wait()
        self._refuse(*(record.name for record in records))
        await super().save(*records)

    async def forget(self, name: str) -> None:
        self._refuse(name)
        await super().forget(name)

    def _refuse(self, *names: str) -> None:
        if self.full_for & set(names):
            raise DiskFullError("the disk is full")

    def __getitem__(self, name: str) -> Record:
        return self._records.get(name, Record(name))

    def __contains__(self, name: str) -> bool:
        return name in self._records


class Processes:
    """Processes that end when they are told to; asks the disk what it knows whenever it acts."""

    def __init__(self, disk: Disk, alive: Sequence[ProcessId] = ()) -> None:
        self._disk = disk
        self._pids = itertools.count(1)
        self.alive = set(alive)
        self.started: list[tuple[str, int]] = []
        self.is_deaf = False
        """TERM does not end them."""
        self._ended: dict[ProcessId, Callable[[Exit], None]] = {}

    def is_alive(self, process: ProcessId) -> bool:
        return process in self.alive

    def start(self, module: str, epoch: int) -> ProcessId:
        assert self._disk[module].epoch == epoch, "durable before its process"
        self.started.append((module, epoch))
        process = ProcessId(next(self._pids), epoch)
        self.alive.add(process)
        return process

    def watch(self, module: str, process: ProcessId, ended: Callable[[Exit], None]) -> None:
        self._ended[process] = ended

    def end(self, process: ProcessId, signal: Signal) -> None:
        if process in self.alive and not (self.is_deaf and signal is Signal.TERM):
            self.alive.remove(process)
            asyncio.get_running_loop().call_soon(self._ended[process], Exit(0))

    def lines(self, module: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
        raise NotImplementedError

    def close(self) -> None:
        pass


async def _announce(views: Any, ready: Any, *, is_ready: bool) -> None:
    pass


async def _describe(channel: grpc.aio.Channel, timeout_s: float) -> Described:
    return Described("base", INSTANCE)


@asynccontextmanager
async def running(
    disk: Disk, runtime: Processes | External, *modules: str, **policy: int
) -> AsyncIterator[Driver]:
    kind = Runtime.EXTERNAL if isinstance(runtime, External) else Runtime.PROCESS
    driver = Driver(
        supervisor=Supervisor(
            plans(dict.fromkeys(modules, ()), kind), RestartPolicy(**policy), Half()
        ),
        runtime=runtime,
        store=disk,
        router=Router(Gate()),
        describe=_describe,
        announce=_announce,
        identity=Identity("node1", "small", "0.1.0", 1, 0),
        wall_ms=lambda: 0,
    )
    await driver.load()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(driver.run())
        yield driver
        driver.close()


async def _until(is_so: Callable[[], object]) -> None:
    while not is_so():  # noqa: ASYNC110 -- the driver tells servicers, not tests
        await asyncio.sleep(0.01)


async def test_no_process_is_started_while_its_epoch_cannot_be_saved() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    processes = Processes(disk)
    async with running(disk, processes, "base", "top", backoff_base_ms=10) as driver:
        await _until(lambda: driver.views()[0].restart_count >= 2)
        base, top = driver.views()
        assert base.state in {ModuleState.BACKOFF, ModuleState.STARTING}
        assert base.last_exit == "not started: its state cannot be saved: the disk is full"
        assert base.status_text == "its state cannot be saved: the disk is full"
        assert (base.pid, top.epoch) == (0, 1)
        assert processes.started == [("top", 1)], "the others are started all the same"

        disk.full_for.clear()
        await _until(lambda: driver.views()[0].pid)

    assert processes.started[1:] == [("base", 1)]


async def test_a_stop_that_cannot_be_saved_fails_and_stops_nothing() -> None:
    disk = Disk()
    processes = Processes(disk)
    async with running(disk, processes, "base") as driver:
        await _until(lambda: driver.views()[0].pid)
        disk.full_for = {"base"}
        with pytest.raises(DiskFullError):
            await driver.stop("base")
        assert (driver.views()[0].desired, len(processes.alive)) == (Desired.RUNNING, 1)

        disk.full_for.clear()
        await driver.stop("base")
        assert disk["base"].desired is Desired.STOPPED
        await _until(lambda: driver.views()[0].state is ModuleState.STOPPED)
        disk.full_for = {"base"}
        with pytest.raises(DiskFullError):
            await driver.start("base")

        assert driver.views()[0].state is ModuleState.STOPPED
        assert disk["base"].desired is Desired.STOPPED


async def test_a_start_whose_epoch_cannot_be_saved_is_told_to_who_asked() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    async with running(disk, Processes(disk), "base") as driver:
        with pytest.raises(DiskFullError):
            await driver.start("base")


async def test_the_failure_of_one_module_is_not_told_to_who_asked_for_another() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    async with running(disk, Processes(disk), "base", "top", backoff_base_ms=1) as driver:
        for _ in range(20):
            await driver.restart("top")

        assert driver.views()[0].status_text


async def test_what_was_begun_is_carried_out_when_who_asked_has_gone() -> None:
    disk = Disk()
    processes = Processes(disk)
    async with running(disk, processes, "base") as driver, asyncio.TaskGroup() as tasks:
        await _until(lambda: driver.views()[0].pid and disk["base"].process)
        disk.begun.clear()
        disk.held.clear()
        stopping = tasks.create_task(driver.stop("base"))
        await disk.begun.wait()
        stopping.cancel()
        disk.held.set()

        await _until(lambda: driver.views()[0].state is ModuleState.STOPPED)
        assert disk["base"].desired is Desired.STOPPED


async def test_an_observed_instance_is_registered_once_its_epoch_is_durable() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    introduction = Introduction("base", "0.1.0", INSTANCE, "127.0.0.1:1", 0, ("test.base.Echo",))
    async with running(disk, External(), "base") as driver:
        with pytest.raises(DiskFullError):
            await driver.register(introduction)
        assert (driver.views()[0].state, driver.views()[0].epoch) == (ModuleState.STARTING, 0)

        disk.full_for.clear()
        grant = await driver.register(introduction)

        assert grant.epoch == disk["base"].epoch == 1


async def test_a_process_is_registered_whatever_the_disk_does() -> None:
    disk = Disk()
    introduction = Introduction("base", "0.1.0", INSTANCE, "127.0.0.1:1", 1, ("test.base.Echo",))
    async with running(disk, Processes(disk), "base") as driver:
        await _until(lambda: driver.views()[0].pid and disk["base"].process)
        disk.full_for = {"base"}

        assert (await driver.register(introduction)).epoch == 1
        assert "the disk is full" in driver.views()[0].status_text


@pytest.mark.parametrize("is_deaf", [False, True])
async def test_what_left_the_profile_is_forgotten_once_it_has_ended(
    is_deaf: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logos_kernel.net.driver.DISMISS_GRACE_S", 0.05)
    old = ProcessId(1000, 1)
    disk = Disk(Record("old", epoch=1, process=old))
    processes = Processes(disk, alive=[old])
    processes.is_deaf = is_deaf
    async with running(disk, processes, "base"):
        await _until(lambda: "old" not in disk)

        assert old not in processes.alive
        processes.is_deaf = False


async def test_what_left_the_profile_and_cannot_be_forgotten_hinders_nobody() -> None:
    disk = Disk(Record("old", epoch=1))
    disk.full_for = {"old"}
    processes = Processes(disk)
    async with running(disk, processes, "base") as driver:
        await _until(lambda: driver.views()[0].pid)

    assert "old" in disk


async def test_a_kernel_that_modules_cannot_reach_is_not_ready_and_says_why() -> None:
    async with running(Disk(), External()) as driver:
        assert driver.is_ready()
        driver.unreachable("/run/k.sock was removed")
        assert not driver.is_ready()
        driver.unreachable("")
        assert driver.is_ready()
    async with running(Disk(), External(), "base") as driver:
        driver.unreachable("/run/k.sock was removed")
        assert driver.views()[0].status_text == "/run/k.sock was removed"
