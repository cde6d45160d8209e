"""`logosctl discovery`, against a node that answers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from logos.network.v1 import discovery_pb2 as pb
from logos.network.v1 import discovery_pb2_grpc
from logos_cli.main import app

RECORD = pb.ServiceRecord(peer_id="16Unear", addresses=["/ip4/1.2.3.4/tcp/5"], data=b"\1\2", seq=7)


class Discovery(discovery_pb2_grpc.DiscoveryServicer):
    def __init__(self) -> None:
        self.asked: list[Any] = []

    def ListServices(self, request: Any, context: Any) -> pb.ListServicesResponse:  # noqa: N802
        own = pb.ListServicesResponse.Service(service="/mix/1.0.0", data=b"\xab", registrars=3)
        lent = pb.ListServicesResponse.Service(service="/x")
        lent.until.FromJsonString("2026-11-29T09:00:00Z")
        return pb.ListServicesResponse(services=[own, lent])

    def AdvertiseService(self, request: Any, context: Any) -> pb.AdvertiseServiceResponse:  # noqa: N802
        self.asked.append(request)
        return pb.AdvertiseServiceResponse()

    def WithdrawService(self, request: Any, context: Any) -> pb.WithdrawServiceResponse:  # noqa: N802
        self.asked.append(request)
        return pb.WithdrawServiceResponse()

    def LookUpService(self, request: Any, context: Any) -> Iterator[pb.LookUpServiceResponse]:  # noqa: N802
        self.asked.append(request)
        yield pb.LookUpServiceResponse(record=RECORD)
        newer = pb.ServiceRecord(peer_id="16Unear", seq=9)
        yield pb.LookUpServiceResponse(record=newer)

    def GetRegistrar(self, request: Any, context: Any) -> pb.GetRegistrarResponse:  # noqa: N802
        response = pb.GetRegistrarResponse(
            advertisements=4, capacity=1000, answered=9, refused={"BUDGET": 2}, asked=5
        )
        response.services.add(service="/mix/1.0.0", advertisements=4).waiting.FromSeconds(2)
        response.expiry.FromSeconds(60)
        return response

    def GetRoutingTable(self, request: Any, context: Any) -> pb.GetRoutingTableResponse:  # noqa: N802
        known = {"peer_id": "16Unear", "addresses": ["/ip4/1.2.3.4/tcp/5"], "bucket": 2, "stage": 3}
        return pb.GetRoutingTableResponse(registrars=[known, {"peer_id": "16Ufar"}])


@pytest.fixture
def node() -> Discovery:
    return Discovery()


@pytest.fixture
def address(node: Discovery) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    discovery_pb2_grpc.add_DiscoveryServicer_to_server(node, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")


def run(address: str, *words: str) -> Result:
    return CliRunner().invoke(app, ["--address", address, "discovery", *words])


def test_services_of_the_node(address: str) -> None:
    _, own, lent = run(address, "services").stdout.splitlines()

    assert own.split() == ["/mix/1.0.0", "3", "-", "ab"]
    assert lent.split() == ["/x", "0", "2026-11-29T09:00:00Z", "-"]


def test_a_service_is_offered_and_withdrawn(node: Discovery, address: str) -> None:
    assert "offers /x" in run(address, "advertise", "/x", "--data", "00ff").stderr
    assert run(address, "advertise", "/y").exit_code == 0
    assert "no longer" in run(address, "withdraw", "/x").stderr

    with_data, without, withdrawn = node.asked
    assert (with_data.service, with_data.data) == ("/x", b"\x00\xff")
    assert not without.HasField("data")
    assert withdrawn == pb.WithdrawServiceRequest(service="/x")
    assert run(address, "advertise", "/x", "--data", "zz").exit_code == 2


def test_a_look_up_shows_the_newest_record_of_each_peer(node: Discovery, address: str) -> None:
    [found] = json.loads(run(address, "lookup", "/x", "--limit", "5", "--output", "json").stdout)

    assert (found["peer_id"], found["seq"], found["data"]) == ("16Unear", 9, None)
    assert node.asked == [pb.LookUpServiceRequest(service="/x", limit=5)]


def test_the_registrar_and_its_counts(address: str) -> None:
    result = run(address, "registrar")

    assert result.stdout.splitlines()[1].split() == ["/mix/1.0.0", "4", "2"]
    assert "4 of 1000 advertisements" in result.stderr
    assert "BUDGET 2" in result.stderr


def test_the_routing_table(address: str) -> None:
    _, near, far = run(address, "table", "/x").stdout.splitlines()

    assert near.split() == ["2", "16Unear", "confirmed", "/ip4/1.2.3.4/tcp/5"]
    assert far.split() == ["0", "16Ufar", "-", "-"]
