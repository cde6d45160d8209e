"""How often peers may ask: a few times at once, and then at a pace.

Spec: docs/protocol/network.md, NET-21.
"""

from dataclasses import dataclass
from typing import Final

MAX_ASKERS: Final = 1024
"""Peers that are remembered; the one that asked longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one asker, or all of them, may do."""

    at_once: int
    every_ms: int
    """One more after each such time."""


@dataclass(slots=True)
class _Bucket:
    left: int
    since_ms: int

    def take(self, allowance: Allowance, now_ms: int) -> bool:
        """Takes one if there is one."""
        more = max(now_ms - self.since_ms, 0) // allowance.every_ms
        if self.left + more >= allowance.at_once:
            self.left, self.since_ms = allowance.at_once, now_ms
        else:
            self.left += more
            self.since_ms += more * allowance.every_ms
        if not self.left:
            return False
        self.left -= 1
        return True


class Budgets:
    """The allowances of each peer, and of all together. Not thread-safe."""

    def __init__(self, of_peer: Allowance, of_all: Allowance) -> None:
        self._of_peer = of_peer
        self._of_all = of_all
        self._all = _Bucket(of_all.at_once, 0)
        self._peers: dict[str, _Bucket] = {}

    def take(self, peer_id: str, now_ms: int) -> bool:
        """Takes one of a peer's, and one of all; returns whether there were."""
        bucket = self._peers.pop(peer_id, None) or _Bucket(self._of_peer.at_once, now_ms)
        self._peers[peer_id] = bucket  # last: it asks now
        while len(self._peers) > MAX_ASKERS:
            del self._peers[next(iter(self._peers))]
        return bucket.take(self._of_peer, now_ms) and self._all.take(self._of_all, now_ms)
