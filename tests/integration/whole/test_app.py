"""The app on a real testnet: what it shows, what it does, and what it streams."""

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from app_serving import served, visitor
from integration.commands import Command
from logos_app.config import Config
from logos_testnet.testnet import Testnet

pytestmark = pytest.mark.integration


@pytest.fixture
async def app(testnet: Testnet, tmp_path: Path) -> AsyncIterator[Config]:
    async with served(testnet, tmp_path) as config:
        yield config


@pytest.fixture
async def client(app: Config) -> AsyncIterator[httpx.AsyncClient]:
    async with visitor(app) as one:
        yield one


async def until(client: httpx.AsyncClient, path: str, text: str) -> str:
    """Reads a page until it says something."""
    async with asyncio.timeout(60):
        while text not in (page := (await client.get(path)).text):  # noqa: ASYNC110 - nodes'
            await asyncio.sleep(0.1)
    return page


async def store(
    client: httpx.AsyncClient, content: bytes, name: str, kind: str = "", node: str = "node1"
) -> str:
    """Stores a file as the page's script does; returns its CID."""
    answer = await client.post(
        f"/at/{node}/files/put",
        content=content,
        headers={"x-filename": quote(name, safe=""), "content-type": kind, "hx-request": "true"},
    )
    assert answer.status_code == 200, answer.text
    return re.findall(r"/files/(z\w+)", answer.text)[0]


async def test_the_pages_of_a_testnet_say_how_it_is(client: httpx.AsyncClient) -> None:
    page = await until(client, "/testnet", "10</b> of 10 links")

    assert "All five nodes are joined." in page
    assert page.count('class="card"') == 5
    assert "is ready." in page
    assert "storage" in (await client.get("/nodes/node1")).text
    module = (await client.get("/nodes/node1/modules/storage")).text
    assert "registered" in module


async def test_isolation_is_said_undone_and_recorded(client: httpx.AsyncClient) -> None:
    done = await client.post("/nodes/node4/isolate", headers={"hx-request": "true"})
    try:
        assert "Heal node4" in done.text
        page = await until(client, "/testnet", "node4</a> is isolated.")
        assert "Four of five nodes are joined." in page
        assert 'class="lost"' in page
        await until(client, "/testnet", "You isolated node4.")
    finally:
        await client.post("/nodes/node4/heal", headers={"hx-request": "true"})
    await until(client, "/testnet", "All five nodes are joined.")


async def test_an_isolation_by_command_is_said_too(
    client: httpx.AsyncClient, logos: Command
) -> None:
    """NET-16."""
    assert (await asyncio.to_thread(logos, "isolate", "node3")).returncode == 0
    try:
        await until(client, "/testnet/events?kind=faults", "Node3 was isolated.")
    finally:
        assert (await asyncio.to_thread(logos, "heal", "node3")).returncode == 0
    await until(client, "/testnet/events?kind=faults", "Node3 was healed.")
    await until(client, "/testnet", "All five nodes are joined.")


async def test_acts_of_others_are_told_from_ours(app: Config, client: httpx.AsyncClient) -> None:
    await client.post("/nodes/node3/modules/storage/restart")
    await until(client, "/testnet/events?node=node3", "You restarted storage on node3.")
    async with visitor(app) as another:
        page = await until(another, "/testnet/events", "Another session restarted storage")

    assert "You restarted" not in page
    await until(client, "/nodes/node3", 'data-s="ready">ready</span>')


async def test_a_module_is_killed_and_comes_back(client: httpx.AsyncClient) -> None:
    """KER-45."""
    page = "/nodes/node2/modules/storage"
    await until(client, page, f'hx-post="{page}/kill"')

    done = await client.post(f"{page}/kill", headers={"hx-request": "true"})

    assert "storage on node2 was killed." in done.text
    await until(client, "/testnet/events?node=node2", "Storage on node2 was killed on request.")
    await until(client, "/testnet/events?node=node2", "You killed storage on node2.")
    await until(client, page, "was killed on request.</td>")
    await until(client, "/nodes/node2", 'data-s="ready">ready</span>')
    await until(client, "/testnet", "All five nodes are joined.</h1>")


async def test_all_of_a_node_is_killed_and_comes_back(client: httpx.AsyncClient) -> None:
    await until(client, "/testnet", "All five nodes are joined.</h1>")

    await client.post("/nodes/node4/kill", headers={"hx-request": "true"})

    await until(client, "/testnet/events?node=node4", "You killed all modules on node4.")
    for module in ("Mixnet", "Storage"):
        told = f"{module} on node4 was killed on request."
        await until(client, "/testnet/events?node=node4", told)
    await until(client, "/testnet", "All five nodes are joined.</h1>")


