"""Messages longer than a packet: cut by the sender, put together by the receiver.

A fragment is the body of a message with an internal codec:

    message id 16, random | index 2 | count 2 | piece        big-endian

All pieces but the last are full. The receiver does not know who sends, so it cannot share its
room out among senders: what it holds is bounded, and the message that has waited longest makes
room.

Spec: docs/protocol/mix.md, MIX-12 and MIX-13.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from logos_mixnet.core.sphinx.errors import FragmentError, MessageTooLargeError
from logos_mixnet.core.sphinx.geometry import KAPPA
from logos_mixnet.core.sphinx.message import DATA_BYTES, MixMessage
from logos_mixnet.core.sphinx.primitives import RandomBytes, draw

FRAGMENT_CODEC: Final = "/logos/mix/fragment/1.0.0"
MAX_CONTENT_BYTES: Final = 1 << 20
"""What an application may send in one message. 1 MiB."""

_NUMBER_BYTES: Final = 2
_INDEX: Final = KAPPA
_COUNT: Final = _INDEX + _NUMBER_BYTES
_PIECE: Final = _COUNT + _NUMBER_BYTES
PIECE_BYTES: Final = DATA_BYTES - len(MixMessage(FRAGMENT_CODEC, b"").encode()) - _PIECE
MAX_FRAGMENTS: Final = 320
"""Enough for 1 MiB with a codec and 255 reply blocks."""
MIN_FRAGMENTS: Final = 2
MAX_MESSAGE_BYTES: Final = MAX_FRAGMENTS * PIECE_BYTES

HELD_BYTES: Final = 16 << 20
"""Of all messages that are not whole, each fragment counted as large as it is with its keeping."""
FRAGMENT_COST_BYTES: Final = 128
MESSAGE_COST_BYTES: Final = 1024
MAX_COST_BYTES: Final = MESSAGE_COST_BYTES + MAX_FRAGMENTS * (PIECE_BYTES + FRAGMENT_COST_BYTES)
EXPIRY_MS: Final = 120_000
"""How long a message waits for its next fragment."""
FINISHED_MS: Final = 600_000
MAX_FINISHED: Final = 16_384
"""Ids of messages that were whole: copies of their fragments are ignored."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a message."""

    message_id: bytes
    index: int
    count: int
    piece: bytes

    def encode(self) -> bytes:
        """Returns the body of a message with the codec `FRAGMENT_CODEC`."""
        numbers = self.index.to_bytes(_NUMBER_BYTES, "big")
        numbers += self.count.to_bytes(_NUMBER_BYTES, "big")
        return self.message_id + numbers + self.piece

    @classmethod
    def decode(cls, body: bytes) -> "Fragment":
        """Reads a body; raises `FragmentError` if it is no fragment."""
        index = int.from_bytes(body[_INDEX:_COUNT], "big")
        count = int.from_bytes(body[_COUNT:_PIECE], "big")
        piece = body[_PIECE:]
        if not MIN_FRAGMENTS <= count <= MAX_FRAGMENTS or index >= count:
            raise FragmentError(f"no fragment {index} of {count}")
        if not 0 < len(piece) <= PIECE_BYTES or (len(piece) < PIECE_BYTES and index + 1 < count):
            raise FragmentError(f"fragment {index} of {count} has {len(piece)} bytes")
        return cls(body[:KAPPA], index, count, piece)


def cut(message: bytes, random_bytes: RandomBytes) -> list[Fragment]:
    """Cuts an encoded message that has no room in a packet.

    Raises:
        MessageTooLargeError: It is larger than 320 fragments.
        ValueError: It fits one packet, and goes in one.
    """
    if len(message) > MAX_MESSAGE_BYTES:
        raise MessageTooLargeError(
            f"{len(message)} bytes, but a message has at most {MAX_MESSAGE_BYTES}"
        )
    if len(message) <= DATA_BYTES:
        raise ValueError("a message that fits one packet is not cut")
    message_id = draw(random_bytes, KAPPA)
    pieces = [message[at : at + PIECE_BYTES] for at in range(0, len(message), PIECE_BYTES)]
    return [Fragment(message_id, i, len(pieces), piece) for i, piece in enumerate(pieces)]


class Loss(StrEnum):
    """Why a message was given up."""

    EXPIRED = "expired"
    DISPLACED = "displaced"


