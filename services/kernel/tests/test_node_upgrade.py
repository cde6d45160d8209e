"""KER-48 to KER-51: upgrades of modules that are processes, under calls, and after kernels."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import echo_service
import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from kernel_process import WAIT_S, Node, is_alive, made_node

from logos.kernel.v1 import installer_pb2 as pb
from logos_module.errors import reason_of

pytestmark = pytest.mark.integration

BROKEN = "import sys\nsys.exit('the new version does not know this setting')\n"


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    with made_node() as made:
        made.connect()
        yield made
        await made.channel.close()


async def until(node: Node, is_so: Callable[[], object]) -> None:
    """Waits for something outside the kernel."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not is_so():  # noqa: ASYNC110 -- another process does it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(node.story()) from None


async def install(node: Node, folder: Path, **more: Any) -> pb.ModuleVersion:
    request = pb.InstallModuleRequest(directory=str(folder), **more)
    response = await node.installer().InstallModule(request, timeout=30)
    version: pb.ModuleVersion = response.version
    return version


async def upgrade(node: Node, name: str, version: str) -> pb.ModuleOperation:
    """Begins an upgrade, and returns it once it has ended."""
    request = pb.UpgradeModuleRequest(module=name, version=version)
    begun = (await node.installer().UpgradeModule(request, timeout=30)).operation
    return await ended(node, begun.id)


async def ended(node: Node, name: str) -> pb.ModuleOperation:
    async with asyncio.timeout(WAIT_S):
        while True:
            request = pb.GetOperationRequest(id=name)
            response = await node.installer().GetOperation(request, timeout=30, wait_for_ready=True)
            found: pb.ModuleOperation = response.operation
            if found.HasField("ended_at"):
                return found
            await asyncio.sleep(0.05)


def calls(node: Node) -> tuple[int, int]:
    """Returns how many calls of its peer the module `top` has done, and how many failed."""
    done, failed = (node.root / "modules" / "top" / "calls").read_text().split()
    return int(done), int(failed)


async def test_no_call_fails_while_a_module_is_upgraded(node: Node) -> None:
    node.add("base")
    node.add("top", requires=["base"], peer="base")
    node.write_profile()
    node.start()
    await node.until_ready()
    await install(node, node.make_version("base", "0.2.0"))
    old = (await node.module("base")).pid
    failures: list[grpc.aio.AioRpcError] = []
    epochs: set[str] = set()
    is_over = asyncio.Event()

    async def load() -> None:
        echo = echo_service.stub(node.channel, "test.base.Echo", "UnaryUnary")
        while not is_over.is_set():
            try:
                call = echo(BytesValue(value=b"x"), timeout=30)
                await call
                epochs.add(str(dict(await call.initial_metadata())["epoch"]))
            except grpc.aio.AioRpcError as error:
                failures.append(error)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(load())
        done = await upgrade(node, "base", "0.2.0")
        await until(node, lambda: not is_alive(old))
        before, _ = calls(node)
        await until(node, lambda: calls(node)[0] > before + 10)
        is_over.set()

    assert done.phase == pb.UPGRADE_PHASE_PROMOTED, node.story()
    module = await node.module("base")
    assert (module.version, module.epoch, module.restart_count) == ("0.2.0", 2, 0)
    assert failures == []
    assert calls(node)[1] == 0, node.story()
    assert epochs == {"1", "2"}


async def test_a_version_that_cannot_run_leaves_the_old_one_alone(node: Node) -> None:
    node.add("base")
    node.write_profile()
    node.start()
    await node.until_ready()
    before = await node.module("base")
    await install(node, node.make_version("base", "0.2.0", body=BROKEN))

    done = await upgrade(node, "base", "0.2.0")

    assert done.phase == pb.UPGRADE_PHASE_ROLLED_BACK
    assert "does not know this setting" in done.why
    after = await node.module("base")
    assert (after.pid, after.epoch, after.state) == (before.pid, before.epoch, before.state)


