"""Calls of the container engine, recorded by a program that stands in for `docker`."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_client.token_file import read_token, replace_token_file
from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.errors import EngineError, NotStoppedError, TokenRefusedError
from logos_testnet.layout import Layout, layout_of
from logos_testnet.manifests import FoundManifest
from logos_testnet.plan import container_plan
from logos_testnet.presence import is_up
from logos_testnet.progress import NodeProgress, Note, silent
from logos_testnet.state import remember_start
from logos_testnet.topology import parse_topology

DOCKER = """\
#!/bin/sh
cd "$(dirname "$0")"
echo "$*" >> said
case "$*" in
  *publish=*) cat publisher ;;
  ps*) cat running ;;
  *" exec -T node1-kernel logos-token") cat token ;;
  "volume ls"*) cat volumes ;;
  compose*" down "*) : > running ;;
esac
"""
BEARER = f"logos_{'b' * 43}"
SERVICES = ("kernel", "mixnet", "storage")


@dataclass
class Engine:
    """The stand-in: its running containers, and its calls."""

    folder: Path

    def run(self, *nodes: str) -> None:
        """Makes these nodes run."""
        lines = [f"{node}-{name}\t127.0.0.1:9->17000/tcp" for node in nodes for name in SERVICES]
        (self.folder / "running").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def said(self) -> list[str]:
        return (self.folder / "said").read_text(encoding="utf-8").splitlines()


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(DOCKER, encoding="utf-8")
    program.chmod(0o755)
    for name in ("running", "volumes", "publisher"):
        (folder / name).touch()
    (folder / "token").write_text(f"{BEARER}\n", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Engine(folder)


class ReadyKernel(kernel_pb2_grpc.KernelServicer):
    """A node that is READY, and tells its operator alone."""

    async def GetStatus(  # noqa: N802 - a gRPC method
        self, request: kernel_pb2.GetStatusRequest, context: Any
    ) -> kernel_pb2.GetStatusResponse:
        if ("authorization", f"Bearer {BEARER}") not in context.invocation_metadata():
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you?")
        return kernel_pb2.GetStatusResponse(ready=True)


@pytest.fixture
async def front() -> AsyncIterator[int]:
    """Port of the front door of a node that is READY."""
    server = grpc.aio.server()
    kernel_pb2_grpc.add_KernelServicer_to_server(ReadyKernel(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = layout_of(tmp_path, "one")
    layout.directory.mkdir()
    remember_start(layout, topology="", node_count=None, runtime="containers", seed=None)
    return layout


def opened(
    layout: Layout, manifests: Mapping[str, FoundManifest], front: int, *, name: str = "one"
) -> ContainerTestnet:
    """One node, whose front door is at that port."""
    text = f'schema = 1\nname = "{name}"\nnode_count = 1\n[ports]\nfront = {front - 1}\n'
    topology = parse_topology(text + "[modules.mixnet]\n[modules.storage]\n")
    plan = container_plan(topology, manifests, None)
    return ContainerTestnet(plan, layout, layout.directory.parent)


async def test_up_removes_nodes_that_left_the_topology_and_reports_it(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest], front: int
) -> None:
    engine.run("node1", "node2")
    testnet = opened(layout, manifests, front)
    told: list[NodeProgress | Note] = []

    assert await testnet.unplanned() == {"node2": "127.0.0.1:9"}
    await testnet.up(told.append)

    words = "is removed, its state is kept: the testnet has 1 node now"
    assert NodeProgress("node2", words) in told
    assert any(" up " in line and "--remove-orphans" in line for line in engine.said())


async def test_up_asks_nothing_of_the_engine_where_all_is_as_planned(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest], front: int
) -> None:
    engine.run("node1")

    await opened(layout, manifests, front).up(silent)

    assert not [line for line in engine.said() if " up " in line]


async def test_purge_removes_the_volumes_of_nodes_that_left_too(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest]
) -> None:
    engine.run("node1")
    (engine.folder / "volumes").write_text("logos-one_node2-kernel\n", encoding="utf-8")

    assert await opened(layout, manifests, 5000).down(silent, purge=True)

    assert "volume rm logos-one_node2-kernel" in engine.said()
    assert not layout.directory.exists()


async def test_up_keeps_the_token_that_the_kernels_share(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest], front: int
) -> None:
    engine.run("node1")
    testnet = opened(layout, manifests, front)
    assert testnet.bearer is None
    replace_token_file(layout.operator_token, f"logos_{'a' * 43}")  # of volumes that are gone

    await testnet.up(silent)

    assert testnet.bearer == BEARER
    assert read_token(layout.operator_token) == BEARER


async def test_while_all_kernels_restart_the_kept_token_is_used(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest], front: int
) -> None:
    engine.run("node1")
    (engine.folder / "token").unlink()
    with pytest.raises(EngineError, match="exec -T node1-kernel logos-token` failed"):
        await opened(layout, manifests, front).up(silent)
    replace_token_file(layout.operator_token, BEARER)

    await opened(layout, manifests, front).up(silent)


async def test_a_kernel_that_prints_no_token_is_reported(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest], front: int
) -> None:
    engine.run("node1")
    (engine.folder / "token").write_text("logos-token: not found\n", encoding="utf-8")

    with pytest.raises(EngineError, match="logos-token in node1-kernel prints no token"):
        await opened(layout, manifests, front).up(silent)


async def test_a_kernel_that_refuses_the_token_ends_the_wait(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest], front: int
) -> None:
    engine.run("node1")
    (engine.folder / "token").write_text(f"logos_{'a' * 43}", encoding="utf-8")

    with pytest.raises(TokenRefusedError, match=r"node1 at .* refuses the token .*who are you"):
        await opened(layout, manifests, front).up(silent)


async def test_a_namesake_at_the_front_door_is_reported(
    engine: Engine, layout: Layout, manifests: Mapping[str, FoundManifest], front: int
) -> None:
    (engine.folder / "publisher").write_text("0123\tlogos-one\n", encoding="utf-8")

    with pytest.raises(NotStoppedError, match=rf"its node1 answers at port {front}"):
        await opened(layout, manifests, front).down(silent, purge=True)

    assert layout.directory.exists()
    assert not await opened(layout, manifests, front, name="another").down(silent)


def test_containers_of_an_interrupted_start_count_as_up(engine: Engine, layout: Layout) -> None:
    assert not is_up(layout)
    engine.run("node1")
    assert is_up(layout)


def test_without_an_engine_no_container_is_up(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    assert not is_up(layout)
