"""What a relay does with packets that come: checks, holds and passes them on.

Rules: MIX-7, MIX-15 keys, MIX-16 tags, MIX-17 bounds, MIX-18 delays.

In this order: size, header, replay, proof, tag, layer, delay. Whatever fails is dropped without an
answer, and counted by its reason. A packet leaves when its delay is over and its tag is durable;
nothing that is done for it before makes the delay longer.
"""

import heapq
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, count
from typing import Final

from logos_base.errors import LogosError
from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.mixing.delays import sample_ms
from logos_mixnet.core.mixing.errors import (
    PacketRepeatedError,
    RelayBusyError,
    RelayStoppedError,
    TagsFullError,
)
from logos_mixnet.core.mixing.tags import TAG_BYTES, TagTable
from logos_mixnet.core.mixing.turns import Turns
from logos_mixnet.core.sphinx.errors import MixRefusedError, PacketSizeError
from logos_mixnet.core.sphinx.geometry import PACKET_BYTES
from logos_mixnet.core.sphinx.packet import Exit, Received, Relay, Reply, receive, unwrap

PROOF_BYTES: Final = 301
MAX_CHECKING: Final = 32
"""Packets whose proofs are being verified."""
MAX_OF_PEER: Final = 4
"""Packets of one peer whose proofs are, or wait for their turn."""
MAX_HELD: Final = 4_096
"""Packets that wait for the end of their delay: 18 MiB."""
RETRY_MS: Final = 1_000
"""After which tags that could not be stored are handed to the store again."""
KEYS: Final = 2
"""Those of the present key epoch, and of the one before."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyEpoch:
    """A key of this relay, and the tags of all packets that came for it."""

    number: int
    private_key: bytes = field(repr=False)
    """X25519, 32 bytes."""
    tags: TagTable = field(default_factory=TagTable, repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """Verify the proof of a packet; report with `checked`."""

    arrival: int
    packet: bytes
    proof: bytes
    peer_id: str
    """Who sent it."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Read no more packets of a peer until `Resume`."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Read on."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Make tags durable, unless their key is retired; report with `kept` or `not_kept`."""

    key_epoch: int
    tags: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Retire:
    """Forget a key and its tags: packets for it are refused from now on."""

    key_epoch: int


@dataclass(frozen=True, slots=True)
class Forward:
    """Send a packet on, if there is a message id for it; else drop it (`not_sent`)."""

    next_hop: bytes
    """An address block (MIX-9), not looked into."""
    packet: bytes
    tag: bytes
    """Of the packet as it came."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Take what ends here: a message, or an answer to a reply block."""

    arrived: Exit | Reply


class Step(StrEnum):
    """What happens to a packet here."""

    HELD = "held"
    FORWARDED = "forwarded"
    DELIVERED = "delivered"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Traced:
    """Tell who watches a packet, and therefore knows its tag, what happens to it (MIX-24)."""

    tag: bytes
    step: Step
    delay_ms: float = 0.0
    """How long it will be held."""
    why: str = ""
    """The reason for which it was dropped."""


Effect = Check | Pause | Resume | Keep | Retire | Forward | Deliver | Traced
Effects = list[Effect]


_Held = tuple[float, float, bytes, Relay | Exit | Reply]
"""When a packet is due, and a number of chance: those due at once leave in no order. Its tag."""


@dataclass(slots=True)
class _Admitted:
    """Tags that are not durable yet, with what is held for them."""

    tags: list[bytes] = field(default_factory=list)
    held: list[_Held] = field(default_factory=list)


