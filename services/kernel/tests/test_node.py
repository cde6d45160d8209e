"""A kernel as a process, with modules as processes: what an operator relies on."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import echo_service
import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from kernel_process import WAIT_S, Node, is_alive, made_node

from full_disk import filled
from logos.kernel.v1 import kernel_pb2, module_pb2, supervisor_pb2
from logos_client.channels import open_channel
from logos_module.errors import reason_of
from logos_module.lock import FolderLock

pytestmark = pytest.mark.integration


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node of the test's own."""
    with made_node() as made:
        made.connect()
        yield made
        await made.channel.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Node]:
    """A node with `top`, which calls `base` all the time; started once for this file."""
    with made_node() as made:
        made.add("top", requires=["base"], peer="base")
        made.add("base")
        made.write_profile()
        made.start()
        yield made


@pytest.fixture
async def shared(running: Node) -> AsyncIterator[Node]:
    """The node that is started once, READY."""
    running.connect()
    await running.until_ready()
    yield running
    await running.channel.close()


async def _call(node: Node, module: str) -> bytes:
    echo = echo_service.stub(node.channel, f"test.{module}.Echo", "UnaryUnary")
    answer: BytesValue = await echo(BytesValue(value=b"hello"), timeout=30)
    return answer.value


def _calls(node: Node, module: str) -> tuple[int, int]:
    """Returns how many calls to its peer a module has done, and how many failed."""
    done, failed = (node.root / "modules" / module / "calls").read_text().split()
    return int(done), int(failed)


async def _calling(node: Node, module: str, calls: int = 1) -> None:
    """Waits until a module has done that many more calls to its peer."""
    file = node.root / "modules" / module / "calls"
    async with asyncio.timeout(WAIT_S):
        while not file.exists():  # noqa: ASYNC110 -- another process writes it
            await asyncio.sleep(0.02)
        done = _calls(node, module)[0]
        while _calls(node, module)[0] < done + calls:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _modules(node: Node) -> dict[str, module_pb2.Module]:
    return {one.name: one for one in (await node.status()).modules}


def _epoch(status: kernel_pb2.GetStatusResponse, name: str) -> int:
    return next(one.epoch for one in status.modules if one.name == name)


async def _refused(node: Node) -> str:
    """Starts a kernel that must refuse to run; returns what it says."""
    kernel = node.start(CAPTURE="1")
    _, said = await asyncio.to_thread(kernel.communicate, timeout=60)
    assert kernel.returncode == 2
    return said.decode()


async def _ended(kernel: "subprocess.Popen[bytes]") -> int:
    return await asyncio.wait_for(asyncio.to_thread(kernel.wait), 60)


async def test_starts_modules_in_order_and_is_their_front_door(shared: Node) -> None:
    status = await shared.status()

    assert [one.name for one in status.modules] == ["base", "top"]
    assert status.modules[0].since.ToMilliseconds() <= status.modules[1].since.ToMilliseconds()
    assert [one.epoch for one in status.modules] == [1, 1]
    assert all(one.pid and one.version == "0.1.0" for one in status.modules)
    assert await _call(shared, "base") == b"hello"
    assert await _call(shared, "top") == b"hello"


async def test_a_second_kernel_on_one_state_is_refused(shared: Node) -> None:
    """kernel.md 14.8."""
    before = await _modules(shared)
    assert shared.kernel is not None

    said = await _refused(shared)

    assert said.startswith("STATE_LOCKED: ")
    assert f"pid {shared.kernel.pid}" in said
    assert await _modules(shared) == before


async def test_logs_are_streamed_and_followed(shared: Node) -> None:
    log = shared.root / "logs" / "base.log"

    request = supervisor_pb2.StreamLogsRequest(module="base", tail=1, follow=True)
    call = shared.supervisor().StreamLogs(request, timeout=60)
    first: Any = await call.read()
    with log.open("a") as file:
        file.write("one more line\n")
    second: Any = await call.read()
    call.cancel()

    assert '"message": "ready"' in first.line
    assert second.line == "one more line"


