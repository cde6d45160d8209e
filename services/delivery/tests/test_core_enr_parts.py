"""DLC-33, DLC-35, DLC-36: what records are made of."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.enr import multiaddress
from logos_delivery.core.enr.errors import MultiaddressMalformedError, ShardsInvalidError
from logos_delivery.core.enr.shards import (
    RelayShards,
    from_fields,
    shards_of,
    to_field,
    to_list,
    to_vector,
)
from logos_delivery.core.topics import PubsubTopic, parse_pubsub_topic

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/light.json").read_text("utf-8")
)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("/ip4/127.0.0.1/tcp/80", "047f000001060050"),
        ("/ip6/::1/udp/65535/quic-v1", "29" + "00" * 15 + "01910 2ffffcd03".replace(" ", "")),
        ("/dns4/a.b/tcp/443/wss", "3603612e620601bbde03"),
        ("/dns/x/tcp/1/tls/sni/y/ws", "35017806000 1c003c1030179dd03".replace(" ", "")),
    ],
)
def test_multiaddresses_as_text_and_bytes(text: str, raw: str) -> None:
    assert multiaddress.to_bytes(text).hex() == raw
    assert multiaddress.to_text(bytes.fromhex(raw)) == text


def test_a_relays_address_keeps_its_peer_id() -> None:
    peer = "16Uiu2HAm4v86W3bmT1BiH6oSPzcsSr31iDQpSN5Qa882BCjjwgrD"
    relayed = f"/ip4/1.2.3.4/tcp/5/p2p/{peer}/p2p-circuit"
    assert multiaddress.without_peer_id(relayed) == relayed
    assert multiaddress.to_text(multiaddress.to_bytes(relayed)) == relayed
    assert multiaddress.without_peer_id(f"/ip4/1.2.3.4/tcp/5/p2p/{peer}") == "/ip4/1.2.3.4/tcp/5"


@pytest.mark.parametrize(
    "text",
    ["", "/", "ip4/1.2.3.4", "/ip4", "/ip4/1.2.3", "/tcp/65536", "/tcp/-1", "/tcp/x", "/onion/a",
     "/dns4/", "/p2p/0", "/ip4/1.2.3.4/", "/dns/" + "a" * 299, "/tcp/" + "9" * 1300],
)  # fmt: skip
def test_texts_that_are_no_multiaddress_are_refused(text: str) -> None:
    with pytest.raises(MultiaddressMalformedError):
        multiaddress.to_bytes(text)


@given(st.text(max_size=60) | st.from_regex(r"(/(ip4|tcp|dns|p2p|ws)(/[0-9a-z.]{0,9})?){1,3}"))
def test_arbitrary_texts_are_read_or_refused(text: str) -> None:
    try:
        raw = multiaddress.to_bytes(text)
    except MultiaddressMalformedError:
        return
    assert multiaddress.to_bytes(multiaddress.to_text(raw)) == raw


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_a_multiaddress_or_refused(raw: bytes) -> None:
    try:
        text = multiaddress.to_text(raw)
    except MultiaddressMalformedError:
        return
    assert multiaddress.to_bytes(text) == raw


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["shard_fields"], ids=lambda case: case["id"])
def test_the_published_fields_of_shards(case: dict[str, Any]) -> None:
    value, expected = bytes.fromhex(case["value"]), RelayShards(case["cluster"], (1, 10))
    if case["field"] == "rs":
        assert from_fields(value, None) == expected
        assert to_list(expected) == value
    else:
        assert from_fields(None, value) == expected
        assert to_vector(expected) == value


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["shards_of_topics"], ids=lambda case: case["id"])
def test_the_published_shards_of_topics(case: dict[str, Any]) -> None:
    found = shards_of(map(parse_pubsub_topic, case["topics"]))
    assert found == RelayShards(case["cluster"], tuple(case["shards"]))
    assert PubsubTopic(case["cluster"], case["shards"][0]) in found
    assert PubsubTopic(case["cluster"] + 1, case["shards"][0]) not in found


def test_no_topics_are_no_shards_and_one_cluster_is_needed() -> None:
    assert shards_of(()) is None
    with pytest.raises(ShardsInvalidError):
        shards_of((PubsubTopic(1, 1), PubsubTopic(2, 1)))
    for cluster, shards in ((22, (1024,)), (22, (1, 2, 1024)), (22, ()), (65536, (1,))):
        with pytest.raises(ShardsInvalidError):
            RelayShards(cluster, shards)


@given(st.integers(0, 0xFFFF), st.sets(st.integers(0, 1023), min_size=1))
def test_a_list_of_up_to_63_shards_and_a_vector_of_more(cluster: int, shards: set[int]) -> None:
    said = RelayShards(cluster, tuple(sorted(shards)))
    field, value = to_field(said)
    assert field == (b"rs" if len(shards) < 64 else b"rsv")
    assert from_fields(*((value, None) if field == b"rs" else (None, value))) == said
    assert from_fields(None, to_vector(said)) == said


@given(st.none() | st.binary(max_size=140), st.none() | st.binary(max_size=140))
def test_arbitrary_fields_never_raise(listed: bytes | None, vector: bytes | None) -> None:
    found = from_fields(listed, vector)
    assert found is None or found.shards
