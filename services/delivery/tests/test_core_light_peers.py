"""DLC-20 to DLC-23: peer exchange."""

import json
from pathlib import Path
from typing import Any

import pytest

from logos_delivery.core.enr import record
from logos_delivery.core.enr.fields import NodeFields
from logos_delivery.core.enr.identity import RecordKey
from logos_delivery.core.enr.record import Record
from logos_delivery.core.enr.shards import RelayShards
from logos_delivery.core.light import peer_exchange
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.peer_exchange import (
    MAX_PEERS,
    PeerExchangeStatus,
    PeerPool,
    PeersRequest,
    PeersResponse,
)

RECORDS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/light.json").read_text("utf-8")
)["records"]
SEED = bytes(range(16))


def made(node: int, sequence: int = 1, cluster: int | None = 1) -> Record:
    shards = None if cluster is None else RelayShards(cluster, (0,))
    key = RecordKey(node.to_bytes(32, "big"))
    return record.build(key, sequence, NodeFields(shards=shards, tcp=1).pairs())


NODES = [made(node) for node in range(1, 71)]


@pytest.mark.vectors
def test_the_published_records_are_exchanged() -> None:
    exchanged = [record.parse(case["text"]) for case in RECORDS if "exchanged" in case["id"]]
    assert len(exchanged) == 2
    raw = peer_exchange.encode_response(PeersResponse(tuple(each.raw for each in exchanged)))

    found = peer_exchange.decode_response(raw)

    assert found.status == PeerExchangeStatus.OK
    assert [record.decode(each) for each in found.records] == exchanged  # DLC-23


def test_both_parts_are_there_as_the_reference_sends_them() -> None:
    assert peer_exchange.encode_request(PeersRequest(5)).hex() == "0a020805" + "12025000"
    refused = peer_exchange.refused(PeerExchangeStatus.TOO_MANY_REQUESTS)
    assert peer_exchange.encode_response(refused).hex() == "0a020800" + "120350ad03"


def test_older_nodes_send_no_status() -> None:
    def status(response: str) -> PeerExchangeStatus:
        return peer_exchange.decode_response(bytes.fromhex("0a00" + response)).status

    assert status("1200") == PeerExchangeStatus.SERVICE_UNAVAILABLE
    assert status("12050a030a0161") == PeerExchangeStatus.OK
    assert status("120350d704") == PeerExchangeStatus.UNKNOWN  # 599 is a client's own
    assert status("") == PeerExchangeStatus.UNKNOWN


def test_what_is_too_much_is_refused_or_left_out() -> None:
    many = PeersResponse((b"a",) * 61)
    with pytest.raises(LightMessageMalformedError, match="60"):
        peer_exchange.decode_response(peer_exchange.encode_response(many))
    large = PeersResponse((bytes(301), b"a"))
    raw = peer_exchange.encode_response(large)
    assert peer_exchange.decode_response(raw).records == (b"a",)
    assert peer_exchange.decode_request(b"\x0a\x03\x08\xff\x7f") == PeersRequest(MAX_PEERS)


def test_a_response_is_a_random_sample_of_as_many_as_were_asked_for() -> None:
    pool = PeerPool(cluster=1)
    pool.refresh(NODES, SEED)

    def ask(count: int, seed: bytes) -> tuple[bytes, ...]:
        return pool.answer(PeersRequest(count), seed).records

    assert len(ask(5, SEED)) == 5
    assert ask(0, SEED) == ()
    assert len(set(ask(1_000, SEED))) == MAX_PEERS
    assert ask(5, SEED) == ask(5, SEED)
    assert len({ask(5, bytes([seed])) for seed in range(10)}) == 10
    assert set(ask(60, SEED)) <= {each.raw for each in NODES}
    assert PeerPool(1).answer(PeersRequest(5), SEED) == PeersResponse()


def test_the_newest_record_of_each_node_in_this_cluster_is_given_away() -> None:
    pool = PeerPool(cluster=1)
    pool.refresh([made(1, 2), made(1, 9), made(1, 3), made(2, cluster=2)], SEED)
    assert pool.answer(PeersRequest(9), SEED).records == (made(1, 9).raw,)
    unsaid = made(3, cluster=None)
    pool.refresh([unsaid], SEED)
    assert pool.answer(PeersRequest(9), SEED).records == (unsaid.raw,)
