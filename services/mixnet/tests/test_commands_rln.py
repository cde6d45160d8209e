"""`logosctl rln`, against a node that is a member."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from logos.network.v1 import rln_pb2 as pb
from logos.network.v1 import rln_pb2_grpc
from logos_cli.main import app

MEMBER = pb.Membership(
    state=pb.MEMBERSHIP_STATE_ACTIVE,
    commitment=bytes([1]) * 32,
    limit=10,
    leaf_index=0,
    root=bytes([2]) * 32,
)


class Rln(rln_pb2_grpc.RlnServicer):
    def GetStatus(self, request: Any, context: Any) -> pb.RlnGetStatusResponse:  # noqa: N802
        status = pb.RlnGetStatusResponse(
            membership=MEMBER, epoch=7, ids_left=4, members=3, is_open=True, accepted=9
        )
        status.period.FromMilliseconds(10_000)
        status.dropped.update({"ROOT_UNKNOWN": 2, "PROOF_INVALID": 3})
        status.handed_out["forward"] = 6
        return status

    def Register(self, request: Any, context: Any) -> pb.RegisterResponse:  # noqa: N802
        pending = pb.Membership(state=pb.MEMBERSHIP_STATE_PENDING, limit=10)
        return pb.RegisterResponse(membership=pending)


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    rln_pb2_grpc.add_RlnServicer_to_server(Rln(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def run(monkeypatch: pytest.MonkeyPatch, address: str, *words: str) -> Result:
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    return CliRunner().invoke(app, ["--address", address, "rln", *words])


def test_the_status_is_one_line(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    header, line = run(monkeypatch, address, "status").stdout.splitlines()

    assert header.startswith("MEMBERSHIP")
    assert line.split()[:7] == ["active", "10", "10.0", "7", "4", "0", "3"]
    assert "open" in line


def test_json_has_the_counts_by_reason(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    [status] = json.loads(run(monkeypatch, address, "status", "--output", "json").stdout)

    assert status["dropped"] == 5
    assert status["dropped_by_reason"] == {"ROOT_UNKNOWN": 2, "PROOF_INVALID": 3}
    assert (status["leaf"], status["handed_out"]) == (0, {"forward": 6})


def test_registering_says_what_the_node_is_now(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    [now] = json.loads(run(monkeypatch, address, "register", "--output", "json").stdout)

    assert (now["membership"], now["leaf"]) == ("pending", None)
