"""Leases: how long a registration holds without a heartbeat (KER-3)."""

from dataclasses import dataclass

from logos_base.machine import Answer, Ticket
from logos_kernel.core.journal import Reason
from logos_kernel.core.types import Beat


@dataclass(slots=True)
class Lease:
    """One registration. Times are monotonic milliseconds."""

    lease_id: bytes
    epoch: int
    ttl_ms: int
    ends_ms: int
    watchdog_ms: int | None = None
    """For the holder to make progress; None: it need not."""
    stuck_ms: int | None = None
    """When it has made no progress for too long."""
    unwell_ms: int | None = None
    """When it has been NOT_SERVING for too long; None while it is not."""
    progress: int = 0
    is_doubted: bool = False
    """Its session has ended, and no heartbeat came since."""
    is_stopping: bool = False
    """Its holder shall drain and exit."""
    stop_asker: Ticket | None = None
    """The question of the newest session, which waits for that."""

    @property
    def patience_ms(self) -> int:
        """How long its holder may say nothing."""
        return min(self.ttl_ms, self.watchdog_ms or self.ttl_ms)

    def renew(self, now_ms: int) -> None:
        """Begins all its times anew."""
        self.ends_ms = now_ms + self.ttl_ms
        self.is_doubted = False
        self.stuck_ms = None if self.watchdog_ms is None else now_ms + self.watchdog_ms
        self.unwell_ms = None

    def beat(self, beat: Beat, now_ms: int) -> None:
        """Counts a heartbeat."""
        stuck_ms, unwell_ms = self.stuck_ms, self.unwell_ms
        self.renew(now_ms)
        if beat.progress == self.progress:
            self.stuck_ms = stuck_ms
        if not beat.is_serving:
            self.unwell_ms = unwell_ms or now_ms + (self.watchdog_ms or self.ttl_ms)
        self.progress = beat.progress

    def times(self, *, is_watched: bool) -> tuple[int, ...]:
        """Returns when something is to be done about it, if its holder is to make progress."""
        if not is_watched or self.stuck_ms is self.unwell_ms is None:
            return (self.ends_ms,)
        times = (self.ends_ms, self.stuck_ms, self.unwell_ms)
        return tuple(time for time in times if time is not None)

    def doubt(self, now_ms: int, grace_ms: int) -> None:
        """Counts the end of its session: the next heartbeat must come soon."""
        self.ends_ms = min(self.ends_ms, now_ms + grace_ms)
        self.is_doubted = True

    def stop(self) -> list[Answer]:
        """Directs the holder to drain and exit, now or as soon as it asks."""
        self.is_stopping = True
        asker, self.stop_asker = self.stop_asker, None
        return [] if asker is None else [Answer(asker)]

    def fault(self, now_ms: int, *, is_watched: bool) -> tuple[Reason, str] | None:
        """Says why its holder is to be ended, or awaited anew; None if it is not."""
        if now_ms >= self.ends_ms:
            seconds = f"no heartbeat for {self.ttl_ms / 1000:g} s"
            return Reason.LEASE_LOST, "its session ended" if self.is_doubted else seconds
        if not is_watched:
            return None
        if self.stuck_ms is not None and self.watchdog_ms and now_ms >= self.stuck_ms:
            return Reason.WATCHDOG, f"no progress for {self.watchdog_ms / 1000:g} s"
        if self.unwell_ms is not None and now_ms >= self.unwell_ms:
            limit_ms = self.watchdog_ms or self.ttl_ms
            return Reason.NOT_SERVING, f"NOT_SERVING for {limit_ms / 1000:g} s"
        return None
