"""Tabs and what waits for them: bounded queues, and the form of server-sent events."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

QUEUE: Final = 256
"""Messages that may wait for a tab; then it is told to read its page again."""
STREAMS_A_SESSION: Final = 4
"""Browsers allow six connections a host; two are left for pages."""
MOST_TABS: Final = 200
HEARTBEAT_S: Final = 15.0

Text = str | Callable[[str], str]
"""What is sent, or what makes it for a session of this name."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `event` empty: HTML that htmx swaps in."""

    data: str
    event: str = ""
    id: str = ""


def written(message: Message) -> bytes:
    """A message as a server-sent event. Line ends of the data become lines of their own."""
    lines = []
    if message.id:
        lines.append(f"id: {message.id}")
    if message.event:
        lines.append(f"event: {message.event}")
    if message.data or message.event:
        text = message.data.replace("\r\n", "\n").replace("\r", "\n")
        lines += [f"data: {line}" for line in text.split("\n")]
    return ("\n".join(lines) + "\n\n").encode()


@dataclass(slots=True, eq=False)
class Tab:
    """One open stream."""

    session: str
    topics: frozenset[str]
    queue: deque[Message] = field(default_factory=deque)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    is_over: bool = False
    """Nothing more is put: what waits is sent, and the stream ends."""

    def put(self, message: Message) -> None:
        """Adds a message; an overflow replaces all that wait by `resync`."""
        if self.is_over:
            return
        if len(self.queue) >= QUEUE:
            self.queue.clear()
            self.queue.append(Message("{}", "resync", message.id))
        else:
            self.queue.append(message)
        self.woken.set()

    def end(self, why: str = "") -> None:
        """Ends the stream; `why`: the page is told not to come back by itself."""
        if why:
            self.put(Message(json.dumps({"why": why}), "bye"))
        self.is_over = True
        self.woken.set()


class Live:
    """All open streams."""

    def __init__(self, cursor: Callable[[], str]) -> None:
        """`cursor`: how far the events of all nodes are known, as an id."""
        self._cursor = cursor
        self._tabs: list[Tab] = []
        self._openings: Counter[str] = Counter()
        self._stopped = False

    @property
    def topics(self) -> set[str]:
        """What is looked at."""
        return set().union(*(tab.topics for tab in self._tabs))

    @property
    def count(self) -> int:
        """Number of open streams."""
        return len(self._tabs)

    def open(self, session: str, topics: Iterable[str]) -> Tab:
        """Opens a stream; the oldest of the session ends beyond four, of all beyond 200."""
        own = [tab for tab in self._tabs if tab.session == session]
        for tab in own[: max(0, len(own) - STREAMS_A_SESSION + 1)]:
            self._end(tab, "elsewhere")
        if len(self._tabs) >= MOST_TABS:
            self._end(self._tabs[0], "elsewhere")
        tab = Tab(session, frozenset(topics))
        self._openings.update(tab.topics)
        if self._stopped:
            tab.end()
        self._tabs.append(tab)
        return tab

    def openings(self, topic: str) -> int:
        """How many streams were opened for a topic: each is owed its present state."""
        return self._openings[topic]

    def publish(self, topic: str, text: Text, *, event: str = "") -> None:
        """Sends something to everyone who looks at a topic."""
        made: dict[str, str] = {}
        cursor = self._cursor()
        for tab in self._tabs:
            if topic not in tab.topics:
                continue
            if callable(text):
                if tab.session not in made:
                    made[tab.session] = text(tab.session)
                tab.put(Message(made[tab.session], event, cursor))
            else:
                tab.put(Message(text, event, cursor))

    def publish_json(self, topic: str, event: str, value: Any) -> None:
        """Sends a named event with JSON."""
        self.publish(topic, json.dumps(value, separators=(",", ":")), event=event)

    def end_session(self, session: str) -> None:
        """Ends the streams of a session that was closed."""
        for tab in [tab for tab in self._tabs if tab.session == session]:
            self._end(tab, "closed")

    def stop(self) -> None:
        """Ends all streams, for the app's stop: pages come back by themselves."""
        self._stopped = True
        for tab in self._tabs:
            tab.end()

    def _end(self, tab: Tab, why: str) -> None:
        tab.end(why)
        self._tabs.remove(tab)

    async def messages(self, tab: Tab) -> AsyncIterator[bytes]:
        """What a tab is sent, until it ends. A heartbeat has an id: comments are no messages."""
        try:
            while True:
                while tab.queue:
                    yield written(tab.queue.popleft())
                if tab.is_over:
                    return
                tab.woken.clear()
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await tab.woken.wait()
                except TimeoutError:
                    yield written(Message("", "", self._cursor()))
        finally:
            if tab in self._tabs:
                self._tabs.remove(tab)
