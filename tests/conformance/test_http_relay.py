"""`/relay/v1/…`: publishing, following, fetching, as the public suite has it."""

import asyncio
from functools import partial
from typing import Any

from http_clients import OTHER_SHARD, SHARD, TOPIC, b64, message, path, until_followed

Net = Any


CHANGED: list[dict[str, Any]] = [
    {},
    {"payload": b64("\t\n\u4e00\U0001f680")},
    {"payload": b64("a" * 100 * 1024)},
    {"contentTopic": "\t\nSpecial\tCharacters\n"},
    {"contentTopic": "[1, 2, 3]"},
    {"version": 10},
    {"meta": b64("Relay works!!")},
    {"ephemeral": True},
    {"ephemeral": False},
    {"timestamp": -1},
    {"timestamp": 1},
    {"timestamp": 2**63 - 1},
]


async def test_messages_are_fetched_once_at_both_nodes_as_they_were_published(
    http_net: Net,
) -> None:
    one, two = await http_net.pair(SHARD)
    for changed in CHANGED:
        sent = message(**changed)
        answer = await one.publish(sent)
        assert (answer.status_code, answer.text) == (200, "OK")
        for node in (one, two):
            [found] = await node.arrived()
            assert found == {"version": 0, "ephemeral": False, "proof": "", **sent}
            assert await node.fetched() == []


async def test_a_message_without_a_timestamp_gets_one(http_net: Net) -> None:
    one, two = await http_net.pair(SHARD)
    await one.publish({"payload": b64("x"), "contentTopic": TOPIC})
    [found] = await two.arrived()
    assert found["timestamp"] > 1_700_000_000 * 10**9


DROPPED: Any = object()


REFUSED: list[dict[str, Any]] = [
    {"payload": ""},
    {"payload": "Hello World!"},
    {"payload": {"key": "YWFh"}},
    {"payload": 1234567890},
    {"payload": ["YWFh"]},
    {"payload": True},
    {"payload": DROPPED},
    {"payload": b64("a" * 200 * 1024)},
    {"payload": b64("a" * 1024 * 1024)},
    {"contentTopic": ""},
    {"contentTopic": {"key": "YWFh"}},
    {"contentTopic": 1},
    {"contentTopic": None},
    {"contentTopic": DROPPED},
    {"timestamp": "1700000000000000000"},
    {"timestamp": 2**63},
    {"timestamp": 1.7e18},
    {"timestamp": [1]},
    {"timestamp": {"time": 1}},
    {"timestamp": "2023-12-26T10:58:51"},
    {"timestamp": None},
    {"timestamp": True},
    {"version": 2.1},
    {"version": -1},
    {"meta": "Relay works!!"},
    {"meta": b64("m" * 65)},
    {"ephemeral": "yes"},
    {"extraField": "extraValue"},
]


async def test_messages_that_are_none_are_refused(http_net: Net) -> None:
    one = await http_net.node(1)
    await one.follow(SHARD)
    for changed in REFUSED:
        body = {name: value for name, value in message(**changed).items() if value is not DROPPED}
        answer = await one.publish(body)
        assert answer.status_code == 400, changed
        assert answer.text
    assert await one.fetched() == []


async def test_too_large_a_message_is_told_by_the_words_of_the_reference(http_net: Net) -> None:
    one = await http_net.node(1)
    await one.follow(SHARD)
    answer = await one.publish(message(payload=b64("a" * 160 * 1024)))
    assert answer.text == "Failed to publish: Message size exceeded maximum of 153600 bytes"


async def test_a_topic_must_be_followed_to_publish_there(http_net: Net) -> None:
    one = await http_net.node(1)
    refused = await one.publish(message())
    assert refused.status_code == 400
    assert refused.text == f"Failed to publish: Node not subscribed to topic: {SHARD}"
    await one.follow(SHARD, OTHER_SHARD)
    assert (await one.publish(message())).status_code == 200
    answer = await one.ask("DELETE", "/relay/v1/subscriptions", [SHARD])
    assert (answer.status_code, answer.text) == (200, "OK")
    assert (await one.publish(message())).status_code == 400
    assert (await one.publish(message(), OTHER_SHARD)).status_code == 200
    assert (await one.ask("GET", path("/relay/v1/messages", SHARD))).status_code == 404
    await one.follow(SHARD)
    assert await one.fetched() == []


async def test_a_node_alone_has_its_own_message(http_net: Net) -> None:
    one = await http_net.node(1)
    await one.follow(SHARD)
    assert (await one.publish(message())).status_code == 200
    assert len(await one.fetched()) == 1


async def test_the_same_message_is_received_once(http_net: Net) -> None:
    one, two = await http_net.pair(SHARD)
    sent, later = message(), message(payload=b64("later"))
    assert (await one.publish(sent)).status_code == 200
    assert len(await two.arrived()) == 1
    assert (await one.publish(sent)).status_code == 200
    await one.publish(later)
    assert [found["payload"] for found in await two.arrived()] == [later["payload"]]


async def test_messages_of_another_shard_are_not_fetched(http_net: Net) -> None:
    one, two = await http_net.pair(SHARD, OTHER_SHARD)
    await one.publish(message(), OTHER_SHARD)
    assert len(await two.arrived(OTHER_SHARD)) == 1
    assert await two.fetched(SHARD) == []


