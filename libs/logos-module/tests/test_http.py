"""What modules' HTTP rooms share: who may call, the gate, bodies, where it is served."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from logos_module.http.access import BearerAccess, LocalAccess
from logos_module.http.bodies import read_body, strict_json
from logos_module.http.gate import Gate
from logos_module.http.listening import HttpListen, listen_problems, parse_listen
from logos_module.http.refusals import Refusal, RequestRefusedError

TOKEN = "logos_secret"  # noqa: S105


def basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()


def test_a_token_is_a_bearer_and_a_password_where_that_is_wanted() -> None:
    strict, lax = BearerAccess(TOKEN), BearerAccess(TOKEN, is_password=True)
    for access in (strict, lax):
        assert access.admits(f"Bearer {TOKEN}", "")
        for wrong in ("", TOKEN, "Bearer", "Bearer x", basic(TOKEN), basic(f"{TOKEN}:"), "Basic !"):
            assert not access.admits(wrong, "127.0.0.1")
    assert lax.admits(basic(f"anyone:{TOKEN}"), "")
    assert lax.admits(basic(f":{TOKEN}"), "")
    assert not strict.admits(basic(f"anyone:{TOKEN}"), "")


@given(st.text(max_size=80))
def test_any_text_is_no_token(text: str) -> None:
    assert not BearerAccess(TOKEN, is_password=True).admits(f"Basic {text}", "")


# -- JSON ----------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_bytes_are_json_or_refused(raw: bytes) -> None:
    try:
        value = strict_json(raw, max_containers=10, max_texts=10)
    except ValueError:
        return
    assert json.loads(raw) == value


def test_parts_are_counted_outside_of_texts() -> None:
    value = ["[{", {"a": '}\\"'}]
    raw = json.dumps(value).encode()
    assert strict_json(raw, max_containers=2, max_texts=3) == value
    with pytest.raises(ValueError, match="over 1 objects"):
        strict_json(raw, max_containers=1)
    with pytest.raises(ValueError, match="over 2 texts"):
        strict_json(raw, max_texts=2)


# -- requests ------------------------------------------------------------------------------------


def refuse(refusal: Refusal) -> Response:
    return PlainTextResponse(refusal.reason, refusal.status)


class Rig:
    """An application whose requests wait to be let go."""

    def __init__(self, **gate: Any) -> None:
        self.go = asyncio.Event()
        self.running = 0
        app = Starlette(routes=[Route("/", self.serve, methods=["GET", "POST"])])
        guarded = Gate(app, LocalAccess(), refuse=refuse, **gate)
        transport = httpx.ASGITransport(guarded)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def serve(self, request: Request) -> Response:
        self.running += 1
        await self.go.wait()
        self.running -= 1
        try:
            body = await read_body(request, max_bytes=4)
        except RequestRefusedError as error:
            return refuse(error.refusal)
        return PlainTextResponse(body)

    async def until_running(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.running != count:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def test_surplus_requests_are_refused_and_surplus_bodies_wait() -> None:
    rig = Rig(max_bodies=1, max_requests=3)
    async with asyncio.TaskGroup() as tasks:
        posts = [tasks.create_task(rig.client.post("/", content=b"x")) for _ in range(2)]
        await rig.until_running(1)
        got = tasks.create_task(rig.client.get("/"))
        await rig.until_running(2)
        surplus = await rig.client.get("/")
        assert (surplus.status_code, surplus.text) == (503, "TOO_MANY_REQUESTS")
        rig.go.set()
    assert [each.result().status_code for each in (*posts, got)] == [200] * 3
    assert (await rig.client.get("/")).status_code == 200


async def test_bodies_have_an_end() -> None:
    rig = Rig()
    rig.go.set()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x"

    contents: list[Any] = [b"12345", pieces()]
    for content in contents:
        answer = await rig.client.post("/", content=content)
        assert (answer.status_code, answer.text) == (413, "BODY_TOO_LARGE")
    assert (await rig.client.post("/", content=b"1234")).text == "1234"


async def test_what_the_gate_refuses() -> None:
    rig = Rig()
    rig.go.set()
    for headers, status, reason in (
        ({"Host": "evil.example"}, 401, "UNAUTHENTICATED"),
        ({"Origin": "http://127.0.0.1"}, 403, "ORIGIN_REFUSED"),
        ({"X": "x" * 70_000}, 431, "HEAD_TOO_LARGE"),
    ):
        answer = await rig.client.get("/", headers=headers)
        assert (answer.status_code, answer.text) == (status, reason)
        assert ("www-authenticate" in answer.headers) is (status == 401)


# -- settings ------------------------------------------------------------------------------------


def test_where_it_is_served() -> None:
    assert parse_listen("") is None
    assert parse_listen("127.0.0.1:0") == HttpListen("127.0.0.1", 0)
    assert parse_listen("[::1]:65535") == HttpListen("::1", 65_535)
    for wrong in (None, 1, "x", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "host:1"):
        with pytest.raises(ValueError, match=r".+"):
            parse_listen(wrong)


def test_off_loopback_it_is_served_in_a_container_alone() -> None:
    anywhere = HttpListen("0.0.0.0", 1)  # noqa: S104
    [problem] = listen_problems("http", anywhere, is_enclosed=False)
    assert problem.startswith("http: 0.0.0.0 is not an address of loopback")
    assert listen_problems("http", anywhere, is_enclosed=True) == []
    assert listen_problems("http", HttpListen("::1", 1), is_enclosed=False) == []
    assert listen_problems("http", None, is_enclosed=False) == []
