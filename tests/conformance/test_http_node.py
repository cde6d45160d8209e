"""What a node says of itself and its peers: `/health`, `/info`, `/admin/v1/…`, `/metrics`."""

import asyncio
import logging
import re
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest
from http_clients import OTHER_SHARD, SHARD, TOPIC, HttpNode, b64, message, until_followed

from logos_base.errors import ConfigError
from logos_delivery.config import parse
from logos_delivery.core.enr import record
from logos_delivery.core.enr.fields import NodeFields
from logos_delivery.core.enr.identity import RecordKey

Net = Any
ADMIN = "/admin/v1"
PEER_FIELDS = {"multiaddr", "protocols", "shards", "connected", "agent", "origin"}


@pytest.fixture
def log_level() -> Iterator[None]:
    """Puts the level of logs back."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


async def get(node: HttpNode, where: str) -> Any:
    answer = await node.ask("GET", where)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_health_names_every_protocol(http_net: Net) -> None:
    alone = await http_net.node(1)
    while (found := await get(alone, "/health"))["nodeHealth"] == "INITIALIZING":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert (found["nodeHealth"], found["connectionStatus"]) == ("READY", "Disconnected")
    names = [next(iter(one)) for one in found["protocolsHealth"]]
    assert names[:5] == ["Relay", "Lightpush", "Legacy Lightpush", "Filter", "Store"]
    assert {"Relay": "NOT_READY", "desc": "No connected peers"} in found["protocolsHealth"]
    without_relay = "Node has no relay peers to fullfill push requests"
    for name in ("Lightpush", "Legacy Lightpush"):
        assert {name: "NOT_READY", "desc": without_relay} in found["protocolsHealth"]
    assert {"Peer Exchange": "READY"} in found["protocolsHealth"]
    await alone.follow(SHARD)
    two = await http_net.node(2)
    await two.follow(SHARD)
    while (found := await get(alone, "/health"))["connectionStatus"] == "Disconnected":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert found["connectionStatus"] == "PartiallyConnected"
    assert {"Relay": "READY"} in found["protocolsHealth"]


async def test_info_and_version(http_net: Net) -> None:
    node = await http_net.node(1)
    info = await get(node, "/info")
    assert info == await get(node, "/debug/v1/info")
    assert info["listenAddresses"]
    for address in info["listenAddresses"]:
        assert address.endswith(f"/p2p/{node.node.peer_id}")
    own = record.parse(info["enrUri"])
    assert own.peer_id == node.node.peer_id
    for where in ("/version", "/debug/v1/version"):
        answer = await node.ask("GET", where)
        assert answer.headers["content-type"].startswith("text/plain")
        assert re.match(r"^v0\.(3[5-9])(?:[.\-]|$)", answer.text)


async def test_peers_of_a_node(http_net: Net) -> None:
    one, two = await http_net.pair(SHARD)
    peer_id = two.node.peer_id
    for where in ("peers", "peers/connected", "peers/connected/on/1", "peers/service"):
        [peer] = await get(one, f"{ADMIN}/{where}")
        assert set(peer) == PEER_FIELDS
        assert peer["multiaddr"] == f"/ip4/127.0.0.1/tcp/50002/p2p/{peer_id}"
        assert peer["connected"] == "Connected"
        assert peer["shards"] == [1]
        assert "/vac/waku/store-query/3.0.0" in peer["protocols"]
    assert await get(one, f"{ADMIN}/peers/connected/on/9") == []
    assert (await get(one, f"{ADMIN}/peer/{peer_id}"))["multiaddr"] == peer["multiaddr"]
    missing = await one.ask("GET", f"{ADMIN}/peer/{one.node.peer_id}")
    assert missing.status_code == 404
    assert (await one.ask("GET", f"{ADMIN}/peer/x")).status_code == 400


async def test_neighbours_by_shard(http_net: Net) -> None:
    one, two = await http_net.pair(SHARD, OTHER_SHARD)
    for kind in ("relay", "mesh"):
        groups = await get(one, f"{ADMIN}/peers/{kind}")
        assert sorted(group["shard"] for group in groups) == [1, 2]
        for group in groups:
            [peer] = group["peers"]
            assert peer["multiaddr"].endswith(two.node.peer_id)
            assert isinstance(peer["score"], int | float)
        alone = await get(one, f"{ADMIN}/peers/{kind}/on/2")
        assert alone["shard"] == 2
        assert len(alone["peers"]) == 1
        assert await get(one, f"{ADMIN}/peers/{kind}/on/7") == {"shard": 7, "peers": []}
        for shard in ("x", "-1", "65536", ""):
            answer = await one.ask("GET", f"{ADMIN}/peers/{kind}/on/{shard}")
            assert answer.status_code == 400
    stats = await get(one, f"{ADMIN}/peers/stats")
    assert stats["Sum"] == {"Total peers": 1}
    assert stats["By Connectedness"]["Connected"] == 1
    assert stats["Relay peers"] == {"1": 1, "2": 1, "Total relay peers": 2}
    assert stats["Mesh peers"]["Total mesh peers"] == 2
    assert "/vac/waku/store-query/3.0.0" in stats["By Protocols"]


async def test_an_edge_node_has_no_neighbours_of_the_relay(http_net: Net) -> None:
    edge = await http_net.node(1, mode="edge")
    for where in ("relay", "mesh", "relay/on/1", "mesh/on/1"):
        answer = await edge.ask("GET", f"{ADMIN}/peers/{where}")
        assert answer.status_code == 503
        assert answer.text == "Error: Relay Protocol is not mounted to the node"
    stats = await get(edge, f"{ADMIN}/peers/stats")
    assert stats["Relay peers"] == {"Total relay peers": 0}
    answer = await edge.ask("GET", f"{ADMIN}/filter/subscriptions")
    assert answer.status_code == 400


async def test_connecting(http_net: Net) -> None:
    one, two = await http_net.node(1), await http_net.node(2)
    address = f"/ip4/127.0.0.1/tcp/50002/p2p/{two.node.peer_id}"
    answer = await one.ask("POST", f"{ADMIN}/peers", [address])
    assert (answer.status_code, answer.text) == (200, "OK")
    nowhere = address.replace("50002", "59999").replace(two.node.peer_id, one.node.peer_id)
    refused = {
        "x": "Failed to decode request: ",
        "y": "Couldn't parse remote peer info: ",
        nowhere: f"Failed to connect to peer at index: 0 - {nowhere}",
    }
    for text, said in refused.items():
        body: Any = text if text == "x" else [text]
        answer = await one.ask("POST", f"{ADMIN}/peers", body)
        assert answer.status_code == 400
        assert answer.text.startswith(said)


async def test_subscribers_of_a_service_node(http_net: Net) -> None:
    service = await http_net.node(1)
    client = await http_net.node(2, mode="edge", filter_peers=[service.node.peer_id])
    assert await get(service, f"{ADMIN}/filter/subscriptions") == []
    body = {"requestId": "1", "contentFilters": [TOPIC], "pubsubTopic": SHARD}
    while (await client.ask("POST", "/filter/v2/subscriptions", body)).status_code != 200:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    assert await get(service, f"{ADMIN}/filter/subscriptions") == [
        {
            "peerId": client.node.peer_id,
            "filterCriteria": [{"pubsubTopic": SHARD, "contentTopic": TOPIC}],
        }
    ]


@pytest.mark.usefixtures("log_level")
async def test_levels_of_logs(http_net: Net) -> None:
    node = await http_net.node(1)
    for name, level in (("FATAL", 50), ("ERROR", 40), ("warn", 30), ("INFO", 20), ("TRACE", 10)):
        answer = await node.ask("POST", f"{ADMIN}/log-level/{name}")
        assert (answer.status_code, answer.text) == (200, "OK")
        assert logging.getLogger().level == level
    answer = await node.ask("POST", f"{ADMIN}/log-level/LOUD")
    assert answer.status_code == 400
    assert answer.text.startswith("Invalid log-level: LOUD. Please specify one of TRACE")
    assert logging.getLogger().level == 10


async def test_figures_have_both_names(http_net: Net) -> None:
    one, two = await http_net.pair(SHARD)
    for number in range(3):
        await one.publish(message(payload=b64(str(number))))
    await until_followed(one, [SHARD])
    stored = 'waku_archive_messages{type="stored"}'
    while _value(text := await _page(one), stored) < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for before in ("waku", "logos_delivery"):
        assert _value(text, f'{before}_node_messages_total{{type="relay"}}') == 3
        assert _value(text, f"{before}_histogram_message_size_count") == 3
        assert _value(text, f"{before}_peer_store_size") == 1
        assert _value(text, f"{before}_filter_subscriptions") == 0
        assert _value(text, f'{before}_version{{version="v0.38.1"}}') == 1
    assert _value(text, "libp2p_peers") == 1
    assert _value(text, "libp2p_pubsub_topics") == 1
    assert _value(text, "libp2p_pubsub_subscriptions_total") == 1
    assert _value(text, 'libp2p_gossipsub_peers_per_topic_mesh{topic="other"}') == 1
    where = 'protocol="/vac/waku/store-query/3.0.0",peerId="/ip4/127.0.0.1/tcp/50002"'
    assert _value(text, f"waku_service_peers{{{where}}}") == 1
    assert two.node.peer_id not in text


async def _page(node: HttpNode) -> str:
    answer = await node.ask("GET", "/metrics")
    assert answer.status_code == 200
    return answer.text


def _value(page: str, name: str) -> float:
    [line] = [line for line in page.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


async def test_services_that_are_off_are_not_offered(http_net: Net) -> None:
    bare = await http_net.node(1, filter=False, light_push=False, store=False, peer_exchange=False)
    client = await http_net.node(2, mode="edge")
    while (found := await get(bare, "/health"))["nodeHealth"] == "INITIALIZING":  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    for name in ("Filter", "Lightpush", "Store", "Peer Exchange"):
        assert {name: "NOT_MOUNTED"} in found["protocolsHealth"]
    body = {"requestId": "1", "contentFilters": [TOPIC], "pubsubTopic": SHARD}
    assert (await client.ask("POST", "/filter/v2/subscriptions", body)).status_code == 503
    answer = await client.ask("POST", "/lightpush/v1/message", {"message": message()})
    assert answer.status_code == 503
    await bare.follow(SHARD)
    assert (await bare.publish(message())).status_code == 200
    assert len(await bare.fetched()) == 1


async def test_a_record_of_the_settings_is_told(http_net: Net) -> None:
    said = NodeFields(ip=IPv4Address("172.18.0.9"), tcp=5001)
    own = record.build(RecordKey(bytes([7]) * 32), 1, said.pairs())
    enr = str(own)
    node = await http_net.node(1, enr=enr)
    info = await get(node, "/info")
    assert info["enrUri"] == enr
    assert info["listenAddresses"][0] == f"/ip4/172.18.0.9/tcp/5001/p2p/{own.peer_id}"
    assert len(info["listenAddresses"]) > 1
    with pytest.raises(ConfigError, match="enr: "):
        parse({"enr": enr[:-1]})
