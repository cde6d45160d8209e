"""`/store/v3/messages`: queries and pages, as the public suite has it."""

import asyncio
import hashlib
import time
from typing import Any

import pytest
from http_clients import OTHER_SHARD, SHARD, TOPIC, HttpNode, b64, message

Net = Any
STORE = "/store/v3/messages"


def hash_of(sent: dict[str, Any], shard: str = SHARD, payload: bytes = b"hello") -> str:
    """The hash, made here from what 14/WAKU2-MESSAGE says."""
    digest = hashlib.sha256(shard.encode() + payload + sent["contentTopic"].encode())
    digest.update(sent["timestamp"].to_bytes(8, "big"))
    return f"0x{digest.hexdigest()}"


async def ask(node: HttpNode, **parameters: Any) -> Any:
    answer = await node.client.get(STORE, params=parameters)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["statusCode"], found["statusDesc"]) == (200, "OK")
    assert isinstance(found["requestId"], str)
    return found


async def filled(http_net: Net, count: int, **settings: Any) -> tuple[HttpNode, list[Any]]:
    """A store node with messages of one shard, a millisecond apart."""
    node = await http_net.node(1, **settings)
    await node.follow(SHARD, OTHER_SHARD)
    start_ns = time.time_ns() - 1_000_000 * count
    sent = [message(timestamp=start_ns + 1_000_000 * number) for number in range(count)]
    for one in sent:
        await node.publish(one)
    while len((await ask(node, pageSize=100))["messages"]) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return node, sent


def hashes(found: Any) -> list[str]:
    return [one["messageHash"] for one in found["messages"]]


async def test_hashes_alone_or_with_their_messages(http_net: Net) -> None:
    node, sent = await filled(http_net, 2)
    expected = [hash_of(one) for one in sent]
    for parameters in ({}, {"includeData": "false"}, {"includeData": ""}):
        found = await ask(node, **parameters)
        assert found["messages"] == [{"messageHash": one} for one in expected]
        assert "paginationCursor" not in found
    found = await ask(node, includeData="true")
    assert found["messages"] == [
        {
            "messageHash": digest,
            "message": {"version": 0, "ephemeral": False, **one},
            "pubsubTopic": SHARD,
        }
        for digest, one in zip(expected, sent, strict=True)
    ]


async def test_pages_forward_and_backward(http_net: Net) -> None:
    node, sent = await filled(http_net, 7)
    expected = [hash_of(one) for one in sent]
    first = await ask(node, pageSize=3, ascending="true")
    assert hashes(first) == expected[:3]
    assert first["paginationCursor"] == expected[2]
    second = await ask(node, pageSize=3, cursor=first["paginationCursor"])
    third = await ask(node, pageSize=3, cursor=second["paginationCursor"])
    assert hashes(second) + hashes(third) == expected[3:]
    assert "paginationCursor" not in third
    assert hashes(await ask(node, cursor=expected[-1])) == []
    assert hashes(await ask(node, pageSize=7)) == expected
    assert "paginationCursor" not in await ask(node, pageSize=7)
    assert hashes(await ask(node, pageSize=3, ascending="false")) == expected[-3:]
    ignored = await ask(node, pageSize=3, paginationCursor=expected[2])
    assert hashes(ignored) == expected[:3]
    assert hashes(await ask(node, pageSize=3, cursor="")) == expected[:3]


async def test_sizes_of_pages(http_net: Net) -> None:
    node, _ = await filled(http_net, 30)
    for size, count in (("", 20), (0, 20), (11, 11), (1_000_000, 30), (-1, 30)):
        assert len((await ask(node, pageSize=size))["messages"]) == count


