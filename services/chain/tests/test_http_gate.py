"""HTP-1 to HTP-5, HTP-19 to HTP-21: the way in, what the node says, what is not served."""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from chain_http import HttpNode, http_node, problem, signed_json
from chain_rpc import served
from mixnet_nodes import fake_peer_id

from logos_base.errors import ConfigError, NetworkUnavailableError, StoreFailedError
from logos_chain.config import Config, parse
from logos_chain.http import answers, application, reading
from logos_chain.http.node import NOT_SERVED
from logos_chain.node.served import HTTP_TOKEN, http_served
from logos_client.token_file import read_token
from logos_module.http.listening import HttpListen
from logos_module.server import AddressInUseError

ADD = "/mempool/add/tx"
INFO = "/cryptarchia/info"


@pytest.fixture
async def http() -> AsyncIterator[HttpNode]:
    async with http_node() as found:
        yield found


# -- settings ------------------------------------------------------------------------------------


def test_it_is_off_unless_a_setting_names_an_address() -> None:
    given = {"genesis": "/given"}
    assert parse(given).http is None
    assert parse({**given, "http": ""}).http is None
    assert parse({**given, "http": "[::1]:8080"}).http == HttpListen("::1", 8080)
    for wrong in (1, "8080", "localhost:80", "127.0.0.1:65536", "127.0.0.1:x"):
        with pytest.raises(ConfigError, match="http: "):
            parse({**given, "http": wrong})


def test_it_is_served_off_loopback_in_a_container_alone() -> None:
    anywhere = {"genesis": "/given", "http": "0.0.0.0:8080"}
    with pytest.raises(ConfigError, match=r"http: 0\.0\.0\.0 is not an address of loopback"):
        parse(anywhere)
    assert parse({**anywhere, "http_enclosed": True}).http == HttpListen("0.0.0.0", 8080)  # noqa: S104


async def test_nothing_is_served_and_nothing_loaded_without_it(tmp_path: Path) -> None:
    async with served() as node:
        assert node.rooms.http is None
        async with http_served(node.rooms.http, Config(Path("unused")), tmp_path) as port:
            assert port is None
        assert not (tmp_path / HTTP_TOKEN).exists()


async def test_a_port_that_is_taken_is_told(http: HttpNode, tmp_path: Path) -> None:
    config = Config(Path("unused"), http=HttpListen("127.0.0.1", http.port), http_open=True)
    with pytest.raises(AddressInUseError):
        async with http_served(http.node.rooms.http, config, tmp_path):
            pass


# -- the way in ----------------------------------------------------------------------------------


async def test_the_token_is_needed_as_a_bearer_or_as_a_password() -> None:
    async with http_node(is_open=False) as http:
        file = http.node.node.folder / HTTP_TOKEN
        assert file.stat().st_mode & 0o777 == 0o600
        token = read_token(file)
        password = base64.b64encode(f"anyone:{token}".encode()).decode()
        other = base64.b64encode(f"{token}:wrong".encode()).decode()
        for good in (f"Bearer {token}", f"basic {password}"):
            answer = await http.client.get(INFO, headers={"Authorization": good})
            assert answer.status_code == 200
        for bad in ("", token, "Bearer wrong", f"Basic {other}", "Basic !", "Basic /w=="):
            answer = await http.client.get(INFO, headers={"Authorization": bad})
            assert problem(answer) == (401, "UNAUTHENTICATED")
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_open_interface_is_open_to_this_machine_alone(http: HttpNode) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "192.168.0.1"):
        answer = await http.client.get(INFO, headers={"Host": host})
        assert problem(answer) == (401, "UNAUTHENTICATED")
    page = await http.client.get(INFO, headers={"Origin": "http://127.0.0.1"})
    assert problem(page) == (403, "ORIGIN_REFUSED")
    large = await http.client.get(INFO, headers={"X": "x" * 70_000})
    assert problem(large) == (431, "HEAD_TOO_LARGE")


async def test_paths_and_methods_that_there_are_not(http: HttpNode) -> None:
    assert problem(await http.get("/")) == (404, "PATH_UNKNOWN")
    assert problem(await http.get(f"{INFO}/")) == (404, "PATH_UNKNOWN")
    assert problem(await http.get("/docs")) == (404, "PATH_UNKNOWN")
    assert problem(await http.post(INFO, {})) == (405, "METHOD_UNKNOWN")
    for where in (INFO, "/cryptarchia/events/blocks/stream"):
        assert (await http.client.head(where)).status_code == 405
    assert problem(await http.get(INFO, x=1)) == (400, "REQUEST_INVALID")


async def test_too_many_requests_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(application, "MAX_REQUESTS", 1)
    async with http_node() as http:
        async with http.lines("/cryptarchia/events/blocks/stream"):
            assert problem(await http.get(INFO)) == (503, "TOO_MANY_REQUESTS")
        await until_served(http)


