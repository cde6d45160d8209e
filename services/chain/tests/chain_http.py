"""What tests of the HTTP interface ask of a node: its real server, and a real client."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from chain_rpc import Served, served

from logos_chain.config import Config
from logos_chain.http.written import of_signed
from logos_chain.node.served import http_served
from logos_mantle.transactions import SignedTransaction
from logos_module.http.listening import HttpListen

ANY = HttpListen("127.0.0.1", 0)


@dataclass
class HttpNode:
    """A node, and a client of its HTTP interface."""

    node: Served
    client: httpx.AsyncClient
    port: int

    async def get(self, where: str, **parameters: Any) -> httpx.Response:
        return await self.client.get(where, params=parameters)

    async def found(self, where: str, **parameters: Any) -> Any:
        """The JSON of an answer that succeeds."""
        answer = await self.get(where, **parameters)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    async def post(self, where: str, body: Any, **headers: str) -> httpx.Response:
        return await self.client.post(where, json=body, headers=headers)

    async def add(self, signed: Any) -> httpx.Response:
        answer = await self.post("/mempool/add/tx", signed)
        await self.node.settle()
        return answer

    @asynccontextmanager
    async def lines(self, where: str, **parameters: Any) -> AsyncIterator["Lines"]:
        """A stream of JSON lines that has begun."""
        async with self.client.stream("GET", where, params=parameters) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"] == "application/x-ndjson"
            yield Lines(answer)


class Lines:
    """The lines of one answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self._lines = answer.aiter_lines()

    async def next(self) -> Any:
        return json.loads(await anext(self._lines))

    async def rest(self) -> list[Any]:
        return [json.loads(each) async for each in self._lines]


@asynccontextmanager
async def http_node(*, is_open: bool = True, **changes: Any) -> AsyncIterator[HttpNode]:
    """A new node with its genesis alone, that serves HTTP."""
    config = Config(Path("unused"), lead=False, http=ANY, http_open=is_open)
    async with (
        served(config=config, **changes) as node,
        http_served(node.rooms.http, config, node.node.folder) as port,
    ):
        assert port is not None
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
            yield HttpNode(node, client, port)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """The status and the reason of a refusal, which is the reference's envelope."""
    body = answer.json()
    assert body.keys() == {"code", "message", "reason"}
    assert body["code"] == answer.status_code
    return answer.status_code, body["reason"]


def signed_json(signed: SignedTransaction) -> dict[str, Any]:
    """A transaction as a client writes it, without the hash that answers have."""
    found = of_signed(signed)
    del found["mantle_tx"]["hash"]
    return found
