"""One reconciliation with one other node, of either side.

Both sides take turns. A side whose answer has nothing left to say ends it with that answer.
Spec: docs/protocol/delivery-store.md, DST-32 to DST-36.
"""

from dataclasses import dataclass
from typing import Final

from logos_delivery.core.archive.types import Position
from logos_delivery.core.sync.errors import SyncEndlessError, SyncPayloadTooLargeError
from logos_delivery.core.sync.index import Index
from logos_delivery.core.sync.reconciling import Outcome, compare
from logos_delivery.core.sync.types import Bounds, Fingerprint, Payload, Scope
from logos_delivery.core.sync.wire import MAX_ITEMS, decode, encode

MAX_ROUNDS: Final = 32
"""Of messages that one side may send: an hour is halved three times a round, so 14 do."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows from one message of the other node."""

    reply: bytes | None
    """To send; None: nothing."""
    to_send: tuple[Position, ...]
    """Messages that the other node lacks, none of them named before."""
    is_over: bool


class Session:
    """The state of one reconciliation."""

    def __init__(self, index: Index, scope: Scope, floor: Position) -> None:
        """`floor` is from where on messages are compared; the index may have less."""
        self._index = index
        self._scope = scope
        self._floor = floor
        self._rounds = 0
        self._named: set[Position] = set()
        self.wanted: set[Position] = set()
        """Messages that this node lacks, so far as the other has named them."""
        self.size_bytes = 0
        """Sent and received."""

    @property
    def sent(self) -> int:
        """Messages that the other node lacked."""
        return len(self._named)

    def begin(self, bounds: Bounds) -> bytes:
        """Returns the first message of the side that begins."""
        view = self._index.view(self._scope)
        first = Fingerprint(bounds, view.fingerprint(bounds))
        return self._counted(encode(Payload(self._scope, (first,))))

    def received(self, raw: bytes) -> Turn:
        """Takes a message of the other node.

        Raises:
            SyncPayloadMalformedError, SyncPayloadTooLargeError, SyncEndlessError: The session
                is over.
        """
        self._counted(raw)
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            raise SyncEndlessError(f"a reconciliation of over {MAX_ROUNDS} rounds")
        payload = decode(raw)
        if payload.is_over:
            return Turn(None, (), is_over=True)
        scope = self._scope.meet(payload.scope)
        outcome = Outcome()
        if scope is not None:
            floor = max(self._floor, self._index.floor)
            outcome = compare(self._index.view(scope), payload.ranges, floor)
        fresh = tuple(one for one in outcome.missing_there if one not in self._named)
        self._named.update(fresh)
        self.wanted.update(outcome.missing_here)
        if len(self.wanted) > MAX_ITEMS:
            raise SyncPayloadTooLargeError(f"over {MAX_ITEMS} messages in a reconciliation")
        reply = encode(Payload(self._scope, tuple(outcome.ranges)))
        return Turn(self._counted(reply), fresh, is_over=not outcome.ranges)

    def _counted(self, raw: bytes) -> bytes:
        self.size_bytes += len(raw)
        return raw