async def test_a_killed_module_is_ready_again_with_a_new_epoch(shared: Node) -> None:
    before = await _modules(shared)

    os.kill(before["base"].pid, signal.SIGKILL)
    count = before["base"].restart_count + 1
    await shared.until(lambda now: now.modules[0].restart_count == count and now.ready)

    after = await _modules(shared)
    assert after["base"].epoch == before["base"].epoch + 1
    assert after["base"].last_exit.startswith("ended by signal 9")
    assert after["top"].pid == before["top"].pid, "dependents are not restarted"
    assert await _call(shared, "base") == b"hello"


async def test_a_hung_module_loses_its_lease_and_is_restarted(node: Node) -> None:
    """kernel.md 14.2: by its lease."""
    node.add("base")
    node.write_profile(lease_ttl_ms=5000)
    node.start()
    await node.until_ready()
    hung = await node.module("base")

    os.kill(hung.pid, signal.SIGSTOP)
    await node.until(lambda now: now.modules[0].restart_count > hung.restart_count and now.ready)

    assert not is_alive(hung.pid)
    assert (await node.module("base")).last_exit == "no heartbeat for 5 s"


async def test_a_module_that_does_not_get_on_is_noticed_by_its_watchdog(node: Node) -> None:
    """kernel.md 14.2: stopped, stuck, or not healthy; each is restarted, and the others are not."""
    watchdog = "watchdog_ms = 3000\n"
    node.add("hangs", manifest=watchdog)
    node.add("sticks", manifest=watchdog, gets_stuck=1)
    node.add("ails", manifest=watchdog, gets_unwell=1)
    node.add("well", manifest=watchdog)
    node.write_profile(lease_ttl_ms=60_000)
    node.start()
    await node.until_state("hangs", "READY")
    os.kill((await node.module("hangs")).pid, signal.SIGSTOP)

    exits = {}
    for name in ("hangs", "sticks", "ails"):
        await node.until(lambda now, name=name: _epoch(now, name) == 2 and now.ready)
        request = supervisor_pb2.ListExitsRequest(module=name)
        answer = await node.supervisor().ListExits(request)
        exits[name] = [(one.signal, one.reason) for one in answer.exits]

    assert exits == {
        "hangs": [(9, module_pb2.TRANSITION_REASON_WATCHDOG)],
        "sticks": [(9, module_pb2.TRANSITION_REASON_WATCHDOG)],
        "ails": [(9, module_pb2.TRANSITION_REASON_NOT_SERVING)],
    }
    assert (await node.module("well")).epoch == 1


async def test_a_cascade_does_what_its_plan_says(node: Node) -> None:
    """kernel.md 14.13: those that need it end first."""
    node.add("top", requires=["middle"])
    node.add("middle", requires=["base"])
    node.add("base")
    node.write_profile()
    node.start()
    await node.until_ready()
    supervisor = node.supervisor()
    operation = supervisor_pb2.OPERATION_STOP
    request = supervisor_pb2.PlanOperationRequest(operation=operation, module="base", cascade=True)
    plan = [(one.wave, one.module) for one in (await supervisor.PlanOperation(request)).steps]
    assert plan == [(0, "top"), (1, "middle"), (2, "base")]

    await supervisor.StopModule(supervisor_pb2.StopModuleRequest(module="base", cascade=True))
    await node.until_state("base", "STOPPED")

    watch = supervisor.WatchTransitions(supervisor_pb2.WatchTransitionsRequest(from_revision=1))
    stopped: list[str] = []
    while len(stopped) < 3:
        one = (await watch.read()).transition
        if one.new == module_pb2.MODULE_STATE_STOPPED:
            stopped.append(one.module)
    assert stopped == [name for _, name in plan]


async def test_a_crash_is_told_and_listed(node: Node) -> None:
    """kernel.md 14.1."""
    node.add("base")
    node.write_profile()
    node.start()
    await node.until_ready()
    supervisor = node.supervisor()
    request = supervisor_pb2.WatchTransitionsRequest(from_revision=1)
    watching = supervisor.WatchTransitions(request)
    for _ in range(3):  # to READY
        await watching.read()

    os.kill((await node.module("base")).pid, signal.SIGSEGV)

    steps = [(await watching.read()).transition for _ in range(4)]
    names = [module_pb2.ModuleState.Name(one.new).removeprefix("MODULE_STATE_") for one in steps]
    assert names == ["BACKOFF", "STARTING", "REGISTERED", "READY"]
    assert steps[0].reason == module_pb2.TRANSITION_REASON_EXITED
    assert steps[0].detail.startswith("ended by signal 11")
    answer = await supervisor.ListExits(supervisor_pb2.ListExitsRequest(module="base"))
    assert [one.signal for one in answer.exits] == [signal.SIGSEGV]
    assert any('"message": "ready"' in line for line in answer.exits[0].lines)
    assert (await node.module("base")).restart_count == 1