async def test_following_twice_and_leaving_what_is_not_followed(http_net: Net) -> None:
    one = await http_net.node(1)
    for _ in range(2):
        await one.follow(SHARD)
    await one.follow()
    for topics in ([OTHER_SHARD], []):
        assert (await one.ask("DELETE", "/relay/v1/subscriptions", topics)).status_code == 200
    assert (await one.ask("DELETE", "/relay/v1/subscriptions", [SHARD])).status_code == 200
    assert (await one.publish(message())).status_code == 400


WRONG_TOPICS: list[Any] = [
    SHARD,
    {"topic": SHARD},
    [1],
    ["/test/2/rs/0/1"],
    ["/waku/3/rs/0/1"],
    ["/waku/2/test/0/1"],
    ["/waku/2/rs/3/b"],
    ["/waku/2/rs/0"],
    [SHARD, "/waku/2/rs/3/65536"],
]


async def test_topics_that_are_none_are_refused(http_net: Net) -> None:
    one = await http_net.node(1)
    for topics in WRONG_TOPICS:
        for method in ("POST", "DELETE"):
            answer = await one.ask(method, "/relay/v1/subscriptions", topics)
            assert answer.status_code == 400, topics
    assert (await one.publish(message())).status_code == 400


async def test_content_topics_lead_to_their_shards(http_net: Net) -> None:
    content, same_shard, other = "/toychat/2/huilong/proto", "/toychat/2/a/proto", "/app/22/t/x"
    one, two = await http_net.node(1), await http_net.node(2)
    for each in (one, two):
        answer = await each.ask("POST", "/relay/v1/auto/subscriptions", [content])
        assert answer.text == "OK"
    await until_followed(one, ["/waku/2/rs/3/3"])
    for topic in (same_shard, content):
        answer = await one.ask("POST", "/relay/v1/auto/messages", message(contentTopic=topic))
        assert answer.text == "OK"
    where = path("/relay/v1/auto/messages", content)
    while not (found := (await two.ask("GET", where)).json()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert [each["contentTopic"] for each in found] == [content]
    for topic in (same_shard, other):
        answer = await two.ask("GET", path("/relay/v1/auto/messages", topic))
        assert (answer.status_code, answer.text) == (404, topic)
    answer = await one.ask("DELETE", "/relay/v1/auto/subscriptions", [content, other])
    assert answer.text == "OK"
    answer = await one.ask("GET", path("/relay/v1/auto/messages", content))
    assert answer.status_code == 404


async def test_what_waits_of_a_shard_is_fetched_by_content_topic(http_net: Net) -> None:
    content = "/toychat/2/huilong/proto"
    one = await http_net.node(1)
    await one.follow("/waku/2/rs/3/3")
    where, topics = path("/relay/v1/auto/messages", content), "/relay/v1/auto/subscriptions"
    publish = partial(one.ask, "POST", "/relay/v1/auto/messages")
    assert (await one.ask("GET", where)).status_code == 404
    await publish(message(contentTopic=content))
    assert len((await one.ask("GET", where)).json()) == 1
    assert (await one.ask("GET", where)).status_code == 404
    await one.ask("DELETE", topics, [content])
    await publish(message(contentTopic=content))
    assert (await one.ask("GET", where)).status_code == 404
    await one.ask("POST", topics, [content])
    await publish(message(contentTopic=content))
    assert len((await one.ask("GET", where)).json()) == 1
    left = await one.ask("GET", path("/relay/v1/messages", "/waku/2/rs/3/3"))
    assert len(left.json()) == 1


async def test_a_content_topic_without_neighbours_is_published(http_net: Net) -> None:
    one = await http_net.node(1)
    answer = await one.ask("POST", "/relay/v1/auto/messages", message())
    assert (answer.status_code, answer.text) == (200, "OK")


async def test_a_content_topic_that_is_none_has_no_shard(http_net: Net) -> None:
    one = await http_net.node(1)
    answer = await one.ask("POST", "/relay/v1/auto/messages", message(contentTopic="no"))
    assert answer.status_code == 400
    assert answer.text.startswith("Failed to publish. Autosharding error: ")
    answer = await one.ask("POST", "/relay/v1/auto/subscriptions", ["no"])
    assert answer.status_code == 500
    assert answer.text.startswith("Subscribe failed:")


async def test_topics_of_the_settings_are_followed_from_the_start(http_net: Net) -> None:
    one = await http_net.node(1, shards=[1], http_topics=[OTHER_SHARD, "/app/20/t/x"])
    for topic in (SHARD, OTHER_SHARD):
        assert (await one.publish(message(), topic)).status_code == 200
        assert len(await one.fetched(topic)) == 1
    answer = await one.ask("GET", path("/relay/v1/auto/messages", "/app/20/t/x"))
    assert answer.json() == []
    await one.ask("DELETE", "/relay/v1/subscriptions", [SHARD])
    assert (await one.publish(message())).status_code == 400


async def test_old_messages_go_where_there_is_no_room(http_net: Net) -> None:
    one = await http_net.node(1, http_cache=3)
    await one.follow(SHARD, OTHER_SHARD)
    await one.publish(message(), OTHER_SHARD)
    for number in range(5):
        await one.publish(message(payload=b64(str(number))))
    assert [found["payload"] for found in await one.fetched()] == [b64(str(n)) for n in (2, 3, 4)]
    assert len(await one.fetched(OTHER_SHARD)) == 1


async def test_an_edge_node_has_no_relay(http_net: Net) -> None:
    edge = await http_net.node(1, mode="edge")
    answer = await edge.publish(message())
    assert answer.status_code == 404
    assert answer.text.startswith("/relay endpoints are not available.")
