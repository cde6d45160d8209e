"""What a command does not need is not imported: it would take longer than the call itself."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_cli.logos import app
from logos_cli.program import built

SLOW = ("pydantic", "rich.console", "logos_cli.developer", "logos_testnet.topology")
PROGRAM = f"""
import atexit, sys
from logos_cli.entry import logos
atexit.register(lambda: sys.stderr.write(" ".join(set({SLOW!r}) & sys.modules.keys())))
logos()
"""


class Storage(storage_pb2_grpc.StorageServicer):
    """Holds one file."""

    dataset = storage_pb2.Dataset(cid="zD", size_bytes=3, filename="käse 奶酪")

    def List(self, request: Any, context: Any) -> Any:  # noqa: N802
        return storage_pb2.ListResponse(datasets=[self.dataset])

    def Put(self, requests: Iterator[Any], context: Any) -> Any:  # noqa: N802
        list(requests)
        return storage_pb2.PutResponse(dataset=self.dataset)

    def Get(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield storage_pb2.GetResponse(dataset=self.dataset)
        yield storage_pb2.GetResponse(data=b"abc")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    storage_pb2_grpc.add_StorageServicer_to_server(Storage(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.mark.parametrize(
    "words",
    [("list",), ("list", "--output", "json"), ("put", "FILE"), ("get", "zD")],
    ids=" ".join,
)
def test_commands_of_a_node_start_with_little(
    address: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "FILE").write_bytes(b"abc")

    ended = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM, "ctl", "--node", address, "storage", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout


@pytest.mark.parametrize(
    "words", [("--output", "yaml"), ("--timeout", "soon"), ("--timeout", "0")], ids=" ".join
)
def test_what_must_be_converted_is_checked(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        built(app).main(["ctl", *words, "storage", "list"], prog_name="./logos")

    assert ended.value.code == 2
    assert f"Invalid value for '{words[0]}'" in capfd.readouterr().err


def test_help_of_a_group_lists_all_of_its_commands(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        built(app).main(["ctl", "--help"], prog_name="./logos")

    printed = capfd.readouterr().out
    for name, command in built(app).commands["ctl"].commands.items():  # type: ignore[attr-defined]
        assert f"{name} " in printed
        assert command.help.split(".")[0] in printed
