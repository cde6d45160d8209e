"""`logosctl storage fetch`, against a node that tells a script."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from logos.storage.v1 import storage_pb2 as pb
from logos.storage.v1 import storage_pb2_grpc
from logos_cli.main import app
from logos_commands.storage.fetches import record

CID = "zDvZRwzm5JgJH7RBLQ9Zx4w6rzTzPr4QNgyjZJxkjh9WHw3rLC2Z"
DATASET = pb.Dataset(cid=CID, size_bytes=2048, block_count=1, filename="a\x1b[2Jb")


def progress(state: Any, held: int = 0, **fields: Any) -> pb.FetchProgress:
    return pb.FetchProgress(
        cid=CID, state=state, dataset=DATASET, held_bytes=held, total_bytes=2048, **fields
    )


BEGUN = pb.FetchProgress(cid=CID, state=pb.FETCH_STATE_QUEUED)
HALF = progress(pb.FETCH_STATE_FETCHING, 1024, bytes_per_second=512, providers=["16U"])
WAITING = progress(pb.FETCH_STATE_WAITING, 1024, reason="NO_PROVIDERS", detail="nobody \x1bhas it")
DONE = progress(pb.FETCH_STATE_DONE, 2048)
CANCELLED = progress(pb.FETCH_STATE_CANCELLED, 1024)


def failed(reason: str) -> pb.FetchProgress:
    return progress(pb.FETCH_STATE_FAILED, 1024, reason=reason, detail="the reason why")


class Scripted(storage_pb2_grpc.StorageServicer):
    """Answers with what a test has it say."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.script: list[pb.FetchProgress] = [DONE]

    def Fetch(self, request: Any, context: Any) -> pb.FetchResponse:  # noqa: N802
        self.asked.append(request)
        return pb.FetchResponse(progress=BEGUN)

    def WatchFetch(self, request: Any, context: Any) -> Iterator[pb.WatchFetchResponse]:  # noqa: N802
        for each in self.script:
            yield pb.WatchFetchResponse(progress=each)

    def CancelFetch(self, request: Any, context: Any) -> pb.CancelFetchResponse:  # noqa: N802
        self.asked.append(request)
        return pb.CancelFetchResponse(progress=CANCELLED)

    def ListFetches(self, request: Any, context: Any) -> pb.ListFetchesResponse:  # noqa: N802
        return pb.ListFetchesResponse(fetches=[HALF, BEGUN])


class Node:
    """A node, and the command line towards it."""

    def __init__(self, address: str, storage: Scripted) -> None:
        self.storage = storage
        self._address = address

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--address", self._address, "storage", *words])


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    storage, server = Scripted(), grpc.server(ThreadPoolExecutor(2))
    storage_pb2_grpc.add_StorageServicer_to_server(storage, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield Node(f"127.0.0.1:{port}", storage)
    server.stop(0).wait()


def test_a_fetch_is_followed_to_its_end(node: Node) -> None:
    node.storage.script = [BEGUN, HALF, WAITING, WAITING, HALF, DONE]

    ended = node.run("fetch", CID, "--patience", "7")

    assert (ended.exit_code, ended.stdout) == (0, "")
    assert node.storage.asked[0].patience.seconds == 7
    assert ended.stderr.count("waiting: nobody \\x1bhas it") == 1
    assert "all of it is here, 2.0 KiB" in ended.stderr


def test_each_step_is_a_line_of_json(node: Node) -> None:
    node.storage.script = [HALF, DONE]

    ended = node.run("fetch", CID, "--output", "json")

    assert [json.loads(line) for line in ended.stdout.splitlines()] == [record(HALF), record(DONE)]
    assert record(HALF)["held"] == "1.0 KiB of 2.0 KiB"
    assert (record(HALF)["rate"], record(HALF)["providers"]) == ("512 B/s", ["16U"])
    assert record(BEGUN)["held"] is None
    assert record(BEGUN)["total_bytes"] is None


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [
        (failed("NO_PROVIDERS"), 4, "logosctl node list"),
        (failed("PROVIDERS_UNREACHABLE"), 3, "PROVIDERS_UNREACHABLE"),
        (failed("QUOTA_EXCEEDED"), 5, "logosctl storage space"),
        (CANCELLED, 5, "was cancelled"),
    ],
    ids=lambda value: value.reason if isinstance(value, pb.FetchProgress) else "",
)
def test_how_it_fails_is_its_exit_code(
    node: Node, last: pb.FetchProgress, code: int, said: str
) -> None:
    node.storage.script = [HALF, last]

    ended = node.run("fetch", CID)

    assert ended.exit_code == code
    assert said in ended.stderr


def test_it_need_not_be_waited_for(node: Node) -> None:
    node.storage.script = [failed("BAD_DATA")]

    ended = node.run("fetch", CID, "--detach", "--output", "json")

    assert ended.exit_code == 0
    assert json.loads(ended.stdout)["state"] == "QUEUED"
    assert "logosctl storage fetches" in node.run("fetch", CID, "-d").stderr


def test_those_under_way_are_listed_on_one_line_each(node: Node) -> None:
    listed = node.run("fetches")

    header, half, begun = listed.stdout.splitlines()
    assert header.split()[:3] == ["CID", "STATE", "HELD"]
    assert "1.0 KiB of 2.0 KiB  512 B/s" in half
    assert "a\\x1b[2Jb" in half
    assert "QUEUED" in begun


def test_a_cancel_says_what_is_here(node: Node) -> None:
    ended = node.run("cancel", CID)

    assert ended.exit_code == 0
    assert "CANCELLED, 1.0 KiB of 2.0 KiB is here" in ended.stderr
    assert json.loads(node.run("cancel", CID, "--output", "json").stdout)["held_bytes"] == 1024
