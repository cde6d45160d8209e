"""What a node sends of its own: messages in packets, each after a delay of its own, and loops.

A packet is made when it leaves, on a path that is drawn then: a message of hundreds of packets
holds no more memory than itself, and no packet is made of mixes that have gone meanwhile.

Rules: MIX-19 paths, MIX-20 availability, MIX-21 cover, MIX-22 own messages, MIX-34 alarm.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.mixing.alarm import LoopAlarm
from logos_mixnet.core.mixing.cover import Profile, Schedule
from logos_mixnet.core.mixing.delays import longest_ms, sample_ms
from logos_mixnet.core.mixing.errors import DestinationUnknownError, PoolTooSmallError
from logos_mixnet.core.mixing.outbox import Drawn, Made, Outbox, Piece
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.mixing.tags import TAG_BYTES
from logos_mixnet.core.rln.message_ids import Purpose
from logos_mixnet.core.sphinx.errors import MessageTooLargeError
from logos_mixnet.core.sphinx.fragments import FRAGMENT_CODEC, cut
from logos_mixnet.core.sphinx.geometry import HERE
from logos_mixnet.core.sphinx.header import Path
from logos_mixnet.core.sphinx.message import DATA_BYTES, REPLY_CODEC, MixMessage, pad
from logos_mixnet.core.sphinx.packet import create_packet, wrap
from logos_mixnet.core.sphinx.primitives import RandomBytes, draw, replay_tag
from logos_mixnet.core.sphinx.surb import ReplyKeys, Surb, create_surb

COVER_CODEC: Final = "/mix/cover/1.0.0"
LOOP_ID_BYTES: Final = 32
ANSWER_COPIES: Final = 2
"""Over so many reply blocks an answer is sent, if there are more than it needs (MIX-27)."""
MAX_LOOPS: Final = 4_096
AWAY_MS: Final = 60_000
"""For so long no path is drawn over a mix to which the link broke, unless there is no other."""
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
_Draws = Callable[[int, Rng, Collection[str]], Sequence[Mix]]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message of this node's own."""

    message: bytes
    """Encoded (`MixMessage`)."""
    destination: str
    """Peer id of the mix that it is for, which is the last hop; empty: any mix hands it over."""
    mean_delay_ms: int
    """At each hop, and before the first."""
    redundancy: int = 1
    """Packets for each piece, each on a path of its own."""
    handed_to: bytes = HERE
    """An address block: the node that the last hop hands it to; zeros: none (MIX-28)."""


@dataclass(frozen=True, slots=True)
class Traceable:
    """A packet, or the way of an answer, with what its hops know it by (MIX-24)."""

    hops: Sequence[str]
    """Peer ids."""
    tags: Sequence[bytes]
    """16 bytes each."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A packet of which everything is known before it leaves."""

    made: Made
    way: Traceable


