"""What rate limits need from their stores, and what they are to the mix."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.message_ids import Purpose, Reserved, Save
from logos_mixnet.core.rln.slashing import SlashRecord


class PacketGuard(Protocol):
    """The proofs of the mix's packets."""

    async def check(self, packet: bytes, proof: bytes) -> None:
        """Returns if a packet may be taken, or raises the error for which it is dropped.

        Raises:
            RemoteFaultError: Its sender is at fault.
            LocalFaultError: This node has no room for it now.
        """
        ...

    async def prove(self, packet: bytes, purpose: Purpose) -> bytes:
        """Returns the proof of a packet that leaves: 301 bytes. Spends a message id.

        A packet of this node's own waits for an id as long as it takes.

        Raises:
            BudgetSpentError, TooManyWaitingError: There is none for it.
            MemberUnknownError: This node is no member, or not yet.
            StoreFailedError: The id cannot be made durable now.
        """
        ...

    def is_fresh(self, proof: bytes) -> bool:
        """Says whether a proof of this node's own may still leave (RLN-38)."""
        ...

    def foresee(self) -> None:
        """Takes note that more is known of what is going to leave (RLN-25)."""
        ...


@dataclass(frozen=True, slots=True)
class Registry:
    """Who has registered, and who was slashed."""

    genesis: tuple[bytes, ...] = ()
    """Commitments of the genesis list, in its order, or of a registry, by leaf."""
    announced: tuple[Announcement, ...] = ()
    """By peer; of one that has announced two commitments both."""
    slashed: frozenset[bytes] = frozenset()
    """Commitments."""
    is_open: bool = False
    """Whether nodes announce themselves. A party with many identities then has as many budgets:
    for test networks without a chain."""
    records: tuple[SlashRecord, ...] = ()
    """Why members were slashed, as far as this node has learnt it."""


class MembershipStore(Protocol):
    """Where members are registered: a genesis list, announcements, or a registry's service.

    Every call is durable when it returns.
    """

    async def load(self) -> Registry:
        """Returns all that is known.

        Raises:
            RegistryUnavailableError: The registry's service does not answer.
        """
        ...

    def watch(self) -> AsyncIterator[Registry]:
        """Yields what is known whenever others have changed it; ends if they cannot.

        Raises:
            RegistryUnavailableError: The registry's service does not answer any more.
        """
        ...

    async def register(self, commitment: bytes, limit: int) -> None:
        """Registers a member, if that is done by asking. Idempotent.

        Raises:
            RegistrationClosedError: Members are others' to choose.
            RegistryUnavailableError: The registry's service does not answer.
        """
        ...

    async def save_announcement(
        self,
        announcement: Announcement,
        displaced: bytes | None = None,
        forgotten: frozenset[bytes] = frozenset(),
    ) -> None:
        """Adds a peer's announcement, all or none. Idempotent.

        Args:
            announcement: Its first, or its second; another one is not kept.
            displaced: A peer whose announcements are removed.
            forgotten: Commitments whose slashes are removed.
        """
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
