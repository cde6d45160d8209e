"""A front door off loopback, as the kernel's process serves it and as commands call it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from gates import BEARER, borne
from kernel_process import Node, made_node

from certificates import make_certificate
from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from own_topology import claim_ports

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Door:
    """A running kernel and the file that signs its certificate, which is for 127.0.0.1."""

    address: str
    ca_file: Path
    node: Node


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """A kernel with a certificate; started once for this file."""
    with made_node() as node:
        files = make_certificate(node.root)
        # All interfaces, which only a front door with a certificate may have.
        port = claim_ports().front + 1
        node.front = f"0.0.0.0:{port}"
        node.write_profile()
        node.start(LOGOS_TLS_CERTIFICATE=str(files.certificate), LOGOS_TLS_KEY=str(files.key))
        yield Door(f"127.0.0.1:{port}", files.certificate, node)


async def _testnet(channel: grpc.aio.Channel) -> str:
    async with channel:
        stub: Any = kernel_pb2_grpc.KernelStub(borne(channel))
        request = kernel_pb2.GetInfoRequest()
        info = await stub.GetInfo(request, timeout=60, wait_for_ready=True)
        return str(info.testnet)


def _plain_tls(door: Door) -> grpc.aio.Channel:
    trusted = grpc.ssl_channel_credentials(door.ca_file.read_bytes())
    return grpc.aio.secure_channel(door.address, trusted)


async def _logosctl(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    """Runs a command with the node's token; returns its exit code and all that it says."""
    environment = {name: value for name, value in os.environ.items() if "LOGOS_" not in name}
    (folder / "state").mkdir(exist_ok=True)
    environment |= {"LOGOS_STATE": str(folder / "state"), "LOGOS_TOKEN": BEARER} | variables
    program = "from logos_cli.entry import logosctl; logosctl()"
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-P", "-c", program, *words],
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
    )
    return ended.returncode, ended.stdout.decode()


async def test_a_front_door_in_clear_text_off_loopback_does_not_start() -> None:
    """kernel.md 14.31."""
    with made_node() as node:
        node.front = "0.0.0.0:1"
        node.write_profile()
        kernel = node.start(CAPTURE="1")
        _, said = await asyncio.to_thread(kernel.communicate, timeout=60)

        assert kernel.returncode == 2
        assert said.decode().startswith("INVALID_CONFIG: LOGOS_FRONT: 0.0.0.0:1 is neither on")
        assert b"set LOGOS_TLS_CERTIFICATE and LOGOS_TLS_KEY" in said
        assert not node.state_dir.exists()


async def test_it_serves_any_client_that_trusts_its_certificate(door: Door) -> None:
    assert await _testnet(_plain_tls(door)) == "test"


async def test_commands_take_the_ca_file(door: Door, tmp_path: Path) -> None:
    assert await _testnet(_plain_tls(door)) == "test"
    address, ca_file = ["--address", door.address], str(door.ca_file)

    by_option = await _logosctl(tmp_path, *address, "--ca-file", ca_file, "module", "list")
    by_variable = await _logosctl(tmp_path, *address, "module", "list", LOGOS_CA_FILE=ca_file)

    assert by_option == by_variable
    assert by_option[0] == 0, by_option[1]


async def test_commands_say_why_they_do_not_connect(door: Door, tmp_path: Path) -> None:
    assert await _testnet(_plain_tls(door)) == "test"
    other = str(make_certificate(tmp_path, "other").certificate)
    address, listing = ["--address", door.address], ["module", "list"]

    code, said = await _logosctl(tmp_path, *address, "--ca-file", other, *listing)
    assert (code, "(CERTIFICATE_REFUSED)" in said, "--ca-file" in said) == (3, True, True), said

    code, said = await _logosctl(tmp_path, *address, *listing)
    assert (code, "(TLS_EXPECTED)" in said, "--ca-file" in said) == (3, True, True), said
    assert BEARER not in said
