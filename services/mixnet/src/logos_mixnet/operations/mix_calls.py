"""What other modules ask of the mix: send, ask, ping, listen, answer.

The rules are in docs/protocol/mix.md, MIX-22 to MIX-28, and MIX-35.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.mixing import deliveries as ends
from logos_mixnet.core.mixing.anonymity import NO_FLOOR, Floor, Statement
from logos_mixnet.core.mixing.deliveries import PING_BYTES, PING_CODEC, Delivery, Listener
from logos_mixnet.core.mixing.errors import NoAnswerError
from logos_mixnet.core.mixing.sender import Block, Outgoing, Traceable
from logos_mixnet.core.sphinx.errors import MessageTooLargeError
from logos_mixnet.core.sphinx.fragments import MAX_CONTENT_BYTES, PIECE_BYTES
from logos_mixnet.core.sphinx.geometry import HERE
from logos_mixnet.core.sphinx.message import DATA_BYTES, ForwardBody, MixMessage
from logos_mixnet.core.sphinx.primitives import RandomBytes
from logos_mixnet.core.sphinx.replies import RequestId
from logos_mixnet.operations.inbox import Inbox
from logos_mixnet.operations.mixing import Mixing

WAIT_S: Final = 120.0
"""For an answer, where the caller sets no deadline."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A content and its route."""

    destination: str
    """Peer id."""
    codec: str
    content: bytes
    mean_delay_ms: int
    redundancy: int = 1
    handed_to: bytes = HERE
    """An address block, where the destination need not be a mix (MIX-28)."""
    floor: Floor = NO_FLOOR


@dataclass(frozen=True, slots=True)
class Hidden:
    """What hides a message."""

    stated: Statement
    is_observed: bool
    """Whether it rests on packets that were seen to wait here."""
    is_below_floor: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that has left."""

    packets: int
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request."""

    content: bytes
    packets: int
    """That the request took."""
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class Planned:
    """A ping that is about to leave."""

    forward: Traceable
    back: Traceable
    hidden: Hidden


@dataclass(frozen=True, slots=True)
class Departed:
    """A ping that has left."""


@dataclass(frozen=True, slots=True)
class Returned:
    """A ping that is back."""


