"""How many requests a registrar reads, of one peer and of all.

Spec: docs/protocol/discovery.md, DIS-22.
"""

from typing import Final

from logos_mixnet.core.capability.keys import PeerId

PER_PEER: Final = 8
"""Requests a second of one peer, in the long run."""
PEER_BURST: Final = 64
TOTAL: Final = 100
TOTAL_BURST: Final = 400
MAX_PEERS: Final = 4096
"""Peers that are remembered. A peer costs a connection; one that asked nothing is not kept."""

LOOK_MS: Final = 1000
"""From one look through all budgets to the next: it must not cost anything at each request."""


class Bucket:
    """A number of requests at once, and a rate after that."""

    def __init__(self, rate: int, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at_ms = 0

    def level(self, now_ms: int) -> float:
        """Returns how many requests there are now."""
        gained = (now_ms - self._at_ms) * self._rate / 1000
        return min(self._left + max(gained, 0), float(self._burst))

    def is_full(self, now_ms: int) -> bool:
        """Says whether it is as it was at first."""
        return self.level(now_ms) >= self._burst

    def spend(self, now_ms: int) -> None:
        """Takes one request."""
        self._left, self._at_ms = self.level(now_ms) - 1, now_ms


class Budget:
    """The requests of all peers. Not thread-safe."""

    def __init__(self, total: int = TOTAL, total_burst: int = TOTAL_BURST) -> None:
        """Begins whole; of all peers together, `total` requests a second are read."""
        self._total = Bucket(total, total_burst)
        self._peers: dict[PeerId, Bucket] = {}
        self._looked_ms = -LOOK_MS

    def __len__(self) -> int:
        return len(self._peers)

    def take(self, peer_id: PeerId, now_ms: int) -> bool:
        """Says whether a request of a peer may be served, and counts it.

        A peer beyond its own budget takes nothing from the others'.
        """
        bucket = self._peers.get(peer_id)
        if bucket is None:
            if len(self._peers) >= MAX_PEERS and not self._forget(now_ms):
                return False
            bucket = Bucket(PER_PEER, PEER_BURST)
        if bucket.level(now_ms) < 1 or self._total.level(now_ms) < 1:
            return False
        self._peers[peer_id] = bucket
        bucket.spend(now_ms)
        self._total.spend(now_ms)
        return True

    def _forget(self, now_ms: int) -> bool:
        """Drops budgets that are whole again; says whether there is room. Looks once a second."""
        if abs(now_ms - self._looked_ms) >= LOOK_MS:
            self._looked_ms = now_ms
            asked = self._peers.items()
            self._peers = {peer: each for peer, each in asked if not each.is_full(now_ms)}
        return len(self._peers) < MAX_PEERS
