"""Messages between the nodes that follow a topic, as modules see them.

What is done with them is the network module's: `logos.network.v1.Gossip`.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol


class Verdict(Enum):
    """What becomes of a message: `logos.network.v1.Verdict`."""

    ACCEPT = "accept"
    """Pass it on."""
    REJECT = "reject"
    """Do not, and count it against the neighbour that passed it on."""
    IGNORE = "ignore"
    """Do not."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a topic. Untrusted."""

    gossip_id: bytes
    """32 bytes: the SHA-256 of the data (NET-6)."""
    data: bytes
    neighbour: str
    """The peer id of who passed it on; that need not be its author."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The connected peers that follow a topic, by peer id."""

    followers: tuple[str, ...] = ()
    mesh: tuple[str, ...] = ()
    """Of these, the ones that messages are passed on to at once."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """What gossip thinks of them."""


class FollowedTopic(Protocol):
    """A topic that is followed."""

    async def messages(self) -> Sequence[Heard]:
        """Waits for messages, at least one. Untrusted."""
        ...

    def judge(self, gossip_id: bytes, verdict: Verdict) -> None:
        """Gives the verdict on a message, once; after four seconds it is void (NET-8)."""
        ...


class Gossip(Protocol):
    """Messages to and from the neighbours that follow a topic."""

    async def publish(self, topic: str, data: bytes) -> None:
        """Passes a message to the neighbours that follow a topic, one at least.

        Raises:
            NoNeighboursError: There is none, or none has room.
            MessageKnownError: The same bytes were published within the last two minutes.
            MessageOversizeError: It is larger than the network module takes (NET-7).
            NetworkUnavailableError, NetworkDeniedError
        """
        ...

    def follow(self, topic: str) -> AbstractAsyncContextManager[FollowedTopic]:
        """Follows a topic for as long as the context is open; goes on after any interruption."""
        ...
