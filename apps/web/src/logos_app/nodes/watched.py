"""The nodes and what happened on them, as far as the app remembers; tells of each change."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from logos.kernel.v1 import events_pb2
from logos_app.nodes.cursors import Cursor
from logos_app.nodes.model import NodeSeen
from logos_app.testnet.telling import Happening, tell
from logos_app.testnet.transfers import transfer

REMEMBERED: Final = 5000
"""Happenings of all nodes together."""


class Nodes:
    """State of all nodes, in the order of the topology."""

    def __init__(self, testnet: str, nodes: Sequence[NodeSeen]) -> None:
        self.testnet = testnet
        self.names = [node.name for node in nodes]
        self.changed = asyncio.Event()
        """Set by each change, cleared by its reader."""
        self.is_watched = False
        """Whether a page is open."""
        self.told = Cursor(tuple(0 for _ in nodes))
        """How far the events were given out by `drain`."""
        self._waiting: deque[Happening] = deque(maxlen=REMEMBERED)
        self._seen = {node.name: node for node in nodes}
        self._happenings: deque[Happening] = deque(maxlen=REMEMBERED)
        self._positions = dict.fromkeys(self.names, 0)
        self._oldest = dict.fromkeys(self.names, 0)

    @property
    def seen(self) -> list[NodeSeen]:
        """Every node."""
        return [self._seen[name] for name in self.names]

    @property
    def title(self) -> str:
        """The name of the testnet, with a mark if something has failed."""
        failed = any(node.state == "failed" for node in self._seen.values())
        return f"(!) {self.testnet}" if failed else self.testnet

    @property
    def cursor(self) -> Cursor:
        """How far the events of every node are known."""
        return Cursor(tuple(self._positions[name] for name in self.names))

    def node(self, name: str) -> NodeSeen:
        """One node; `KeyError` if there is none of that name."""
        return self._seen[name]

    def put(self, node: NodeSeen) -> None:
        """Replaces what is known of a node."""
        if self._seen[node.name] != node:
            self._seen[node.name] = node
            self.changed.set()

    def begin(self, name: str, position: int) -> None:
        """Events of a node are known after this position; what was known before is forgotten."""
        self._positions[name] = self._oldest[name] = position
        kept = [each for each in self._happenings if each.node != name]
        self._happenings = deque(kept, maxlen=REMEMBERED)

    def take(self, name: str, event: events_pb2.Event) -> None:
        """Takes the next event of a node."""
        self._positions[name] = event.position
        happening = tell(name, event) or transfer(name, event)
        if happening is None:
            return
        if len(self._happenings) == REMEMBERED:
            lost = self._happenings[0]
            self._oldest[lost.node] = max(self._oldest[lost.node], lost.position)
        self._happenings.append(happening)
        self._waiting.append(happening)
        self.changed.set()

    def drain(self) -> list[Happening]:
        """What has happened since the last time that this was asked."""
        waiting = list(self._waiting)
        self._waiting.clear()
        self.told = self.cursor
        return waiting

    def since(self, cursor: Cursor) -> list[Happening] | None:
        """What happened after a cursor; None if not all of it is remembered."""
        after = cursor.by_name(self.names)
        if after is None or any(
            not self._oldest[name] <= after[name] <= self._positions[name] for name in self.names
        ):
            return None
        return [each for each in self._happenings if each.position > after[each.node]]

    @property
    def happenings(self) -> list[Happening]:
        """All that is remembered, newest first."""
        order = {name: index for index, name in enumerate(self.names)}
        return sorted(
            self._happenings,
            key=lambda each: (each.at_ms, order[each.node], each.position),
            reverse=True,
        )
