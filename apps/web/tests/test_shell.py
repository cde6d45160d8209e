"""The shell: navigation, search, tour, panels found by name, and the pages' frame."""

import gzip
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import APIRouter

from app_rig import visiting
from logos_app.nodes.model import ModuleSeen, NodeSeen, Reach
from logos_app.panels.contract import Found, Panel
from logos_app.panels.discovery import find_panels
from logos_app.panels.mounting import takes_files
from logos_app.shell.finding import find
from logos_app.shell.navigation import items, viewpoint_of
from logos_app.shell.templates import load_templates
from logos_app.shell.tour import steps
from logos_app.testnet import broadcast
from logos_app.testnet.telling import Happening

CID = "zDvZRwzmAJwXFqjQk9Qe7abcdefgh"
FILES = Panel("Files", "files", 1, APIRouter(), module="storage", takes_files=("put",))
HELLO = Panel("Hello", "hello", 9, APIRouter(), module="hello")


def node(name: str, *modules: str, reach: Reach = Reach.ANSWERS) -> NodeSeen:
    seen = tuple(ModuleSeen(module, "ready") for module in modules)
    return NodeSeen(name, "", reach, modules=seen, peer_id=f"16Uiu2{name}")


NODES = [node("node1", "mixnet"), node("node2", "mixnet", "storage")]


def test_only_panels_of_modules_that_are_there_are_shown() -> None:
    found = items([FILES, HELLO], NODES, {("node2", "files"): "11"}, "node2", "/at/node2/files/")

    assert [(item.title, item.figure, item.is_here) for item in found] == [
        ("Testnet", "2 nodes", False),
        ("Files", "11", True),
        ("Parts", "", False),
    ]


def test_a_panel_that_the_viewpoint_lacks_leads_to_a_node_that_has_it() -> None:
    found = items([FILES], NODES, {}, "node1", "/testnet")

    assert found[1].href == "/at/node2/files/"
    assert found[0].is_here


@pytest.mark.parametrize(
    ("path", "viewpoint"),
    [
        ("/at/node2/files/", "node2"),
        ("/nodes/node2", "node2"),
        ("/at/other/files/", "node1"),
        ("/testnet", "node1"),
    ],
)
def test_the_viewpoint_is_that_of_the_address(path: str, viewpoint: str) -> None:
    assert viewpoint_of(path, NODES) == viewpoint


def test_the_viewpoint_is_a_node_that_answers() -> None:
    away = [replace(NODES[0], reach=Reach.AWAY), NODES[1]]

    assert viewpoint_of("/testnet", away) == "node2"


@pytest.mark.parametrize(
    ("query", "hrefs"),
    [
        ("node2", ["/nodes/node2"]),
        (" NODE2 ", ["/nodes/node2"]),
        ("16Uiu2node1", ["/nodes/node1"]),
        ("storage", ["/nodes/node2/modules/storage"]),
        ("mixnet", ["/nodes/node1/modules/mixnet", "/nodes/node2/modules/mixnet"]),
        ("node2/mixnet", ["/nodes/node2/modules/mixnet"]),
        ("Files", ["/at/node2/files/"]),
        (CID, [f"/files/{CID}"]),
        (f"0x{CID}", [f"/files/{CID}"]),
        ("", []),
        ("nothing", []),
        ("node", []),
        ("javascript:alert(1)", []),
    ],
)
def test_ids_and_names_are_found(query: str, hrefs: list[str]) -> None:
    assert [found.href for found in find(query, NODES, [FILES], "node2")] == hrefs


def test_what_is_ambiguous_is_listed() -> None:
    found = find("mixnet", NODES, [], "node1")

    assert found[0] == Found("Module mixnet on node1", "/nodes/node1/modules/mixnet")
    assert len(found) == 2


def act(verb: str, at: str, cid: str = CID) -> Happening:
    return Happening(at, 1, 1, "transfers", "dot", "", cid=cid, verb=verb)


@pytest.mark.parametrize(
    ("happenings", "done"),
    [
        ([], ["Run a node"]),
        ([act("store", "node1")], ["Run a node"]),
        ([act("store", "node1"), act("fetch", "node1")], ["Run a node"]),
        ([act("store", "node1"), act("fetch", "node2", "zOther")], ["Run a node"]),
        ([act("store", "node1"), act("fetch", "node2")], ["Run a node", "store a file"]),
        (
            [act("store", "node1"), act("fetch", "node2"), act("ping", "node1")],
            ["Run a node", "store a file", "send something that nobody can trace"],
        ),
    ],
)
def test_steps_of_the_tour_are_done_when_they_have_happened(
    happenings: list[Happening], done: list[str]
) -> None:
    found = steps(NODES, happenings)

    assert [step.words for step in found if step.is_done] == done
    rest = ["store a file", "send something that nobody can trace"]
    assert [step.words for step in found if step.is_next] == rest[len(done) - 1 :][:1]
    assert [step.words for step in found if step.is_absent] == ["send a message", "transfer tokens"]


def test_tokens_are_transferred_once_a_block_has_them() -> None:
    nodes = [node("node1", "chain")]
    assert [step.href for step in steps(nodes, []) if step.is_next] == ["/at/node1/wallet/"]
    done = steps(nodes, [act("transfer", "node1")])

    assert [step.words for step in done if step.is_done] == ["Run a node", "transfer tokens"]


def test_a_panel_is_found_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "my_module").mkdir()
    (tmp_path / "my_module/panel.py").write_text(
        "from fastapi import APIRouter\nfrom logos_app.panels.contract import Panel\n"
        "PANEL = Panel('Mine', 'mine', 0, APIRouter())\n",
        encoding="utf-8",
    )

    found = find_panels([tmp_path])

    assert (found[0].module, found[0].slug) == ("my-module", "mine")


