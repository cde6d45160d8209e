"""KER-48 to KER-50 with processes: reloads, settings, events and roles while versions change."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import echo_service
import grpc
import pytest
from gates import borne
from google.protobuf.wrappers_pb2 import BytesValue
from kernel_process import WAIT_S, Node, is_alive, made_node

from logos.kernel.v1 import capability_pb2, capability_pb2_grpc, settings_pb2, supervisor_pb2
from logos.kernel.v1 import installer_pb2 as pb
from logos.kernel.v1.installer_pb2_grpc import InstallerStub
from logos.kernel.v1.settings_pb2_grpc import SettingsStub
from logos_client.channels import open_channel
from logos_module.errors import reason_of

pytestmark = pytest.mark.integration

SLOW = """
import asyncio, json, sys, echo_module, echo_service
from contextlib import asynccontextmanager
from pathlib import Path
from logos_module import run
from logos_module.settings import Outcome

echo_service.define("test.base")
root = Path({root!r})

@asynccontextmanager
async def node(context):
    def decide(settings):
        (root / "told").write_text(json.dumps(dict(settings)))
        return Outcome.REJECTED if "speed" in settings else Outcome.APPLIED
    context.settings.on_change(decide)
    (root / "begun").touch()
    while not (root / "go").exists():
        await asyncio.sleep(0.02)
    async with echo_module.node(context):
        yield

