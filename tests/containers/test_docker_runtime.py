"""The runtime `docker` on an engine: the contract of runtimes, and which containers it starts."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from docker_kernels import Kernels
from logos_broker.core.confinement import problems
from logos_broker.core.containers import Described
from logos_broker.net.engine import DockerEngine
from logos_broker.node import Node, make_secrets
from logos_testnet.engine import run_docker
from runtime_contract import SCRIPTS, RuntimeContract

pytestmark = [pytest.mark.containers, pytest.mark.timeout(300)]

IMAGE = "python:3.11-slim-bookworm"
CONFINED = [
    *("--init", "--read-only", "--cap-drop", "ALL", "--user", "65532:65532"),
    *("--security-opt", "no-new-privileges:true", "--network", "none"),
]


def described(service: str) -> Described:
    return Described(service, IMAGE, frozenset(), frozenset({"/none"}))


async def create(project: str, service: str, *words: str) -> None:
    """Creates a container as compose does."""
    labels = {"project": project, "service": service, "oneoff": "False"}
    told = [f"--label=com.docker.compose.{name}={value}" for name, value in labels.items()]
    await run_docker(["create", *told, *words])


@pytest.fixture
def project() -> Iterator[str]:
    """A compose project of its own; nothing of it stays."""
    name = f"logos-test-{secrets.token_hex(4)}"
    yield name
    asyncio.run(_remove(name))


async def _remove(project: str) -> None:
    mine = f"label=com.docker.compose.project={project}"
    ids = (await run_docker(["ps", "--all", "--quiet", "--filter", mine])).split()
    if ids:
        await run_docker(["rm", "--force", *ids])


@pytest.fixture
def engine(project: str) -> Iterator[DockerEngine]:
    with docker.APIClient(timeout=60) as calls, docker.APIClient(timeout=None) as streams:
        yield DockerEngine(calls, streams, project)


class TestDockerEngine(RuntimeContract):
    @pytest.fixture
    async def rig(
        self, engine: DockerEngine, project: str, tmp_path: Path
    ) -> AsyncIterator[Kernels]:
        for name, script in SCRIPTS.items():
            await create(project, f"node1-{name}", *CONFINED, IMAGE, "sh", "-c", script)
        nodes = {"node1": {name: described(f"node1-{name}") for name in SCRIPTS}}
        node = Node(nodes, engine, make_secrets(tmp_path, nodes), secrets.token_bytes(16))
        target, end = f"unix:{tmp_path}/b.sock", asyncio.Event()
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            tasks.create_task(node.serve(target, end))
            kernels = Kernels(target, tmp_path / "node1" / "secret", tasks)
            yield kernels
            kernels.close()
            end.set()


@pytest.mark.parametrize(
    ("gain", "named"),
    [
        ([], None),
        (["--privileged"], "privileged"),
        (["--cap-add", "SYS_ADMIN"], "SYS_ADMIN"),
        (["--volume", "/:/host:ro"], "bind:/"),
        (["--volume", "/var/run/docker.sock:/var/run/docker.sock"], "docker.sock"),
        (["--volume", "other_data:/data"], "/other_data"),
        (["--pid", "host"], "PidMode host"),
        (["--device", "/dev/null"], "Devices"),
        (["--restart", "always"], "restarted by the engine"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
async def test_a_container_that_has_more_than_described_is_told_apart(
    engine: DockerEngine, project: str, gain: list[str], named: str | None
) -> None:
    await create(project, "node1-stays", *CONFINED, *gain, IMAGE, "true")

    seen = await engine.inspect("node1-stays")

    found = problems(seen, described("node1-stays"))
    assert found == [] if named is None else any(named in problem for problem in found)
    with suppress(Exception):
        await run_docker(["volume", "rm", "other_data"])


async def test_containers_of_another_project_are_not_found(engine: DockerEngine) -> None:
    other = f"{engine._project}-other"
    await create(other, "node1-stays", *CONFINED, IMAGE, "true")
    try:
        with pytest.raises(Exception, match="no containers"):
            await engine.inspect("node1-stays")
    finally:
        await _remove(other)


async def test_root_or_a_writable_image_is_told_apart(engine: DockerEngine, project: str) -> None:
    await create(project, "node1-stays", IMAGE, "true")

    seen = await engine.inspect("node1-stays")

    allowed = replace(described("node1-stays"), networks=seen.networks)
    found = " ".join(problems(seen, allowed))
    for what in ("root", "write", "privileges", "default capabilities"):
        assert what in found
