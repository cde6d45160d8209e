"""Messages between the nodes that follow a topic, as modules see them.

What is done with them is the network module's: `logos.network.v1.Gossip`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


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
