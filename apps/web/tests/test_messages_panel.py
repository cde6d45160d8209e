"""The panel Messages before a node: its page, sending by stages, topics; markup stays text."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from app_rig import FROM_OURS, browser, csrf_of, made, open_session
from logos.delivery.v1 import delivery_pb2 as pb
from logos.delivery.v1 import delivery_pb2_grpc, store_pb2, store_pb2_grpc
from logos.kernel.v1 import events_pb2, events_pb2_grpc
from logos_app.nodes.model import ModuleSeen, Reach
from logos_app.shell.pages import Shell

TOPIC = "/app/1/chat/proto"
PARTIAL = {**FROM_OURS, "hx-request": "true"}


class Node(
    delivery_pb2_grpc.DeliveryServicer, store_pb2_grpc.StoreServicer, events_pb2_grpc.EventsServicer
):
    """A node that follows a topic, and whose messages reach a store at once."""

    def __init__(self) -> None:
        self.topics = [TOPIC]
        self.events: list[pb.Event] = []
        self.requests: list[pb.SendRequest] = []
        self.refuses: grpc.StatusCode | None = None
        self.acts: list[bytes] = []

    def tell(self, kind: int, **fields: Any) -> None:
        position = len(self.events) + 1
        self.events.append(pb.Event(position=position, kind=kind, **fields))  # type: ignore[arg-type]

    async def GetHealth(self, request: Any, context: Any) -> pb.GetHealthResponse:  # noqa: N802
        if self.refuses is not None:
            await context.abort(self.refuses, "it is off")
        health = pb.Health(connection=pb.CONNECTION_STATUS_CONNECTED)
        for topic in self.topics:
            health.content_topics[topic] = pb.TOPIC_HEALTH_SUFFICIENTLY_HEALTHY
        return pb.GetHealthResponse(health=health)

    async def ListSubscriptions(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.ListSubscriptionsResponse:
        results = [pb.TopicResult(content_topic=topic) for topic in self.topics]
        return pb.ListSubscriptionsResponse(subscriptions=results)

    async def Subscribe(self, request: Any, context: Any) -> pb.SubscribeResponse:  # noqa: N802
        [topic] = request.content_topics
        reason = "" if topic.startswith("/") else "CONTENT_TOPIC_INVALID"
        if not reason:
            self.topics.append(topic)
        return pb.SubscribeResponse(results=[pb.TopicResult(content_topic=topic, reason=reason)])

    async def Unsubscribe(  # noqa: N802
        self, request: Any, context: Any
    ) -> pb.UnsubscribeResponse:
        self.topics.remove(request.content_topics[0])
        return pb.UnsubscribeResponse()

    async def Send(self, request: Any, context: Any) -> pb.SendResponse:  # noqa: N802
        self.requests.append(request)
        name = f"r{len(self.requests)}"
        message = {"payload": request.payload, "content_topic": request.content_topic}
        topic = request.content_topic
        self.tell(pb.EVENT_KIND_RECEIVED, content_topic=topic, message=message)
        self.tell(pb.EVENT_KIND_PROPAGATED, request_id=name)
        return pb.SendResponse(request_id=name)

    async def WatchEvents(  # noqa: N802
        self, request: Any, context: Any
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        newest = len(self.events)
        after = request.after if request.HasField("after") else newest
        if after > newest:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, "not come to")
        yield pb.WatchEventsResponse(events=self.events[after:], position=newest)

    async def Query(self, request: Any, context: Any) -> store_pb2.StoreQueryResponse:  # noqa: N802
        message = {"payload": b"<i>kept</i>", "content_topic": TOPIC, "timestamp": 10**15}
        return store_pb2.StoreQueryResponse(messages=[{"message": message}])

    async def Publish(self, request: Any, context: Any) -> events_pb2.PublishResponse:  # noqa: N802
        self.acts += [event.payload for event in request.events]
        return events_pb2.PublishResponse()


class Visitor:
    """A browser on the page of node1."""

    def __init__(self, client: httpx.AsyncClient, node: Node, csrf: str) -> None:
        self.client, self.node, self.csrf = client, node, csrf

    async def page(self, query: str = "") -> str:
        answer = await self.client.get(f"/at/node1/messages/{query}")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def post(self, path: str, *, script: bool = True, **fields: str) -> httpx.Response:
        headers = {**(PARTIAL if script else FROM_OURS)}
        data = {"csrf": self.csrf, **fields}
        return await self.client.post(f"/at/node1/messages/{path}", data=data, headers=headers)


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    node, server = Node(), grpc.aio.server()
    delivery_pb2_grpc.add_DeliveryServicer_to_server(node, server)
    store_pb2_grpc.add_StoreServicer_to_server(node, server)
    events_pb2_grpc.add_EventsServicer_to_server(node, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with AsyncExitStack() as stack:
        config, app = made(tmp_path, LOGOS_APP_NODES=f"node1=127.0.0.1:{port}")
        shell: Shell = app.state.shell
        [seen] = shell.nodes.seen
        module = ModuleSeen("delivery", "ready")
        shell.nodes.put(replace(seen, reach=Reach.ANSWERS, modules=(module,)))
        client = await stack.enter_async_context(browser(app))
        await open_session(client, config)
        yield Visitor(client, node, await csrf_of(client))
    await shell.doors.close()
    await server.stop(0)


async def test_the_page_says_how_messages_stand(visitor: Visitor) -> None:
    visitor.node.tell(
        pb.EVENT_KIND_RECEIVED,
        content_topic=TOPIC,
        message={"payload": b"<script>alert(1)</script>", "content_topic": TOPIC},
    )
    page = await visitor.page()
    for text in (
        "Node1 follows one topic, and is connected to enough nodes.",
        f'<input type="text" id="topic" name="topic" value="{TOPIC}"',
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "enough neighbours",
    ):
        assert text in page
    assert "<script>alert" not in page
    assert "What store nodes keep" not in page


async def test_a_message_is_sent_and_its_stages_are_shown(visitor: Visitor) -> None:
    await visitor.page()
    answer = await visitor.post("send", topic=TOPIC, text="hello", mix="yes")
    assert answer.status_code == 200, answer.text
    assert "another node has it" in answer.text
    assert "through the mix-net" in answer.text
    [request] = visitor.node.requests
    assert (request.content_topic, request.payload, request.via_mix) == (TOPIC, b"hello", True)
    visitor.node.tell(pb.EVENT_KIND_SENT, request_id="r1")
    assert "a store node has it" in await visitor.page()
    assert b'"message"' in visitor.node.acts[0]
    assert b"hello" not in visitor.node.acts[0]


async def test_a_message_is_sent_without_a_script_too(visitor: Visitor) -> None:
    answer = await visitor.post("send", script=False, topic=TOPIC, text="x")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/at/node1/messages/?topic=/app/1/chat/proto"


async def test_what_a_store_keeps_of_a_topic(visitor: Visitor) -> None:
    page = await visitor.page(f"?topic={TOPIC}")
    assert "What store nodes keep of" in page
    assert "&lt;i&gt;kept&lt;/i&gt;" in page


async def test_topics_are_followed_and_left(visitor: Visitor) -> None:
    answer = await visitor.post("subscribe", topic="/other/1/a/b")
    assert "/other/1/a/b" in answer.text
    answer = await visitor.post("unsubscribe?topic=/other/1/a/b")
    assert "/other/1/a/b" not in answer.text
    refused = await visitor.post("subscribe", topic="no")
    assert (refused.status_code, "CONTENT_TOPIC_INVALID" in refused.text) == (409, True)


async def test_a_node_whose_state_was_replaced_is_looked_at_anew(visitor: Visitor) -> None:
    for number in range(3):
        message = {"payload": b"%d" % number, "content_topic": TOPIC}
        visitor.node.tell(pb.EVENT_KIND_RECEIVED, content_topic=TOPIC, message=message)
    assert 'id="message-3"' in await visitor.page()
    visitor.node.events.clear()
    assert "None has come yet." in await visitor.page()


async def test_messages_that_cannot_be_seen_are_said(visitor: Visitor) -> None:
    visitor.node.refuses = grpc.StatusCode.UNIMPLEMENTED
    page = await visitor.page()
    assert "The messages of node1 cannot be seen now." in page
    assert "node1 refused: it is off." in page


async def test_a_message_that_is_too_long_for_the_page(visitor: Visitor) -> None:
    answer = await visitor.post("send", topic=TOPIC, text="x" * 33_000)
    assert (answer.status_code, "DELIVERY_MESSAGE_TOO_LARGE" in answer.text) == (409, True)
    assert visitor.node.requests == []
