"""A kernel as a process, with modules as processes: what an operator relies on."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from typing import Any

import echo_service
import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from kernel_process import Node, is_alive, made_node

from logos.kernel.v1 import module_pb2, supervisor_pb2
from logos_module.errors import reason_of

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


async def _modules(node: Node) -> dict[str, module_pb2.Module]:
    return {one.name: one for one in (await node.status()).modules}


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


async def test_a_hung_module_loses_its_lease_and_is_restarted(shared: Node) -> None:
    before = await _modules(shared)

    os.kill(before["base"].pid, signal.SIGSTOP)
    count = before["base"].restart_count + 1
    await shared.until(lambda now: now.modules[0].restart_count == count and now.ready)

    assert not is_alive(before["base"].pid)
    assert (await shared.module("base")).last_exit == "no beat for 4 s"


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
    node.add("base")
    node.add("idle")
    node.add("top", requires=["base"], peer="base")
    node.write_profile(lease_ttl_ms=10_000)  # modules come back within 2 s
    first = node.start()
    await node.until_ready()
    await node.supervisor().StopModule(supervisor_pb2.StopModuleRequest(module="idle"))
    await node.until_state("idle", "STOPPED")
    before = await _modules(node)

    first.kill()
    first.wait()
    done = _calls(node, "top")[0]
    async with asyncio.timeout(60):
        while _calls(node, "top")[0] < done + 20:  # noqa: ASYNC110 -- another process counts
            await asyncio.sleep(0.02)
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
    node.write_profile()
    first = node.start()
    await node.until_ready()
    before = await _modules(node)

    first.kill()
    first.wait()
    os.kill(before["dead"].pid, signal.SIGKILL)
    os.kill(before["hung"].pid, signal.SIGSTOP)
    node.kernel = None
    node.start()
    await node.until(lambda now: now.ready and [one.epoch for one in now.modules] == [2, 2])

    assert not is_alive(before["hung"].pid)
    assert (await node.module("hung")).last_exit == "did not register in time"


async def test_a_taken_address_is_refused_and_nothing_is_started(node: Node) -> None:
    node.add("base")
    node.write_profile()
    host, port = node.front.split(":")
    with socket.create_server((host, int(port))):
        said = await _refused(node)

    assert "ADDRESS_IN_USE: " in said
    assert node.front in said
    assert not (node.root / "modules").exists()


async def test_a_taken_socket_is_refused_and_left_to_its_owner(node: Node) -> None:
    node.add("base")
    node.write_profile()
    path = node.listen.removeprefix("unix:")
    with socket.socket(socket.AF_UNIX) as owner, socket.socket(socket.AF_UNIX) as caller:
        owner.bind(path)
        owner.listen()
        said = await _refused(node)
        caller.connect(path)

    assert "ADDRESS_IN_USE: " in said


async def test_a_broken_profile_is_refused_with_all_its_problems(node: Node) -> None:
    node.add("base", requires=["nobody"])
    node.write_profile(lease_ttl_ms=0)

    said = await _refused(node)

    assert "profile.toml:6: kernel.lease_ttl_ms: must be a whole number from 1, is 0" in said
    assert "base: requires 'nobody', which the profile does not have" in said


async def test_sigterm_stops_dependents_first_and_leaves_no_process(node: Node) -> None:
    node.add("base")
    node.add("stuck")
    node.add("top", requires=["base"], peer="base")
    node.write_profile(stop_grace_ms=4000, lease_ttl_ms=60_000)
    kernel = node.start()
    await node.until_ready()
    pids = {name: one.pid for name, one in (await _modules(node)).items()}

    os.kill(pids["stuck"], signal.SIGSTOP)
    kernel.terminate()
    code = await _ended(kernel)

    assert code == 0, node.story()
    assert not any(is_alive(pid) for pid in pids.values())
    log = (node.root / "kernel.log").read_text()
    ends = {name: log.index(f'"of": "{name}", "pid": {pid}, "how"') for name, pid in pids.items()}
    assert ends["top"] < ends["base"] < ends["stuck"]
    assert log.count("exited with code 0") >= 2
    assert "ended by signal 9" in log
    assert _calls(node, "top")[1] == 0, "what is required is there to the end"
