"""What a link carries (NET-15)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the connections to a peer have carried since the oldest of them was made."""

    since_us: int
    """Unix time."""
    received_messages: int
    received_bytes: int
    sent_messages: int
    sent_bytes: int
