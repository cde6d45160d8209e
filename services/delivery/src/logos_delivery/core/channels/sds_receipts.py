"""Which received messages this participant is still to acknowledge, and when.

Each participant waits for another while; who is first names the message in a sync message, and
the others need not. So a large channel answers with a few messages.

Spec: docs/protocol/channels.md, CHN-16. Source: LIP SDS, periodic sync message.
"""

from collections.abc import Iterable
from typing import Final

from logos_delivery.core.channels.repair import hash_of

MIN_DELAY_MS: Final = 200
MAX_DELAY_MS: Final = 2_000
"""Well below the time after which a message is sent again."""
MAX_OWED: Final = 1024


class Receipts:
    """The acknowledgements that one participant owes."""

    def __init__(self, participant: str) -> None:
        self._participant = participant
        self._owed: dict[str, tuple[str, int]] = {}
        """Sender of a message, and when to acknowledge it."""

    def __len__(self) -> int:
        return len(self._owed)

    def owe(self, message_id: str, sender: str, now_ms: int) -> None:
        """A message was received, for the first time or again."""
        if message_id not in self._owed and len(self) < MAX_OWED:
            spread = MAX_DELAY_MS - MIN_DELAY_MS
            delay_ms = MIN_DELAY_MS + hash_of(self._participant, message_id) % spread
            self._owed[message_id] = (sender, now_ms + delay_ms)

    def named_by(self, participant: str, message_ids: Iterable[str]) -> None:
        """Another participant has named messages: those of others are acknowledged."""
        for message_id in message_ids:
            sender, _ = self._owed.get(message_id, (participant, 0))
            if sender != participant:
                del self._owed[message_id]

    def take(self, most: int) -> list[str]:
        """Returns what to acknowledge now, the oldest first."""
        taken = list(self._owed)[:most]
        for message_id in taken:
            del self._owed[message_id]
        return taken

    def due_ms(self) -> int | None:
        """Returns when the first is due."""
        return min((due_ms for _, due_ms in self._owed.values()), default=None)