sys.exit(run(node, package="base"))
"""
"""It is registered, and READY once the file `go` is there."""

SCHEMA = """
[settings.properties.quota]
type = "integer"
default = {default}
[settings.properties.speed]
type = "integer"
"""


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    with made_node() as made:
        made.connect()
        yield made
        await made.channel.close()


async def install(node: Node, folder: Path, channel: Any = None) -> None:
    stub: Any = InstallerStub(channel or node.channel)
    await stub.InstallModule(pb.InstallModuleRequest(directory=str(folder)), timeout=30)


async def begin(node: Node, name: str, version: str) -> pb.ModuleOperation:
    request = pb.UpgradeModuleRequest(module=name, version=version)
    begun: pb.ModuleOperation = (await node.installer().UpgradeModule(request)).operation
    return begun


async def reload(node: Node, name: str) -> pb.ModuleOperation:
    """Reloads a module; returns the upgrade once it has ended."""
    request = pb.ReloadModuleRequest(module=name)
    return await ended(node, (await node.installer().ReloadModule(request)).operation)


async def ended(node: Node, begun: pb.ModuleOperation) -> pb.ModuleOperation:
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                request = pb.GetOperationRequest(id=begun.id)
                found: pb.ModuleOperation = (await node.installer().GetOperation(request)).operation
                if found.HasField("ended_at"):
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(node.story()) from None


async def until_there(node: Node, path: Path) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not path.exists():  # noqa: ASYNC110, ASYNC240 -- another process makes it
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(node.story()) from None


async def until_gone(node: Node, pid: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while is_alive(pid):  # noqa: ASYNC110 -- another process ends
            await asyncio.sleep(0.02)


async def settings_of(node: Node, module: str = "base") -> Any:
    stub: Any = SettingsStub(node.channel)
    return await stub.GetSettings(settings_pb2.GetSettingsRequest(module=module), timeout=30)


async def change(node: Node, module: str = "base", **patch: object) -> Any:
    stub: Any = SettingsStub(node.channel)
    active = (await settings_of(node, module)).active.version
    request = settings_pb2.UpdateSettingsRequest(
        module=module, patch_json=json.dumps(patch), expect_version=active
    )
    return (await stub.UpdateSettings(request, timeout=30)).tried


async def start(node: Node, **more: Any) -> None:
    node.add("base", **more)
    node.write_profile()
    node.start()
    await node.until_ready()


async def test_a_module_of_the_profile_is_reloaded_without_a_failed_call(node: Node) -> None:
    await start(node)
    before = await node.module("base")
    package = node.root / "packages" / "base"
    (package / "__main__.py").write_text(
        (package / "__main__.py").read_text() + f"\n# of {before.pid}\n"
    )
    failures: list[grpc.aio.AioRpcError] = []
    is_over = asyncio.Event()

    async def load() -> None:
        echo = echo_service.stub(node.channel, "test.base.Echo", "UnaryUnary")
        while not is_over.is_set():
            try:
                await echo(BytesValue(value=b"x"), timeout=30)
            except grpc.aio.AioRpcError as error:
                failures.append(error)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(load())
        done = await reload(node, "base")
        await until_gone(node, before.pid)
        is_over.set()

    after = await node.module("base")
    assert done.phase == pb.UPGRADE_PHASE_PROMOTED, node.story()
    assert (done.from_version, done.to_version) == ("", "")
    assert (after.version, after.epoch, after.restart_count) == ("0.1.0", 2, 0)
    assert failures == []


async def test_an_installed_module_is_reloaded_as_its_folder_is_now(node: Node) -> None:
    await start(node)
    folder = node.make_version("base", "0.2.0")
    await install(node, folder)
    await ended(node, await begin(node, "base", "0.2.0"))
    await until_gone_beside(node)
    manifest = (folder / "module.toml").read_text()

    (folder / "module.toml").write_text(manifest + "watchdog_ms = 60000\n")
    same = await reload(node, "base")
    await until_gone_beside(node)
    (folder / "module.toml").write_text(manifest.replace("0.2.0", "0.3.0"))
    newer = await reload(node, "base")
    await until_gone_beside(node)
    (folder / "__main__.py").write_text("import sys\nsys.exit('a bug')\n")
    serving = (await node.module("base")).pid
    broken = await reload(node, "base")

    assert (same.phase, same.to_version) == (pb.UPGRADE_PHASE_PROMOTED, "0.2.0"), node.story()
    assert (newer.phase, newer.to_version) == (pb.UPGRADE_PHASE_PROMOTED, "0.3.0")
    assert broken.phase == pb.UPGRADE_PHASE_ROLLED_BACK
    assert "a bug" in broken.why
    after = await node.module("base")
    assert (after.version, after.pid) == ("0.3.0", serving)


async def until_gone_beside(node: Node) -> None:
    """Waits until the process before has ended: only then is another upgrade begun."""
    async with asyncio.timeout(WAIT_S):
        while True:
            live = [pid for pid in node.pids() if is_alive(pid)]
            request = pb.PlanUpgradeRequest(module="base", version="0.1.0")
            try:
                await node.installer().PlanUpgrade(request)
            except grpc.aio.AioRpcError as error:
                if reason_of(error) != "UPGRADE_UNDER_WAY":
                    raise
            else:
                assert len(live) == 1
                return
            await asyncio.sleep(0.05)


async def test_a_folder_that_holds_another_module_now_is_not_reloaded(node: Node) -> None:
    await start(node)
    folder = node.make_version("base", "0.2.0")
    await install(node, folder)
    await ended(node, await begin(node, "base", "0.2.0"))
    manifest = (folder / "module.toml").read_text()
    (folder / "module.toml").write_text(manifest.replace('"base"', '"other"', 1))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await node.installer().ReloadModule(pb.ReloadModuleRequest(module="base"))

    assert reason_of(refused.value) == "INVALID_INSTALL"
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await node.installer().ReloadModule(pb.ReloadModuleRequest(module="nobody"))
    assert reason_of(unknown.value) == "MODULE_NOT_FOUND"


async def test_settings_go_by_the_version_that_serves(node: Node) -> None:
    await start(node, manifest=SCHEMA.format(default=7))
    await change(node, speed=3)
    slow = SLOW.format(root=str(node.root))
    await install(
        node, node.make_version("base", "0.2.0", manifest=SCHEMA.format(default=8), body=slow)
    )

    begun = await begin(node, "base", "0.2.0")
    await until_there(node, node.root / "begun")
    during = json.loads((await settings_of(node)).active.document_json)
    (node.root / "go").touch()
    done = await ended(node, begun)
    after = json.loads((await settings_of(node)).active.document_json)

    assert done.phase == pb.UPGRADE_PHASE_PROMOTED, node.story()
    assert (during, after) == ({"quota": 7, "speed": 3}, {"quota": 8, "speed": 3})
    given = json.loads((node.root / "modules" / "base" / "settings").read_text())
    assert given == after


@pytest.mark.parametrize(
    ("patch", "phase"),
    [
        ({"quota": 9}, pb.UPGRADE_PHASE_PROMOTED),
        ({"speed": 9}, pb.UPGRADE_PHASE_ROLLED_BACK),
    ],
    ids=["taken", "refused"],
)
async def test_changes_meanwhile_are_told_to_the_version_to_come(
    node: Node, patch: dict[str, int], phase: int
) -> None:
    await start(node, manifest=SCHEMA.format(default=7))
    slow = SLOW.format(root=str(node.root))
    await install(
        node, node.make_version("base", "0.2.0", manifest=SCHEMA.format(default=8), body=slow)
    )
    begun = await begin(node, "base", "0.2.0")
    await until_there(node, node.root / "begun")

    tried = await change(node, **patch)
    told = json.loads((node.root / "told").read_text())
    (node.root / "go").touch()
    done = await ended(node, begun)

    assert tried.outcome == settings_pb2.SETTINGS_OUTCOME_APPLIED
    assert told == {"quota": 8, **patch}
    assert done.phase == phase, node.story()
    if phase == pb.UPGRADE_PHASE_ROLLED_BACK:
        assert "settings were changed" in done.why
    held = json.loads((await settings_of(node)).active.document_json)
    assert held.items() >= patch.items()
    again = await change(node, quota=11)
    assert again.outcome == settings_pb2.SETTINGS_OUTCOME_APPLIED
    assert json.loads(again.document_json)["quota"] == 11


async def test_a_version_that_refuses_what_the_profile_sets_is_refused(node: Node) -> None:
    await start(node, quota=5)
    strict = '[settings.properties.quota]\ntype = "string"\n'
    await install(node, node.make_version("base", "0.2.0", manifest=strict))

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await begin(node, "base", "0.2.0")

    assert reason_of(refused.value) == "UPGRADE_REFUSED"
    assert "settings.quota" in str(refused.value.details())
    wrong = '[settings.properties.quota]\ntype = "nonsense"\n'
    with pytest.raises(grpc.aio.AioRpcError) as unusable:
        await install(node, node.make_version("base", "0.3.0", manifest=wrong))
    assert reason_of(unusable.value) == "INVALID_INSTALL"


@pytest.mark.parametrize("is_killed", [False, True])
async def test_changed_settings_wait_for_a_module_that_was_unloaded(
    node: Node, *, is_killed: bool
) -> None:
    """KER-50: and what was to leave leaves, also if its kernel is killed at once."""
    await start(node)
    await install(node, node.make_version("extra", "1.0.0", manifest=SCHEMA.format(default=7)))
    load = pb.LoadModuleRequest(module="extra")
    await node.installer().LoadModule(load, timeout=30)
    await node.until_ready()
    await change(node, "extra", quota=9)

    await node.installer().UnloadModule(pb.UnloadModuleRequest(module="extra"), timeout=30)
    if is_killed:
        assert node.kernel is not None
        node.kernel.kill()
        node.kernel.wait()
        node.kernel = None
        node.start()
    await node.until(lambda status: [one.name for one in status.modules] == ["base"])
    with pytest.raises(grpc.aio.AioRpcError) as gone:
        await settings_of(node, "extra")
    assert reason_of(gone.value) == "MODULE_NOT_FOUND"
    await node.installer().LoadModule(load, timeout=30)
    await node.until_ready()

    assert json.loads((await settings_of(node, "extra")).active.document_json) == {"quota": 9}
    given = json.loads((node.root / "modules" / "extra" / "settings").read_text())
    assert given == {"quota": 9}


async def test_both_versions_publish_until_the_old_one_has_ended(node: Node) -> None:
    await start(node, publishes=1)
    await install(node, node.make_version("base", "0.2.0"))
    old = (await node.module("base")).pid

    done = await ended(node, await begin(node, "base", "0.2.0"))
    await until_gone(node, old)

    assert done.phase == pb.UPGRADE_PHASE_PROMOTED, node.story()
    request = supervisor_pb2.ListExitsRequest(module="base")
    async with asyncio.timeout(WAIT_S):
        while not (exits := (await node.supervisor().ListExits(request)).exits):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert [one.code for one in exits] == [0], node.story()  # it was not refused as stale


async def test_who_may_install_from_where(node: Node) -> None:
    """KER-49."""
    node.add("base")
    node.write_profile()
    inside = node.make_version("base", "0.2.0")
    node.start(LOGOS_MODULES_DIR=str(node.root / "versions"))
    await node.until_ready()
    outside = node.root / "elsewhere" / "base"
    outside.parent.mkdir()
    node.make_version("base", "0.3.0").rename(outside)
    link = node.root / "versions" / "link"
    link.symlink_to(outside)
    admin: Any = capability_pb2_grpc.CapabilityStub(node.channel)
    request = capability_pb2.IssueOperatorTokenRequest(
        name="ada", role=capability_pb2.ROLE_OPERATOR
    )
    bearer = (await admin.IssueOperatorToken(request)).bearer
    ada = borne(open_channel(node.front), bearer)

    await install(node, inside, ada)
    for folder in (outside, link):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await install(node, folder, ada)
        assert reason_of(refused.value) == "ROLE_DENIED"
    records = admin.ReadAudit(capability_pb2.ReadAuditRequest())
    noted = [(one.actor, one.action, one.outcome) async for one in records]
    await install(node, outside)
    await ada.close()

    assert noted.count(("operator:ada", "module.install", "ROLE_DENIED")) == 2
