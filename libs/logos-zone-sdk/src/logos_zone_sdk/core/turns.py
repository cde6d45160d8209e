"""Whose turn it is to write to a channel, and when that changes.

Spec: docs/protocol/zone-sdk.md, ZON-9; docs/protocol/chain-ledger.md, LED-14.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotClock:
    """Which slot it is at a time."""

    genesis_ms: int
    """When slot 0 began, in milliseconds since 1970."""
    slot_ms: int

    def slot_at(self, now_ms: int) -> int:
        """Returns the slot of a time; 0 before the genesis."""
        return max(0, now_ms - self.genesis_ms) // self.slot_ms

    def begins_ms(self, slot: int) -> int:
        """Returns when a slot begins."""
        return self.genesis_ms + slot * self.slot_ms


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel as a node shows it after one block."""

    keys: tuple[bytes, ...]
    """Ed25519, 32 bytes each; at least one."""
    tip: bytes
    """Id of the last message, 32 bytes."""
    tip_slot: int
    sequencer: int
    """Place among the keys."""
    sequencer_since_slot: int
    posting_timeframe_slots: int
    posting_timeout_slots: int
    block: bytes
    """Id of that block, 32 bytes."""


def turn_at(channel: ChannelView, slot: int) -> int:
    """Returns whose turn it is in a slot, by place among the keys (LED-14).

    Args:
        channel: After its last message.
        slot: Not before the one of its tip.
    """
    timeout, timeframe = channel.posting_timeout_slots, channel.posting_timeframe_slots
    silent = slot - channel.tip_slot
    if timeout and silent >= timeout:
        passed = silent // timeout
    elif timeframe:
        passed = (slot - channel.sequencer_since_slot) // timeframe
    else:
        passed = 0
    return (channel.sequencer + passed) % len(channel.keys)


def next_turn_slot(channel: ChannelView, slot: int) -> int | None:
    """Returns the next slot in which it may be another's turn, without a message; None: never."""
    timeout, timeframe = channel.posting_timeout_slots, channel.posting_timeframe_slots
    found = []
    if timeout:
        found.append(slot + timeout - (slot - channel.tip_slot) % timeout)
    if timeframe and not (timeout and slot - channel.tip_slot >= timeout):
        found.append(slot + timeframe - (slot - channel.sequencer_since_slot) % timeframe)
    return min(found, default=None)
