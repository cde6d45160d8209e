"""Which keys a mix has, and when the next one begins (MIX-15).

A key epoch is as long as the setting says. The key of an epoch is advertised while it lasts and
served for one more: packets of senders that learnt of it in time are relayed.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from logos_mixnet.core.sphinx.geometry import KEY_BYTES
from logos_mixnet.core.sphinx.primitives import RandomBytes, draw

SERVED: Final = 2
"""Keys at a time: that of the present epoch, and of the one before."""


@dataclass(frozen=True, slots=True)
class MixKey:
    """A key as it is stored."""

    epoch: int
    """Counts up from 1. Never reused."""
    private_key: bytes = field(repr=False)
    """X25519, 32 bytes."""
    begun_ms: int
    """Unix time."""


def next_key(keys: Sequence[MixKey], random_bytes: RandomBytes, now_ms: int) -> MixKey:
    """Makes the key of the epoch after the stored ones."""
    epoch = max((key.epoch for key in keys), default=0) + 1
    return MixKey(epoch, draw(random_bytes, KEY_BYTES), now_ms)


def ends_ms(key: MixKey, length_ms: int, now_ms: int) -> int:
    """Returns when an epoch ends; one that begins in the future, as the clock was set back, now."""
    return min(key.begun_ms, now_ms) + length_ms


class MixStore(Protocol):
    """Keys, tags and profile of a mix. Every call is durable when it returns."""

    async def load_keys(self) -> list[MixKey]:
        """Returns the keys, the newest first."""
        ...

    async def add_key(self, key: MixKey) -> None:
        """Adds a key."""
        ...

    async def retire(self, epoch: int) -> None:
        """Removes the keys up to an epoch, and their tags. Nothing of them is left on the disk."""
        ...

    def load_tags(self, epoch: int) -> AsyncIterator[bytes]:
        """Returns the tags of a key, many together: 16 bytes each, one after another."""
        ...

    async def add_tags(self, epoch: int, tags: Sequence[bytes]) -> None:
        """Adds tags of a key, all or none; none if it is retired."""
        ...

    async def load_profile(self) -> str | None:
        """Returns the name of the profile that was set; None if none was."""
        ...

    async def save_profile(self, name: str) -> None:
        """Sets the profile."""
        ...
