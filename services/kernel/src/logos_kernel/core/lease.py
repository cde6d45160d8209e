"""Leases: how long a registration holds without a heartbeat (KER-3)."""

from dataclasses import dataclass

from logos_base.machine import Answer, Ticket


@dataclass(slots=True)
class Lease:
    """One registration. Times are monotonic milliseconds."""

    lease_id: bytes
    epoch: int
    ttl_ms: int
    ends_ms: int
    is_doubted: bool = False
    """Its session has ended, and no heartbeat came since."""
    is_stopping: bool = False
    """Its holder shall drain and exit."""
    stop_asker: Ticket | None = None
    """The question of the newest session, which waits for that."""

    def renew(self, now_ms: int) -> None:
        """Counts a heartbeat."""
        self.ends_ms = now_ms + self.ttl_ms
        self.is_doubted = False

    def doubt(self, now_ms: int, grace_ms: int) -> None:
        """Counts the end of its session: the next heartbeat must come soon."""
        self.ends_ms = min(self.ends_ms, now_ms + grace_ms)
        self.is_doubted = True

    def stop(self) -> list[Answer]:
        """Directs the holder to drain and exit, now or as soon as it asks."""
        self.is_stopping = True
        asker, self.stop_asker = self.stop_asker, None
        return [] if asker is None else [Answer(asker)]

    def is_over(self, now_ms: int) -> bool:
        """Says whether a whole ttl has passed without a heartbeat."""
        return now_ms >= self.ends_ms