async def test_restart_replaces_the_process_and_only_that(shared: Node) -> None:
    before = await _modules(shared)

    request = supervisor_pb2.RestartModuleRequest(module="base")
    await shared.supervisor().RestartModule(request)
    epoch = before["base"].epoch + 1
    await shared.until(lambda now: now.ready and now.modules[0].epoch == epoch)

    after = await _modules(shared)
    assert after["base"].pid != before["base"].pid
    assert after["base"].restart_count == before["base"].restart_count
    assert after["top"].pid == before["top"].pid


async def test_stop_is_refused_while_something_requires_it(shared: Node) -> None:
    """kernel.md 14.13."""
    supervisor = shared.supervisor()

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await supervisor.StopModule(supervisor_pb2.StopModuleRequest(module="base"))
    assert reason_of(refused.value) == "HAS_DEPENDENTS"

    await supervisor.StopModule(supervisor_pb2.StopModuleRequest(module="top"))
    stopped = await shared.until_state("top", "STOPPED")
    assert stopped.pid == 0
    assert (await shared.status()).ready, "nothing that should run does not"
    with pytest.raises(grpc.aio.AioRpcError) as not_ready:
        await _call(shared, "top")
    assert reason_of(not_ready.value) == "MODULE_NOT_READY"

    await supervisor.StartModule(supervisor_pb2.StartModuleRequest(module="top"))
    await shared.until_state("top", "READY")


async def test_what_keeps_failing_fails_and_start_revives_it(node: Node) -> None:
    """kernel.md 14.3."""
    marker = node.root / "broken"
    marker.touch()
    node.add("base", fails_while=str(marker))
    node.add("top", requires=["base"])
    node.add("typo", misconfigured=1)
    node.write_profile(max_restarts=1, failed_retry_ms=600_000)
    node.start()

    failed = await node.until_state("base", "FAILED")
    assert failed.restart_count == 1
    assert failed.last_exit.startswith("exited with code 1")
    top = await node.module("top")
    assert (top.state, top.pid) == (module_pb2.MODULE_STATE_BLOCKED, 0)
    typo = await node.until_state("typo", "FAILED")
    assert typo.restart_count == 0
    assert "INVALID_CONFIG: quota_bytes: must be a number" in typo.last_exit

    marker.unlink()
    await node.supervisor().StartModule(supervisor_pb2.StartModuleRequest(module="base"))
    await node.until_state("top", "READY")


async def test_modules_outlive_a_killed_kernel_and_the_next_one_takes_them_over(
    node: Node,
) -> None:
    """kernel.md 14.7."""
    node.add("base")
    node.add("idle")
    node.add("top", requires=["base"], peer="base")
    node.write_profile(lease_ttl_ms=60_000)
    first = node.start()
    await node.until_ready()
    await node.supervisor().StopModule(supervisor_pb2.StopModuleRequest(module="idle"))
    await node.until_state("idle", "STOPPED")
    before = await _modules(node)

    first.kill()
    first.wait()
    await _calling(node, "top", 20)
    node.kernel = None
    node.start()
    await node.until_ready()

    after = await _modules(node)
    assert {name: one.pid for name, one in after.items()} == {
        name: one.pid for name, one in before.items()
    }
    assert [one.epoch for one in after.values()] == [1, 1, 1]
    assert [one.restart_count for one in after.values()] == [0, 0, 0]
    assert after["idle"].state == module_pb2.MODULE_STATE_STOPPED
    assert _calls(node, "top")[1] == 0
    assert await _call(node, "top") == b"hello"
    # and it watches what it has not started itself
    os.kill(after["base"].pid, signal.SIGKILL)
    await node.until(lambda now: now.modules[0].restart_count == 1 and now.ready)


