"""When a module that ended is started again (KER-5). Times in milliseconds."""

from collections import deque
from dataclasses import dataclass
from typing import Protocol


class Rng(Protocol):
    """Where jitter comes from."""

    def random(self) -> float:
        """Returns a number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The figures of supervision. A profile's `[kernel]` table may change them."""

    backoff_base_ms: int = 500
    backoff_max_ms: int = 60_000
    jitter: float = 0.25
    """Part of a delay by which it may be shorter or longer."""
    max_restarts: int = 5
    window_ms: int = 60_000
    failed_retry_ms: int = 300_000
    healthy_after_ms: int = 60_000
    """READY for so long ends a bad history."""
    start_timeout_ms: int = 60_000
    stop_grace_ms: int = 10_000
    lease_ttl_ms: int = 15_000
    reconnect_grace_ms: int = 3_000
    """For an observed module whose session ended, to send a heartbeat again."""

    def delay_ms(self, attempt: int, rng: Rng) -> int:
        """Returns the delay before start number `attempt` (from 0) of a bad series."""
        # 2**20 bases are far beyond any maximum; the shift stays small
        plain = min(self.backoff_base_ms << min(attempt, 20), self.backoff_max_ms)
        return round(plain * (1 + self.jitter * (2 * rng.random() - 1)))


class History:
    """The failures of one module, as far as they matter for the next start."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._attempt = 0
        self._failures: deque[int] = deque()
        self.is_failed = False
        """Whether the module is FAILED rather than in BACKOFF."""

    def forget(self) -> None:
        """Begins anew: it was well for long enough, or the operator said so."""
        self._attempt = 0
        self._failures.clear()
        self.is_failed = False

    def fail(self, now_ms: int, rng: Rng, *, is_final: bool = False) -> int:
        """Counts a failure; returns the delay until the next start, in milliseconds.

        A module that FAILED stays on the slow retry until its history is
        forgotten. `is_final`: a restart does not mend the cause.
        """
        policy = self._policy
        while self._failures and now_ms - self._failures[0] >= policy.window_ms:
            self._failures.popleft()
        self._failures.append(now_ms)
        if self.is_failed or is_final or len(self._failures) > policy.max_restarts:
            self.is_failed = True
            return policy.failed_retry_ms
        self._attempt += 1
        return policy.delay_ms(self._attempt - 1, rng)
