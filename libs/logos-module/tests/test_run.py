"""The life of a module process, with a kernel in the test."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from logos.kernel.v1 import module_pb2, registry_pb2, registry_pb2_grpc
from logos.module.v1 import module_host_pb2, module_host_pb2_grpc
from logos_client.channels import open_channel
from logos_module.conformance import answers as fake_kernel
from logos_module.lock import FolderLock
from logos_module.server import Server
from open_access import OpenAccess

pytestmark = pytest.mark.integration

PROGRAM = """
import asyncio, errno, sys
from contextlib import asynccontextmanager
from logos_base.errors import ConfigError, LogosError, StateError
from logos_module import run

@asynccontextmanager
async def node(context):
    what = context.settings.get("what")
    if what == "misconfigured":
        raise ConfigError(["a: no", "b: no"])
    if what == "broken":
        raise RuntimeError("broken at the start")
    if what == "state":
        async with asyncio.TaskGroup():
            raise StateError("a.sqlite is damaged")
    if what == "disk":
        raise OSError(errno.ENOSPC, "No space left on device", "identity.key")
    if what == "refusal":
        raise LogosError("not now")
    if what == "task":
        async def fail():
            raise RuntimeError("a task failed")
        context.tasks.create_task(fail())
    (context.state_dir / "entered").touch()
    yield
    (context.state_dir / "left").touch()

sys.exit(run(node, package="hello"))
"""


class Registry(registry_pb2_grpc.RegistryServicer):
    def __init__(self) -> None:
        self.settings: dict[str, object] = {}
        self.states: list[int] = []
        self.ready = asyncio.Event()
        self.waiting = asyncio.Event()
        self.stop = asyncio.Event()
        self.left = asyncio.Event()

    async def Challenge(self, request: Any, context: Any) -> Any:  # noqa: N802
        return fake_kernel.challenge()

    async def Register(self, request: Any, context: Any) -> Any:  # noqa: N802
        settings = json.dumps(self.settings)
        return fake_kernel.grant(request, lease_id=b"l" * 16, epoch=1, settings_json=settings)

    async def Session(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for beat in requests:
            self.states.append(beat.state)
            if "waiting for process" in beat.status_text:
                self.waiting.set()
            if beat.state == module_pb2.MODULE_STATE_READY:
                self.ready.set()
                await self.stop.wait()
                yield registry_pb2.SessionResponse(stop=True)

    async def Deregister(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.left.set()
        return registry_pb2.DeregisterResponse()


class Process:
    """A kernel's registry in the test, and one module process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        package = folder / "hello"
        package.mkdir()
        self.state.mkdir()
        (package / "__init__.py").touch()
        (package / "module.toml").write_text('name = "hello"\nversion = "0.1.0"\n')
        (package / "__main__.py").write_text(PROGRAM)
        self.registry = Registry()
        self.kernel = Server(OpenAccess())
        self.kernel.serve(registry_pb2_grpc.add_RegistryServicer_to_server, self.registry)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def state(self) -> Path:
        """Its state folder."""
        return self.folder / "state"

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self.process is not None
        return self.process.pid

    def start(self, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hello"],
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder),
                "LOGOS_MODULE": "hello",
                "LOGOS_KERNEL": f"unix:{self.folder}/kernel.sock",
                "LOGOS_LISTEN": f"unix:{self.folder}/hello.sock",
                "LOGOS_STATE_DIR": str(self.folder / "state"),
                "LOGOS_JOIN_SECRET": str(fake_kernel.make_secret(self.folder)),
                **variables,
            },
            stderr=subprocess.PIPE,
        )

    async def ended(self) -> tuple[int, str]:
        assert self.process is not None
        _, said = await asyncio.to_thread(self.process.communicate, timeout=60)
        return self.process.returncode, said.decode()


@pytest.fixture
async def hello() -> AsyncIterator[Process]:
    with tempfile.TemporaryDirectory(prefix="lm-") as folder:
        made = Process(Path(folder))
        await made.kernel.start([f"unix:{folder}/kernel.sock"])
        async with asyncio.timeout(60):
            yield made
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.communicate()
        await made.kernel.stop(0)


async def test_a_module_lives_from_its_environment_to_a_clean_end(hello: Process) -> None:
    hello.start()
    await hello.registry.ready.wait()
    assert hello.process is not None

    channel = fake_kernel.authorized(open_channel(f"unix:{hello.folder}/hello.sock"), "hello")
    host: Any = module_host_pb2_grpc.ModuleHostStub(channel)
    health: Any = health_pb2_grpc.HealthStub(channel)
    described = await host.Describe(module_host_pb2.DescribeRequest())
    assert (described.module, described.version) == ("hello", "0.1.0")
    assert len(described.instance_id) == 16
    serving = await health.Check(health_pb2.HealthCheckRequest())
    assert serving.status == health_pb2.HealthCheckResponse.SERVING
    drained = await host.PrepareStop(module_host_pb2.PrepareStopRequest())
    assert drained.in_flight == 0
    await channel.close()
    hello.process.send_signal(signal.SIGTERM)
    code, _ = await hello.ended()

    assert code == 0
    assert (hello.folder / "state" / "left").exists()
    await hello.registry.left.wait()
    assert hello.registry.states[:2] != [module_pb2.MODULE_STATE_READY] * 2


