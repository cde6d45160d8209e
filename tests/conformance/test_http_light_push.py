"""`/lightpush/v1/message` and `/v3/message`, as the public suite has it."""

from typing import Any

from http_clients import OTHER_SHARD, SHARD, HttpNode, b64, message, until_followed

Net = Any
V1, V3 = "/lightpush/v1/message", "/lightpush/v3/message"


def push(shard: str | None = SHARD, **changed: Any) -> dict[str, Any]:
    where = {} if shard is None else {"pubsubTopic": shard}
    return {**where, "message": message(**changed)}


async def three(http_net: Net) -> tuple[HttpNode, HttpNode, HttpNode]:
    """A service node, its neighbour, and a client that has the service node publish."""
    service, other = await http_net.pair(SHARD)
    client = await http_net.node(3, mode="edge", light_push_peers=[service.node.peer_id])
    return service, other, client


async def test_a_pushed_message_is_relayed(http_net: Net) -> None:
    service, other, client = await three(http_net)
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"contentTopic": "[1, 2, 3]"},
        {"version": 10},
        {"meta": b64("m")},
        {"ephemeral": True},
        {"payload": b64("a" * 140 * 1024)},
    )
    for changed in changes:
        sent = push(**changed)
        answer = await client.ask("POST", V1, sent)
        assert (answer.status_code, answer.text) == (200, "OK")
        for node in (service, other):
            [found] = await node.arrived()
            assert found == {"version": 0, "ephemeral": False, "proof": "", **sent["message"]}


async def test_the_newer_form_tells_the_neighbours(http_net: Net) -> None:
    _, other, client = await three(http_net)
    answer = await client.ask("POST", V3, push())
    assert (answer.status_code, answer.json()) == (200, {"relayPeerCount": 1})
    assert len(await other.arrived()) == 1


async def test_what_is_refused(http_net: Net) -> None:
    service, _, client = await three(http_net)
    bodies: list[Any] = [
        push(payload=""),
        push(payload="Hello World!"),
        push(payload={"key": "YWFh"}),
        push(contentTopic=["YWFh"]),
        push(contentTopic=""),
        push(version=2.1),
        push(meta="Hello World!"),
        push(extraField="x"),
        push(timestamp=None),
        {"pubsubTopic": SHARD},
        *({"pubsubTopic": wrong, "message": message()} for wrong in ({"k": "x"}, 1, [SHARD], True)),
        {**push(), "extraField": "x"},
        [],
    ]
    for body in bodies:
        for where in (V1, V3):
            assert (await client.ask("POST", where, body)).status_code == 400, body
    large_meta = await client.ask("POST", V1, push(meta=b64("a" * 1024)))
    assert large_meta.status_code == 400
    assert '(kind: InvalidLengthField, field: "meta")' in large_meta.text
    assert await service.fetched() == []


async def test_too_large_a_message(http_net: Net) -> None:
    _, _, client = await three(http_net)
    said = "Message size exceeded maximum of 153600 bytes"
    for size in (150 * 1024, 1024 * 1024):
        body = push(payload=b64("a" * size))
        answer = await client.ask("POST", V1, body)
        assert answer.status_code == 503
        assert answer.text == f"Failed to request a message push: {said}"
        answer = await client.ask("POST", V3, body)
        assert (answer.status_code, answer.json()) == (500, {"statusDesc": said})


async def test_nobody_follows_the_topic(http_net: Net) -> None:
    _, _, client = await three(http_net)
    answer = await client.ask("POST", V1, push(OTHER_SHARD))
    assert answer.status_code == 503
    assert "not_published_to_any_peer" in answer.text
    answer = await client.ask("POST", V3, push(OTHER_SHARD))
    assert answer.status_code == 505
    assert answer.json() == {"statusDesc": "No peers for topic, skipping publish"}


async def test_without_topic_the_shard_of_the_content_topic_counts(http_net: Net) -> None:
    _, other, client = await three(http_net)
    sent = push(None, contentTopic="/waku/2/content/test.js")
    assert (await client.ask("POST", V1, sent)).text == "OK"
    assert (await other.arrived())[0]["contentTopic"] == "/waku/2/content/test.js"
    answer = await client.ask("POST", V3, push(None, contentTopic="no"))
    assert answer.status_code == 500
    assert answer.json()["statusDesc"].startswith("Invalid content-topic:")


async def test_a_service_node_that_does_not_answer_and_none_at_all(http_net: Net) -> None:
    lost = await http_net.node(1, mode="edge")
    client = await http_net.node(2, mode="edge", light_push_peers=[lost.node.peer_id])
    answer = await client.ask("POST", V1, push())
    assert answer.status_code == 503
    assert answer.text == "Failed to request a message push: dial_failure"
    answer = await lost.ask("POST", V1, push())
    assert answer.status_code == 503
    assert answer.text == "No suitable service peer & no discovery method"


async def test_a_node_that_relays_publishes_itself(http_net: Net) -> None:
    one, two = await http_net.pair(SHARD)
    await until_followed(one, [SHARD])
    assert (await one.ask("POST", V3, push())).json() == {"relayPeerCount": 1}
    assert len(await two.arrived()) == 1
