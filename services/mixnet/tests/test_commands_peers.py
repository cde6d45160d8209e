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
        return peering_pb2.ListPeersResponse(peers=[near, peering_pb2.Peer(peer_id="16Uaway")])


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    peering_pb2_grpc.add_PeeringServicer_to_server(Peers(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
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
