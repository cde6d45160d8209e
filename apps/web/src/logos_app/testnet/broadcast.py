"""Sends changes of the nodes to open pages: at most twice a second, and only what changed."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import grpc

from logos_app.clock import now_ms
from logos_app.nodes.doors import CALL_S
from logos_app.panels.contract import Follow, Panel, Place
from logos_app.shown import charts, formats
from logos_app.testnet import blocks, picture
from logos_app.testnet.sentence import figures, sentence
from logos_app.testnet.telling import Happening

if TYPE_CHECKING:
    from logos_app.nodes.model import NodeSeen
    from logos_app.shell.pages import Shell

TESTNET: Final = "testnet"
EVENTS: Final = "events"
NAV: Final = "nav"
GAP_S: Final = 0.5
ROWS: Final = 200
"""What a page shows of the timeline at most."""
FIGURES_S: Final = 5.0
FIGURE_TIMEOUT_S: Final = 0.3
AGAIN_S: Final = 1.0
"""Until a module that is not followed is looked at again."""


async def broadcast(shell: "Shell") -> None:
    """Sends changes, until it is cancelled."""
    sent: dict[str, tuple[int, str]] = {}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ask_figures(shell))
        tasks.create_task(_ask_panels(shell))
        tasks.create_task(_read_panels(shell))
        for panel in shell.panels:
            if panel.follow is not None:
                for name in shell.nodes.names:
                    tasks.create_task(_follow_panel(shell, panel, name, panel.follow))
        while True:
            await shell.nodes.changed.wait()
            shell.nodes.changed.clear()
            topics = shell.live.topics
            shell.nodes.is_watched = bool(topics)
            # First what happened: the ids of all that follows say that it was told.
            if happened := shell.nodes.drain():
                shell.live.publish(EVENTS, rows_sent(shell, happened))
            for topic, template, values in _parts(shell, topics):
                text = shell.partial(template, **values)
                # A stream that was opened since has had none of it.
                version = shell.live.openings(topic), hashlib.sha256(text.encode()).hexdigest()
                if sent.get(topic) != version:
                    sent[topic] = version
                    shell.live.publish(topic, text)
            if TESTNET in topics:
                shell.live.publish_json(TESTNET, "rates", picture.rates(shell.nodes.seen))
            await asyncio.sleep(GAP_S)


def _parts(shell: "Shell", topics: Iterable[str]) -> list[tuple[str, str, dict[str, Any]]]:
    """The parts of pages that are open."""
    nodes = shell.nodes.seen
    found: list[tuple[str, str, dict[str, Any]]] = []
    for topic in topics:
        if topic == TESTNET:
            found.append((topic, "testnet_parts.html", {"view": view(nodes)}))
        elif topic == NAV:
            found.append((topic, "tour_part.html", {}))
        elif topic.startswith("nav:"):
            found.append((topic, "counts.html", {"viewpoint": topic[4:]}))
        elif topic.startswith("node:") and topic[5:] in shell.nodes.names:
            node = shell.nodes.node(topic[5:])
            found.append((topic, "node_parts.html", {"view": node_view(shell.nodes.seen, node)}))
        elif topic.startswith("module:"):
            _, name, module = (*topic.split(":"), "", "")[:3]
            seen = shell.nodes.node(name).module(module) if name in shell.nodes.names else None
            if seen is not None:
                values = {"node": shell.nodes.node(name), "module": seen}
                found.append((topic, "module_parts.html", values))
    return found


def view(nodes: "list[NodeSeen]") -> dict[str, Any]:
    """What the testnet's page shows."""
    standings = blocks.standings(nodes, now_ms())
    return {
        "nodes": nodes,
        "sentence": sentence(nodes),
        "figures": figures(nodes),
        "arcs": picture.arcs(nodes),
        "links_said": picture.links_said(nodes),
        "places": [picture.place(index, len(nodes)) for index in range(len(nodes))],
        "named": _named(len(nodes)),
        "standings": standings,
        "is_large": len(nodes) > picture.MOST_WORDS,
        "cards": [_card(nodes, *each) for each in zip(nodes, standings, strict=True)],
    }


def _named(count: int) -> list[bool]:
    """Which nodes are named under the map."""
    return [count <= picture.MOST_WORDS or index % 10 == 9 or index == 0 for index in range(count)]


