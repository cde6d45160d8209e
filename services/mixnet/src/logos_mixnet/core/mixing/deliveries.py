"""What ends at this node: messages for its listeners, loops, pings, and answers that it waits for.

A message is put together, told from its copies, and handed to the listener of its codec. Of
messages without a listener nothing is kept. Whatever fails is dropped, and counted by its reason.

Rules: MIX-10, MIX-13, MIX-14, MIX-25 copies, MIX-26 listeners, MIX-27 answers.
"""

import hashlib
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.mixing.errors import (
    CodecTakenError,
    CopyError,
    ExitRefusedError,
    InvalidCodecError,
    ListenerFullError,
    NoAnswerError,
    NobodyListensError,
)
from logos_mixnet.core.mixing.sender import COVER_CODEC
from logos_mixnet.core.mixing.tokens import ReplyTokens
from logos_mixnet.core.sphinx import fragments, replies
from logos_mixnet.core.sphinx.fragments import FRAGMENT_CODEC, Reassembly
from logos_mixnet.core.sphinx.message import (
    MAX_CODEC_BYTES,
    REPLY_CODEC,
    ForwardBody,
    MixMessage,
    unpad,
)
from logos_mixnet.core.sphinx.packet import Exit, Reply
from logos_mixnet.core.sphinx.primitives import RandomBytes
from logos_mixnet.core.sphinx.replies import Replies, RequestId
from logos_mixnet.core.sphinx.surb import ReplyKeys, Surb

PING_CODEC: Final = "/ipfs/ping/1.0.0"
PING_BYTES: Final = 32
INTERNAL_CODECS: Final = frozenset({COVER_CODEC, FRAGMENT_CODEC, PING_CODEC, REPLY_CODEC})
MAX_WAITING_MESSAGES: Final = 1_024
MAX_WAITING_BYTES: Final = 16 << 20
"""For one listener."""
COPY_BYTES: Final = 16
MAX_COPIES: Final = 16_384
"""Digests of messages that were here: copies of them are dropped."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for a listener."""

    content: bytes
    """Untrusted."""
    reply_token: bytes = b""
    """What it is answered with; empty if no answer is wanted."""
    reply_blocks: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One local call that listens for a codec."""

    codec: str
    waiting: deque[Delivery] = field(default_factory=deque)

    def take(self) -> Delivery | None:
        """Returns the next message; None if there is none."""
        return self.waiting.popleft() if self.waiting else None


@dataclass(frozen=True, slots=True)
class Looped:
    """A loop is back: tell the sender."""

    loop_id: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """Wake a listener: a message waits for it."""

    listener: Listener


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer a ping over its reply blocks."""

    blocks: Sequence[Surb]
    content: bytes


@dataclass(frozen=True, slots=True)
class HandOver:
    """Send a content on a stream of its codec to a node that need not be a mix (MIX-28)."""

    destination: bytes
    """An address block that was not looked into."""
    codec: str
    content: bytes
    blocks: Sequence[Surb]


Effect = Looped | Arrived | Respond | HandOver | Answer | Refuse
Effects = list[Effect]


