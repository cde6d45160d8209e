"""How many messages a node sends in an epoch, over all of its channels.

Spec: docs/protocol/channels.md, CHN-24. Source: LIP reliable-channel-api, rate limiting.
"""

from dataclasses import dataclass
from typing import Final

EPOCH_MS: Final = 600_000


@dataclass(slots=True)
class Pace:
    """A budget for each epoch. Epochs begin at multiples of their length since 1970."""

    messages: int
    epoch_ms: int = EPOCH_MS
    _epoch: int = -1
    _spent: int = 0

    def take(self, now_ms: int) -> bool:
        """Says whether a message may be sent now, and counts it if so."""
        epoch = now_ms // self.epoch_ms
        if epoch > self._epoch:
            self._epoch, self._spent = epoch, 0
        if self._spent >= self.messages:
            return False
        self._spent += 1
        return True

    def next_ms(self) -> int:
        """Returns when the epoch of the last question ends."""
        return (self._epoch + 1) * self.epoch_ms