async def test_an_exclusive_module_goes_back_to_the_version_that_ran(node: Node) -> None:
    node.add("base", manifest="exclusive = true\n")
    node.write_profile()
    node.start()
    await node.until_ready()
    good = node.make_version("base", "0.2.0", manifest="exclusive = true\n")
    await install(node, good)
    bad = node.make_version("base", "0.3.0", manifest="exclusive = true\n", body=BROKEN)
    await install(node, bad)

    first = await upgrade(node, "base", "0.2.0")
    second = await upgrade(node, "base", "0.3.0")

    assert first.phase == pb.UPGRADE_PHASE_PROMOTED, node.story()
    assert second.phase == pb.UPGRADE_PHASE_ROLLED_BACK
    await node.until_ready()
    assert (await node.module("base")).version == "0.2.0"
    assert not (node.root / "modules" / "base" / "overlap").exists()


async def test_the_next_kernel_ends_what_a_killed_one_had_begun(node: Node) -> None:
    node.add("base")
    node.write_profile()
    first = node.start()
    await node.until_ready()
    pid_file = node.root / "pid"
    slow = (
        f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    )
    await install(node, node.make_version("base", "0.2.0", body=slow))
    request = pb.UpgradeModuleRequest(module="base", version="0.2.0")
    begun = (await node.installer().UpgradeModule(request, timeout=30)).operation
    await until(node, lambda: pid_file.exists() and pid_file.read_text())
    old = await node.module("base")
    first.kill()
    first.wait()

    node.kernel = None
    node.start()
    done = await ended(node, begun.id)

    assert done.phase == pb.UPGRADE_PHASE_ROLLED_BACK
    assert done.why == "the kernel was started again meanwhile"
    await until(node, lambda: not is_alive(int(pid_file.read_text())))
    await node.until_ready()
    after = await node.module("base")
    assert (after.pid, after.epoch) == (old.pid, old.epoch)


async def test_a_module_that_waits_for_another_starts_when_that_is_installed(node: Node) -> None:
    """kernel.md 14.11."""
    node.add("top", requires=["extra"])
    node.write_profile()
    kernel = node.start()
    await node.until_state("top", "BLOCKED")

    await install(node, node.make_version("extra", "1.0.0"))
    await node.until_ready()
    kernel.kill()
    kernel.wait()
    node.kernel = None
    node.start()
    await node.until_ready()
    assert (await node.module("extra")).version == "1.0.0", "it is loaded for good"

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await node.installer().UnloadModule(pb.UnloadModuleRequest(module="extra"))
    assert reason_of(refused.value) == "HAS_DEPENDENTS"
    await node.installer().UnloadModule(pb.UnloadModuleRequest(module="extra", cascade=True))
    await node.until(lambda status: [one.name for one in status.modules] == ["top"])


async def test_folders_and_manifests_that_are_refused(node: Node) -> None:
    node.add("base")
    node.write_profile()
    node.start()
    await node.until_ready()
    good = node.make_version("base", "0.2.0")
    linked = node.root / "versions" / "linked"
    linked.mkdir()
    (linked / "module.toml").symlink_to(good / "module.toml")
    wrong = node.root / "versions" / "wrong"
    wrong.mkdir()
    (wrong / "module.toml").write_text('name = "../x"\nversion = "1"\n')

    for folder in (f"{good}/../base", "relative", "/nonexistent", "/\x00", str(linked), str(wrong)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await install(node, Path(folder))
        assert reason_of(refused.value) == "INVALID_INSTALL", folder

    once = await install(node, good, request_id="one")
    again = await install(node, good, request_id="one")
    assert once == again
    with pytest.raises(grpc.aio.AioRpcError) as reused:
        await install(node, wrong, request_id="one")
    assert reason_of(reused.value) == "INVALID_REQUEST_ID"
