"""Transactions that messages were paid by, and what a node's refusal says of them.

Spec: docs/protocol/zone-sdk.md, ZON-8, ZON-13.
"""

from dataclasses import dataclass
from typing import Final

from logos_zone_sdk.core.places import MAX_PENDING
from logos_zone_sdk.core.sequencing import RESUBMIT_MS

HAS_IT: Final = frozenset({"ALREADY_INCLUDED", "ALREADY_KNOWN"})
"""Reasons that a node has for refusing what it has already."""
MAY_HAVE_IT: Final = frozenset({"CONFLICT", "TRANSACTION_REFUSED"})
"""Reasons that it may have since it has the message in another transaction."""


@dataclass(frozen=True, slots=True)
class _Made:
    raw: bytes
    made_ms: int


class PaidMessages:
    """The transactions of one sequencer, by message; at most `MAX_PENDING`."""

    def __init__(self) -> None:
        self._made: dict[bytes, _Made] = {}

    def get(self, message: bytes) -> bytes | None:
        """Returns the transaction of a message, to be given again; None: it is to be made."""
        found = self._made.get(message)
        return None if found is None else found.raw

    def put(self, message: bytes, raw: bytes, now_ms: int) -> None:
        """Notes the transaction of a message; the oldest gives way."""
        if len(self._made) >= MAX_PENDING:
            del self._made[next(iter(self._made))]
        self._made[message] = _Made(raw, now_ms)

    def refused(self, message: bytes, now_ms: int) -> None:
        """Has an old one made anew: the notes that pay for it may be gone (ZON-13)."""
        found = self._made.get(message)
        if found is not None and now_ms - found.made_ms >= RESUBMIT_MS:
            del self._made[message]