async def test_a_module_is_stopped_and_started(client: httpx.AsyncClient) -> None:
    done = await client.post("/nodes/node2/modules/storage/stop", headers={"hx-request": "true"})
    assert "Start storage on node2" in done.text
    await until(client, "/testnet", "was stopped")
    refused = await client.get("/at/node2/files/")
    assert "MODULE_NOT_READY" in refused.text
    await client.post("/nodes/node2/modules/storage/start")
    await until(client, "/testnet", "All five nodes are joined.")
    await until(client, "/testnet", "All five nodes are joined.</h1>")


async def test_files_are_stored_listed_and_read_by_ranges(client: httpx.AsyncClient) -> None:
    content = os.urandom(300_000)
    cid = await store(client, content, 'a<b>"é\u202e.bin', "application/x-thing")

    page = (await client.get("/at/node1/files/")).text
    assert "a&lt;b&gt;&#34;é[U+202E].bin" in page
    assert "\u202e" not in page

    raw = f"/at/node1/files/{cid}/raw"
    whole = await client.get(raw)
    assert whole.content == content
    assert whole.headers["content-security-policy"].startswith("sandbox")
    assert whole.headers["content-disposition"].startswith("attachment")
    assert whole.headers["etag"] == f'"{cid}"'
    for header, expected in (
        ("bytes=0-0", content[:1]),
        ("bytes=-5", content[-5:]),
        ("bytes=65530-65545", content[65530:65546]),
        ("bytes=299999-", content[299_999:]),
    ):
        part = await client.get(raw, headers={"range": header})
        assert (part.status_code, part.content) == (206, expected)
        assert int(part.headers["content-length"]) == len(expected)
    past = await client.get(raw, headers={"range": "bytes=300000-"})
    assert (past.status_code, past.headers["content-range"]) == (416, "bytes */300000")
    changed = await client.get(raw, headers={"range": "bytes=0-0", "if-range": '"other"'})
    assert changed.status_code == 200
    head = await client.head(raw)
    assert (head.headers["content-length"], head.content) == ("300000", b"")
    same = await client.get(raw, headers={"if-none-match": f'"{cid}"'})
    assert same.status_code == 304


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml"])
async def test_files_with_script_are_no_pages(kind: str, client: httpx.AsyncClient) -> None:
    cid = await store(client, b"<script>alert(1)</script>", "x.html", kind)

    raw = await client.get(f"/at/node1/files/{cid}/raw")
    page = (await client.get(f"/at/node1/files/{cid}")).text

    assert raw.headers["content-type"] in {"text/plain; charset=utf-8", "application/octet-stream"}
    assert "<script>alert" not in page


async def test_the_tour_s_second_step_is_done_by_a_fetch(client: httpx.AsyncClient) -> None:
    cid = await store(client, os.urandom(2_000_000), "tour.bin")

    started = await client.post(f"/at/node4/files/{cid}/fetch", headers={"hx-request": "true"})
    assert started.status_code == 200
    await until(client, "/testnet/events?kind=transfers", "You fetched tour.bin to node4: 1.9 MiB")

    page = (await client.get("/testnet")).text
    assert re.search(r'class="done">store a file', page)
    held = (await client.get("/at/node1/files/holders")).text
    assert "2 of 5" in held


async def test_the_tour_follows_what_is_done_by_command(
    client: httpx.AsyncClient, logos: Command, tmp_path: Path
) -> None:
    """STO-41: whoever stores and fetches, it stands on the timeline."""
    source = tmp_path / f"{os.urandom(8).hex()}.bin"
    source.write_bytes(os.urandom(300_000))

    put = await asyncio.to_thread(logos, "ctl", "--node", "node2", "storage", "put", str(source))
    cid = put.stdout.decode().strip()
    copy = ("storage", "get", cid, "-o", str(tmp_path / "copy"))
    got = await asyncio.to_thread(logos, "ctl", "--node", "node5", *copy)

    assert (put.returncode, got.returncode) == (0, 0)
    told = f"{source.name} was stored on node2: 293 KiB."
    await until(client, "/testnet/events?kind=transfers", told)
    await until(client, "/testnet/events", f"{source.name} was fetched to node5: 293 KiB in ")
    assert re.search(r'class="done">store a file', (await client.get("/testnet")).text)