class PacketRelay:
    """The machine. Times are milliseconds of one clock that does not jump."""

    def __init__(self, keys: Sequence[KeyEpoch], rng: Rng, *, is_guarded: bool) -> None:
        """Begins with what is stored.

        Args:
            keys: The newest first, at most two.
            rng: For delays.
            is_guarded: Whether packets carry proofs.
        """
        self._keys = list(keys)
        self._rng = rng
        self._is_guarded = is_guarded
        self._numbers = count()
        self._checking: dict[int, tuple[KeyEpoch, Received, bytes]] = {}
        """Packets and their proofs: those that are being verified, and those that wait."""
        self._turns = Turns(most=MAX_CHECKING, each=MAX_OF_PEER)
        self._unkept: dict[int, _Admitted] = {}
        """By key epoch: not handed to the store yet."""
        self._keeping: dict[int, _Admitted] = {}
        """By key epoch: on the way to the disk."""
        self._due: list[_Held] = []
        """A heap, of packets whose tags are durable."""
        self._retry_ms: int | None = None
        self.traced: Counter[bytes] = Counter()
        """How many watch the packet of each tag."""
        self.trouble = ""
        """Why nothing is relayed; empty if all is well."""
        self.dropped: Counter[str] = Counter()
        """By reason."""
        self.verified = 0
        """Proofs that hold."""
        self.forwarded = 0
        self.delivered = 0

    @property
    def held(self) -> int:
        """How many packets wait here: what hides each of them."""
        admitted = (*self._unkept.values(), *self._keeping.values())
        return len(self._due) + sum(len(each.held) for each in admitted)

    @property
    def tags(self) -> int:
        """How many packets are remembered."""
        return sum(len(key.tags) for key in self._keys)

    def leaving(self, until_ms: int) -> int:
        """Returns how many packets are held here that are sent on before a time."""
        admitted = (*self._unkept.values(), *self._keeping.values())
        held = chain(self._due, *(each.held for each in admitted))
        return sum(due_ms < until_ms and isinstance(what, Relay) for due_ms, _, _, what in held)

    def rotated(self, newest: KeyEpoch, now_ms: int) -> Effects:
        """Takes the key of the next epoch; the one before stays for as long."""
        self._keys.insert(0, newest)
        retired = self._keys[KEYS:]
        del self._keys[KEYS:]
        checking = self._checking.items()
        self._checking = {at: each for at, each in checking if each[0] not in retired}
        return [Retire(key.number) for key in retired]

    def arrived(self, peer_id: str, frame: bytes, now_ms: int) -> Effects:
        """Takes what a peer has sent. Untrusted."""
        try:
            return self._arrived(peer_id, frame, now_ms)
        except LogosError as error:
            return self._drop(error)

    def checked(self, arrival: int, error: LogosError | None, now_ms: int) -> Effects:
        """Takes the guard's word on a packet; None: its proof holds."""
        return [*self._checked(arrival, error, now_ms), *self._free(arrival), *self._begin()]

    def gone(self, peer_id: str, _now_ms: int) -> Effects:
        """Drops what waits of a peer whose link has ended, unless a proof of it has held before."""
        was_full = not self._turns.has_room(peer_id)
        dropped = self._turns.gone(peer_id)
        effects: Effects = [Resume(peer_id)] if was_full and dropped else []
        for arrival in dropped:
            found = self._checking.pop(arrival, None)
            if found is not None:
                effects += self._drop(RelayBusyError("its peer has gone"), _tag(found[1]))
        return effects

    def not_sent(self, tag: bytes, reason: str, now_ms: int) -> Effects:
        """Counts a packet that could not be forwarded, by the tag that it came with."""
        self.forwarded -= 1
        self.dropped[reason] += 1
        return self._trace(tag, Step.DROPPED, why=reason)

    def kept(self, keep: Keep, now_ms: int) -> Effects:
        """Takes note that tags are durable: their packets may leave."""
        self.trouble, self._retry_ms = "", None
        for held in self._keeping.pop(keep.key_epoch).held:
            heapq.heappush(self._due, held)
        return [*self._leave(now_ms), *self._keep(now_ms)]

    def not_kept(self, keep: Keep, why: str, now_ms: int) -> Effects:
        """Takes note that tags could not be stored: relaying stops until they are."""
        self.trouble, self._retry_ms = why, now_ms + RETRY_MS
        failed = self._keeping.pop(keep.key_epoch)
        since = self._unkept.setdefault(keep.key_epoch, _Admitted())
        since.tags[:0], since.held[:0] = failed.tags, failed.held
        return []

    def tick(self, now_ms: int) -> Effects:
        """Lets go of what is due; asks again for what could not be stored."""
        return [*self._leave(now_ms), *self._keep(now_ms)]

    def next_wake_ms(self) -> int | None:
        """Returns when the next packet is due, or the next try to store."""
        times = [math.ceil(self._due[0][0])] if self._due else []
        return min([*times, *([] if self._retry_ms is None else [self._retry_ms])], default=None)

    # -- steps -------------------------------------------------------------------------------

    def _arrived(self, peer_id: str, frame: bytes, now_ms: int) -> Effects:
        size = PACKET_BYTES + (PROOF_BYTES if self._is_guarded else 0)
        if len(frame) != size:
            raise PacketSizeError(f"a frame has {size} bytes, this has {len(frame)}")
        if self.trouble:
            raise RelayStoppedError(self.trouble)
        key, received = self._received(frame[:PACKET_BYTES])
        try:
            return self._check(key, received, (peer_id, frame[PACKET_BYTES:]), now_ms)
        except LogosError as error:
            return self._drop(error, _tag(received))

    def _check(
        self, key: KeyEpoch, received: Received, sent: tuple[str, bytes], now_ms: int
    ) -> Effects:
        peer_id, proof = sent
        if _tag(received) in key.tags:
            raise PacketRepeatedError("this packet was here before")
        if not self._is_guarded:
            return self._admit(key, received, now_ms)
        if not self._turns.has_room(peer_id):
            raise RelayBusyError(f"{MAX_OF_PEER} packets of this peer are being checked")
        arrival = next(self._numbers)
        self._checking[arrival] = key, received, proof
        self._turns.add(arrival, peer_id)
        is_full = not self._turns.has_room(peer_id)
        return [*([Pause(peer_id)] if is_full else []), *self._begin()]

    def _begin(self) -> Effects:
        """Has packets checked whose turn it is."""
        effects: Effects = []
        while (arrival := self._turns.next()) is not None:
            found = self._checking.get(arrival)
            if found is None:  # its key was retired meanwhile
                effects += self._free(arrival)
            else:
                _, received, proof = found
                effects.append(Check(arrival, received.packet, proof, self._turns.peer_of(arrival)))
        return effects

    def _free(self, arrival: int) -> Effects:
        """Gives the place of a packet to the next one of its peer."""
        peer_id = self._turns.peer_of(arrival)
        was_full = not self._turns.has_room(peer_id)
        self._turns.done(arrival)
        return [Resume(peer_id)] if was_full else []

    def _checked(self, arrival: int, error: LogosError | None, now_ms: int) -> Effects:
        found = self._checking.pop(arrival, None)
        if found is None:
            return []  # its key was retired meanwhile
        key, received, _ = found
        if error is not None:
            return self._drop(error, _tag(received))
        self.verified += 1
        self._turns.held(self._turns.peer_of(arrival))
        try:
            return self._admit(key, received, now_ms)
        except LogosError as refusal:
            return self._drop(refusal, _tag(received))

    def _received(self, packet: bytes) -> tuple[KeyEpoch, Received]:
        """Finds the key that a packet is for: the newest first."""
        refusal: MixRefusedError | None = None
        for key in self._keys:
            try:
                return key, receive(packet, key.private_key)
            except MixRefusedError as error:
                refusal = refusal or error
        raise refusal or RelayStoppedError("this relay has no key")

    def _admit(self, key: KeyEpoch, received: Received, now_ms: int) -> Effects:
        """Keeps the tag, and only then takes the layer off."""
        if self.held >= MAX_HELD:
            raise RelayBusyError(f"{MAX_HELD} packets are held")
        tag = _tag(received)
        if tag in key.tags:  # another copy was checked meanwhile
            raise PacketRepeatedError("this packet was here before")
        if key.tags.is_full:
            raise TagsFullError("no packet is taken until the next key")
        key.tags.add(tag)
        admitted = self._unkept.setdefault(key.number, _Admitted())
        admitted.tags.append(tag)
        try:
            content = unwrap(received)
        except MixRefusedError as error:
            return [*self._drop(error, tag), *self._keep(now_ms)]
        delay_ms = sample_ms(content.mean_delay_ms, self._rng) if isinstance(content, Relay) else 0
        admitted.held.append((now_ms + delay_ms, self._rng.random(), tag, content))
        return [*self._trace(tag, Step.HELD, delay_ms), *self._keep(now_ms)]

    def _keep(self, now_ms: int) -> Effects:
        """Hands tags to the store, for each key what came while the last ones were written."""
        if self._retry_ms is not None and now_ms < self._retry_ms:
            return []
        self._retry_ms = None
        ready = [number for number in self._unkept if number not in self._keeping]
        for number in ready:
            self._keeping[number] = self._unkept.pop(number)
        return [Keep(number, self._keeping[number].tags) for number in ready]

    def _leave(self, now_ms: int) -> Effects:
        effects: Effects = []
        while self._due and self._due[0][0] <= now_ms:
            *_, tag, content = heapq.heappop(self._due)
            if isinstance(content, Relay):
                self.forwarded += 1
                effects += self._trace(tag, Step.FORWARDED)
                effects.append(Forward(content.next_hop, content.packet, tag))
            else:
                self.delivered += 1
                effects += self._trace(tag, Step.DELIVERED)
                effects.append(Deliver(content))
        return effects

    def _drop(self, error: LogosError, tag: bytes = b"") -> Effects:
        self.dropped[error.reason] += 1
        return self._trace(tag, Step.DROPPED, why=error.reason)

    def _trace(self, tag: bytes, step: Step, delay_ms: float = 0.0, why: str = "") -> Effects:
        return [Traced(tag, step, delay_ms, why)] if self.traced[tag] > 0 else []


def _tag(received: Received) -> bytes:
    return received.replay_tag[:TAG_BYTES]
