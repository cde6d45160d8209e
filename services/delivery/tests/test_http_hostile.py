"""The gate, strict JSON, the socket: what programs send that mean ill (DHT-2 to DHT-5)."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_clients import SHARD, TOPIC, message, path
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import ConfigError, NetworkUnavailableError
from logos_client.token_file import new_bearer, read_token
from logos_delivery.config import parse
from logos_delivery.core.enr import record
from logos_delivery.core.enr.identity import RecordKey
from logos_delivery.http import reading
from logos_delivery.http.addresses import AddressInvalidError, node_address
from logos_delivery.http.answers import Refused
from logos_delivery.http.application import build
from logos_delivery.http.messages import Written
from logos_delivery.http.reading import UnreadableError
from logos_delivery.node import http_served
from logos_module.http.access import BearerAccess, LocalAccess
from logos_module.http.listening import HttpListen
from logos_module.http.serving import serving
from logos_module.server import AddressInUseError

Net = Any
SUBSCRIPTIONS = "/relay/v1/subscriptions"
ADDRESS = f"/ip4/127.0.0.1/tcp/1/p2p/{record.build(RecordKey(bytes([7]) * 32), 1, {}).peer_id}"


@given(st.binary(max_size=200))
def test_bytes_are_json_or_refused(raw: bytes) -> None:
    try:
        value = reading.parse(raw)
    except UnreadableError:
        return
    assert json.loads(raw) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(message(proof="", meta=""), JSON)))
def test_values_are_messages_or_refused(value: Any) -> None:
    try:
        found = Written(value)
    except UnreadableError:
        return
    assert isinstance(value["payload"], str)
    assert isinstance(value["contentTopic"], str)
    with suppress(Refused):
        found.message()


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b'{"a":' * 100_000,
        b'{"payload":"x","payload":"y"}',
        b'{"timestamp":' + b"9" * 1_000_000 + b"}",
        b"NaN",
        b"[Infinity]",
        b"\xff",
        b"[1,]",
        b"",
        b'"\\ud800',
    ],
)
def test_what_is_not_read(raw: bytes) -> None:
    with pytest.raises(UnreadableError):
        reading.parse(raw)


def test_a_lone_surrogate_is_no_text() -> None:
    with pytest.raises(UnreadableError):
        reading.texts(reading.parse(b'["\\ud800"]'))


def test_many_fields_are_read_in_a_moment() -> None:
    names = ",".join(f'"{number}":1' for number in range(200_000))
    with pytest.raises(UnreadableError, match="Multiple `0` fields found"):
        reading.parse(f'{{{names},"0":1}}'.encode())


@given(st.text(max_size=100) | st.from_regex(r"(/(ip4|tcp|p2p|dns|ws|x)/[0-9a-zA-Z.]{0,20}){1,6}"))
def test_addresses_are_read_or_refused(text: str) -> None:
    try:
        found = node_address(text)
    except AddressInvalidError:
        return
    assert found.address == text
    assert text.endswith(found.peer_id)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1:8645", True),
        ("127.0.0.1", True),
        ("localhost:8645", True),
        ("localhost", True),
        ("[::1]:8645", True),
        ("[::1]", True),
        ("", False),
        ("evil.example", False),
        ("127.0.0.1.evil.example:8645", False),
        ("192.168.1.1:8645", False),
        ("localhost.evil.example", False),
    ],
)
def test_other_names_of_this_machine(host: str, *, is_local: bool) -> None:
    assert LocalAccess().admits("", host) is is_local


def test_bearers() -> None:
    bearer = new_bearer()
    access = BearerAccess(bearer)
    assert access.admits(f"Bearer {bearer}", "anything")
    assert access.admits(f"bearer  {bearer} ", "")
    for wrong in ("", bearer, "Bearer", "Bearer ", f"Bearer {new_bearer()}", f"Basic {bearer}"):
        assert not access.admits(wrong, "127.0.0.1")


@pytest.fixture
async def client(net: Net) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a token of a node that wants one."""
    node = await net.node(1, http="127.0.0.1:0")
    app = build(node.http, BearerAccess("logos_secret"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as found:
        yield found


async def test_all_but_the_health_needs_the_token(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).status_code == 200
    for method, where in (
        ("GET", "/info"),
        ("GET", "/metrics"),
        ("GET", "/admin/v1/peers"),
        ("GET", "/health/"),
        ("GET", "/none"),
        ("POST", SUBSCRIPTIONS),
        ("OPTIONS", SUBSCRIPTIONS),
    ):
        answer = await client.request(method, where)
        assert answer.status_code == 401, where
        assert answer.headers["www-authenticate"] == "Bearer"
    bearing = {"authorization": "Bearer logos_secret"}
    assert (await client.get("/info", headers=bearing)).status_code == 200


async def test_pages_that_browsers_show_are_refused(client: httpx.AsyncClient) -> None:
    headers = {"authorization": "Bearer logos_secret", "origin": "http://evil.example"}
    for where in ("/info", "/health"):
        answer = await client.get(where, headers=headers)
        assert (answer.status_code, answer.text) == (403, "Origin not allowed")


async def test_a_head_that_is_too_large(client: httpx.AsyncClient) -> None:
    large = {"x-large": "x" * 64_000}
    for answer in (
        await client.get("/health", headers={"x-large": "x" * 66_000}),
        await client.get("/health", params={"pubsubTopic": "x" * 2_000}, headers=large),
        await client.get(path("/filter/v2/messages", "x" * 2_000), headers=large),
    ):
        assert answer.status_code == 431


async def test_paths_and_methods_that_there_are_not(http_net: Net) -> None:
    node = await http_net.node(1)
    for method, where in (("GET", "/none"), ("PATCH", SUBSCRIPTIONS), ("POST", "/health")):
        answer = await node.ask(method, where)
        assert answer.status_code == 400
        assert answer.text == "Bad request initiated. Invalid path or method used."


async def test_bodies(http_net: Net) -> None:
    node = await http_net.node(1)
    answer = await node.client.post(SUBSCRIPTIONS)
    assert (answer.status_code, answer.text) == (400, "Missing content body")
    answer = await node.client.post(SUBSCRIPTIONS, content=b"[]", headers={"content-type": "a/b"})
    expected = "Wrong Content-Type, expected application/json or text/plain"
    assert (answer.status_code, answer.text) == (400, expected)
    headers = {"content-type": "text/plain; charset=utf-8"}
    answer = await node.client.post(SUBSCRIPTIONS, content=b"[]", headers=headers)
    assert answer.text == "OK"
    await node.follow(SHARD)
    large = b'"' + b"x" * (16 * 1024 * 1024) + b'"'
    for content in (large, _pieces(large)):
        where = path("/relay/v1/messages", SHARD)
        answer = await node.client.post(where, content=content, headers=headers)
        assert answer.status_code == 413
    twice = b'{"payload":"YQ==","payload":"YQ==","contentTopic":"/a/1/b/c"}'
    answer = await node.client.post(where, content=twice, headers=headers)
    assert answer.status_code == 400
    assert "Multiple `payload` fields found" in answer.text
    assert await node.fetched() == []


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 1024 * 1024):
        yield content[at : at + 1024 * 1024]


async def test_a_failure_of_the_network_module_is_told(
    http_net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = await http_net.node(1)

    async def fail(*_: Any) -> None:
        raise NetworkUnavailableError("the network module did not take a call")

    monkeypatch.setattr(node.node.http.filter, "ping", fail)
    monkeypatch.setattr(node.node.http.neighbours, "known", fail)
    for where, status in (
        ("/filter/v2/subscriptions/1", 500),
        ("/admin/v1/peers", 503),
        (f"/store/v3/messages?peerAddr={ADDRESS}", 500),
    ):
        answer = await node.ask("GET", where)
        assert answer.status_code == status
        assert "the network module did not take a call" in answer.text
    assert "waku_node_messages" in (await node.ask("GET", "/metrics")).text


async def test_too_many_topics_change_nothing(http_net: Net) -> None:
    node = await http_net.node(1)
    topics = [f"/waku/2/rs/3/{number}" for number in range(1_025)]
    answer = await node.ask("POST", SUBSCRIPTIONS, topics)
    assert answer.status_code == 500
    assert (await node.publish(message(), topics[0])).status_code == 400


async def test_a_real_client_over_a_real_socket(net: Net, short_folder: Path) -> None:
    settings = {"http": "127.0.0.1:0"}
    node = await net.node(1, **settings)
    async with http_served(node.http, parse(settings), short_folder) as port:
        bearer = read_token(short_folder / "http.token")
        headers = {"authorization": f"Bearer {bearer}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as one:
            assert (await one.post(SUBSCRIPTIONS, json=[SHARD])).text == "OK"
            where = path("/relay/v1/messages", SHARD)
            assert (await one.post(where, json=message())).text == "OK"
            [found] = (await one.get(where)).json()
            assert found["contentTopic"] == TOPIC
        head = b"GET /store/v3/messages?pubsubTopic=" + b"x" * 6_000_000
        said = await _said(port, head + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        assert said == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        assert (await _said(port, b"x" * 10 + b"\r\n\r\n")).startswith(b"HTTP/1.1 400")
    async with http_served(node.http, parse({**settings, "http_open": True}), short_folder) as port:
        base = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=base) as one:
            assert (await one.get("/info")).status_code == 200
            refused = await one.get("/info", headers={"host": "evil.example"})
            assert refused.status_code == 401
    free = socket.create_server(("127.0.0.1", 0))
    figures = f"127.0.0.1:{free.getsockname()[1]}"
    free.close()
    settings["http_metrics"] = figures
    async with (
        http_served(node.http, parse(settings), short_folder),
        httpx.AsyncClient(base_url=f"http://{figures}") as one,
    ):
        assert "waku_peer_store_size" in (await one.get("/metrics")).text
        assert (await one.get("/info")).status_code == 400
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_the_figures_without_the_interface(net: Net, short_folder: Path) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    figures = f"127.0.0.1:{free.getsockname()[1]}"
    free.close()
    settings = {"http_metrics": figures}
    node = await net.node(1, **settings)
    async with (
        http_served(node.http, parse(settings), short_folder) as port,
        httpx.AsyncClient(base_url=f"http://{figures}") as one,
    ):
        assert port is None
        assert "waku_peer_store_size" in (await one.get("/metrics")).text


async def _said(port: int | None, raw: bytes) -> bytes:
    """The first line of the answer to bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    await writer.drain()
    line = await reader.readline()
    writer.close()
    return line


async def test_nothing_is_served_where_it_is_not_set(net: Net, short_folder: Path) -> None:
    node = await net.node(1)
    assert node.http is None
    async with http_served(node.http, parse({}), short_folder) as port:
        assert port is None
    assert not (short_folder / "http.token").exists()


async def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressInUseError):
            async with serving(LocalAccess(), "127.0.0.1", port):  # type: ignore[arg-type]
                pass


@pytest.mark.parametrize("text", ["127.0.0.1:8645", "127.9.9.9:0", "[::1]:65535"])
def test_addresses_of_loopback_are_served(text: str) -> None:
    host, _, port = text.rpartition(":")
    assert parse({"http": text}).http == HttpListen(host.strip("[]"), int(port))


@pytest.mark.parametrize(
    "value", ["0.0.0.0:8645", "8645", "localhost:1", "127.0.0.1", "127.0.0.1:65536", "[::]:1", 1]
)
def test_clear_text_off_loopback_is_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="http: "):
        parse({"http": value})


def test_clear_text_in_a_container_of_its_own_is_served() -> None:
    anywhere = "0.0.0.0:8645"  # an address of the container
    with pytest.raises(ConfigError, match=r"http: 0\.0\.0\.0 is not .*; http_metrics: ::"):
        parse({"http": anywhere, "http_metrics": "[::]:1"})
    found = parse({"http": anywhere, "http_metrics": "[::]:1", "http_enclosed": True})
    assert found.http == HttpListen(anywhere.partition(":")[0], 8645)
    assert found.http_metrics == HttpListen("::", 1)


def test_other_settings_of_http() -> None:
    assert parse({"http": ""}).http is None
    assert parse({"http_metrics": "127.0.0.1:1"}).serves_http
    assert not parse({}).serves_http
    for name, value in (("http_open", 1), ("http_cache", 0), ("http_topics", ["x"])):
        with pytest.raises(ConfigError, match=f"{name}: "):
            parse({name: value})


def test_a_network_of_ones_own() -> None:
    found = parse({"preset": "logos.dev", "cluster": 199, "cluster_shards": 2, "shards": [1]})
    assert (found.preset.cluster, found.preset.shards, found.preset.rln) == (199, 2, None)
    for wrong in ({"cluster": 65_536}, {"cluster_shards": 0}, {"cluster_shards": 2, "shards": [2]}):
        with pytest.raises(ConfigError):
            parse(wrong)