async def test_topics_and_hashes_and_times(http_net: Net) -> None:
    node, sent = await filled(http_net, 3)
    other = message(contentTopic="/other/1/t/x")
    await node.publish(other, OTHER_SHARD)
    while len((await ask(node))["messages"]) < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    expected, others = [hash_of(one) for one in sent], [hash_of(other, OTHER_SHARD)]
    start_ns = sent[1]["timestamp"]
    queries: list[tuple[dict[str, Any], list[str]]] = [
        ({"pubsubTopic": SHARD}, expected),
        ({"pubsubTopic": OTHER_SHARD, "contentTopics": TOPIC}, []),
        ({"contentTopics": f"{TOPIC},/other/1/t/x"}, expected + others),
        ({"contentTopics": "/other/1/t/x"}, others),
        ({"contentTopics": " "}, []),
        ({"contentTopics": "##"}, []),
        ({"pubsubTopic": "", "contentTopics": ""}, expected + others),
        ({"pubsubTopic": "/unknown"}, []),
        ({"hashes": f"{expected[0]},{expected[2]}"}, [expected[0], expected[2]]),
        ({"hashes": f"{expected[0]},{expected[0]}"}, [expected[0]]),
        ({"hashes": f",{expected[1]}"}, [expected[1]]),
        ({"hashes": ""}, expected + others),
        ({"hash": "wrong name"}, expected + others),
        ({"hashes": expected[0], "pubsubTopic": SHARD}, [expected[0]]),
        ({"hashes": hash_of(sent[0], "/none")}, []),
        ({"startTime": start_ns, "endTime": start_ns}, expected[1:2]),
        ({"startTime": start_ns, "pubsubTopic": SHARD}, expected[1:]),
        ({"endTime": start_ns}, expected[:2]),
        ({"startTime": start_ns, "endTime": start_ns - 1}, []),
        ({"startTime": -5, "endTime": 0}, expected + others),
    ]
    for parameters, found in queries:
        assert hashes(await ask(node, **parameters)) == found, parameters


@pytest.mark.parametrize(
    ("parameters", "status", "said"),
    [
        ({"cursor": "0x74657374"}, 400, "invalid hash length"),
        ({"cursor": "test"}, 400, "Exception converting hex string to bytes"),
        ({"cursor": f"0x{'ab' * 32}"}, 500, "cursor not found"),
        ({"hashes": "0x74657374"}, 400, "waku message hash parsing error: invalid hash length: 4"),
        ({"hashes": "test"}, 400, "t is not a hexadecimal character"),
        ({"hashes": "ab" * 33}, 400, "invalid hash length: 33"),
        ({"startTime": "abc"}, 400, "time parsing error"),
        ({"startTime": "1.5"}, 400, "time parsing error"),
        ({"endTime": "9" * 40}, 400, "time parsing error"),
        ({"pageSize": "$2"}, 400, "page size parsing error"),
        ({"includeData": "maybe"}, 400, "include data parsing error"),
        ({"contentTopics": ",".join(map(str, range(11)))}, 400, "too many content topics"),
    ],
)
async def test_what_is_refused(
    http_net: Net, parameters: dict[str, str], status: int, said: str
) -> None:
    node = await http_net.node(1)
    answer = await node.client.get(STORE, params=parameters)
    assert answer.status_code == status
    assert said in answer.text


async def test_another_node_is_asked(http_net: Net) -> None:
    store, sent = await filled(http_net, 2)
    edge = await http_net.node(2, mode="edge")
    address = f"/ip4/127.0.0.1/tcp/50001/p2p/{store.node.peer_id}"
    for parameters in ({}, {"peerAddr": ""}, {"peerAddr": address}):
        found = await ask(edge, includeData="true", **parameters)
        assert [one["message"]["timestamp"] for one in found["messages"]] == [
            one["timestamp"] for one in sent
        ]
    answer = await edge.client.get(STORE, params={"cursor": f"0x{'ab' * 32}"})
    assert answer.status_code == 500
    assert "cursor not found" in answer.text
    wrong = {
        address[1:]: "Invalid MultiAddress",
        address[:-1]: "Failed parsing remote peer info",
        address.replace("/tcp", ""): "Unsupported protocol",
        "/ip4/127.0.0.1/tcp/50001": "Failed parsing remote peer info",
        f"/p2p/{store.node.peer_id}": "no supported transport found",
    }
    for text, said in wrong.items():
        answer = await edge.client.get(STORE, params={"peerAddr": text})
        assert answer.status_code == 400
        assert said in answer.text


async def test_a_node_that_keeps_nothing_is_asked(http_net: Net) -> None:
    other = await http_net.node(1, store=False)
    edge = await http_net.node(2, mode="edge")
    address = f"/ip4/127.0.0.1/tcp/50001/p2p/{other.node.peer_id}"
    answer = await edge.client.get(STORE, params={"peerAddr": address})
    assert answer.status_code == 500
    assert "[PEER_DIAL_FAILURE: " in answer.text
    assert "AioRpcError" not in answer.text


async def test_no_store_node(http_net: Net) -> None:
    edge = await http_net.node(1, mode="edge")
    answer = await edge.client.get(STORE)
    assert answer.status_code == 412
    assert answer.text == "No suitable service peer & no discovery method"


async def test_ephemeral_messages_are_not_kept(http_net: Net) -> None:
    node, sent = await filled(http_net, 1)
    await node.publish(message(ephemeral=True))
    await node.publish(message(payload=b64("kept")))
    while len(found := hashes(await ask(node))) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert len(found) == 2
    assert found[0] == hash_of(sent[0])