async def test_the_last_copy_is_deleted_only_if_that_was_meant(client: httpx.AsyncClient) -> None:
    cid = await store(client, os.urandom(1000), "last.bin", node="node5")

    refused = await client.post(f"/at/node5/files/{cid}/delete", headers={"hx-request": "true"})
    assert (refused.status_code, "LAST_COPY" in refused.text) == (409, True)
    done = await client.post(f"/at/node5/files/{cid}/delete?sure=last")
    assert "It was the last copy." in done.text
    assert (await client.get("/at/node5/files/?q=last.bin")).text.count("/raw") == 0


async def test_an_upload_that_breaks_off_leaves_nothing(
    app: Config, client: httpx.AsyncClient
) -> None:
    before = await _space(client)

    async def half() -> AsyncIterator[bytes]:
        yield b"x" * 5_000_000
        raise ConnectionError("the tab was closed")

    with pytest.raises(ConnectionError):
        await client.post(
            "/at/node1/files/put",
            content=half(),
            headers={"x-filename": "half.bin", "content-length": "10000000"},
        )
    async with asyncio.timeout(30):
        while await _space(client) != before:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.1)
    assert "half.bin" not in (await client.get("/at/node1/files/?q=half")).text.partition("rows")[2]


async def _space(client: httpx.AsyncClient) -> str:
    """What the page says of the room of node1."""
    page = (await client.get("/at/node1/files/")).text
    return page.partition('id="says">')[2].partition("</h1>")[0]


async def test_what_has_no_room_is_said_before_it_is_sent(client: httpx.AsyncClient) -> None:
    assert (await client.get("/at/node1/files/room?size=10")).status_code == 204
    refused = await client.get(f"/at/node1/files/room?size={2**50}", headers={"hx-request": "true"})

    assert refused.status_code == 409
    assert "are lacking" in refused.text


@pytest.mark.parametrize("cid", ["nonsense", "zDvZRwzm", "z" + "1" * 300, "%2e%2e"])
async def test_ids_that_are_none_have_a_sentence(cid: str, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/at/node1/files/{cid}")

    assert answer.status_code == 404
    assert re.search(r"<code>[A-Z_]+</code>", answer.text)


class Stream:
    """The messages of a stream, by event."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()
        self.id = ""

    async def next(self, *texts: str) -> None:
        """Waits for messages that hold these texts, one or several; remembers ids."""
        message, wanted = "", set(texts)
        async for line in self._lines:
            if line.startswith("id: "):
                self.id = line[4:]
            if line:
                message += line + "\n"
                continue
            wanted = {text for text in wanted if text not in message}
            message = ""
            if not wanted:
                return
        raise AssertionError(f"the stream ended without {wanted}")


async def test_what_happens_is_streamed_and_replayed(
    testnet: Testnet, client: httpx.AsyncClient
) -> None:
    url = "/live?topics=testnet,events,nav"
    async with asyncio.timeout(60), client.stream("GET", url) as response:
        stream = Stream(response)
        await stream.next("event: hello")
        begin = stream.id
        await stream.next("event: rates")
        await testnet.kill("node5", "storage", 9)
        await stream.next("Storage on node5 ended", "Storage on node5 is ready")
    async with asyncio.timeout(30):
        headers = {"last-event-id": begin}
        async with client.stream("GET", url, headers=headers) as response:
            stream = Stream(response)
            await stream.next("Storage on node5 ended", "Storage on node5 is ready")
            await stream.next("event: hello")
        headers = {"last-event-id": "999999.1.1.1.1"}
        async with client.stream("GET", url, headers=headers) as response:
            await Stream(response).next("event: resync")


async def test_a_log_is_followed(client: httpx.AsyncClient) -> None:
    async with (
        asyncio.timeout(60),
        client.stream("GET", "/live?topics=log:node2:storage") as response,
    ):
        stream = Stream(response)
        await stream.next("event: hello")
        await client.post("/nodes/node2/modules/storage/restart")
        await stream.next("<bdi>ready</bdi>")


async def test_a_closed_session_ends_its_stream(app: Config) -> None:
    async with visitor(app) as one, asyncio.timeout(30):
        async with one.stream("GET", "/live?topics=nav") as response:
            stream = Stream(response)
            await stream.next("event: hello")
            await one.post("/close")
            await stream.next("event: bye")
        assert (await one.get("/live")).status_code == 401


async def test_the_token_is_in_no_page(app: Config, client: httpx.AsyncClient) -> None:
    bearer = app.operator_token.read_text(encoding="ascii").strip()
    for path in ("/testnet", "/nodes/node1", "/at/node1/files/", "/parts", "/static/app.js"):
        assert bearer not in (await client.get(path)).text
    hashed = hashlib.sha256(bearer.encode()).hexdigest()
    assert hashed not in (app.state_dir / "sessions.json").read_text(encoding="ascii")
