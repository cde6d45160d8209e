"""The example module under a real kernel, called through the node's front door."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from hello.v1 import hello_pb2, hello_pb2_grpc

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_module.errors import reason_of

PACKAGE = Path(__file__).parents[1]
PATIENCE_S = 30.0

PROFILE = """\
schema = 1
testnet = "example"
node = "node1"
runtime = "process"
[modules.hello]
manifest = "hello.toml"
[modules.hello.settings]
greeting = "Good day"
"""


@dataclass(frozen=True)
class Node:
    """The front door of a node, and what calls carry there."""

    address: str
    metadata: list[tuple[str, str]]


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """A node with one module. Its folder is short: a Unix path holds 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="hello-"))
    (folder / "profile.toml").write_text(PROFILE, encoding="utf-8")
    shutil.copy(PACKAGE / "src" / "logos_hello" / "module.toml", folder / "hello.toml")
    address = f"127.0.0.1:{free_port()}"
    environment = os.environ | {
        "LOGOS_PROFILE": str(folder / "profile.toml"),
        "LOGOS_STATE_DIR": str(folder / "kernel"),
        "LOGOS_FRONT": address,
        "LOGOS_LISTEN": f"unix:{folder}/kernel.sock",
        "LOGOS_RUN_DIR": str(folder),
        "LOGOS_MODULES_STATE_DIR": str(folder / "modules"),
        "LOGOS_MODULES_LOG_DIR": str(folder / "logs"),
        "LOGOS_TESTNET_DIR": str(folder),
    }
    with (folder / "kernel.log").open("wb") as log:
        kernel = subprocess.Popen(
            [sys.executable, "-m", "logos_kernel"], env=environment, stderr=log, stdout=log
        )
    try:
        token = folder / "kernel" / "operator.token"
        yield wait_until_ready(address, token, kernel, folder / "kernel.log")
    finally:
        kernel.send_signal(signal.SIGTERM)
        kernel.wait(PATIENCE_S)
        shutil.rmtree(folder)


def wait_until_ready(address: str, token: Path, kernel: subprocess.Popen[bytes], log: Path) -> Node:
    until = time.monotonic() + PATIENCE_S
    with grpc.insecure_channel(address) as channel:
        stub = kernel_pb2_grpc.KernelStub(channel)
        while time.monotonic() < until:
            assert kernel.poll() is None, log.read_text(encoding="utf-8")
            with suppress(grpc.RpcError, FileNotFoundError):  # it has not started yet
                node = Node(address, [("authorization", f"Bearer {token.read_text().strip()}")])
                request = kernel_pb2.GetStatusRequest()
                if stub.GetStatus(request, metadata=node.metadata, timeout=1).ready:
                    return node
            time.sleep(0.1)
    pytest.fail(f"not ready:\n{log.read_text(encoding='utf-8')}")


@pytest.mark.integration
def test_greets_with_the_greeting_of_the_profile(node: Node) -> None:
    with grpc.insecure_channel(node.address) as channel:
        greeter = hello_pb2_grpc.GreeterStub(channel)

        request = hello_pb2.GreetRequest(name="Ada")
        response = greeter.Greet(request, metadata=node.metadata, timeout=60)

    assert response == hello_pb2.GreetResponse(text="Good day, Ada!", node="node1")


@pytest.mark.integration
def test_an_error_keeps_its_reason_through_the_front_door(node: Node) -> None:
    with grpc.insecure_channel(node.address) as channel:
        greeter = hello_pb2_grpc.GreeterStub(channel)

        with pytest.raises(grpc.RpcError) as refusal:
            greeter.Greet(hello_pb2.GreetRequest(), metadata=node.metadata, timeout=60)

    assert reason_of(refusal.value) == "EMPTY_NAME"


def test_committed_code_is_what_the_contract_generates(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHON_BIN": str(Path(sys.executable).parent)}

    subprocess.run([str(PACKAGE / "generate"), str(tmp_path)], env=environment, check=True)

    for path in sorted((tmp_path / "hello").rglob("*_pb2*")):
        committed = PACKAGE / "src" / path.relative_to(tmp_path)
        assert committed.read_bytes() == path.read_bytes()
