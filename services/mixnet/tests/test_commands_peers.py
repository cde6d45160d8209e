"""`logosctl peers`, against a node with two peers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_cli.main import app


class Peers(peering_pb2_grpc.PeeringServicer):
    def ListPeers(self, request: Any, context: Any) -> peering_pb2.ListPeersResponse:  # noqa: N802
        near = peering_pb2.Peer(peer_id="16Unear", connected=True, addresses=["/ip4/1.2.3.4/tcp/5"])
        near.traffic.sent_bytes = 2048
        near.traffic.sent_messages = 7
        near.traffic.received_bytes = 3
        near.traffic.received_messages = 1
        near.traffic.since.FromJsonString("2026-11-29T09:00:00Z")
        near.tags["operator/keep"] = 7
        near.score, near.protected, near.record_seq = 107, True, 5
        near.address_info.add(confidence=peering_pb2.AddressInfo.CONFIDENCE_HIGH)
        return peering_pb2.ListPeersResponse(peers=[near, peering_pb2.Peer(peer_id="16Uaway")])

    def Tag(self, request: Any, context: Any) -> peering_pb2.TagResponse:  # noqa: N802
        asked.append(request)
        return peering_pb2.TagResponse()

    def Untag(self, request: Any, context: Any) -> peering_pb2.UntagResponse:  # noqa: N802
        asked.append(request)
        return peering_pb2.UntagResponse()

    def Protect(self, request: Any, context: Any) -> peering_pb2.ProtectResponse:  # noqa: N802
        asked.append(request)
        return peering_pb2.ProtectResponse()

    def Unprotect(self, request: Any, context: Any) -> peering_pb2.UnprotectResponse:  # noqa: N802
        asked.append(request)
        return peering_pb2.UnprotectResponse()

    def ExchangePeers(  # noqa: N802
        self, request: Any, context: Any
    ) -> peering_pb2.ExchangePeersResponse:
        asked.append(request)
        heard = {"peer_id": "16Uheard", "addresses": ["/ip4/9.9.9.9/tcp/1"], "seq": 3, "new": True}
        return peering_pb2.ExchangePeersResponse(peers=[heard])


asked: list[Any] = []


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    peering_pb2_grpc.add_PeeringServicer_to_server(Peers(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    asked.clear()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def run(monkeypatch: pytest.MonkeyPatch, address: str, *words: str) -> Result:
    monkeypatch.setenv("LOGOS_TOKEN", f"logos_{43 * 'b'}")
    return CliRunner().invoke(app, ["--address", address, "peers", *words])


def test_traffic_is_shown_each_way(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    header, near, away = run(monkeypatch, address, "--traffic").stdout.splitlines()

    assert header.split("  ")[0] == "PEER ID"
    assert near.split() == [
        *("16Unear", "connected", "2.0", "KiB", "7", "3", "B", "1", "2026-11-29T09:00:00Z")
    ]
    assert away.split() == ["16Uaway", "disconnected", *5 * "-"]


def test_json_has_the_counts_always(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    near, away = json.loads(run(monkeypatch, address, "--output", "json").stdout)

    assert (near["sent_bytes"], near["sent_messages"]) == (2048, 7)
    assert (near["received_bytes"], near["received_messages"]) == (3, 1)
    assert near["traffic_since"] == "2026-11-29T09:00:00Z"
    assert "sent_bytes" not in away
    assert "1.2.3.4" in run(monkeypatch, address).stdout


def test_what_peers_are_worth_is_shown(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    _, near, away = run(monkeypatch, address, "--worth").stdout.splitlines()

    assert near.split()[:4] == ["16Unear", "connected", "107", "yes"]
    assert "operator/keep" in near
    assert near.split()[-2:] == ["high", "5"]
    assert away.split()[:3] == ["16Uaway", "disconnected", "0"]


def test_tags_and_protections_are_given_and_taken_away(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    words = ("tag", "16Unear", "keep", "--value", "-5", "--lasts", "60")
    tagged = run(monkeypatch, address, *words, "--output", "json")
    for verb in ("untag", "protect", "unprotect"):
        assert run(monkeypatch, address, verb, "16Unear", "keep").exit_code == 0

    assert json.loads(tagged.stdout) == {
        "peer_id": "16Unear",
        "tag": "keep",
        "value": -5,
        "lasts_seconds": 60,
    }
    assert [type(each).__name__ for each in asked] == [
        *("TagRequest", "UntagRequest", "ProtectRequest", "UnprotectRequest")
    ]
    assert (asked[0].value, asked[0].lasts.seconds) == (-5, 60)
    assert {(each.peer_id, each.name) for each in asked} == {("16Unear", "keep")}


def test_a_peer_or_the_node_is_asked_for_others(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    [found] = json.loads(run(monkeypatch, address, "exchange", "--output", "json").stdout)
    header, line = run(monkeypatch, address, "exchange", "16Unear").stdout.splitlines()

    assert (found["peer_id"], found["new"], found["record"]) == ("16Uheard", True, 3)
    assert [each.peer_id for each in asked] == ["", "16Unear"]
    assert header.split("  ")[0] == "PEER ID"
    assert line.split()[:2] == ["16Uheard", "/ip4/9.9.9.9/tcp/1"]
