"""Modules by others in containers: with images of their own, and the same as on processes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from logos.kernel.v1 import module_pb2
from logos_testnet.container_testnet import ContainerTestnet
from logos_testnet.engine import run_docker
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places, open_testnet, remember
from logos_testnet.progress import silent
from others_modules import (
    GUESTBOOK,
    TALLY,
    assert_that_they_call_each_other,
    build_tally,
    door_of,
    topology_of,
)
from own_topology import ROOT, claim_ports

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]

NAME = "others"
SDK, IN_PYTHON, IN_GO = (f"logos/{NAME}-{each}:0.1.0" for each in ("sdk", "guestbook", "tally"))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Builds the images; gives the folder with the module in Go."""
    tally = build_tally(tmp_path_factory.mktemp("tally"))
    sdk = ["--target", "runtime", "--file", str(ROOT / "deploy/Dockerfile"), str(ROOT)]
    go = ["--file", str(TALLY / "Dockerfile"), str(tally)]
    try:
        asyncio.run(run_docker(["build", "--tag", SDK, *sdk]))
        asyncio.run(
            run_docker(["build", "--tag", IN_PYTHON, "--build-arg", f"SDK={SDK}", str(GUESTBOOK)])
        )
        asyncio.run(run_docker(["build", "--tag", IN_GO, *go]))
        yield tally
    finally:
        asyncio.run(run_docker(["image", "rm", "--force", IN_GO, IN_PYTHON, SDK]))


@pytest.fixture(scope="module")
def node(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerTestnet]:
    """One node, with the two; purged at the end."""
    state = tmp_path_factory.mktemp("state")
    guestbook = f'image = "{IN_PYTHON}"'
    tally = f'image = "{IN_GO}"\nfolder = "{images.name}"'
    text = topology_of(NAME, claim_ports(), guestbook, tally)
    description = Description(text, "others.toml", base=images.parent)
    places = Places(ROOT, state)
    opened = open_testnet(description, places, runtime="containers")
    assert isinstance(opened, ContainerTestnet)
    layout_of(state, NAME).directory.mkdir(parents=True)
    remember(description, opened, places)
    try:
        asyncio.run(opened.up(silent))
        yield opened
    finally:
        asyncio.run(opened.down(silent, purge=True))


async def test_they_call_each_other_and_storage(node: ContainerTestnet) -> None:
    async with door_of(node) as door:
        await assert_that_they_call_each_other(door)


async def test_their_kernel_sees_how_they_are(node: ContainerTestnet) -> None:
    async with door_of(node) as door:
        for module in ("guestbook", "tally"):
            seen = await door.process_of(module)
            assert seen.state == module_pb2.MODULE_STATE_READY
            assert seen.version == "0.1.0"
