"""Whether this node is a member."""

from dataclasses import dataclass
from enum import Enum

from logos_mixnet.core.rln.members import Place


class MembershipStatus(Enum):
    """As the RLN API has it, as far as it applies here."""

    NONE = "none"
    PENDING = "pending"
    """It is registered, and counts from the next epoch."""
    ACTIVE = "active"
    SLASHED = "slashed"
    """It used a message id twice, or has announced two commitments."""


@dataclass(frozen=True, slots=True)
class MembershipState:
    """This node's membership."""

    status: MembershipStatus
    commitment: bytes
    limit: int
    place: Place | None
    """Where its leaf is, if it is ACTIVE."""
