"""KER-8: effects on real event loops; nothing is done before what it rests on is durable."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from gates import ADA, gate_of, proof_of
from kernel_world import Half
from memory_events import MemoryEventStore
from memory_store import MemoryModuleStore
from prometheus_client import REGISTRY

from kernel_plans import journal, plans
from logos_base.errors import DiskFullError
from logos_kernel.core.effects import Effects, Signal
from logos_kernel.core.errors import StateLockedError, UnknownModuleError
from logos_kernel.core.journal import Entries
from logos_kernel.core.lifecycle import IllegalTransitionError
from logos_kernel.core.modules import Modules
from logos_kernel.core.ports import Ended
from logos_kernel.core.restarts import RestartPolicy
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import (
    Described,
    Desired,
    Exit,
    Introduction,
    KernelInfo,
    ModuleState,
    ProcessId,
    Record,
    Runtime,
    Usage,
)
from logos_kernel.core.views import View
from logos_kernel.net.external import External
from logos_kernel.node import Node
from logos_kernel.operations.audit import Audit
from logos_kernel.operations.events import Events
from logos_kernel.operations.exits import exits
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.operate import reset_failed, restart, start, stop
from logos_kernel.operations.register import register

INSTANCE = b"sixteen bytes..."


class Disk(MemoryModuleStore):
    """A store whose writes fail for the modules that a test names."""

    def __init__(self, *records: Record) -> None:
        super().__init__()
        self._records = {record.name: record for record in records}
        self.full_for: set[str] = set()
        self.is_journal_full = False
        self.bug: Exception | None = None
        self.held = asyncio.Event()
        self.held.set()
        self.begun = asyncio.Event()

    async def save(self, *records: Record) -> None:
        self.begun.set()
        await self.held.wait()
        if self.bug is not None:
            raise self.bug
        self._refuse(*(record.name for record in records))
        await super().save(*records)

    async def keep(self, entries: Entries) -> None:
        if isinstance(self.bug, StateLockedError):
            raise self.bug
        if self.is_journal_full:
            raise DiskFullError("the disk is full")
        await super().keep(entries)

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
    """Processes that end when they are signalled; asks the disk what it knows whenever it acts."""

    def __init__(self, disk: Disk, alive: Sequence[ProcessId] = ()) -> None:
        self._disk = disk
        self._pids = itertools.count(1)
        self.alive = set(alive)
        self.started: list[tuple[str, int]] = []
        self.bug_of = ""
        """Names a module whose start raises what no start may."""
        self._ended: dict[ProcessId, Ended] = {}

    async def run(self) -> None:
        pass

    def show(self, views: Sequence[View]) -> None:
        pass

    def is_alive(self, process: ProcessId) -> bool:
        return process in self.alive

    async def start(self, module: str, epoch: int, ended: Ended) -> ProcessId:
        assert self._disk[module].epoch == epoch, "durable before its process"
        if module == self.bug_of:
            raise RuntimeError("a bug")
        self.started.append((module, epoch))
        process = ProcessId(next(self._pids), epoch)
        self.alive.add(process)
        self._ended[process] = ended
        return process

    def watch(self, module: str, process: ProcessId, ended: Ended) -> None:
        self._ended[process] = ended

    def end(self, process: ProcessId, signal: Signal) -> None:
        if process in self.alive:
            self.alive.remove(process)
            asyncio.get_running_loop().call_soon(self._ended[process], process, Exit(0))

    async def usage(self, process: ProcessId) -> Usage | None:
        return None

    def lines(
        self, module: str, *, tail: int, follow: bool, since_ms: int | None = None
    ) -> AsyncIterator[bytes]:
        raise NotImplementedError

    def close(self) -> None:
        pass


async def _probe(endpoint: str) -> Described:
    return Described("base", INSTANCE)


@asynccontextmanager
async def running(
    disk: Disk, runtime: Processes | External, *names: str, **policy: int
) -> AsyncIterator[Kernel]:
    kind = Runtime.EXTERNAL if isinstance(runtime, External) else Runtime.PROCESS
    modules = Modules(
        plans(dict.fromkeys(names, ()), kind),
        await disk.load(),
        RestartPolicy(**policy),
        Half(),
        journal(await disk.load_entries()),
    )
    identity = KernelInfo("node1", "small", "0.1.0", 1, 0)
    gate = gate_of(modules)
    node = Node(
        identity,
        modules,
        runtime=runtime,
        store=disk,
        gate=gate,
        audit=Audit(disk, lambda: 0),
        events=Events(MemoryEventStore(), lambda: 0),
        probe=_probe,
        wall_ms=lambda: 0,
    )
    node.executor.boot()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(node.executor.run())
        yield node.kernel
        node.close()


async def _until(is_so: Callable[[], object]) -> None:
    while not is_so():  # noqa: ASYNC110 -- the machine answers questions, and has none of these
        await asyncio.sleep(0.01)


async def test_no_process_is_started_while_its_epoch_cannot_be_saved() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    processes = Processes(disk)
    async with running(disk, processes, "base", "top", backoff_base_ms=10) as kernel:
        await _until(lambda: kernel.views.all()[0].restart_count >= 2)
        base, top = kernel.views.all()
        assert base.state in {ModuleState.BACKOFF, ModuleState.STARTING}
        assert base.last_exit == "not started: its state cannot be saved: the disk is full"
        assert base.status_text == "its state cannot be saved: the disk is full"
        assert (base.pid, top.epoch) == (0, 1)
        assert processes.started == [("top", 1)], "the others are started all the same"

        disk.full_for.clear()
        await _until(lambda: kernel.views.all()[0].pid)

    assert processes.started[1:] == [("base", 1)]


async def test_a_stop_that_cannot_be_saved_fails_and_stops_nothing() -> None:
    disk = Disk()
    processes = Processes(disk)
    async with running(disk, processes, "base") as kernel:
        await _until(lambda: kernel.views.all()[0].pid)
        disk.full_for = {"base"}
        with pytest.raises(DiskFullError):
            await stop(kernel, ADA, "base")
        assert (kernel.views.all()[0].desired, len(processes.alive)) == (Desired.RUNNING, 1)

        disk.full_for.clear()
        await stop(kernel, ADA, "base")
        assert disk["base"].desired is Desired.STOPPED
        await _until(lambda: kernel.views.all()[0].state is ModuleState.STOPPED)
        disk.full_for = {"base"}
        with pytest.raises(DiskFullError):
            await start(kernel, ADA, "base")

        assert kernel.views.all()[0].state is ModuleState.STOPPED
        assert disk["base"].desired is Desired.STOPPED


async def test_a_start_whose_epoch_cannot_be_saved_is_told_to_who_asked() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    async with running(disk, Processes(disk), "base") as kernel:
        with pytest.raises(DiskFullError):
            await start(kernel, ADA, "base")


async def test_the_failure_of_one_module_is_not_told_to_who_asked_for_another() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    async with running(disk, Processes(disk), "base", "top", backoff_base_ms=1) as kernel:
        for _ in range(20):
            await restart(kernel, ADA, "top")

        assert kernel.views.all()[0].status_text


async def test_what_was_begun_is_carried_out_when_who_asked_has_gone() -> None:
    disk = Disk()
    processes = Processes(disk)
    async with running(disk, processes, "base") as kernel, asyncio.TaskGroup() as tasks:
        await _until(lambda: kernel.views.all()[0].pid and disk["base"].process)
        disk.begun.clear()
        disk.held.clear()
        stopping = tasks.create_task(stop(kernel, ADA, "base"))
        await disk.begun.wait()
        stopping.cancel()
        disk.held.set()

        await _until(lambda: kernel.views.all()[0].state is ModuleState.STOPPED)
        assert disk["base"].desired is Desired.STOPPED


async def test_an_observed_instance_is_registered_once_its_epoch_is_durable() -> None:
    disk = Disk()
    disk.full_for = {"base"}
    introduction = Introduction("base", "0.1.0", INSTANCE, "127.0.0.1:1", 0, ("test.base.Echo",))
    async with running(disk, External(), "base") as kernel:
        with pytest.raises(DiskFullError):
            await register(kernel, introduction, proof_of(kernel.gate, introduction))
        assert (kernel.views.all()[0].state, kernel.views.all()[0].epoch) == (
            ModuleState.STARTING,
            0,
        )

        disk.full_for.clear()
        proof = proof_of(kernel.gate, introduction)
        joined = await register(kernel, introduction, proof)

        assert joined.grant.epoch == disk["base"].epoch == 1


async def test_a_process_is_registered_whatever_the_disk_does() -> None:
    disk = Disk()
    introduction = Introduction("base", "0.1.0", INSTANCE, "127.0.0.1:1", 1, ("test.base.Echo",))
    async with running(disk, Processes(disk), "base") as kernel:
        await _until(lambda: kernel.views.all()[0].pid and disk["base"].process)
        disk.full_for = {"base"}

        proof = proof_of(kernel.gate, introduction)
        assert (await register(kernel, introduction, proof)).grant.epoch == 1
        assert "the disk is full" in kernel.views.all()[0].status_text


async def test_what_left_the_profile_is_forgotten_once_it_has_ended() -> None:
    old = ProcessId(1000, 1)
    disk = Disk(Record("old", epoch=1, process=old))
    processes = Processes(disk, alive=[old])
    async with running(disk, processes, "base"):
        await _until(lambda: "old" not in disk)

        assert old not in processes.alive


async def test_what_left_the_profile_and_cannot_be_forgotten_hinders_nobody() -> None:
    disk = Disk(Record("old", epoch=1))
    disk.full_for = {"old"}
    processes = Processes(disk)
    async with running(disk, processes, "base") as kernel:
        await _until(lambda: kernel.views.all()[0].pid)

    assert "old" in disk


async def test_a_bug_of_the_store_refuses_the_question_and_supervision_goes_on() -> None:
    disk = Disk()
    processes = Processes(disk)
    async with running(disk, processes, "base") as kernel:
        await _until(lambda: kernel.views.all()[0].pid and disk["base"].process)
        disk.bug = RuntimeError("a bug")
        with pytest.raises(RuntimeError, match="a bug"):
            await stop(kernel, ADA, "base")

        disk.bug = None
        await stop(kernel, ADA, "base")
        await _until(lambda: kernel.views.all()[0].state is ModuleState.STOPPED)


async def test_an_effect_that_fails_by_a_bug_is_logged_and_supervision_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk()
    processes = Processes(disk)
    processes.bug_of = "base"
    async with running(disk, processes, "base", "top") as kernel:
        await _until(lambda: kernel.views.all()[1].pid)

        assert kernel.views.all()[0].state is ModuleState.STARTING
        kernel.driver.put(kernel.supervisor.spawn_failed, "base", "given up by the test")

    assert [one.message for one in caplog.records if one.exc_info] == ["effect failed"]


async def test_a_kernel_whose_state_another_has_taken_ends_and_its_modules_do_not() -> None:
    disk = Disk()
    processes = Processes(disk)

    async def live() -> None:
        async with running(disk, processes, "base") as kernel:
            await _until(lambda: kernel.views.all()[0].pid and disk["base"].process)
            disk.bug = StateLockedError("another kernel has started")
            await stop(kernel, ADA, "base")

    with pytest.raises(ExceptionGroup) as raised:
        await live()

    assert raised.group_contains(StateLockedError)
    assert len(processes.alive) == 1


async def test_a_tick_that_always_fails_ends_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks: list[int] = []

    def tick(supervisor: Supervisor, now_ms: int) -> Effects:
        ticks.append(now_ms)
        raise RuntimeError("always")

    async def live() -> None:
        disk = Disk()
        async with running(disk, Processes(disk), "base", start_timeout_ms=1):
            await asyncio.Event().wait()

    monkeypatch.setattr(Supervisor, "tick", tick)

    with pytest.raises(ExceptionGroup) as raised:
        await live()

    assert raised.group_contains(RuntimeError, match="always")
    assert len(ticks) == 1


async def test_an_illegal_transition_ends_the_kernel() -> None:
    def step(now_ms: int) -> Effects:
        raise IllegalTransitionError("base: STOPPED cannot become READY")

    async def live() -> None:
        disk = Disk()
        async with running(disk, Processes(disk), "base") as kernel:
            kernel.driver.put(step)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        await live()

    assert raised.group_contains(IllegalTransitionError)


async def test_exits_are_listed_and_saved() -> None:
    """kernel.md 14.1, the part of exits."""
    disk = Disk()
    processes = Processes(disk)
    async with running(disk, processes, "base", backoff_base_ms=1) as kernel:
        await _until(lambda: kernel.views.all()[0].pid)
        processes.end(next(iter(processes.alive)), Signal.KILL)
        await _until(lambda: kernel.views.all()[0].restart_count)

        assert [(one.epoch, one.exit.code) for one in exits(kernel, "base")] == [(1, 0)]
        with pytest.raises(UnknownModuleError):
            exits(kernel, "other")

    assert [one.epoch for one in (await disk.load_entries()).exits] == [1, 2]


async def test_what_is_failed_is_counted_for_alerts(caplog: pytest.LogCaptureFixture) -> None:
    """kernel.md 14.3: the alert."""
    disk = Disk()
    async with running(disk, Processes(disk), "base", max_restarts=0) as kernel:
        kernel.driver.put(kernel.supervisor.spawn_failed, "base", "given up by the test")
        await _until(lambda: REGISTRY.get_sample_value("kernel_modules_failed") == 1)
        await reset_failed(kernel, ADA, "base")
        await _until(lambda: REGISTRY.get_sample_value("kernel_modules_failed") == 0)

    alerts = [one for one in caplog.records if one.levelname == "ERROR"]
    assert [vars(one)["state"] for one in alerts] == [ModuleState.FAILED]


async def test_a_journal_that_cannot_be_saved_stops_nothing() -> None:
    disk = Disk()
    disk.is_journal_full = True
    async with running(disk, Processes(disk), "base") as kernel:
        await _until(lambda: kernel.views.modules.journal.save_due_ms)
        await stop(kernel, ADA, "base")
        await _until(lambda: kernel.views.all()[0].state is ModuleState.STOPPED)

        assert kernel.views.modules.journal.revision == 0


async def test_a_kernel_whose_journal_another_has_taken_ends() -> None:
    disk = Disk()
    disk.bug = StateLockedError("another kernel has started")

    async def live() -> None:
        async with running(disk, External(), "base"):
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as raised:
        await live()

    assert raised.group_contains(StateLockedError)
