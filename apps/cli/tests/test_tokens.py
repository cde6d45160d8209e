"""Which token a command bears."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import typer

from logos.kernel.v1 import kernel_pb2, kernel_pb2_grpc
from logos_cli.console import Output
from logos_cli.exits import Exit
from logos_cli.main import app
from logos_cli.program import built
from logos_cli.session import Session
from logos_cli.tokens import MalformedTokenError, token_for
from logos_client.token_file import TokenFileError, make_token_file, new_bearer
from logos_testnet.endpoints import Endpoints, NodeEndpoints, write_endpoints
from logos_testnet.layout import layout_of
from logos_testnet.state import remember_start

DOCKER = """\
#!/bin/sh
cd "$(dirname "$0")"
case "$*" in
  "ps --filter publish=17001 "*) printf '0123\\tlogos-small\\n' ;;
  "exec 0123 logos-token") cat printed ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No token is given, and no engine answers: this folder is the only one of programs."""
    for name in ("LOGOS_TOKEN", "LOGOS_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put_up(state: Path, testnet: str, *addresses: str) -> str:
    """Makes a testnet that is up, or was, and returns its token."""
    layout = layout_of(state, testnet)
    layout.directory.mkdir(parents=True)
    text = f'schema = 1\nname = "{testnet}"\nnode_count = 1\n[modules.mixnet]\n'
    remember_start(layout, topology=text, node_count=1, runtime="processes", seed=None)
    if addresses:
        nodes = tuple(NodeEndpoints(f"n{at}", at, (), "", "") for at in addresses)
        write_endpoints(layout.endpoints, Endpoints(testnet, "processes", None, nodes))
    return make_token_file(layout.operator_token)


def publish(folder: Path, printed: str) -> None:
    """Makes an engine that has a container at port 17001."""
    program = folder / "docker"
    program.write_text(DOCKER.replace("cat printed", f"echo '{printed}'"), encoding="utf-8")
    program.chmod(0o755)
    for name in ("dirname", "echo"):
        (folder / name).symlink_to(f"/usr/bin/{name}")


async def test_an_address_has_the_token_of_the_testnet_that_is_up_there(state: Path) -> None:
    put_up(state, "one", "127.0.0.1:1", "127.0.0.1:2")
    other = put_up(state, "other", "127.0.0.1:3", "127.0.0.1:4")

    assert await token_for("127.0.0.1:4", None) == other
    assert await token_for("localhost:4", None) == other
    assert await token_for("127.0.0.1:5", None) is None
    assert await token_for("10.0.0.1:4", None) is None  # another machine's


async def test_of_two_at_one_address_the_latest_counts(state: Path) -> None:
    put_up(state, "late", "127.0.0.1:1")
    late = make_token_file(layout_of(state, "late").operator_token)
    put_up(state, "crashed", "127.0.0.1:1")
    os.utime(layout_of(state, "crashed").topology, (1, 1))

    assert await token_for("127.0.0.1:1", None) == late


async def test_what_is_given_goes_before_what_is_found(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_up(state, "one", "127.0.0.1:1")
    door = "127.0.0.1:1"
    by_option, by_file, by_variable = tmp_path / "option", tmp_path / "file", new_bearer()
    for path in (by_option, by_file):
        make_token_file(path)

    monkeypatch.setenv("LOGOS_TOKEN_FILE", str(by_file))
    assert await token_for(door, None) == by_file.read_text().strip()
    monkeypatch.setenv("LOGOS_TOKEN", f"{by_variable}\n")
    assert await token_for(door, None) == by_variable
    assert await token_for(door, by_option) == by_option.read_text().strip()
    assert await token_for("example.org:1", by_option) == by_option.read_text().strip()


async def test_what_is_given_must_be_a_token(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGOS_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(TokenFileError, match="none does not exist"):
        await token_for("127.0.0.1:1", None)

    monkeypatch.setenv("LOGOS_TOKEN", "letmein")
    with pytest.raises(MalformedTokenError, match="LOGOS_TOKEN holds no token"):
        await token_for("127.0.0.1:1", None)


async def test_the_containers_of_compose_alone_are_asked(state: Path, no_engine: Path) -> None:
    printed, stale = new_bearer(), put_up(state, "small")
    door = "127.0.0.1:17001"
    assert await token_for(door, None) == stale  # its `up` may have failed halfway

    publish(no_engine, printed)

    assert await token_for(door, None) == printed
    assert await token_for("127.0.0.1:17001", None) == printed
    assert await token_for("127.0.0.1:17002", None) is None
    assert await token_for("127.0.0.1:http", None) is None


async def test_a_container_that_is_none_of_ours_has_no_token(state: Path, no_engine: Path) -> None:
    publish(no_engine, "hello")

    assert await token_for("127.0.0.1:17001", None) is None


class Kernel(kernel_pb2_grpc.KernelServicer):
    """Answers the caller with this token alone."""

    bearer = new_bearer()

    def GetInfo(self, request: Any, context: Any) -> kernel_pb2.GetInfoResponse:  # noqa: N802
        if ("authorization", f"Bearer {self.bearer}") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")
        return kernel_pb2.GetInfoResponse(node="node1")


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    kernel_pb2_grpc.add_KernelServicer_to_server(Kernel(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def ask(address: str, token_file: Path | None = None) -> str:
    session = Session(address, None, Output.TABLE, 10.0, token_file)
    request = kernel_pb2.GetInfoRequest()
    return str(session.ask(lambda ch: kernel_pb2_grpc.KernelStub(ch).GetInfo, request).node)


def test_a_command_bears_it(
    state: Path, address: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        ask(address)
    assert ended.value.exit_code == Exit.REFUSED
    assert "no token (UNAUTHENTICATED)" in capfd.readouterr().err

    monkeypatch.setenv("LOGOS_TOKEN", Kernel.bearer)
    assert ask(address) == "node1"


def test_a_token_is_not_sent_to_another_machine_in_clear_text(
    state: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOGOS_TOKEN", Kernel.bearer)
    with socket.socket() as nobody:
        nobody.bind(("0.0.0.0", 0))  # noqa: S104 - an address of no loopback interface
        with pytest.raises(typer.Exit) as ended:
            ask(f"0.0.0.0:{nobody.getsockname()[1]}")

    assert ended.value.exit_code == Exit.FAILED
    said = capfd.readouterr().err
    assert "INSECURE_ADDRESS" in said
    assert "ssh -L" in said
    assert Kernel.bearer not in said


def test_a_token_file_that_does_not_exist_is_wrong_input(
    state: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        built(app).main(["--token-file", "none", "module", "list"], prog_name="logosctl")

    assert ended.value.code == Exit.USAGE
    assert "'none' does not exist" in capfd.readouterr().err
