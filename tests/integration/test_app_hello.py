"""The hello module's page, and a panel for it in one folder, on a testnet of processes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from app_serving import served, visitor
from logos_testnet.app_process import panels_of_others
from logos_testnet.opening import Description, Places
from logos_testnet.testnet import Testnet
from own_topology import ROOT, claim_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

PORTS = claim_ports()
TOPOLOGY = f"""\
schema = 1
name = "greeters"
node_count = 2
[ports]
front = {PORTS.front}
hello-page = {PORTS.page}
[modules.hello]
"""
PANEL = '''
"""Greets through the hello module."""

from typing import Annotated

import grpc
from fastapi import APIRouter, Depends
from hello.v1 import hello_pb2, hello_pb2_grpc
from starlette.responses import Response

from logos_app.panels.contract import At, Panel, here

router = APIRouter()


@router.get("/")
async def greet(at: Annotated[At, Depends(here)], name: str = "Ada") -> Response:
    stub = hello_pb2_grpc.GreeterStub(at.channel)
    try:
        answer = await stub.Greet(hello_pb2.GreetRequest(name=name[:80]), timeout=3)
    except grpc.aio.AioRpcError as error:
        return at.failed(error)
    return at.page("greet.html", answer=answer)


PANEL = Panel("Hello", "hello", 9, router)
'''
TEMPLATE = """{% extends "base.html" %}
{% block name %}Hello{% endblock %}
{% block content %}<h1 class="says">{{ answer.node }} says: {{ answer.text }}</h1>{% endblock %}
"""


@pytest.fixture(scope="module")
def greeters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testnet]:
    places = Places(ROOT, tmp_path_factory.mktemp("greeters"))
    with running(Description(TOPOLOGY, "greeters.toml"), places, "processes") as testnet:
        yield testnet


@pytest.fixture
async def client(greeters: Testnet, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path / "panels/hello"
    (folder / "templates").mkdir(parents=True)
    (folder / "panel.py").write_text(PANEL, encoding="utf-8")
    (folder / "templates/greet.html").write_text(TEMPLATE, encoding="utf-8")
    settings = {
        "LOGOS_APP_OTHERS": " ".join(panels_of_others(greeters.plan)),
        "LOGOS_APP_PANELS": str(folder.parent),
    }
    async with served(greeters, tmp_path, **settings) as config, visitor(config) as one:
        yield one


async def test_the_page_that_it_declares_is_shown_in_a_sandbox(client: httpx.AsyncClient) -> None:
    page = (await client.get("/by/hello/")).text
    path = page.partition('src="/panel/')[2].partition('"')[0]

    first = await client.get(f"/panel/{path}")
    greeted = await client.get(f"/panel/{path}", params={"name": "<Ada>"})

    assert "By others" in page
    assert "Hello, node1!" in first.text
    assert "Hello, &lt;Ada&gt;!" in greeted.text
    assert greeted.headers["content-security-policy"].startswith("sandbox ")


async def test_a_panel_for_it_is_one_folder_of_less_than_a_hundred_lines(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get("/at/node2/hello/")).text
    refused = await client.get("/at/node2/hello/", params={"name": ""})

    assert PANEL.count("\n") + TEMPLATE.count("\n") < 100
    assert "node2 says: Hello, Ada!" in page
    assert "EMPTY_NAME" in refused.text