async def test_what_did_not_outlive_a_killed_kernel_is_started_again(node: Node) -> None:
    node.add("dead")
    node.add("hung")
    node.write_profile(lease_ttl_ms=5000)
    first = node.start()
    await node.until_ready()
    before = await _modules(node)

    first.kill()
    first.wait()
    os.kill(before["dead"].pid, signal.SIGKILL)
    os.kill(before["hung"].pid, signal.SIGSTOP)
    node.kernel = None
    node.start()
    await node.until(lambda now: now.ready and all(one.epoch > 1 for one in now.modules))

    assert not is_alive(before["hung"].pid)
    assert (await node.module("hung")).last_exit == "did not register in time"


async def test_a_taken_address_is_refused_and_nothing_is_started(node: Node) -> None:
    node.add("base")
    node.write_profile()
    with socket.create_server(("127.0.0.1", 0)) as owner:
        node.front = f"127.0.0.1:{owner.getsockname()[1]}"
        said = await _refused(node)

    assert "ADDRESS_IN_USE: " in said
    assert node.front in said
    assert not (node.root / "modules").exists()


async def test_a_taken_socket_is_refused_and_left_to_its_owner(node: Node) -> None:
    node.add("base")
    node.write_profile()
    path = node.listen.removeprefix("unix:")
    node.run_dir.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as owner, socket.socket(socket.AF_UNIX) as caller:
        owner.bind(path)
        owner.listen()
        said = await _refused(node)
        caller.connect(path)

    assert "ADDRESS_IN_USE: " in said


async def test_a_broken_profile_is_refused_with_all_its_problems(node: Node) -> None:
    node.add("base", requires=["base"])
    node.write_profile(lease_ttl_ms=0)

    said = await _refused(node)

    assert "profile.toml:9: kernel.lease_ttl_ms: must be a whole number from 1, is 0" in said
    assert "base/module.toml: requires: a module cannot name itself" in said


async def test_what_requires_a_module_that_is_not_there_waits_for_it_alone(node: Node) -> None:
    """kernel.md 14.11."""
    node.add("base")
    node.add("top", requires=["base", "late"])
    node.write_profile()
    kernel = node.start()
    await node.until_state("base", "READY")
    top = await node.until_state("top", "BLOCKED")
    assert top.status_text == "waits for late, which the profile does not have"
    kernel.terminate()
    kernel.wait()
    node.kernel = None

    node.add("late")
    node.write_profile()
    node.start()

    await node.until_ready()
    assert (await node.module("top")).epoch == 1


async def test_sigterm_stops_dependents_first_and_leaves_no_process(node: Node) -> None:
    """kernel.md 14.39."""
    node.add("base")
    node.add("top", requires=["base"], peer="base")
    node.write_profile(stop_grace_ms=60_000)
    kernel = node.start()
    await node.until_ready()
    await _calling(node, "top")
    pids = {name: one.pid for name, one in (await _modules(node)).items()}

    kernel.terminate()
    code = await _ended(kernel)

    assert code == 0, node.story()
    assert not any(is_alive(pid) for pid in pids.values())
    log = (node.root / "kernel.log").read_text()
    ends = {name: log.index(f'"of": "{name}", "pid": {pid}, "how"') for name, pid in pids.items()}
    assert ends["top"] < ends["base"]
    assert log.count('"how": "exited with code 0') == 2
    assert _calls(node, "top")[1] == 0, "what is required is there to the end"


async def test_what_does_not_end_at_sigterm_is_killed(node: Node) -> None:
    node.add("stuck")
    node.write_profile(stop_grace_ms=500, lease_ttl_ms=60_000)
    kernel = node.start()
    await node.until_ready()
    pid = (await node.module("stuck")).pid

    os.kill(pid, signal.SIGSTOP)
    kernel.terminate()

    assert await _ended(kernel) == 0, node.story()
    assert not is_alive(pid)
    assert "ended by signal 9" in (node.root / "kernel.log").read_text()


async def test_two_processes_never_stand_on_one_state(node: Node) -> None:
    """KER-8: the kernel is killed after a start, before it has noted the process."""
    node.add("base", manifest="exclusive = true\n")
    node.write_profile()
    first = node.start()
    await node.until_ready()
    lost = (await node.module("base")).pid
    first.kill()
    first.wait()
    node.forget_process("base")
    os.kill(lost, signal.SIGSTOP)  # it takes its time to find out

    node.kernel = None
    node.start()
    try:
        await node.until(lambda now: f"waiting for process {lost}" in now.modules[0].status_text)
        assert (await node.module("base")).state == module_pb2.MODULE_STATE_REGISTERED
    finally:
        os.kill(lost, signal.SIGCONT)
    ready = (await node.until_ready()).modules[0]

    assert (ready.epoch, ready.status_text) == (2, "")
    assert ready.pid != lost
    async with asyncio.timeout(WAIT_S):
        while is_alive(lost):  # noqa: ASYNC110 -- it gave the state up first, and then ends
            await asyncio.sleep(0.02)
    assert not (node.root / "modules" / "base" / "overlap").exists()
    assert await _call(node, "base") == b"hello"