async def test_signals_that_come_late_do_not_change_its_exit_code(hello: Process) -> None:
    hello.start()
    await hello.registry.ready.wait()
    assert hello.process is not None

    async with asyncio.TaskGroup() as tasks:
        ending = tasks.create_task(hello.ended())
        while not ending.done():
            with suppress(ProcessLookupError):
                hello.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.001)

    assert ending.result()[0] == 0


async def test_a_directive_ends_it_too(hello: Process) -> None:
    hello.start()
    await hello.registry.ready.wait()

    hello.registry.stop.set()
    code, _ = await hello.ended()

    assert code == 0
    assert (hello.folder / "state" / "left").exists()


@pytest.mark.parametrize(
    ("what", "expected", "said"),
    [
        ("misconfigured", 2, "INVALID_CONFIG: a: no; b: no"),
        ("broken", 1, "broken at the start"),
        ("task", 1, "a task failed"),
    ],
)
async def test_the_exit_code_shows_whether_a_restart_helps(
    hello: Process, what: str, expected: int, said: str
) -> None:
    hello.registry.settings = {"what": what}
    hello.start()

    code, output = await hello.ended()

    assert code == expected
    assert said in output


async def test_it_waits_for_the_process_that_holds_its_state(hello: Process) -> None:
    """KER-8: also a module that is not exclusive, unless it was started for an upgrade."""
    with FolderLock(hello.state) as lock:
        assert lock.take()
        hello.start()
        await hello.registry.waiting.wait()
        assert not (hello.state / "entered").exists()
    await hello.registry.ready.wait()


async def test_one_that_is_started_beside_another_serves_and_has_the_lock_after_it(
    hello: Process,
) -> None:
    """KER-48."""
    with FolderLock(hello.state) as lock:
        assert lock.take()
        hello.start(LOGOS_BESIDE="1")
        await hello.registry.ready.wait()
    with FolderLock(hello.state) as third:
        async with asyncio.timeout(60):
            while third.holder().split()[0] != str(hello.pid):  # noqa: ASYNC110 -- a file that it writes
                await asyncio.sleep(0.02)
        assert not third.take()


async def test_an_exclusive_one_waits_wherever_it_is_started(hello: Process) -> None:
    with (hello.folder / "hello" / "module.toml").open("a") as manifest:
        manifest.write("exclusive = true\n")
    with FolderLock(hello.state) as lock:
        assert lock.take()
        hello.start(LOGOS_BESIDE="1")
        await hello.registry.waiting.wait()
        assert not (hello.state / "entered").exists()


async def test_one_that_waits_for_the_lock_beside_another_ends_when_it_is_asked(
    hello: Process,
) -> None:
    with FolderLock(hello.state) as lock:
        assert lock.take()
        hello.start(LOGOS_BESIDE="1")
        await hello.registry.ready.wait()
        hello.registry.stop.set()
        code, _ = await hello.ended()
    assert code == 0


async def test_metrics_that_cannot_be_served_are_named(hello: Process) -> None:
    with socket.create_server(("127.0.0.1", 0)) as owner:
        place = f"127.0.0.1:{owner.getsockname()[1]}"
        hello.start(LOGOS_METRICS_LISTEN=place)
        code, output = await hello.ended()

    assert code == 2
    assert output.startswith(f"ADDRESS_IN_USE: cannot listen at {place}")


@pytest.mark.parametrize(
    ("what", "expected", "said"),
    [
        ("state", 2, "STATE_UNUSABLE: a.sqlite is damaged"),
        (
            "disk",
            1,
            "DISK_FULL: identity.key cannot be written: the disk is full; make room and try again",
        ),
        ("refusal", 1, "INTERNAL: not now"),
    ],
)
async def test_what_ends_a_start_is_said_in_one_line(
    hello: Process, what: str, expected: int, said: str
) -> None:
    hello.registry.settings = {"what": what}
    hello.start()

    code, output = await hello.ended()

    assert code == expected
    assert output.splitlines()[-1] == said  # the line that the kernel shows as `last_exit`
    assert "Traceback" not in output


async def test_a_wrong_environment_is_named(hello: Process) -> None:
    hello.start(LOGOS_KERNEL="", LOGOS_EPOCH="x")

    code, output = await hello.ended()

    assert code == 2
    assert output.startswith("INVALID_CONFIG: LOGOS_KERNEL: must be set")
    assert "LOGOS_EPOCH: must be a number" in output
