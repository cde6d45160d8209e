"""Messages that are held back from other nodes until somebody has judged them.

Spec: docs/protocol/network.md, NET-8.
"""

from dataclasses import dataclass
from typing import Final, Literal

Verdict = Literal["accept", "reject", "ignore"]

TIMEOUT_MS: Final = 4_000
MAX_PENDING: Final = 65_536


@dataclass(frozen=True, slots=True)
class Judge:
    """Tell the host a verdict."""

    message_id: bytes
    from_peer_id: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Pending:
    topic: str
    from_peer_id: str
    deadline_ms: int


class PendingVerdicts:
    """Messages that wait for a verdict, oldest first. `now_ms` must not run backwards."""

    def __init__(self, *, timeout_ms: int = TIMEOUT_MS, limit: int = MAX_PENDING) -> None:
        self._timeout_ms = timeout_ms
        self._limit = limit
        self._pending: dict[bytes, _Pending] = {}  # in the order of their deadlines

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def next_deadline_ms(self) -> int | None:
        """When the oldest is over; None if nothing waits."""
        oldest = next(iter(self._pending.values()), None)
        return None if oldest is None else oldest.deadline_ms

    def hold(self, topic: str, message_id: bytes, from_peer_id: str, now_ms: int) -> list[Judge]:
        """Lets a message wait. Where too many do, the oldest is ignored for it."""
        effects = []
        if len(self._pending) >= self._limit:
            effects.append(self._ignore(next(iter(self._pending))))
        self._pending[message_id] = _Pending(topic, from_peer_id, now_ms + self._timeout_ms)
        return effects

    def judge(self, topic: str, message_id: bytes, verdict: Verdict) -> Judge | None:
        """Takes a verdict; None where no such message of the topic waits."""
        pending = self._pending.get(message_id)
        if pending is None or pending.topic != topic:
            return None
        del self._pending[message_id]
        return Judge(message_id, pending.from_peer_id, verdict)

    def expire(self, now_ms: int) -> list[Judge]:
        """Ignores what has waited too long."""
        effects = []
        while self._pending:
            message_id, oldest = next(iter(self._pending.items()))
            if oldest.deadline_ms > now_ms:
                break
            effects.append(self._ignore(message_id))
        return effects

    def abandon(self, topic: str) -> list[Judge]:
        """Ignores what waits in a topic whose validator has left."""
        left = [name for name, pending in self._pending.items() if pending.topic == topic]
        return [self._ignore(name) for name in left]

    def _ignore(self, message_id: bytes) -> Judge:
        return Judge(message_id, self._pending.pop(message_id).from_peer_id, "ignore")