async def test_a_process_that_does_not_leave_the_state_is_waited_for_and_tried_again(
    node: Node,
) -> None:
    node.add("base", manifest="exclusive = true\n")
    node.write_profile(start_timeout_ms=8000)
    state = node.root / "modules" / "base"
    state.mkdir(parents=True)
    with FolderLock(state) as lock:
        assert lock.take()
        node.start()
        await node.until(lambda now: now.modules[0].last_exit == "was not READY in time")
        assert not (state / "inside").exists()

    await node.until_ready()


async def test_a_full_disk_of_the_kernel_starts_nothing_and_stops_nothing(
    disk: Path, node: Node
) -> None:
    node.add("base")
    node.add("idle")
    node.state_dir = disk / "kernel"
    node.write_profile()
    kernel = node.start()
    await node.until_ready()
    pids = {name: one.pid for name, one in (await _modules(node)).items()}
    supervisor = node.supervisor()
    await node.note()  # all before it is written: a write that fails leaves room behind

    with filled(disk):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await supervisor.StopModule(supervisor_pb2.StopModuleRequest(module="idle"))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert reason_of(refused.value) == "DISK_FULL"
        await supervisor.RestartModule(supervisor_pb2.RestartModuleRequest(module="base"))
        await node.until(lambda now: "not started: " in now.modules[0].last_exit)

        base, idle = (await node.status()).modules
        assert (base.pid, base.epoch) == (0, 1)
        assert "the disk is full" in base.status_text
        assert idle.pid == pids["idle"]
        assert (idle.state, idle.desired) == (
            module_pb2.MODULE_STATE_READY,
            module_pb2.DESIRED_STATE_RUNNING,
        )
        noted = {name: node.record(name) for name in ("base", "idle")}
        assert [(one["epoch"], one["desired"]) for one in noted.values()] == [(1, "RUNNING")] * 2
        started = (node.root / "modules" / "base" / "started").read_text()
        assert started == f"{pids['base']} 1", "no process was started"
    await node.until(lambda now: now.ready and not any(one.status_text for one in now.modules))

    assert [one.epoch for one in (await node.status()).modules] == [2, 1]
    assert (node.record("base")["epoch"], node.record("idle")["pid"]) == (2, pids["idle"])
    kernel.terminate()
    assert await _ended(kernel) == 0
    with filled(disk):
        said = await _refused(node)
    assert said.startswith(f"DISK_FULL: {node.state_dir}/")
    assert "the disk is full" in said
    assert "Traceback" not in said


async def test_a_state_that_cannot_be_read_is_named(node: Node) -> None:
    node.add("base")
    node.write_profile()
    node.state_dir.mkdir()
    (node.state_dir / "kernel.sqlite").write_bytes(b"no database" * 1000)

    said = await _refused(node)

    assert "kernel.sqlite" in said
    assert "Traceback" not in said
    assert not (node.root / "modules").exists()


async def test_sockets_that_were_swept_away_come_back(node: Node) -> None:
    node.add("base")
    node.add("top", requires=["base"])
    node.write_profile()
    node.start()
    await node.until_ready()
    before = await _modules(node)

    shutil.rmtree(node.sockets)
    request = supervisor_pb2.RestartModuleRequest(module="base")
    await node.supervisor().RestartModule(request)
    await node.until(lambda now: now.ready and now.modules[0].epoch == 2)

    after = await _modules(node)
    assert after["top"].pid == before["top"].pid
    assert await _call(node, "base") == b"hello"
    async with asyncio.timeout(WAIT_S):
        for path in (node.listen, after["top"].endpoint):
            while not Path(path.removeprefix("unix:")).exists():  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.02)
            channel = open_channel(path)
            await channel.channel_ready()
            await channel.close()