def test_a_module_may_have_several_panels(tmp_path: Path) -> None:
    for slug in ("one", "two"):
        (tmp_path / slug).mkdir()
        (tmp_path / slug / "panel.py").write_text(
            f"{_IMPORTS}PANEL = Panel('{slug}', '{slug}', 0, APIRouter(), module='mine')\n",
            encoding="utf-8",
        )

    found = find_panels([tmp_path])[:2]

    assert [(panel.module, panel.name) for panel in found] == [("mine", "one"), ("mine", "two")]
    seen = items(found, [node("node1", "mine")], {}, "node1", "/testnet")
    assert [item.href for item in seen[1:3]] == ["/at/node1/one/", "/at/node1/two/"]
    assert len(items(found, NODES, {}, "node1", "/testnet")) == 2


_IMPORTS = "from fastapi import APIRouter\nfrom logos_app.panels.contract import Panel\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("PANEL = 1\n", "holds no PANEL"),
        (
            _IMPORTS + "PANEL = Panel('Mine', '../x', 0, APIRouter())\n",
            "slug",
        ),
    ],
)
def test_a_panel_that_cannot_be_used_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/panel.py").write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=why):
        find_panels([tmp_path])


@pytest.mark.parametrize(
    ("path", "takes"),
    [
        ("/at/node1/files/put", True),
        ("/at/node1/files/other", False),
        ("/at/node1/files/put/more", False),
        ("/at/node1/hello/put", False),
        ("/files/put", False),
    ],
)
def test_only_named_paths_take_files(path: str, *, takes: bool) -> None:
    assert takes_files([FILES, HELLO], path) == takes


PAGES = ["/testnet", "/testnet/events", "/nodes/node1", "/parts", "/more", "/go?q=x", "/none"]


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_has_the_frame_and_nothing_inline(path: str, tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        page = (await client.get(path)).text

    assert page.count("<h1") == 1
    assert "<title>small: " in page
    assert 'href="#main"' in page
    assert not re.search(r"<script(?![^>]* src=\"/static/)", page)
    assert not re.search(r"<[^>]* (style|on[a-z]+|hx-on[^=]*)=", page)
    assert not re.search(r"(?:href|src|action)=\"(?:https?:)?//", page)
    assert "http" not in re.sub(r"http-equiv", "", page)


@pytest.mark.parametrize("path", ["/nodes/none", "/nodes/node1/modules/none", "/at/none/files/"])
async def test_addresses_that_lead_nowhere_say_so(path: str, tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        answer = await client.get(path)

    assert answer.status_code == 404
    assert re.search(r"<code>[A-Z_]+</code>", answer.text)


async def test_what_was_looked_for_is_no_markup(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        page = (await client.get("/go", params={"q": "<script>\u202e"})).text

    assert "<script>\u202e" not in page
    assert "&lt;script&gt;[U+202E]" in page


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/at/node1/files/", "/at/node2/files/"),
        ("/testnet", "/nodes/node2"),
        ("//evil.test/at/node1/files/", "/nodes/node2"),
        ("/at/node1/../../evil", "/nodes/node2"),
    ],
)
async def test_the_select_changes_the_viewpoint_alone(
    path: str, leads: str, tmp_path: Path
) -> None:
    async with visiting(tmp_path) as (client, _):
        answer = await client.get("/see", params={"node": "node2", "path": path})

    assert answer.headers["location"] == leads


async def test_the_first_load_is_small(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        page = (await client.get("/testnet")).text
        names = set(re.findall(r"(?:src|href)=\"(/static/[^\"]+)", page))
        sizes = {name: len((await client.get(name)).content) for name in names}

    assert len(names) + 1 <= 6
    assert sum(sizes.values()) + len(page.encode()) <= 150 * 1024, sizes
    assert sizes["/static/app.js"] <= 12 * 1024


async def test_the_first_load_is_small_on_the_wire(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        page = await client.get("/testnet")
        names = set(re.findall(r"(?:src|href)=\"(/static/[^\"]+)", page.text))
        contents = [page.content, *[(await client.get(name)).content for name in names]]

    assert sum(len(gzip.compress(content)) for content in contents) <= 45_000


@pytest.mark.parametrize(("count", "is_table"), [(12, False), (13, True)])
async def test_many_nodes_are_a_table(count: int, *, is_table: bool, tmp_path: Path) -> None:
    nodes = " ".join(f"node{at}=127.0.0.1:{at}" for at in range(1, count + 1))
    async with visiting(tmp_path, LOGOS_APP_NODES=nodes) as (client, _):
        page = (await client.get("/testnet")).text

    assert ('<table class="table" id="cards">' in page) == is_table
    assert page.count('id="card-node') == count


def test_figures_of_a_node_that_does_not_answer_have_their_time() -> None:
    seen = NodeSeen(
        "node1", "", Reach.AWAY, 60_000, 30_000, peer_id="p", memory=(2**20,), modules=()
    )
    view = broadcast.view([seen, node("node2")])
    card = load_templates({}).get_template("node_card.html").module
    text = str(card.node_card(view["cards"][0]))  # type: ignore[attr-defined]

    assert '<dl class="old">' in text
    assert text.count("as of <time") == 3
    assert "1 MiB" in text
    assert "30 s" in text
    assert "as of" not in str(card.node_card(view["cards"][1]))  # type: ignore[attr-defined]
    assert "as of <time" in str(card.node_row(view["cards"][0]))  # type: ignore[attr-defined]


async def test_a_file_without_a_node_needs_one_that_is_ready(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (client, _):
        answer = await client.get(f"/files/{CID}")

    assert answer.status_code == 404
    assert "STORAGE_NOT_READY" in answer.text