class Deliveries:
    """The machine. Holds a bounded amount, whatever comes."""

    def __init__(self, wait_ms: int, random_bytes: RandomBytes, *, is_exit: bool = False) -> None:
        """Begins with nothing.

        Args:
            wait_ms: How long answers are waited for, and reply blocks kept: at most the time
                between two rotations of the mixes' keys.
            random_bytes: For tokens.
            is_exit: Whether messages for nodes that are no mixes are handed over.
        """
        self._replies = Replies(wait_ms)
        self._reassembly = Reassembly()
        self._tokens = ReplyTokens(wait_ms, random_bytes)
        self._is_exit = is_exit
        self._listeners: dict[str, Listener] = {}
        self._requests = map(RequestId, count(1))
        self._awaiting: dict[RequestId, Ticket | None] = {}
        self._answered: dict[RequestId, bytes] = {}
        self._copies: OrderedDict[bytes, None] = OrderedDict()
        self.dropped: Counter[str] = Counter()
        """By reason."""

    @property
    def awaited(self) -> int:
        """How many answers are waited for."""
        return len(self._awaiting)

    # -- local callers -------------------------------------------------------------------------

    def listen(self, ticket: Ticket, listener: Listener, now_ms: int) -> Effects:
        """Adds a listener.

        Raises:
            InvalidCodecError: Its codec is none, or one of the mix's own.
            CodecTakenError: Another call listens for it.
        """
        check_codec(listener.codec)
        if listener.codec in self._listeners:
            raise CodecTakenError(f"another call listens for {listener.codec}")
        self._listeners[listener.codec] = listener
        return [Answer(ticket)]

    def unlisten(self, listener: Listener, now_ms: int) -> Effects:
        """Removes a listener. Idempotent."""
        if self._listeners.get(listener.codec) is listener:
            del self._listeners[listener.codec]
        return []

    def expect(self, ticket: Ticket, keys: Sequence[ReplyKeys], now_ms: int) -> Effects:
        """Keeps the keys of a request before it is sent; answered with its `RequestId`.

        Raises:
            RepliesFullError: Too many answers are waited for.
        """
        request = next(self._requests)
        told = self._replies.expect(request, keys, now_ms)
        self._awaiting[request] = None
        return [*self._after(told, now_ms), Answer(ticket, request)]

    def wait(self, ticket: Ticket, request: RequestId, now_ms: int) -> Effects:
        """Waits for the answer to a request: answered with its content.

        Refused with `NoAnswerError` when its time is over.
        """
        if request in self._answered:
            return [Answer(ticket, self._answered.pop(request))]
        if request not in self._awaiting:
            raise NoAnswerError("no answer came in time")
        self._awaiting[request] = ticket
        return []

    def forget(self, request: RequestId, now_ms: int) -> Effects:
        """Waits for an answer no longer. Idempotent."""
        self._awaiting.pop(request, None)
        self._answered.pop(request, None)
        return self._after(self._replies.forget(request, now_ms), now_ms)

    def claim(self, ticket: Ticket, token: bytes, now_ms: int) -> Effects:
        """Takes the reply blocks of a message, once: answered with a sequence of `Surb`.

        Raises:
            ReplyTokenUnknownError: They were taken, or are too old.
        """
        return [Answer(ticket, self._tokens.take(token, now_ms))]

    # -- from the relay ------------------------------------------------------------------------

    def arrived(self, content: Exit | Reply, now_ms: int) -> Effects:
        """Takes what a packet held that ended here. Untrusted."""
        try:
            if isinstance(content, Reply):
                return self._after(self._replies.arrived(content, now_ms), now_ms)
            self._check_copy(content.message)
            message = MixMessage.decode(unpad(content.message))
            if not content.is_here:
                return self._hand_over(content.destination, message)
            return self._message(message, now_ms)
        except LogosError as error:
            self.dropped[error.reason] += 1
            return []

    def tick(self, now_ms: int) -> Effects:
        """Gives up what has waited too long."""
        effects = self._after(self._replies.tick(now_ms), now_ms)
        self._put_together(self._reassembly.tick(now_ms))
        self._tokens.expire(now_ms)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when something is given up. Tokens can wait for it."""
        times = (self._replies.next_wake_ms(), self._reassembly.next_wake_ms())
        return min((each for each in times if each is not None), default=None)

    # -- steps ---------------------------------------------------------------------------------

    def _check_copy(self, padded: bytes) -> None:
        """Copies have the same random number at the end (MIX-25)."""
        digest = hashlib.sha256(padded).digest()[:COPY_BYTES]
        if digest in self._copies:
            raise CopyError("a copy of this message was here before")
        self._copies[digest] = None
        if len(self._copies) > MAX_COPIES:
            self._copies.popitem(last=False)

    def _message(self, message: MixMessage, now_ms: int) -> Effects:
        match message.codec:
            case codec if codec == COVER_CODEC:
                return [Looped(message.body)]
            case codec if codec == FRAGMENT_CODEC:
                whole = self._put_together(self._reassembly.arrived(message.body, now_ms))
                return [] if whole is None else self._whole(whole, now_ms)
            case codec if codec == PING_CODEC:
                body = ForwardBody.decode(message.body)
                return [Respond(body.surbs, body.content[:PING_BYTES])] if body.surbs else []
        return self._deliver(message, now_ms)

    def _whole(self, raw: bytes, now_ms: int) -> Effects:
        """Takes a message that came in fragments."""
        message = MixMessage.decode(raw)
        if message.codec in INTERNAL_CODECS:
            raise NobodyListensError("messages of the mix itself come in one packet")
        return self._deliver(message, now_ms)

    def _deliver(self, message: MixMessage, now_ms: int) -> Effects:
        listener = self._listeners.get(message.codec)
        if listener is None:
            raise NobodyListensError("no program listens for the codec of a message")
        body = ForwardBody.decode(message.body)
        size = sum(len(each.content) for each in listener.waiting) + len(body.content)
        if len(listener.waiting) >= MAX_WAITING_MESSAGES or size > MAX_WAITING_BYTES:
            raise ListenerFullError("a listener is too slow for its messages")
        token = self._tokens.add(body.surbs, now_ms) if body.surbs else b""
        listener.waiting.append(Delivery(body.content, token, len(body.surbs)))
        return [Arrived(listener)]

    def _hand_over(self, destination: bytes, message: MixMessage) -> Effects:
        if not self._is_exit or message.codec in INTERNAL_CODECS:
            raise ExitRefusedError("this node hands nothing over to nodes that are no mixes")
        body = ForwardBody.decode(message.body)
        return [HandOver(destination, message.codec, body.content, body.surbs)]

    def _after(self, told: Sequence[replies.Effect], now_ms: int) -> Effects:
        effects: Effects = []
        for each in told:
            match each:
                case replies.Recovered(request, padded):
                    effects += self._recovered(request, padded, now_ms)
                case replies.Unanswered(request):
                    ticket = self._awaiting.pop(request, None)
                    if ticket is not None:
                        effects.append(Refuse(ticket, NoAnswerError("no answer came in time")))
                case replies.Dropped(error):
                    self.dropped[error.reason] += 1
        return effects

    def _recovered(self, request: RequestId, padded: bytes, now_ms: int) -> Effects:
        """Takes an answer, or a part of one."""
        try:
            message = MixMessage.decode(unpad(padded))
            if message.codec == FRAGMENT_CODEC:
                whole = self._put_together(self._reassembly.arrived(message.body, now_ms))
                if whole is None:
                    return []
                message = MixMessage.decode(whole)
            if message.codec != REPLY_CODEC:
                raise NobodyListensError("an answer has no codec")
        except LogosError as error:
            self.dropped[error.reason] += 1
            return []
        if request not in self._awaiting:
            return []  # another copy of the answer was first
        ticket = self._awaiting.pop(request)
        effects = self._after(self._replies.forget(request, now_ms), now_ms)
        if ticket is None:
            self._answered[request] = message.body
            return effects
        return [*effects, Answer(ticket, message.body)]

    def _put_together(self, told: Sequence[fragments.Effect]) -> bytes | None:
        whole: bytes | None = None
        for each in told:
            match each:
                case fragments.Whole(message):
                    whole = message
                case fragments.Lost():
                    self.dropped["MIX_FRAGMENTS_LOST"] += 1
                case fragments.Refused(error):
                    self.dropped[error.reason] += 1
        return whole


def check_codec(codec: str) -> None:
    """Raises `InvalidCodecError` unless an application may use a codec."""
    if not 1 <= len(codec.encode()) <= MAX_CODEC_BYTES:
        raise InvalidCodecError(f"a codec has 1 to {MAX_CODEC_BYTES} bytes")
    if codec in INTERNAL_CODECS:
        raise InvalidCodecError(f"{codec} is a codec of the mix itself")
