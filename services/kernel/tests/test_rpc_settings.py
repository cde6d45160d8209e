"""KER-40, KER-41, kernel.md 14.37: with modules in the test's process, and with processes."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
from kernel_process import Node, made_node
from observing_kernel import FakeModule, Kernel, refusal

from logos.kernel.v1 import settings_pb2 as pb
from logos.kernel.v1 import settings_pb2_grpc
from logos_base.errors import DiskFullError
from logos_kernel.core.settings import Outcome as Held
from logos_module.settings import Settings

SCHEMA = """
[settings]
additionalProperties = false
[settings.properties.quota]
type = "integer"
default = 7
[settings.properties.answers]
type = "string"
[settings.properties.bad]
type = "boolean"
"""
APPLIED = pb.SETTINGS_OUTCOME_APPLIED
RESTART = pb.SETTINGS_OUTCOME_REQUIRES_RESTART
REJECTED = pb.SETTINGS_OUTCOME_REJECTED


class Client:
    """An operator's calls about one module."""

    def __init__(self, channel: Any, module: str) -> None:
        self.stub: Any = settings_pb2_grpc.SettingsStub(channel)
        self.module = module

    async def get(self) -> pb.GetSettingsResponse:
        got: pb.GetSettingsResponse = await self.stub.GetSettings(
            pb.GetSettingsRequest(module=self.module), timeout=30
        )
        return got

    async def update(self, expected: int, **patch: object) -> pb.SettingsVersion:
        request = pb.UpdateSettingsRequest(
            module=self.module, patch_json=json.dumps(patch), expect_version=expected
        )
        tried: pb.SettingsVersion = (await self.stub.UpdateSettings(request, timeout=30)).tried
        return tried

    def watch(self) -> Any:
        return self.stub.WatchSettings(pb.WatchSettingsRequest(module=self.module))


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """Leaves the level of the log as it was."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


@pytest.fixture
async def client(kernel: Kernel) -> Client:
    return Client(kernel.channel, "base")


@pytest.fixture
async def base(kernel: Kernel, start: Any) -> AsyncIterator[FakeModule]:
    module: FakeModule = await start("base")
    session = await kernel.make_ready(module)
    yield module
    session.cancel()


def follow(module: FakeModule, decide: Any = None) -> Settings:
    """Gives a module settings of the SDK, as its registration would."""
    settings = Settings()
    settings.offer(1, '{"name": "base"}')
    if decide is not None:
        settings.on_change(decide)
    module.host.settings = settings
    return settings


async def test_a_level_of_the_log_is_applied_by_every_module_of_the_sdk(
    base: FakeModule, client: Client
) -> None:
    settings = follow(base)

    tried = await client.update(1, log_level="INFO")

    assert (tried.version, tried.outcome, tried.by) == (2, APPLIED, "operator:local")
    assert json.loads(tried.document_json) == {"name": "base", "log_level": "INFO"}
    assert (settings.version, dict(settings)) == (2, {"name": "base"})


async def test_a_module_that_cannot_change_settings_has_to_be_restarted(
    base: FakeModule, client: Client
) -> None:
    tried = await client.update(1, log_level="INFO")

    assert (tried.outcome, tried.detail) == (RESTART, "it answered UNIMPLEMENTED")
    assert (await client.get()).active == tried


async def test_settings_of_a_module_that_does_not_run_hold_from_its_start(
    kernel: Kernel, start: Any, client: Client
) -> None:
    assert (await client.update(1, log_level="ERROR")).outcome == APPLIED

    grant = await kernel.register(await start("base"))

    assert json.loads(grant.settings_json)["log_level"] == "ERROR"
    assert grant.settings_version == 2


async def test_a_stale_version_a_bad_patch_and_a_stranger_are_refused(client: Client) -> None:
    assert await refusal(client.update(9, log_level="INFO")) == ("ABORTED", "REVISION_CONFLICT")
    assert await refusal(client.update(1, log_level="LOUD")) == (
        "INVALID_ARGUMENT",
        "INVALID_SETTINGS",
    )
    client.module = "nobody"
    for call in (client.update(1), client.get(), client.watch().read()):
        assert await refusal(call) == ("NOT_FOUND", "MODULE_NOT_FOUND")


async def test_of_two_changes_that_start_from_one_version_one_wins(
    base: FakeModule, client: Client
) -> None:
    follow(base)

    ended = await asyncio.gather(
        *(client.update(1, log_level=level) for level in ("INFO", "ERROR")),
        return_exceptions=True,
    )

    assert sorted(isinstance(one, Exception) for one in ended) == [False, True]
    assert (await client.get()).active.version == 2


async def test_what_cannot_be_saved_changes_nothing(
    kernel: Kernel, base: FakeModule, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = follow(base)

    async def fail(versions: Mapping[str, object]) -> None:
        raise DiskFullError("no space left")

    monkeypatch.setattr(kernel.store, "save_settings", fail)

    assert await refusal(client.update(1, log_level="INFO")) == ("RESOURCE_EXHAUSTED", "DISK_FULL")
    assert settings.version == 1
    assert (await client.get()).active.version == 1


async def test_an_outcome_that_cannot_be_saved_holds_until_the_kernel_ends(
    kernel: Kernel, base: FakeModule, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(base)
    save = kernel.store.save_settings

    async def fail(versions: Mapping[str, Any]) -> None:
        if versions["base"][-1].outcome is not Held.PENDING:
            raise DiskFullError("no space left")
        await save(versions)

    monkeypatch.setattr(kernel.store, "save_settings", fail)

    assert await refusal(client.update(1, log_level="ERROR")) == ("RESOURCE_EXHAUSTED", "DISK_FULL")
    assert (await client.get()).active.version == 2
    stored = (await kernel.store.load_settings())["base"]
    assert [one.outcome for one in stored] == [Held.APPLIED, Held.PENDING]


async def test_a_caller_that_goes_away_leaves_no_version_undecided(
    kernel: Kernel, base: FakeModule, client: Client
) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    offer = kernel.node.kernel.settings.hosts.offer

    async def slow(*args: Any) -> tuple[Held, str]:
        asked.set()
        await go_on.wait()
        return await offer(*args)

    kernel.node.kernel.settings.hosts.offer = slow  # type: ignore[method-assign]
    follow(base)
    request = pb.UpdateSettingsRequest(
        module="base", patch_json='{"log_level": "ERROR"}', expect_version=1
    )
    call = client.stub.UpdateSettings(request)
    await asked.wait()

    call.cancel()
    watched = client.watch()
    assert (await watched.read()).active.version == 1
    go_on.set()

    assert (await watched.read()).active.outcome == APPLIED
    watched.cancel()


async def test_an_instance_that_comes_while_another_is_asked_gets_them_too(
    kernel: Kernel, start: Any, client: Client
) -> None:
    newcomer: FakeModule = await start("base")
    settings = follow(newcomer)
    store, save = kernel.store, kernel.store.save_settings
    registered = asyncio.Event()

    async def late(versions: Any) -> None:
        if not registered.is_set():
            registered.set()
            await kernel.register(newcomer)  # nobody was there to be asked, and now it is
        await save(versions)

    store.save_settings = late  # type: ignore[method-assign]
    own = kernel.node.kernel.settings
    before = own.hosts.offer
    offered: list[int] = []

    async def noted(*args: Any) -> tuple[Held, str]:
        offered.append(args[2])
        return await before(*args)

    own.hosts.offer = noted  # type: ignore[method-assign]

    await client.update(1, log_level="ERROR")

    assert (settings.version, offered) == (2, [2])


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    with made_node() as made:
        made.connect()
        yield made
        await made.channel.close()


@pytest.mark.integration
async def test_settings_of_a_process(node: Node) -> None:
    """kernel.md 14.37."""
    node.add("base", manifest=SCHEMA)
    node.write_profile()
    node.start()
    await node.until_ready()
    client, first = Client(node.channel, "base"), await node.module("base")

    watched = client.watch()
    conflict = ("ABORTED", "REVISION_CONFLICT")

    assert (await client.update(1, quota=8)).outcome == APPLIED
    assert await refusal(client.update(1, quota=9)) == conflict
    rejected = await client.update(2, bad=True)
    assert (rejected.outcome, rejected.detail) == (REJECTED, "bad: no; worse: no")
    got = await client.get()
    assert (got.active.version, json.loads(got.active.document_json)) == (2, {"quota": 8})
    assert [one.version for one in got.history] == [3, 2, 1]
    assert await refusal(client.update(3, quota=9)) == conflict
    assert (await node.module("base")).pid == first.pid, "nothing so far has restarted it"

    restarted = await client.update(2, answers="REQUIRES_RESTART")
    assert (restarted.version, restarted.outcome) == (4, RESTART)
    await node.until(lambda status: status.modules[0].epoch == 2 and status.ready)
    started = json.loads((node.root / "modules/base/settings").read_text())
    assert started == {"quota": 8, "answers": "REQUIRES_RESTART"}

    seen = [(await watched.read()).active.version]
    while seen[-1] != 4:
        seen.append((await watched.read()).active.version)
    assert node.kernel is not None
    node.kernel.kill()
    node.kernel.wait()
    node.kernel = None
    node.start()
    await node.until_ready()
    after = await node.module("base")
    assert (after.epoch, (await client.get()).active) == (2, restarted), "restarted once, and kept"
    assert seen == sorted(set(seen))
    assert set(seen) <= {1, 2, 4}, "what was rejected never held"


@pytest.mark.integration
async def test_a_module_that_has_failed_is_tried_again_with_other_settings(node: Node) -> None:
    node.add("base", manifest=SCHEMA, misconfigured=1)
    (node.root / "packages/base/module.toml").write_text(
        (node.root / "packages/base/module.toml").read_text().replace("false", "true")
    )
    node.write_profile()
    node.start()
    await node.until_state("base", "FAILED")
    client = Client(node.channel, "base")

    tried = await client.update(1, misconfigured=0, log_level="DEBUG")

    assert tried.outcome == APPLIED
    await node.until(lambda status: status.modules[0].epoch == 2)
