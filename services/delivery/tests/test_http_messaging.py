"""`/messaging/v1/…`: sending with confirmation, and events that are told once."""

import asyncio
from typing import Any

from http_clients import HttpNode, b64

Net = Any
TOPIC = "/app/1/chat/proto"
SUBSCRIPTIONS, MESSAGES = "/messaging/v1/subscriptions", "/messaging/v1/messages"
SENT, RECEIVED = "/messaging/v1/events/send", "/messaging/v1/events/received"


async def subscribe(node: HttpNode, *topics: str) -> None:
    answer = await node.ask("POST", SUBSCRIPTIONS, list(topics))
    assert (answer.status_code, answer.text) == (200, "OK")


async def send(node: HttpNode, **changed: Any) -> str:
    body = {"payload": b64("hello"), "contentTopic": TOPIC, **changed}
    answer = await node.ask("POST", MESSAGES, body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"requestId"}
    return str(answer.json()["requestId"])


async def received(node: HttpNode) -> list[Any]:
    while not (found := (await node.ask("GET", RECEIVED)).json()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return list(found)


async def test_a_message_is_received_and_its_sender_is_told(http_net: Net) -> None:
    one, two = await http_net.node(1), await http_net.node(2)
    for node in (one, two):
        await subscribe(node, TOPIC)
    request_id = await send(one, meta=b64("m"))
    for node in (one, two):
        [found] = await received(node)
        written = found["message"]
        assert (written["payload"], written["meta"]) == (b64("hello"), b64("m"))
        assert written["timestamp"] > 0
        assert (await node.ask("GET", RECEIVED)).json() == []
    events: list[Any] = []
    while len(events) < 2:
        answer = await one.ask("GET", f"{SENT}/{request_id}")
        if answer.status_code == 404:
            assert answer.text == f"No send events for requestId: {request_id}"
            await asyncio.sleep(0.01)
        else:
            assert answer.json()["requestId"] == request_id
            events += answer.json()["events"]
    assert [event["kind"] for event in events] == ["propagated", "sent"]
    for event in events:
        assert set(event) == {"kind", "messageHash", "timestamp"}
        assert event["messageHash"] == found["messageHash"]
        assert event["timestamp"] > 1_700_000_000 * 10**9


async def test_all_requests_are_told_together_and_once(http_net: Net) -> None:
    one, two = await http_net.node(1), await http_net.node(2)
    await subscribe(two, TOPIC)
    requests = {await send(one, payload=b64(str(number)), ephemeral=True) for number in range(3)}
    told: dict[str, list[str]] = {}
    while set(told) != requests:
        for status in (await one.ask("GET", SENT)).json():
            told.setdefault(status["requestId"], []).extend(e["kind"] for e in status["events"])
        await asyncio.sleep(0.01)
    assert all(kinds == ["propagated"] for kinds in told.values())
    assert (await one.ask("GET", SENT)).json() == []


async def test_unsubscribing_ends_what_is_received(http_net: Net) -> None:
    node = await http_net.node(1)
    topics = [f"/app/{number}/t/x" for number in range(150)]
    await subscribe(node, *topics)
    assert len(node.node.http.subscriptions.topics) == 150
    for _ in range(2):
        answer = await node.ask("DELETE", SUBSCRIPTIONS, topics)
        assert answer.text == "OK"
    assert not node.node.http.subscriptions.topics
    await subscribe(node)


async def test_what_is_refused(http_net: Net) -> None:
    node = await http_net.node(1)
    whole = {"payload": b64("x"), "contentTopic": TOPIC}
    bodies: list[Any] = [
        {"contentTopic": TOPIC},
        {"payload": b64("x")},
        {**whole, "payload": ""},
        {**whole, "payload": "Hello World!"},
        {**whole, "contentTopic": " "},
        {**whole, "ephemeral": "true"},
        {**whole, "meta": b64("m" * 65)},
        {**whole, "timestamp": 1},
        [whole],
    ]
    for body in bodies:
        assert (await node.ask("POST", MESSAGES, body)).status_code == 400, body
    answer = await node.ask("POST", MESSAGES, {**whole, "contentTopic": "no"})
    assert answer.status_code == 500
    assert answer.text.startswith("Send failed: ")
    answer = await node.ask("POST", SUBSCRIPTIONS, [TOPIC, "no"])
    assert answer.status_code == 500
    assert answer.text == "Subscribe failed: no: CONTENT_TOPIC_INVALID"
    answer = await node.ask("GET", f"{SENT}/none")
    assert answer.status_code == 404
