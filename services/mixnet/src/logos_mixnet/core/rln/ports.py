"""What rate limits need from their stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.message_ids import Reserved, Save
from logos_mixnet.core.rln.slashing import SlashRecord


@dataclass(frozen=True, slots=True)
class Registry:
    """Who has registered, and who was slashed."""

    genesis: tuple[bytes, ...] = ()
    """Commitments of the genesis list, in its order."""
    announced: tuple[Announcement, ...] = ()
    slashed: frozenset[bytes] = frozenset()
    """Commitments."""
    is_open: bool = False
    """Whether nodes announce themselves. Whoever has many identities then has as many budgets:
    for test networks without a chain."""


class MembershipStore(Protocol):
    """Where members are registered: a genesis list, announcements, or a registry's service.

    Every call is durable when it returns.
    """

    async def load(self) -> Registry:
        """Returns all that is known."""
        ...

    async def save_announcement(self, announcement: Announcement) -> None:
        """Adds a member. Idempotent."""
        ...

    async def save_slash(self, record: SlashRecord, commitment: bytes) -> None:
        """Notes that a member was slashed, and why. Idempotent."""
        ...


class MessageIdStore(Protocol):
    """Which message ids were reserved. Every call is durable when it returns."""

    async def load(self) -> tuple[Sequence[Reserved], int]:
        """Returns every reservation, and the last epoch that may not be used; -1 if none."""
        ...

    async def save(self, save: Save) -> None:
        """Writes a reservation and the floor, and removes epochs up to it, all or none."""
        ...
