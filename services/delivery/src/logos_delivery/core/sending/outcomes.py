"""Ways on which a message leaves this node, and what the answers on them mean (DSN-5).

Source: WAKU2-LIGHTPUSH v3, whose status codes all ways use.
"""

from enum import Enum, IntEnum
from typing import Final

RLN_REFUSAL: Final = "RLN validation failed"
"""By this text in a 420 another node tells that it was the proof that it refused."""


class Route(Enum):
    """A way to other nodes."""

    RELAY = "relay"
    LIGHTPUSH = "lightpush"
    MIX = "mix"
    """Lightpush at the end of a path through the mix-net."""


class PushCode(IntEnum):
    """Why a message was not taken: status codes of lightpush, and one of ours."""

    NO_ANSWER = 0
    """None came: it may have been taken."""
    BAD_REQUEST = 400
    PAYLOAD_TOO_LARGE = 413
    INVALID_MESSAGE = 420
    UNSUPPORTED_PUBSUB_TOPIC = 421
    TOO_MANY_REQUESTS = 429
    INTERNAL_SERVER_ERROR = 500
    SERVICE_NOT_AVAILABLE = 503
    """Also: this node knows no peer on this way."""
    OUT_OF_RLN_PROOF = 504
    NO_PEERS_TO_RELAY = 505


_PASSING: Final = frozenset(
    {
        PushCode.NO_ANSWER,
        PushCode.TOO_MANY_REQUESTS,
        PushCode.INTERNAL_SERVER_ERROR,
        PushCode.SERVICE_NOT_AVAILABLE,
        PushCode.NO_PEERS_TO_RELAY,
    }
)


class Fate(Enum):
    """What follows for a message that was not taken."""

    RETRY = "retry"
    """Another way, or another time."""
    PROVE_AGAIN = "prove again"
    GIVE_UP = "give up"


def fate_of(code: int, text: str) -> Fate:
    """Returns what follows. Code and text are another node's: any values."""
    if code == PushCode.OUT_OF_RLN_PROOF:
        return Fate.PROVE_AGAIN
    if code == PushCode.INVALID_MESSAGE and RLN_REFUSAL in text:
        return Fate.PROVE_AGAIN
    return Fate.RETRY if code in _PASSING else Fate.GIVE_UP