class MixCalls:
    """The calls, over one mix."""

    def __init__(self, mixing: Mixing, random_bytes: RandomBytes) -> None:
        self.mixing = mixing
        self._random_bytes = random_bytes

    async def send(self, parcel: Parcel) -> Sent:
        """Sends a message; returns when its last packet has left.

        Raises:
            AnonymityTooLowError, InvalidCodecError, DestinationUnknownError, PoolTooSmallError,
            QueueFullError, MessageTooLargeError, LinkDownError, BudgetSpentError
        """
        hidden = self._hidden(parcel.mean_delay_ms, parcel.floor)
        return Sent(await self._send(parcel, ()), hidden)

    async def request(self, parcel: Parcel, blocks: int, wait_s: float = WAIT_S) -> Answered:
        """Sends a message with so many reply blocks, and waits for the answer.

        Raises:
            NoAnswerError: None came in time, or within the time that blocks are good for.
            RepliesFullError: Too many answers are waited for.
            LogosError: What `send` raises.
        """
        hidden = self._hidden(parcel.mean_delay_ms, parcel.floor)
        sender = self.mixing.sender
        made = sender.reply_blocks(blocks, parcel.destination, parcel.mean_delay_ms)
        async with self._expecting(made) as request:
            packets = await self._send(parcel, made)
            return Answered(await self._answer(request, wait_s), packets, hidden)

    async def ping(
        self,
        destination: str,
        mean_delay_ms: int,
        wait_ms: int,
        *,
        floor: Floor = NO_FLOOR,
        wait_s: float = WAIT_S,
    ) -> AsyncIterator[Planned | Departed | Returned]:
        """Sends 32 bytes that the destination sends back; tells each step.

        Raises:
            NoAnswerError: They did not come back.
            LogosError: What `send` raises.
        """
        hidden = self._hidden(mean_delay_ms, floor)
        sender, content = self.mixing.sender, self._random_bytes(PING_BYTES)
        [block] = sender.reply_blocks(1, destination, mean_delay_ms)
        body = ForwardBody(content, [block.surb])
        message = MixMessage(PING_CODEC, body.encode()).encode()
        probe = sender.probe(destination, message, mean_delay_ms)
        async with self._expecting([block]) as request:
            yield Planned(probe.way, block.way, hidden)
            await self.mixing.sending.ask(sender.send_made, probe.made, mean_delay_ms, wait_ms)
            yield Departed()
            if await self._answer(request, wait_s) != content:
                raise NoAnswerError("something else came back")
            yield Returned()

    @asynccontextmanager
    async def listen(self, codec: str) -> AsyncIterator[Inbox[Delivery]]:
        """Takes the messages of a codec for as long as the context is open."""
        mixing, listener = self.mixing, Listener(codec)
        with mixing.listeners.open(listener, listener.take) as messages:
            try:
                await mixing.delivering.ask(mixing.deliveries.listen, listener)
                yield messages
            finally:
                mixing.delivering.put(mixing.deliveries.unlisten, listener)

    async def reply(self, token: bytes, content: bytes, mean_delay_ms: int) -> int:
        """Answers a message; returns with the number of packets when the last has left.

        Raises:
            ReplyTokenUnknownError: It was answered, or is too old.
            MessageTooLargeError: It came with too few reply blocks. They are used up.
        """
        mixing = self.mixing
        blocks = await mixing.delivering.ask(mixing.deliveries.claim, token)
        packets: int = await mixing.sending.ask(
            mixing.sender.answer, blocks, content, mean_delay_ms
        )
        return packets

    def _hidden(self, mean_delay_ms: int, floor: Floor) -> Hidden:
        stated, is_observed = self.mixing.anonymity(mean_delay_ms)
        return Hidden(stated, is_observed, floor.is_above(stated))

    async def _send(self, parcel: Parcel, blocks: Sequence[Block]) -> int:
        ends.check_codec(parcel.codec)
        if len(parcel.content) > MAX_CONTENT_BYTES:
            raise MessageTooLargeError(f"a content has at most {MAX_CONTENT_BYTES} bytes")
        body = ForwardBody(parcel.content, [block.surb for block in blocks])
        outgoing = Outgoing(
            MixMessage(parcel.codec, body.encode()).encode(),
            "" if parcel.handed_to != HERE else parcel.destination,
            parcel.mean_delay_ms,
            parcel.redundancy,
            parcel.handed_to,
        )
        packets: int = await self.mixing.sending.ask(self.mixing.sender.send, outgoing)
        return packets

    @asynccontextmanager
    async def _expecting(self, blocks: Sequence[Block]) -> AsyncIterator[RequestId]:
        mixing = self.mixing
        keys = [block.keys for block in blocks]
        request: RequestId = await mixing.delivering.ask(mixing.deliveries.expect, keys)
        try:
            yield request
        finally:
            mixing.delivering.put(mixing.deliveries.forget, request)

    async def _answer(self, request: RequestId, wait_s: float) -> bytes:
        mixing = self.mixing
        try:
            async with asyncio.timeout(wait_s):
                answer: bytes = await mixing.delivering.ask(mixing.deliveries.wait, request)
        except TimeoutError:
            raise NoAnswerError(f"no answer came in {wait_s:.0f} s") from None
        return answer


def answer_room(blocks: int) -> int:
    """Returns how many bytes an answer over so many reply blocks may have."""
    if blocks == 0:
        return 0
    room = DATA_BYTES if blocks == 1 else blocks * PIECE_BYTES
    return min(room - len(MixMessage("", b"").encode()), MAX_CONTENT_BYTES)
