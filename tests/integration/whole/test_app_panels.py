"""Panels of others: a folder of less than a hundred lines, and a page by its address."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app_serving import served, visitor
from logos_testnet.testnet import Testnet

pytestmark = pytest.mark.integration

PANEL = '''
"""How many peers a node has."""

from typing import Annotated

import grpc
from fastapi import APIRouter, Depends
from starlette.responses import Response

from logos.network.v1 import peering_pb2, peering_pb2_grpc
from logos_app.panels.contract import At, Panel, here

router = APIRouter()


async def peers(channel: grpc.aio.Channel) -> int:
    stub = peering_pb2_grpc.PeeringStub(channel)
    return (await stub.GetIdentity(peering_pb2.GetIdentityRequest(), timeout=3)).connected_peers


async def figure(channel: grpc.aio.Channel) -> str:
    return f"{await peers(channel)} peers"


@router.get("/")
async def shown(at: Annotated[At, Depends(here)]) -> Response:
    try:
        return at.page("mine.html", count=await peers(at.channel))
    except grpc.aio.AioRpcError as error:
        return at.failed(error)


PANEL = Panel("Peers", "peers", 2, router, figure)
'''
TEMPLATE = """{% extends "base.html" %}
{% block name %}Peers{% endblock %}
{% block content %}<h1 class="says">{{ at.node }} has {{ count|spelled }} peers.</h1>{% endblock %}
"""


async def test_a_panel_is_one_folder_of_less_than_a_hundred_lines(
    testnet: Testnet, tmp_path: Path
) -> None:
    folder = tmp_path / "panels/mixnet"
    (folder / "templates").mkdir(parents=True)
    (folder / "panel.py").write_text(PANEL, encoding="utf-8")
    (folder / "templates/mine.html").write_text(TEMPLATE, encoding="utf-8")
    lines = sum(path.read_text().count("\n") for path in folder.rglob("*.*") if path.is_file())
    panels = {"LOGOS_APP_PANELS": str(folder.parent)}
    async with served(testnet, tmp_path, **panels) as config, visitor(config) as client:
        page = (await client.get("/at/node3/peers/")).text
        testnet_page = (await client.get("/testnet")).text

    assert lines < 100
    assert "node3 has four peers." in page
    assert 'href="/at/node1/peers/"' in testnet_page


class ThirdParty(http.server.BaseHTTPRequestHandler):
    """A third party's page: remembers what it is sent."""

    seen: list[tuple[str, dict[str, str]]] = []  # noqa: RUF012 - of the class on purpose

    def do_GET(self) -> None:
        type(self).seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        if self.path == "/away":
            self.send_response(302)
            self.send_header("location", "http://127.0.0.1:1/")
            self.end_headers()
            return
        body = b"<title>theirs</title>" if self.path != "/large" else b"x" * (3 * 1024 * 1024)
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("set-cookie", "logos_17900=stolen")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the library looks for

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def third_party() -> Iterator[str]:
    """Serves the page; yields its address."""
    ThirdParty.seen = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ThirdParty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_page_by_address_is_in_a_sandbox_and_learns_nothing(
    testnet: Testnet, tmp_path: Path
) -> None:
    with third_party() as address:
        settings = {"LOGOS_APP_OTHERS": f"mixnet:Their%20page={address}"}
        async with served(testnet, tmp_path, **settings) as config, visitor(config) as client:
            page = (await client.get("/by/mixnet/")).text
            path = page.partition('src="/panel/')[2].partition('"')[0]
            theirs = await client.get(f"/panel/{path}?a=1")
            posted = await client.post(f"/panel/{path}form", content=b"x=1")
            away = await client.get(f"/panel/{path}away")
            large = await client.get(f"/panel/{path}large")
            too_much = await client.post(f"/panel/{path}", content=b"x" * 70_000)
            unknown = await client.get("/panel/invented/")
            await client.post("/close")
            ended = await client.get(f"/panel/{path}")

    assert 'sandbox="allow-scripts allow-forms"' in page
    assert "By others" in page
    assert theirs.text == "<title>theirs</title>"
    assert theirs.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "set-cookie" not in theirs.headers
    assert [place for place, _ in ThirdParty.seen][:2] == ["/?a=1", "/form"]
    for _, headers in ThirdParty.seen:
        assert not headers.keys() & {"cookie", "authorization", "x-csrf", "origin", "referer"}
    assert posted.status_code == 200
    assert (away.status_code, large.status_code, too_much.status_code) == (502, 502, 413)
    assert (unknown.status_code, ended.status_code) == (404, 404)


async def test_a_page_that_does_not_answer_is_said(testnet: Testnet, tmp_path: Path) -> None:
    settings = {"LOGOS_APP_OTHERS": "mixnet:Theirs=127.0.0.1:1"}
    async with served(testnet, tmp_path, **settings) as config, visitor(config) as client:
        page = (await client.get("/by/mixnet/")).text
        path = page.partition('src="/panel/')[2].partition('"')[0]
        answer = await client.get(f"/panel/{path}")

    assert answer.status_code == 502
    assert "PANEL_UNREACHABLE" in answer.text
