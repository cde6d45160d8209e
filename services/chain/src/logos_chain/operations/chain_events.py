"""What happens to the chain, for those that listen.

Each listener has a queue of its own. One that is too slow for it loses what waits, and is told so:
it looks at the chain itself then, and goes on from there.

Spec: docs/protocol/chain-following.md, FOL-17.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from logos_base.errors import ErrorKind, LocalFaultError
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId

MAX_WAITING: Final = 1024
"""Events of one listener."""
MAX_LISTENERS: Final = 64


class ChainListenersFullError(LocalFaultError):
    """More listeners than a node has queues for (FOL-17)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "CHAIN_LISTENERS_FULL"


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A valid block is in the tree, on the local chain or beside it."""

    block: TreeBlock
    source: str
    """The peer that has sent it; empty: this node."""


@dataclass(frozen=True, slots=True)
class TipMoved:
    """The local chain has another tip."""

    common: BlockId
    """The newest block of both chains."""
    removed: tuple[BlockId, ...]
    """From the old tip down."""
    added: tuple[BlockId, ...]
    """Up to the new tip."""

    @property
    def is_reorganisation(self) -> bool:
        """Whether blocks have left the local chain; else it has only grown."""
        return bool(self.removed)


@dataclass(frozen=True, slots=True)
class BlocksFinal:
    """Blocks will never leave the local chain, and the disk has them so."""

    blocks: tuple[BlockId, ...]
    """The oldest first."""


@dataclass(frozen=True, slots=True)
class EventsLost:
    """Events were left out here: look at the tip and the final blocks anew."""


ChainEvent = NewBlock | TipMoved | BlocksFinal | EventsLost


class Listener:
    """The events of one listener, from when it began to listen."""

    def __init__(self) -> None:
        self._waiting: deque[ChainEvent] = deque()
        self._news = asyncio.Event()

    def __len__(self) -> int:
        """The events that wait."""
        return len(self._waiting)

    async def next(self) -> ChainEvent:
        """Waits for the next event. One task at a time."""
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    def put(self, event: ChainEvent) -> None:
        """Adds an event; never waits."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.clear()
            self._waiting.append(EventsLost())
        self._waiting.append(event)
        self._news.set()


class ChainEvents:
    """The listeners of one chain."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Listens for as long as the context is open; raises `ChainListenersFullError`."""
        if len(self._listeners) >= MAX_LISTENERS:
            raise ChainListenersFullError(f"{MAX_LISTENERS} listen to the chain already")
        listener = Listener()
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def tell(self, event: ChainEvent) -> None:
        """Gives an event to all listeners."""
        for each in self._listeners:
            each.put(event)
