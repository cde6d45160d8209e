"""How many bytes of a stream may be under way, so that all streams together stay small.

Spec: docs/protocol/network.md, NET-10.
"""

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

MIN_WINDOW_BYTES: Final = 256 * KIB
MAX_WINDOW_BYTES: Final = 4 * MIB
POOL_BYTES: Final = 64 * MIB
MAX_FRAME_BYTES: Final = MIB
"""The most that one `CarryRequest` or `CarryResponse` carries."""


class Pool:
    """Bytes that all windows of one direction share, beyond the minimum each may have."""

    def __init__(self, size: int = POOL_BYTES) -> None:
        self.free = size


class Window:
    """Bytes that one direction of one stream may have under way.

    Begins small and doubles each time that it was used up, as far as the pool
    allows: a stream that moves gets a large window, a thousand idle ones cost
    little.
    """

    def __init__(
        self, pool: Pool, *, minimum: int = MIN_WINDOW_BYTES, maximum: int = MAX_WINDOW_BYTES
    ) -> None:
        self._pool = pool
        self._minimum = minimum
        self._maximum = maximum
        self.size = minimum

    def grow(self) -> int:
        """Doubles the window as far as the pool allows; returns by how many bytes it grew."""
        step = min(self.size, self._maximum - self.size, self._pool.free)
        self._pool.free -= step
        self.size += step
        return step

    def close(self) -> None:
        """Gives back what was taken from the pool. Idempotent."""
        self._pool.free += self.size - self._minimum
        self.size = self._minimum


class Inflow(Window):
    """Bytes that a peer may send on one stream: granted as the local caller reads."""

    granted = 0

    def start(self) -> int:
        """Returns how many bytes to grant at first."""
        self.granted = self.size
        return self.granted

    def arrived(self, count: int) -> None:
        """Takes note of bytes from the peer."""
        self.granted -= count

    def read(self, count: int, *, may_grow: bool = True) -> int:
        """Takes note of bytes that the caller has read; returns how many to grant for them."""
        if may_grow and self.granted <= 0:  # the peer has used all it had: give it more
            count += self.grow()
        self.granted += count
        return count


class Outflow(Window):
    """Bytes of one stream that wait to be written on the connection."""

    unwritten = 0

    @property
    def is_full(self) -> bool:
        """Whether the caller has to wait before it sends more."""
        return self.unwritten >= self.size

    def sent(self, count: int) -> None:
        """Takes note of bytes from the caller."""
        self.unwritten += count
        if self.is_full:
            self.grow()

    def written(self, count: int) -> None:
        """Takes note of bytes that are on the connection."""
        self.unwritten -= count