def _card(
    nodes: "list[NodeSeen]", node: "NodeSeen", standing: blocks.Standing | None = None
) -> dict[str, Any]:
    shown = node.memory[:: max(1, len(node.memory) // 30)]
    label = f"Memory over 10 minutes: now {formats.size(node.memory[-1] if node.memory else None)}"
    others = sum(1 for other in nodes if other is not node)
    peers = {other.peer_id for other in nodes if other.peer_id}
    alive = [other.name for other in nodes if other.answers]
    return {
        "node": node,
        "standing": standing or blocks.Standing(),
        "spark": charts.spark([float(value) for value in shown], label),
        "links": f"{len(peers & set(node.links))} of {others}" if node.peer_id else formats.UNKNOWN,
        "up": _up(node),
        "memory": formats.size(node.memory[-1] if node.memory else None),
        "is_last": alive == [node.name],
        "is_observed": any(module.is_observed for module in node.modules),
        "is_stopped": bool(node.modules) and not any(each.is_wanted for each in node.modules),
    }


def _up(node: "NodeSeen") -> str:
    """For how long it has run; of one that does not answer, when that was last known."""
    if not node.started_ms:
        return formats.UNKNOWN
    return formats.about((now_ms() if node.answers else node.as_of_ms) - node.started_ms)


def node_view(nodes: "list[NodeSeen]", node: "NodeSeen") -> dict[str, Any]:
    """What a node's page shows."""
    named = {other.peer_id: other.name for other in nodes if other.peer_id}
    links = [
        {
            "name": named.get(link.peer_id, ""),
            "link": link,
            "rate": node.rates.get(link.peer_id),
        }
        for link in sorted(node.links.values(), key=lambda link: named.get(link.peer_id, "~"))
    ]
    return {"card": _card(nodes, node), "node": node, "links": links}


def rows_sent(shell: "Shell", happened: Iterable[Happening]) -> Callable[[str], str]:
    """What makes the new rows of the timeline for a session; the newest 200 of them."""
    newest = sorted(happened, key=lambda each: (each.at_ms, each.node, each.position))[-ROWS:]

    def made(session: str) -> str:
        nodes = shell.nodes.seen
        places = {node.name: picture.place(at, len(nodes)) for at, node in enumerate(nodes)}
        return shell.partial(
            "event_part.html", rows=newest[::-1], session=session, view={"places": places}
        )

    return made


async def _ask_figures(shell: "Shell") -> None:
    """Asks for the figures of panels that open pages show, and sends those that have changed."""
    while True:
        before = dict(shell.figures)
        for topic in sorted(shell.live.topics):
            if topic.startswith("nav:"):
                await _ask(shell, topic[4:])
        if shell.figures != before:
            shell.nodes.changed.set()
        await asyncio.sleep(FIGURES_S)


async def _ask(shell: "Shell", viewpoint: str) -> None:
    for panel in shell.panels:
        if panel.figure is None or viewpoint not in shell.nodes.names:
            continue
        node = shell.nodes.node(viewpoint)
        module = node.module(panel.module)
        if not node.answers or module is None or module.state != "ready":
            continue
        try:
            async with asyncio.timeout(FIGURE_TIMEOUT_S):
                figure = await panel.figure(shell.doors.to(viewpoint))
        except (TimeoutError, grpc.aio.AioRpcError):
            continue  # the last one stays
        shell.figures[viewpoint, panel.slug] = figure


async def _read_panels(shell: "Shell") -> None:
    """Has panels read what they show over time, of every node that has their module."""
    while True:
        for panel in shell.panels:
            for node in shell.nodes.seen:
                module = node.module(panel.module)
                if panel.read is None or not node.answers or module is None:
                    continue
                if module.state != "ready":
                    continue
                try:
                    async with asyncio.timeout(FIGURE_TIMEOUT_S):
                        await panel.read(Place(shell, node.name, panel, shell.doors.to(node.name)))
                except (TimeoutError, grpc.aio.AioRpcError):
                    continue  # a gap
        await asyncio.sleep(FIGURES_S)


async def _follow_panel(shell: "Shell", panel: Panel, name: str, follow: Follow) -> None:
    """Has a panel follow its module on a node whenever it is ready there."""
    while True:
        node = shell.nodes.node(name)
        module = node.module(panel.module)
        if node.answers and module is not None and module.state == "ready":
            # It has gone, or will not be followed now: what is known of it stays.
            with suppress(grpc.aio.AioRpcError):
                await follow(Place(shell, name, panel, shell.doors.to(name)))
        await asyncio.sleep(AGAIN_S)


async def _ask_panels(shell: "Shell") -> None:
    """Makes the live parts of panels that are open, and sends those that have changed."""
    sent: dict[str, tuple[int, str]] = {}
    while True:
        topics = shell.live.topics
        sent = {topic: text for topic, text in sent.items() if topic in topics}
        for topic in sorted(topics):
            try:
                async with asyncio.timeout(CALL_S):  # one that hangs holds up the others
                    text = await _live_part(shell, topic)
            except (TimeoutError, grpc.aio.AioRpcError):
                continue  # what is shown stays
            if text is None:
                continue
            version = shell.live.openings(topic), text
            if sent.get(topic) != version:
                sent[topic] = version
                shell.live.publish(topic, text)
        await asyncio.sleep(GAP_S)


async def _live_part(shell: "Shell", topic: str) -> str | None:
    """The part of a panel's pages for a topic; None if the topic is not of one."""
    slug, name, thing = (*topic.split(":", 2), "", "")[:3]
    panel = next((each for each in shell.panels if each.slug == slug), None)
    if panel is None or name not in shell.nodes.names or not shell.nodes.node(name).answers:
        return None
    at = Place(shell, name, panel, shell.doors.to(name))
    if thing:
        return None if panel.live_of is None else await panel.live_of(at, thing)
    return None if panel.live is None else await panel.live(at)