async def until_served(http: HttpNode) -> None:
    async with asyncio.timeout(20):
        while (await http.get(INFO)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# -- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b"NaN",
        b'"x"',
        b"[" * 1_000,
        b'{"mantle_tx":{},"mantle_tx":{},"ops_proofs":[]}',
        b'{"mantle_tx":{"ops":[]},"ops_proofs":[' + b"9" * 100 + b"]}",
        b"[" + b"{}," * 100_001 + b"{}]",
        b"[" + b'"",' * 250_001 + b'""]',
    ],
)
async def test_bodies_that_are_none(http: HttpNode, raw: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await http.client.post(ADD, content=raw, headers=headers)
    assert problem(answer) == (400, "REQUEST_INVALID")
    assert len(answer.content) < 1_000


async def test_bodies_have_a_type_and_an_end(
    http: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = json.dumps(signed_json(http.node.world.spend(0))).encode()
    text = await http.client.post(ADD, content=raw, headers={"Content-Type": "text/plain"})
    assert problem(text) == (400, "REQUEST_INVALID")
    monkeypatch.setattr(reading, "MAX_BODY_BYTES", len(raw) - 1)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(raw), 100):
            yield raw[at : at + 100]

    headers = {"Content-Type": "application/json"}
    contents: list[Any] = [raw, pieces()]
    for content in contents:
        answer = await http.client.post(ADD, content=content, headers=headers)
        assert problem(answer) == (413, "BODY_TOO_LARGE")
    monkeypatch.setattr(reading, "MAX_BODY_BYTES", len(raw))
    assert (await http.client.post(ADD, content=raw, headers=headers)).status_code == 200


async def test_a_body_that_does_not_come_holds_nothing_up(http: HttpNode) -> None:
    head = f"POST {ADD} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n".encode()
    for _ in range(application.MAX_BODIES):
        with socket.create_connection(("127.0.0.1", http.port)) as client:
            client.sendall(head + b"{")
    answer = await http.add(signed_json(http.node.world.spend(0)))
    assert answer.status_code == 200


# -- failures ------------------------------------------------------------------------------------


async def test_failures_of_the_node_are_told(
    http: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_given: Any) -> Any:
        raise StoreFailedError("it failed")

    root = http.node.world.root.id.hex()
    with monkeypatch.context() as patch:
        patch.setattr(http.node.node.store, "block", fails)
        patch.setattr(http.node.node.store, "outline", fails)
        for where in (
            f"/cryptarchia/blocks/{root}",
            "/cryptarchia/headers",
            "/cryptarchia/blocks?slot_from=0&slot_to=9",
        ):
            assert problem(await http.client.get(where)) == (503, "STORE_FAILED")

    async def breaks(*_given: Any) -> Any:
        raise RuntimeError("a mistake")

    with monkeypatch.context() as patch:
        patch.setattr(http.node.node.store, "block", breaks)
        answer = await http.get(f"/cryptarchia/blocks/{root}")
        assert problem(answer) == (500, "INTERNAL")
        assert "mistake" not in answer.text


async def test_an_answer_comes_in_time_or_says_so(
    http: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_given: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(answers, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(http.node.node.store, "block", never)
    root = http.node.world.root.id.hex()
    assert problem(await http.get(f"/cryptarchia/blocks/{root}")) == (504, "TIMED_OUT")


# -- the node ------------------------------------------------------------------------------------


async def test_what_the_node_says_of_itself(http: HttpNode) -> None:
    await http.node.extend("one")
    found = await http.found("/time/info")
    assert found == {
        "slot_duration_ms": 1000,
        "genesis_time_unix_ms": 0,
        "current_slot": http.node.node.clock.ms // 1000,
        "current_epoch": 0,
    }
    assert await http.found("/chain/id") == {"chain_id": "test"}
    version = await http.found("/version")
    assert version["version"].endswith("-logos")
    assert version.keys() == {"version", "commit", "tag", "target", "profile", "rustc"}
    assert await http.found("/blend/info") is None


async def test_what_the_network_module_says(
    http: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await http.found("/network/info")
    assert found["peer_id"] == fake_peer_id(1)
    assert found["listen_addresses"]
    assert (found["connected_peers"], found["n_peers"], found["n_connections"]) == ([], 0, 0)

    async def fails() -> Any:
        raise NetworkUnavailableError("the network module did not take a call")

    assert http.node.rooms.http is not None
    monkeypatch.setattr(http.node.rooms.http.network, "standing", fails)
    answer = await http.get("/network/info")
    assert problem(answer) == (503, "NETWORK_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"


async def test_two_nodes_see_each_other() -> None:
    async with http_node() as one, http_node(board=one.node.node.board, number=2) as two:

        async def is_connected() -> bool:
            return bool((await two.found("/network/info"))["n_peers"])

        async with asyncio.timeout(20):
            while not await is_connected():  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        found = await two.found("/network/info")
        assert found["connected_peers"] == [fake_peer_id(1)]
        assert fake_peer_id(1) in found["discovered_peers"]


async def test_what_is_not_served_says_why(http: HttpNode) -> None:
    for (method, path), why in NOT_SERVED.items():
        answer = await http.client.request(method, path.replace("{id}", "00" * 32))
        assert problem(answer) == (501, "NOT_SERVED")
        assert answer.json()["message"] == why
