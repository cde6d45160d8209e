"""The kernel's runtime `docker` over a broker: the contract of runtimes, and what is its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from broker_rig import BrokerRig, running
from process_engine import ProcessEngine

from docker_kernels import Kernels
from logos_kernel.core.effects import Signal
from logos_kernel.core.types import Exit, ProcessId
from runtime_contract import SCRIPTS, Ends, RuntimeContract


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[ProcessEngine]:
    made = ProcessEngine(tmp_path, {f"node1-{name}": text for name, text in SCRIPTS.items()})
    yield made
    await made.close()


@pytest.fixture
async def rig(broker: BrokerRig) -> AsyncIterator[Kernels]:
    async with asyncio.TaskGroup() as tasks:
        kernels = Kernels(broker.target, broker.secret("node1"), tasks)
        yield kernels
        kernels.close()


class TestDocker(RuntimeContract):
    """That of all runtimes."""


async def test_a_container_that_runs_already_is_taken_over(
    rig: Kernels, engine: ProcessEngine
) -> None:
    await engine.start("node1-stays")
    state = engine.containers["node1-stays"].seen.state
    ends = Ends()

    process = await rig.runtime.start("stays", 1, ends)

    assert process == ProcessId(state.pid, state.started_at_ns)
    rig.runtime.end(process, Signal.KILL)
    assert (await ends.next())[0] == process


async def test_a_second_epoch_does_not_begin_beside_the_first(rig: Kernels) -> None:
    await rig.runtime.start("stays", 1, Ends())

    with pytest.raises(OSError, match="still runs"):
        await rig.runtime.start("stays", 2, Ends())


async def test_a_container_that_is_more_than_described_does_not_start(
    rig: Kernels, engine: ProcessEngine
) -> None:
    container = engine.containers["node1-stays"]
    container.seen = replace(container.seen, is_privileged=True)

    with pytest.raises(OSError, match=r"CONTAINER_NOT_AS_DESCRIBED.*privileged"):
        await rig.runtime.start("stays", 1, Ends())

    assert engine.calls == []


async def test_what_the_engine_refuses_is_an_error_of_the_start(
    rig: Kernels, engine: ProcessEngine
) -> None:
    engine.containers["node1-stays"].script = ""

    with pytest.raises(OSError, match="CONTAINER_NOT_STARTED"):
        await rig.runtime.start("stays", 1, Ends())


async def test_a_removed_container_has_ended(rig: Kernels, engine: ProcessEngine) -> None:
    ends = Ends()
    process = await rig.runtime.start("stays", 1, ends)
    container = engine.containers.pop("node1-stays")

    engine.tell("node1-stays")

    assert await ends.next() == (process, Exit(None))
    engine.containers["node1-stays"] = container  # so that it is ended, too


async def test_a_module_that_left_the_description_has_ended(rig: Kernels) -> None:
    ends, process = Ends(), ProcessId(7, 7)
    rig.runtime.watch("departed", process, ends)

    rig.runtime.end(process, Signal.TERM)

    assert await ends.next() == (process, Exit(None))


async def test_while_the_engine_is_away_nothing_has_ended_and_signals_wait(
    rig: Kernels, engine: ProcessEngine
) -> None:
    ends = Ends()
    process = await rig.runtime.start("stays", 1, ends)
    engine.is_up = False

    rig.runtime.end(process, Signal.KILL)

    assert await rig.runtime.usage(process) is None
    assert rig.runtime.is_alive(process)
    assert ends.queue.empty()
    engine.is_up = True
    assert (await ends.next())[1].code == -Signal.KILL


async def test_an_end_before_the_kernel_looked_is_told_from_one_after(
    rig: Kernels, engine: ProcessEngine
) -> None:
    """KER-8: the first is no failure."""
    gone = await rig.runtime.start("stubborn", 1, Ends())
    await engine.kill("node1-stubborn")
    stays = await rig.runtime.start("stays", 1, Ends())
    runtime, unseen, seen = rig.renew(), Ends(), Ends()

    runtime.watch("stubborn", gone, unseen)
    runtime.watch("stays", stays, seen)

    assert (await unseen.next())[1].is_unseen  # the last that is told: the other was told
    runtime.end(stays, Signal.KILL)
    assert not (await seen.next())[1].is_unseen


async def test_the_next_broker_is_found_and_what_ended_meanwhile_is_learnt(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    ends = Ends()
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        async with running(engine, tmp_path) as broker:
            kernels = Kernels(broker.target, broker.secret("node1"), tasks)
            process = await kernels.runtime.start("stays", 1, ends)
        await engine.kill("node1-stays")

        async with running(engine, tmp_path):
            assert (await ends.next())[0] == process
            again = await kernels.runtime.start("stays", 2, ends)
            kernels.runtime.end(again, Signal.TERM)
            ended, exit_ = await ends.next()
            assert (ended, exit_.code) == (again, -Signal.TERM)
        kernels.close()