@dataclass(frozen=True, slots=True)
class Block:
    """A reply block, what its maker keeps, and its way."""

    surb: Surb
    keys: ReplyKeys
    way: Traceable


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
        self.outbox = Outbox()
        self._away: dict[str, int] = {}
        """Mixes that cannot be reached, each with the time until which that is believed."""
        self._alarm = LoopAlarm(profile)
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
        self._alarm = LoopAlarm(profile)
        return []

    @property
    def is_cut_off(self) -> bool:
        """Whether overdue loops point to an n - 1 attack (MIX-34)."""
        return self._alarm.is_on

    def send(self, ticket: Ticket, outgoing: Outgoing, now_ms: int) -> Effects:
        """Sends a message.

        Raises:
            DestinationUnknownError: The destination is no mix that is known.
            PoolTooSmallError: There are too few others.
            QueueFullError: Too much is waiting to leave.
            MessageTooLargeError: It is too long even for fragments.
        """
        last = outgoing.destination
        if last:
            self._check_destination(last)
        self._others(last, self._profile.hops - bool(last))  # refuse now what would fail later
        pieces = self._padded(outgoing.message) * outgoing.redundancy
        mean_ms = outgoing.mean_delay_ms
        what = [Drawn(piece, last, outgoing.handed_to, mean_ms) for piece in pieces]
        size = len(outgoing.message) * outgoing.redundancy
        self.outbox.put(ticket, [(self._entry_ms(mean_ms, now_ms), each) for each in what], size)
        return self.tick(now_ms)

    def send_made(
        self, ticket: Ticket, made: Made, mean_delay_ms: int, wait_ms: int, now_ms: int
    ) -> Effects:
        """Sends a packet that is made already, not before some time has passed.

        Raises:
            QueueFullError: Too much is waiting to leave.
        """
        due_ms = self._entry_ms(mean_delay_ms, now_ms + wait_ms)
        self.outbox.put(ticket, [(due_ms, made)], len(made.packet))
        return self.tick(now_ms)

    def answer(
        self,
        ticket: Ticket,
        blocks: Sequence[Surb],
        content: bytes,
        mean_delay_ms: int,
        now_ms: int,
    ) -> Effects:
        """Answers a message over its reply blocks.

        Args:
            ticket: Of the question.
            blocks: At least one.
            content: What is answered.
            mean_delay_ms: Before each packet leaves; 0: at once.
            now_ms: The time.

        Raises:
            QueueFullError: Too much is waiting to leave.
            MessageTooLargeError: There are too few blocks for it.
        """
        pieces = self._padded(MixMessage(REPLY_CODEC, content).encode())
        if len(pieces) > len(blocks):
            raise MessageTooLargeError(
                f"the answer needs {len(pieces)} reply blocks, {len(blocks)} came"
            )
        used = blocks[: len(pieces) * ANSWER_COPIES]
        made = [
            Made(block.first_hop, block.answer(pieces[place % len(pieces)]))
            for place, block in enumerate(used)
        ]
        due = [self._entry_ms(mean_delay_ms, now_ms) if mean_delay_ms else now_ms for _ in made]
        size = sum(len(each.packet) for each in made)
        self.outbox.put(ticket, list(zip(due, made, strict=True)), size)
        return self.tick(now_ms)

    def reply_blocks(self, number: int, destination: str, mean_delay_ms: int) -> list[Block]:
        """Makes reply blocks for who is asked: their ways end here, and do not touch it.

        Raises:
            PoolTooSmallError: There are too few other mixes.
        """
        blocks = []
        for _ in range(number):
            hops = [*self._others(destination), self.own]
            surb, keys = create_surb(self._path(hops, mean_delay_ms), self._random_bytes)
            blocks.append(Block(surb, keys, _way(hops, keys.secrets)))
        return blocks

    def probe(self, destination: str, message: bytes, mean_delay_ms: int) -> Probe:
        """Makes a packet of a message that fits one; `send_made` sends it.

        Raises:
            DestinationUnknownError: The destination is no mix that is known.
            PoolTooSmallError: There are too few others.
            MessageTooLargeError: It does not fit.
        """
        self._check_destination(destination)
        hops = [*self._others(destination), self._pool.mix(destination)]
        padded = pad(message, self._random_bytes)
        wrapped = wrap(self._path(hops, mean_delay_ms), HERE, padded, self._random_bytes)
        made = Made(hops[0].hop.address, wrapped.packet)
        return Probe(made, _way(hops, wrapped.secrets))

    def departed(self, number: int, now_ms: int) -> Effects:
        """Takes note that a packet has left."""
        return self._settled(number, None, now_ms)

    def not_departed(self, number: int, error: LogosError, now_ms: int) -> Effects:
        """Takes note that a packet could not leave: it is tried again, or its message refused."""
        return self._settled(number, error, now_ms)

    def link_down(self, peer_id: str, now_ms: int) -> Effects:
        """Takes note that there is no link to a mix (MIX-19)."""
        self._away = {peer: until for peer, until in self._away.items() if until > now_ms}
        if peer_id in self._pool:
            self._away[peer_id] = now_ms + AWAY_MS
        return []

    def link_up(self, peer_id: str, now_ms: int) -> Effects:
        """Takes note that there is a link to a mix."""
        self._away.pop(peer_id, None)
        return []

    def came_back(self, loop_id: bytes, now_ms: int) -> Effects:
        """Takes the content of a message with the codec of cover. Others may send such, too."""
        loop = self._loops.pop(loop_id, None)
        if loop is not None:
            self.loops_back += 1
            self._alarm.came_back(loop_id, now_ms)
            self._pool.looped(loop.peers, came_back=True)
        return []

    def tick(self, now_ms: int) -> Effects:
        """Sends what is due, and gives up loops that have not come back."""
        while self._loops and next(iter(self._loops.values())).due_ms <= now_ms:
            self.loops_lost += 1
            self._pool.looped(self._loops.popitem(last=False)[1].peers, came_back=False)
        effects: Effects = []
        while (piece := self.outbox.take(now_ms)) is not None:
            effects += self._leave(piece, now_ms)
        if self._schedule.take(now_ms):
            effects += self._loop(now_ms)
        return effects

    def leaving(self, until_ms: int) -> int:
        """Returns how many own packets and loops are known that leave before a time."""
        loops = self._can_loop and self._schedule.due_ms < until_ms
        return self.outbox.leaving(until_ms) + loops

    def next_wake_ms(self) -> int | None:
        """Returns when the next packet is due. Loops that are lost can wait for it."""
        due_ms = self.outbox.due_ms()
        return math.ceil(min(self._schedule.due_ms, math.inf if due_ms is None else due_ms))

    # -- steps -------------------------------------------------------------------------------

    @property
    def _can_loop(self) -> bool:
        """Whether as many other mixes are known as a loop goes over."""
        others = len(self._pool) - (self.own.peer_id in self._pool)
        return others >= self._profile.hops - 1

    def _check_destination(self, peer_id: str) -> None:
        if peer_id not in self._pool or peer_id == self.own.peer_id:
            raise DestinationUnknownError(f"no other mix {peer_id} is known")

    def _entry_ms(self, mean_delay_ms: int, now_ms: int) -> float:
        return now_ms + sample_ms(mean_delay_ms, self._rng)

    def _padded(self, message: bytes) -> list[bytes]:
        """Returns a message, or its fragments, padded: copies have one random number (MIX-25)."""
        if len(message) <= DATA_BYTES:
            return [pad(message, self._random_bytes)]
        pieces = [each.encode() for each in cut(message, self._random_bytes)]
        messages = [MixMessage(FRAGMENT_CODEC, piece).encode() for piece in pieces]
        return [pad(each, self._random_bytes) for each in messages]

    def _others(self, last: str, length: int | None = None) -> Sequence[Mix]:
        """Draws all hops of a message but the last."""
        length = self._profile.hops - 1 if length is None else length
        return self._present(self._pool.path, length, {self.own.peer_id, last})

    def _present(self, drawn: _Draws, length: int, without: set[str]) -> Sequence[Mix]:
        """Draws from those that can be reached, or from all if they are too few."""
        try:
            return drawn(length, self._rng, without | self._away.keys())
        except PoolTooSmallError:
            return drawn(length, self._rng, without)

    def _path(self, hops: Sequence[Mix], mean_delay_ms: int) -> Path:
        return Path([mix.hop for mix in hops], [mean_delay_ms] * (len(hops) - 1))

    def _leave(self, piece: Piece, now_ms: int) -> Effects:
        """Makes the packet of a piece."""
        try:
            made = piece.what if isinstance(piece.what, Made) else self._make(piece.what)
        except (DestinationUnknownError, PoolTooSmallError) as error:  # it has left meanwhile
            return [*self.outbox.settle(piece.number, error, now_ms)]
        return [Depart(piece.number, made.first_hop, made.packet, Purpose.OWN)]

    def _make(self, drawn: Drawn) -> Made:
        if drawn.last_hop:
            hops = [*self._others(drawn.last_hop), self._pool.mix(drawn.last_hop)]
        else:
            hops = list(self._others("", self._profile.hops))
        path = self._path(hops, drawn.mean_delay_ms)
        packet = create_packet(path, drawn.destination, drawn.padded, self._random_bytes)
        return Made(hops[0].hop.address, packet)

    def _loop(self, now_ms: int) -> Effects:
        try:
            length = self._profile.hops - 1
            others = self._present(self._pool.loop, length, {self.own.peer_id})
        except PoolTooSmallError:
            self.loops_skipped += 1
            return []
        if len(self._loops) >= MAX_LOOPS:
            self._loops.popitem(last=False)
        loop_id = draw(self._random_bytes, LOOP_ID_BYTES)
        mean_ms = self._profile.mean_delay_ms
        message = MixMessage(COVER_CODEC, loop_id).encode()
        path = self._path([*others, self.own], mean_ms)
        padded = pad(message, self._random_bytes)
        packet = create_packet(path, HERE, padded, self._random_bytes)
        due_ms = now_ms + longest_ms(mean_ms) * len(others) + GRACE_MS
        self._loops[loop_id] = _Loop(due_ms, [mix.peer_id for mix in others])
        self.loops_sent += 1
        self._alarm.sent(loop_id, now_ms)
        number = self.outbox.next_number()
        self._looping[number] = loop_id
        return [Depart(number, others[0].hop.address, packet, Purpose.COVER)]

    def _settled(self, number: int, error: LogosError | None, now_ms: int) -> Effects:
        loop_id = self._looping.pop(number, None)
        if loop_id is None:
            return [*self.outbox.settle(number, error, now_ms), *self.tick(now_ms)]
        if error is not None:
            self._loops.pop(loop_id, None)  # no mix is to blame
            self._alarm.did_not_leave(loop_id)
            self.loops_sent -= 1
            self.loops_skipped += 1
        return []


def _way(hops: Sequence[Mix], secrets: Sequence[bytes]) -> Traceable:
    tags = [replay_tag(secret)[:TAG_BYTES] for secret in secrets]
    return Traceable([mix.peer_id for mix in hops], tags)
