"""What a node sends of its own: messages in packets, each after a delay of its own, and loops.

A packet is made when it leaves, on a path that is drawn then: a message of hundreds of packets
holds no more memory than itself, and no packet is made of mixes that have gone meanwhile.

Rules: MIX-19 paths, MIX-20 availability, MIX-21 cover, MIX-22 own messages.
"""

import heapq
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.mixing.cover import Profile, Schedule
from logos_mixnet.core.mixing.delays import longest_ms, sample_ms
from logos_mixnet.core.mixing.errors import (
    DestinationUnknownError,
    PoolTooSmallError,
    QueueFullError,
)
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.sphinx.fragments import FRAGMENT_CODEC, cut
from logos_mixnet.core.sphinx.geometry import HERE
from logos_mixnet.core.sphinx.header import Path
from logos_mixnet.core.sphinx.message import DATA_BYTES, MixMessage, pad
from logos_mixnet.core.sphinx.packet import create_packet
from logos_mixnet.core.sphinx.primitives import RandomBytes, draw

COVER_CODEC: Final = "/mix/cover/1.0.0"
LOOP_ID_BYTES: Final = 32
MAX_QUEUED_BYTES: Final = 16 << 20
"""Of messages that have not left yet."""
MAX_LOOPS: Final = 4_096
GRACE_MS: Final = 10_000
"""For a loop, beyond the longest that its hops may hold it."""


@dataclass(frozen=True, slots=True)
class Depart:
    """Send a packet to its first hop, with a proof; report with `departed` or `not_departed`."""

    number: int
    first_hop: bytes
    """An address block (MIX-9)."""
    packet: bytes
    purpose: Purpose


Effect = Depart | Answer | Refuse
Effects = list[Effect]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message of this node's own."""

    message: bytes
    """Encoded (`MixMessage`)."""
    destination: str
    """Peer id of the mix that it is for, which is the last hop."""
    mean_delay_ms: int
    """At each hop, and before the first."""
    redundancy: int = 1
    """Packets for each piece, each on a path of its own."""


@dataclass(slots=True)
class _Sending:
    """A message, until all of its packets have left."""

    ticket: Ticket
    outgoing: Outgoing
    packets: int
    left: int
    size: int


@dataclass(order=True, slots=True)
class _Piece:
    due_ms: float
    number: int
    sending: _Sending = field(compare=False)
    message: bytes = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Loop:
    due_ms: float
    peers: Sequence[str]


