"""What tests of the HTTP interface ask of nodes."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from logos_delivery.http.application import build
from logos_module.http.access import LocalAccess

HTTP = {"http": "127.0.0.1:0"}
SHARD = "/waku/2/rs/3/1"
OTHER_SHARD = "/waku/2/rs/3/2"
TOPIC = "/test/1/waku-relay/proto"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def message(**changed: Any) -> dict[str, Any]:
    """A message as a client writes it."""
    return {
        "payload": b64("hello"),
        "contentTopic": TOPIC,
        "timestamp": time.time_ns(),
        **changed,
    }


def path(before: str, topic: str) -> str:
    return f"{before}/{quote(topic, safe='')}"


class HttpNode:
    """A node, and a client of its HTTP interface."""

    def __init__(self, node: Any, client: httpx.AsyncClient) -> None:
        self.node = node
        self.client = client

    async def ask(self, method: str, where: str, body: Any = None) -> httpx.Response:
        return await self.client.request(method, where, json=body)

    async def follow(self, *topics: str) -> None:
        assert (await self.ask("POST", "/relay/v1/subscriptions", list(topics))).text == "OK"

    async def publish(self, body: Any, topic: str = SHARD) -> httpx.Response:
        return await self.ask("POST", path("/relay/v1/messages", topic), body)

    async def fetched(self, topic: str = SHARD) -> list[dict[str, Any]]:
        found = await self.ask("GET", path("/relay/v1/messages", topic))
        assert found.status_code == 200
        return list(found.json())

    async def arrived(self, topic: str = SHARD) -> list[dict[str, Any]]:
        """Waits for messages."""
        while not (found := await self.fetched(topic)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return found


class HttpNet:
    """Nodes with HTTP, by number."""

    def __init__(self, net: Any, clients: list[httpx.AsyncClient]) -> None:
        self._net = net
        self._clients = clients

    async def node(self, number: int, **settings: Any) -> HttpNode:
        node = await self._net.node(number, **{**HTTP, **settings})
        app = build(node.http, LocalAccess())
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8645")
        self._clients.append(client)
        return HttpNode(node, client)

    async def pair(self, *topics: str) -> tuple[HttpNode, HttpNode]:
        """Two nodes that follow topics and know of one another."""
        one, two = await self.node(1), await self.node(2)
        for each in (one, two):
            await each.follow(*topics)
        await until_followed(one, topics)
        await until_followed(two, topics)
        return one, two


async def until_followed(node: HttpNode, topics: Any, count: int = 1) -> None:
    """Waits until so many neighbours are known to follow topics."""
    while True:
        shards = await node.node.http.relay.neighbours()
        if all(len(shards[topic].followers) >= count for topic in topics):
            return
        await asyncio.sleep(0.02)


@asynccontextmanager
async def opened(net: Any) -> AsyncIterator[HttpNet]:
    clients: list[httpx.AsyncClient] = []
    yield HttpNet(net, clients)
    for client in clients:
        await client.aclose()
