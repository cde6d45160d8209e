"""Epochs: what a member's budget is counted by (RLN-17)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epochs:
    """The epochs of one application. Times are Unix time in milliseconds, never negative."""

    period_ms: int = 10_000
    max_gap: int = 5
    """How many epochs a received proof may be away, either way."""

    def __post_init__(self) -> None:
        """Raises ValueError unless the period is positive and the gap is not negative."""
        if self.period_ms < 1 or self.max_gap < 0:
            raise ValueError(f"not a period and a gap: {self.period_ms} ms, {self.max_gap}")

    def at(self, now_ms: int) -> int:
        """Returns the epoch of a time."""
        return now_ms // self.period_ms

    def start_ms(self, epoch: int) -> int:
        """Returns when an epoch begins."""
        return epoch * self.period_ms

    def is_near(self, epoch: int, now_ms: int) -> bool:
        """Says whether a proof for this epoch may be accepted now."""
        return abs(epoch - self.at(now_ms)) <= self.max_gap

    def is_fresh(self, epoch: int, now_ms: int) -> bool:
        """Says whether a message with a proof for this epoch may leave now (RLN-38).

        The other half of the time in which it is accepted is for its way, and for a busy verifier.
        """
        return abs(epoch - self.at(now_ms)) <= self.max_gap // 2
