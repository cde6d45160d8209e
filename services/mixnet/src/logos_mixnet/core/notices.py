"""What happens to peers, as local readers watch it. Bounded for each reader."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from logos_mixnet.core.errors import ReaderTooSlowError

MAX_WAITING_NOTICES: Final = 1024


class PeerEvent(Enum):
    """What may happen to a peer, or to this node."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    DIAL_FAILED = "dial_failed"
    BANNED = "banned"
    UNBANNED = "unbanned"
    ISOLATED = "isolated"
    HEALED = "healed"
    TRIMMED = "trimmed"


@dataclass(frozen=True, slots=True)
class Notice:
    """Report an event to the watchers."""

    event: PeerEvent
    peer_id: str
    """Empty where a dial failed and it is not known which peer it would have reached, and where
    the event is of this node."""
    detail: str
    at_ms: int


class Watcher:
    """What happens to peers, as it waits for one reader. Bounded."""

    def __init__(self, notices: Iterable[Notice]) -> None:
        self._waiting = deque(notices)

    def put(self, notice: Notice) -> None:
        """Adds a notice, unless the reader is too slow already."""
        if len(self._waiting) <= MAX_WAITING_NOTICES:
            self._waiting.append(notice)

    def take(self) -> Notice | None:
        """Returns the next notice; None if there is none.

        Raises:
            ReaderTooSlowError: More than 1024 wait.
        """
        if len(self._waiting) > MAX_WAITING_NOTICES:
            raise ReaderTooSlowError(f"more than {MAX_WAITING_NOTICES} events waited to be read")
        return self._waiting.popleft() if self._waiting else None
