"""A node of containers whose modules misbehave on request (`unruly/`)."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc

from logos.kernel.v1 import (
    capability_pb2,
    capability_pb2_grpc,
    kernel_pb2,
    kernel_pb2_grpc,
    module_pb2,
    settings_pb2,
    settings_pb2_grpc,
    supervisor_pb2,
    supervisor_pb2_grpc,
)
from logos_client.channels import channel_to
from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.engine import run_docker
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places, open_testnet, remember
from logos_testnet.progress import silent
from own_topology import ROOT, claim_ports

NAME: Final = "unruly"
PROJECT: Final = f"logos-{NAME}"
SDK: Final = f"logos/{NAME}-sdk:0.1.0"
IMAGE: Final = f"logos/{NAME}:0.1.0"
STEP_S: Final = 120
"""The most that anything takes here."""

READY: Final = module_pb2.MODULE_STATE_READY
STOPPED: Final = module_pb2.MODULE_STATE_STOPPED
FAILED: Final = module_pb2.MODULE_STATE_FAILED
BACKOFF: Final = module_pb2.MODULE_STATE_BACKOFF

MODULES: Final = {
    "base": "",
    "top": 'requires = ["base"]\ncalls = ["test.base.Echo/*"]\n',
    "loner": "",
    "lazy": '[restart]\nkind = "on_failure"\n',
    "once": '[restart]\nkind = "never"\n',
    "slow": "[restart]\nbackoff_base_ms = 600_000\nbackoff_max_ms = 600_000\n",
    "crash": "[restart]\nmax_restarts = 2\nfailed_retry_ms = 600_000\n",
    "first": 'group = "rest"\n',
    "second": 'group = "rest"\nrequires = ["first"]\n',
    "third": 'group = "rest"\nrequires = ["second"]\n',
    "left": 'group = "all"\n',
    "right": 'group = "all"\n',
}
"""What the manifest of each says besides. A node of containers has at most 12 modules."""

TOPOLOGY: Final = """
schema = 1
name = "{name}"
node_count = 1
[ports]
front = {front}
[containers]
subnet = "{subnet}"
[kernel]
lease_ttl_ms = 5000
backoff_base_ms = 100
backoff_max_ms = 1000
[groups.rest]
strategy = "rest_for_one"
[groups.all]
strategy = "one_for_all"
[modules.top.settings]
peer = "base"
"""


@dataclass
class UnrulyNode:
    """Its front door, its containers and its files."""

    testnet: ContainerTestnet
    front: str
    kernel: Any = field(init=False)
    supervisor: Any = field(init=False)
    capability: Any = field(init=False)
    settings: Any = field(init=False)

    @asynccontextmanager
    async def door(self) -> AsyncIterator["UnrulyNode"]:
        """Calls work while it is entered."""
        async with channel_to(self.front, self.testnet.bearer) as channel:
            self.kernel = kernel_pb2_grpc.KernelStub(channel)
            self.supervisor = supervisor_pb2_grpc.SupervisorStub(channel)
            self.capability = capability_pb2_grpc.CapabilityStub(channel)
            self.settings = settings_pb2_grpc.SettingsStub(channel)
            yield self

    async def modules(self) -> dict[str, module_pb2.Module]:
        """All modules, by name, once the kernel answers."""
        status = await self.kernel.GetStatus(
            kernel_pb2.GetStatusRequest(), wait_for_ready=True, timeout=STEP_S
        )
        return {module.name: module for module in status.modules}

    async def until(
        self, name: str, is_so: Callable[[module_pb2.Module], bool]
    ) -> module_pb2.Module:
        """Waits until something is so of a module."""
        now = None
        try:
            async with asyncio.timeout(STEP_S):
                while True:
                    now = (await self.modules())[name]
                    if is_so(now):
                        return now
                    await asyncio.sleep(0.1)
        except (TimeoutError, grpc.aio.AioRpcError) as error:
            raise AssertionError(f"{error!r}, last seen: {now}") from error

    async def until_again(self, before: module_pb2.Module) -> module_pb2.Module:
        """Waits until a module is READY in a later epoch."""
        return await self.until(
            before.name, lambda now: now.epoch > before.epoch and now.state == READY
        )

    async def heal(self) -> None:
        """Brings every module back to READY, whatever a test has left, however late it is told."""
        for name in await self.modules():
            got = await self.settings.GetSettings(settings_pb2.GetSettingsRequest(module=name))
            if "mode" in got.changes_json:
                await self.set(name, mode=None)
        async with asyncio.timeout(STEP_S):
            while not await self._all_run():  # noqa: ASYNC110 - a remote event
                await asyncio.sleep(0.1)

    async def _all_run(self) -> bool:
        """Starts what rests; returns whether all are READY, and by the engine's account too."""
        running = await running_containers()
        modules = await self.modules()
        for name, module in modules.items():
            if module.state in {STOPPED, FAILED, BACKOFF}:
                await self.start(name)
        return all(
            module.state == READY and container(name) in running for name, module in modules.items()
        )

    async def until_all_ready(self) -> dict[str, module_pb2.Module]:
        """Waits until every module is READY."""
        for name in MODULES:
            await self.until(name, lambda now: now.state == READY)
        return await self.modules()

    async def exits(self, name: str) -> list[supervisor_pb2.Exit]:
        """The last exits of a module, newest first."""
        listed = await self.supervisor.ListExits(supervisor_pb2.ListExitsRequest(module=name))
        return list(listed.exits)

    async def set(self, name: str, **patch: object) -> None:
        """Changes settings of a module, and has it restarted with them."""
        got = await self.settings.GetSettings(settings_pb2.GetSettingsRequest(module=name))
        document = {"answers": "REQUIRES_RESTART", **patch}
        await self.settings.UpdateSettings(
            settings_pb2.UpdateSettingsRequest(
                module=name,
                patch_json=json.dumps(document),
                expect_version=got.active.version,
            ),
            timeout=STEP_S,
        )

    async def kill(self, name: str, number: int) -> None:
        """Signals the process of a module, not its container."""
        await self.testnet.kill("node1", name, number)

    async def stop(self, name: str) -> None:
        await self.supervisor.StopModule(supervisor_pb2.StopModuleRequest(module=name))

    async def start(self, name: str) -> None:
        await self.supervisor.StartModule(supervisor_pb2.StartModuleRequest(module=name))

    async def in_container(self, name: str, *words: str) -> str:
        """Runs something in the container of a module."""
        return await run_docker(["exec", container(name), *words])

    async def calls(self) -> tuple[int, int]:
        """How many calls `top` has made of `base`, done and failed."""
        said = await self.in_container("top", "cat", "/data/calls")
        done, failed = map(int, said.split())
        return done, failed

    async def until_calls(self, is_so: Callable[[int, int], bool]) -> None:
        """Waits until something is so of the calls of `top`, done and failed."""
        async with asyncio.timeout(STEP_S):
            while not is_so(*await self.calls()):  # noqa: ASYNC110 -- a remote event
                await asyncio.sleep(0.1)

    async def until_calling(self, more: int = 20) -> None:
        """Waits until `top` has done some more calls."""
        begun, _ = await self.calls()
        await self.until_calls(lambda done, _: done >= begun + more)

    async def audit(self) -> list[tuple[str, str, str]]:
        """Action, subject and outcome of each record."""
        read = self.capability.ReadAudit(capability_pb2.ReadAuditRequest())
        return [(one.action, one.subject, one.outcome) async for one in read]


