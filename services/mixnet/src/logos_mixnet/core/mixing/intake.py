"""How fast packets of one peer are read (MIX-29).

Each packet that a peer sends costs it one of its message ids. What comes faster than it can have
ids for has no valid proof: it is left in the peer's own connection, and costs nothing here. A
peer makes the proofs of what it sends itself: for a false one it is not read for an epoch.
"""

from collections import OrderedDict
from typing import Final

SHARE: Final = 2
"""Times the ids of an epoch: those of two epochs may come at once, where one ends."""
MAX_PEERS: Final = 4_096
"""Peers whose bucket is kept, so that a new connection does not refill it."""


class Intake:
    """A bucket for each peer that sends. Not thread-safe."""

    def __init__(self, limit: int, period_ms: int) -> None:
        """`limit`: message ids of one peer in an epoch, `period_ms`: the length of one."""
        self._most = SHARE * limit
        self._ms_each = period_ms / limit / SHARE
        self._left: OrderedDict[str, tuple[float, int]] = OrderedDict()
        """Packets that may come at once, and when that was reckoned. The newest last."""

    def taken(self, peer_id: str, now_ms: int) -> float:
        """Takes note of a packet; returns for how many milliseconds no more is read."""
        left = self._spend(peer_id, 1, now_ms)
        return 0.0 if left >= 0 else -left * self._ms_each

    def failed(self, peer_id: str, now_ms: int) -> None:
        """Takes note of a proof that does not hold."""
        self._spend(peer_id, self._most, now_ms)

    def _spend(self, peer_id: str, count: int, now_ms: int) -> float:
        left, then_ms = self._left.pop(peer_id, (self._most, now_ms))
        left = min(self._most, left + (now_ms - then_ms) / self._ms_each) - count
        self._left[peer_id] = left, now_ms
        if len(self._left) > MAX_PEERS:
            self._left.popitem(last=False)
        return left
