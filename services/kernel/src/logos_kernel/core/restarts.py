"""When a module that ended is started again (KER-5). Times in milliseconds."""

from dataclasses import dataclass, replace
from typing import Protocol

from logos_base.restart import Restart, RestartKind
from logos_kernel.core.groups import Intensity


class Rng(Protocol):
    """Where jitter comes from."""

    def random(self) -> float:
        """Returns a number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The figures of supervision. A profile's `[kernel]` table may change them."""

    backoff_base_ms: int = 500
    backoff_factor: float = 2.0
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
    kind: RestartKind = RestartKind.ALWAYS
    give_up: bool = False
    """FAILED is final: no slow retry."""
    lease_ttl_ms: int = 15_000
    reconnect_grace_ms: int = 3_000
    """For an observed module whose session ended, to send a heartbeat again."""

    def delay_ms(self, attempt: int, rng: Rng) -> int:
        """Returns the delay before start number `attempt` (from 0) of a bad series."""
        growth = self.backoff_factor ** min(attempt, 100)  # a float holds it
        plain = min(self.backoff_base_ms * growth, self.backoff_max_ms)
        return round(plain * (1 + self.jitter * (2 * rng.random() - 1)))

    def changed_by(self, restart: Restart) -> "RestartPolicy":
        """Returns the policy of a module that sets some of it itself."""
        return replace(self, **restart.settings())  # type: ignore[arg-type]  # of the same names

    def restarts(self, *, is_hung: bool, is_clean: bool) -> bool:
        """Says whether a process is restarted that hung, exited with 0, or ended otherwise."""
        match self.kind:
            case RestartKind.ALWAYS:
                return True
            case RestartKind.NEVER:
                return False
            case RestartKind.ON_FAILURE:
                return not is_clean
            case RestartKind.ON_WATCHDOG:
                return is_hung


class History:
    """The failures of one module, as far as they matter for the next start."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._attempt = 0
        self._intensity = Intensity(policy.max_restarts, policy.window_ms)
        self.is_failed = False
        """Whether the module is FAILED rather than in BACKOFF."""

    def forget(self) -> None:
        """Begins anew: it was well for long enough, or the operator said so."""
        self._attempt = 0
        self._intensity.forget()
        self.is_failed = False

    def fail(self, now_ms: int, rng: Rng, *, is_final: bool = False) -> int | None:
        """Counts a failure; returns the delay until the next start, in ms; None: there is none.

        A module that FAILED stays on the slow retry until its history is
        forgotten. `is_final`: a restart does not mend the cause.
        """
        policy = self._policy
        is_exceeded = self._intensity.is_exceeded(now_ms)
        if self.is_failed or is_final or is_exceeded:
            self.is_failed = True
            return None if policy.give_up else policy.failed_retry_ms
        self._attempt += 1
        return policy.delay_ms(self._attempt - 1, rng)