def container(service: str) -> str:
    """Returns the container of a module, or of the `kernel`."""
    return f"{PROJECT}-node1-{service}-1"


async def running_containers() -> set[str]:
    """The containers of the node that the engine says run."""
    listed = ["ps", "--format", "{{.Names}}", "--filter", f"name={PROJECT}-"]
    return set((await run_docker(listed)).split())


async def told(*words: str, accepted: Collection[int] = (0,)) -> str:
    """Runs `docker`; returns what it prints to either stream."""
    lines: list[str] = []
    output = await run_docker(words, on_line=lines.append, accepted=accepted)
    return "\n".join([output, *lines])


async def inspected(form: str, name: str) -> str:
    """Returns what the engine says of a container."""
    return (await run_docker(["inspect", "--format", form, name])).strip()


@contextmanager
def unruly_node(folder: Path) -> Iterator[ContainerTestnet]:
    """Builds the image and runs the node; nothing of them stays."""
    context = _build_context(folder / "image")
    ports = claim_ports()
    text = TOPOLOGY.format(name=NAME, front=ports.front, subnet=ports.subnet)
    for name in MODULES:
        line = f'image = "{IMAGE}"\nfolder = "image/{name}"\n'
        head = f"[modules.{name}]\n"
        settings = f"[modules.{name}.settings]"
        if settings in text:
            text = text.replace(settings, f"{head}{line}{settings}")
        else:
            text += head + line
    description = Description(text, f"{NAME}.toml", base=folder)
    places = Places(ROOT, folder / "state")
    opened = open_testnet(description, places, runtime="containers")
    assert isinstance(opened, ContainerTestnet)
    layout_of(places.state_root, NAME).directory.mkdir(parents=True)
    remember(description, opened, places)
    try:
        sdk = ["--target", "runtime", "--file", str(ROOT / "deploy/Dockerfile"), str(ROOT)]
        asyncio.run(run_docker(["build", "--tag", SDK, *sdk]))
        asyncio.run(run_docker(["build", "--tag", IMAGE, str(context)]))
        asyncio.run(opened.up(silent))
        yield opened
    finally:
        asyncio.run(opened.down(silent, purge=True))
        asyncio.run(run_docker(["image", "rm", "--force", IMAGE, SDK]))


def _build_context(folder: Path) -> Path:
    """One image for all: the name of the module chooses its package."""
    folder.mkdir(parents=True)
    sources = ROOT / "services" / "kernel" / "tests" / "support"
    for path in (
        sources / "echo_module.py",
        sources / "echo_service.py",
        *(ROOT / "tests" / "unruly").iterdir(),
    ):
        if path.suffix == ".py":
            (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    for name, more in MODULES.items():
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
        (folder / name / "__main__.py").write_text(f'import unruly\nunruly.main("{name}")\n')
        (folder / name / "module.toml").write_text(_manifest(name, more))
    words = json.dumps(["sh", "-c", 'exec python -m "$LOGOS_MODULE"'])
    (folder / "Dockerfile").write_text(
        f"FROM {SDK}\nCOPY --chmod=755 . /opt/logos/module/\nCMD {words}\n", encoding="utf-8"
    )
    return folder


def _manifest(name: str, more: str) -> str:
    keys, table, tables = more.partition("[")
    return (
        f'name = "{name}"\nversion = "0.1.0"\ncommand = ["python", "-m", "{name}"]\n'
        f'services = ["test.{name}.Echo"]\n{keys}{table}{tables}'
        "[settings]\nadditionalProperties = true\n"
        "[testnet]\nlimits = { memory_mib = 128, cpus = 1.0 }\n"
    )
