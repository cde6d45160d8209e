"""Which slot it is (CON-3)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotClock:
    """Turns readings of the wall clock into slots, and back."""

    genesis_ms: int
    """When slot 0 begins: Unix time."""
    slot_ms: int

    def slot_at(self, now_ms: int) -> int:
        """Returns the slot that runs at this Unix time; negative before the genesis."""
        return (now_ms - self.genesis_ms) // self.slot_ms

    def begins_ms(self, slot: int) -> int:
        """Returns the Unix time at which a slot begins."""
        return self.genesis_ms + slot * self.slot_ms