class Sender:
    """The machine. `send` is answered with the number of packets, once the last has left."""

    def __init__(
        self,
        own: Mix,
        pool: Pool,
        profile: Profile,
        *,
        rng: Rng,
        random_bytes: RandomBytes,
        now_ms: int,
    ) -> None:
        self.own = own
        """This node as a mix; changes with its key."""
        self._pool = pool
        self._profile = profile
        self._rng = rng
        self._random_bytes = random_bytes
        self._schedule = Schedule(profile, rng, now_ms)
        self._numbers = count()
        self._pieces: list[_Piece] = []
        """A heap."""
        self._departing: dict[int, _Sending] = {}
        self._queued_bytes = 0
        self._loops: OrderedDict[bytes, _Loop] = OrderedDict()
        self._looping: dict[int, bytes] = {}
        """Ids of loops that have not left yet."""
        self.loops_sent = 0
        self.loops_back = 0
        self.loops_lost = 0
        self.loops_skipped = 0
        """For want of mixes or of message ids."""

    def set_profile(self, profile: Profile, now_ms: int) -> Effects:
        """Spends and holds by another profile from now on."""
        self._profile = profile
        self._schedule = Schedule(profile, self._rng, now_ms)
        return []

    def send(self, ticket: Ticket, outgoing: Outgoing, now_ms: int) -> Effects:
        """Sends a message.

        Raises:
            DestinationUnknownError: The destination is no mix that is known.
            PoolTooSmallError: There are too few others.
            QueueFullError: Too much is waiting to leave.
            MessageTooLargeError: It is too long even for fragments.
        """
        if outgoing.destination not in self._pool or outgoing.destination == self.own.peer_id:
            raise DestinationUnknownError(f"no other mix {outgoing.destination} is known")
        self._others(outgoing.destination)  # refuse now what would fail later
        pieces = self._cut(outgoing.message)
        size = len(outgoing.message) * outgoing.redundancy
        if self._queued_bytes + size > MAX_QUEUED_BYTES:
            raise QueueFullError(f"{self._queued_bytes} bytes wait to leave")
        self._queued_bytes += size
        packets = len(pieces) * outgoing.redundancy
        sending = _Sending(ticket, outgoing, packets, packets, size)
        for piece in pieces * outgoing.redundancy:
            due_ms = now_ms + sample_ms(outgoing.mean_delay_ms, self._rng)
            heapq.heappush(self._pieces, _Piece(due_ms, next(self._numbers), sending, piece))
        return self.tick(now_ms)

    def departed(self, number: int, now_ms: int) -> Effects:
        """Takes note that a packet has left."""
        return self._settled(number, None)

    def not_departed(self, number: int, error: LogosError, now_ms: int) -> Effects:
        """Takes note that a packet could not leave: its message is refused."""
        return self._settled(number, error)

    def came_back(self, loop_id: bytes, now_ms: int) -> Effects:
        """Takes the content of a message with the codec of cover. Others may send such, too."""
        loop = self._loops.pop(loop_id, None)
        if loop is not None:
            self.loops_back += 1
            self._pool.looped(loop.peers, came_back=True)
        return []

    def tick(self, now_ms: int) -> Effects:
        """Sends what is due, and gives up loops that have not come back."""
        while self._loops and next(iter(self._loops.values())).due_ms <= now_ms:
            self.loops_lost += 1
            self._pool.looped(self._loops.popitem(last=False)[1].peers, came_back=False)
        effects: Effects = []
        while self._pieces and self._pieces[0].due_ms <= now_ms:
            effects += self._leave(heapq.heappop(self._pieces))
        if self._schedule.take(now_ms):
            effects += self._loop(now_ms)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the next packet is due. Loops that are lost can wait for it."""
        times = [self._schedule.due_ms, *(piece.due_ms for piece in self._pieces[:1])]
        return math.ceil(min(times))

    # -- steps -------------------------------------------------------------------------------

    def _cut(self, message: bytes) -> list[bytes]:
        if len(message) <= DATA_BYTES:
            return [message]
        fragments = cut(message, self._random_bytes)
        return [MixMessage(FRAGMENT_CODEC, one.encode()).encode() for one in fragments]

    def _others(self, last: str) -> Sequence[Mix]:
        """Draws all hops but the last."""
        return self._pool.path(self._profile.hops - 1, self._rng, {self.own.peer_id, last})

    def _packet(self, hops: Sequence[Mix], message: bytes, mean_delay_ms: int) -> bytes:
        path = Path([mix.hop for mix in hops], [mean_delay_ms] * (len(hops) - 1))
        return create_packet(path, HERE, pad(message, self._random_bytes), self._random_bytes)

    def _leave(self, piece: _Piece) -> Effects:
        """Makes the packet of a piece, unless its message has been refused."""
        sending = piece.sending
        if sending.left == 0:
            return []
        outgoing = sending.outgoing
        self._departing[piece.number] = sending
        try:
            last = self._pool.mix(outgoing.destination)
            hops = [*self._others(outgoing.destination), last]
        except (DestinationUnknownError, PoolTooSmallError) as error:  # it has left meanwhile
            return self._settled(piece.number, error)
        packet = self._packet(hops, piece.message, outgoing.mean_delay_ms)
        return [Depart(piece.number, hops[0].hop.address, packet, Purpose.OWN)]

    def _loop(self, now_ms: int) -> Effects:
        try:
            others = self._others(self.own.peer_id)
        except PoolTooSmallError:
            self.loops_skipped += 1
            return []
        if len(self._loops) >= MAX_LOOPS:
            self._loops.popitem(last=False)
        loop_id = draw(self._random_bytes, LOOP_ID_BYTES)
        mean_ms = self._profile.mean_delay_ms
        message = MixMessage(COVER_CODEC, loop_id).encode()
        packet = self._packet([*others, self.own], message, mean_ms)
        due_ms = now_ms + longest_ms(mean_ms) * len(others) + GRACE_MS
        self._loops[loop_id] = _Loop(due_ms, [mix.peer_id for mix in others])
        self.loops_sent += 1
        number = next(self._numbers)
        self._looping[number] = loop_id
        return [Depart(number, others[0].hop.address, packet, Purpose.COVER)]

    def _settled(self, number: int, error: LogosError | None) -> Effects:
        loop_id = self._looping.pop(number, None)
        if loop_id is not None and error is not None:
            self._loops.pop(loop_id, None)  # no mix is to blame
            self.loops_sent -= 1
            self.loops_skipped += 1
        sending = self._departing.pop(number, None)
        if sending is None or sending.left == 0:  # a loop, or refused before
            return []
        sending.left = 0 if error is not None else sending.left - 1
        if sending.left:
            return []
        self._queued_bytes -= sending.size
        if error is not None:
            return [Refuse(sending.ticket, error)]
        return [Answer(sending.ticket, sending.packets)]
