"""Messages that wait for one local reader. Bounded: what is too much is counted, not kept.

Spec: docs/protocol/network.md, NET-7.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from logos_mixnet.core.flow import MIB

MAX_WAITING_MESSAGES: Final = 4096
MAX_WAITING_BYTES: Final = 16 * MIB
MAX_BATCH_MESSAGES: Final = 256
MAX_BATCH_BYTES: Final = MIB


class Message(NamedTuple):
    """One gossip message."""

    topic: str
    message_id: bytes
    """sha256 of the data (NET-6)."""
    data: bytes
    from_peer_id: str
    """The neighbour that passed it on."""
    received_unix_us: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one response carries."""

    messages: list[Message]
    lost: int
    """Messages lost since the batch before."""


class Mailbox:
    """First in, first out; the newest is refused when it is full."""

    def __init__(
        self, *, max_messages: int = MAX_WAITING_MESSAGES, max_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._lost = 0

    def __bool__(self) -> bool:
        return bool(self._waiting or self._lost)

    def put(self, message: Message) -> bool:
        """Keeps a message, or counts it as lost and returns False."""
        size = self._bytes + len(message.data)
        if len(self._waiting) >= self._max_messages or size > self._max_bytes:
            self._lost += 1
            return False
        self._waiting.append(message)
        self._bytes = size
        return True

    def lose(self, count: int) -> None:
        """Counts messages that were lost before they came here."""
        self._lost += count

    def take(self) -> Batch | None:
        """Takes what waits, up to 256 messages or 1 MiB but at least one; None if nothing does."""
        if not self:
            return None
        messages: list[Message] = []
        size = 0
        while self._waiting and len(messages) < MAX_BATCH_MESSAGES:
            size += len(self._waiting[0].data)
            if messages and size > MAX_BATCH_BYTES:
                break
            message = self._waiting.popleft()
            self._bytes -= len(message.data)
            messages.append(message)
        batch = Batch(messages, self._lost)
        self._lost = 0
        return batch