@dataclass(frozen=True, slots=True)
class Whole:
    """Effect: all fragments of a message are there."""

    message: bytes
    """Encoded (`MixMessage`). Untrusted."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Effect: a message was given up."""

    arrived: int
    count: int
    cause: Loss


@dataclass(frozen=True, slots=True)
class Refused:
    """Effect: a fragment was dropped."""

    error: FragmentError


Effect = Whole | Lost | Refused


@dataclass(slots=True)
class _Partial:
    count: int
    due_ms: int = 0
    pieces: dict[int, bytes] = field(default_factory=dict)
    cost: int = MESSAGE_COST_BYTES

    def add(self, fragment: Fragment, now_ms: int) -> None:
        self.due_ms = now_ms + EXPIRY_MS
        self.pieces[fragment.index] = fragment.piece
        self.cost += len(fragment.piece) + FRAGMENT_COST_BYTES


class Reassembly:
    """The machine that puts messages together (MIX-13). Its memory is bounded, see `held_bytes`."""

    def __init__(self, limit_bytes: int = HELD_BYTES) -> None:
        """`limit_bytes`: at least `MAX_COST_BYTES`; raises `ValueError` for less."""
        if limit_bytes < MAX_COST_BYTES:
            raise ValueError("a limit that the largest message exceeds alone")
        self._limit = limit_bytes
        self._partials: OrderedDict[bytes, _Partial] = OrderedDict()
        self._finished: OrderedDict[bytes, int] = OrderedDict()
        self.held_bytes = 0
        """What the messages that are not whole cost. Never above the limit between inputs."""

    def arrived(self, body: bytes, now_ms: int) -> list[Effect]:
        """Takes the body of a message with the codec `FRAGMENT_CODEC`. Untrusted."""
        effects = self.tick(now_ms)
        try:
            fragment = Fragment.decode(body)
            is_new = self._check(fragment)
        except FragmentError as error:
            return [*effects, Refused(error)]
        return effects + self._keep(fragment, now_ms) if is_new else effects

    def tick(self, now_ms: int) -> list[Effect]:
        """Gives up the messages that have waited too long, and forgets old ids."""
        while self._finished and next(iter(self._finished.values())) <= now_ms:
            self._finished.popitem(last=False)
        effects: list[Effect] = []
        while self._partials and next(iter(self._partials.values())).due_ms <= now_ms:
            effects.append(self._give_up(Loss.EXPIRED))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the first message expires; None: there is none."""
        return next(iter(self._partials.values())).due_ms if self._partials else None

    def _check(self, fragment: Fragment) -> bool:
        """Returns whether the fragment is new; raises `FragmentError` if it contradicts others."""
        if fragment.message_id in self._finished:
            return False
        partial = self._partials.get(fragment.message_id)
        if partial is None:
            return True
        known = partial.pieces.get(fragment.index, fragment.piece)
        if partial.count != fragment.count or known != fragment.piece:
            raise FragmentError("a fragment contradicts another one of its message")
        return fragment.index not in partial.pieces

    def _keep(self, fragment: Fragment, now_ms: int) -> list[Effect]:
        message_id = fragment.message_id
        partial = self._take(message_id) or _Partial(fragment.count)
        partial.add(fragment, now_ms)
        if len(partial.pieces) == partial.count:
            self._finish(message_id, now_ms)
            return [Whole(b"".join(partial.pieces[i] for i in range(partial.count)))]
        effects: list[Effect] = []
        self.held_bytes += partial.cost
        while self.held_bytes > self._limit:
            effects.append(self._give_up(Loss.DISPLACED))
        self._partials[message_id] = partial
        return effects

    def _take(self, message_id: bytes) -> _Partial | None:
        partial = self._partials.pop(message_id, None)
        if partial is not None:
            self.held_bytes -= partial.cost
        return partial

    def _finish(self, message_id: bytes, now_ms: int) -> None:
        self._finished[message_id] = now_ms + FINISHED_MS
        if len(self._finished) > MAX_FINISHED:
            self._finished.popitem(last=False)

    def _give_up(self, cause: Loss) -> Lost:
        _, partial = self._partials.popitem(last=False)
        self.held_bytes -= partial.cost
        return Lost(len(partial.pieces), partial.count, cause)
