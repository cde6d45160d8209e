"""From messages back to payloads.

Segments are put together once SDS delivers them, in causal order. With parity they are put
together as they arrive, including those that SDS still holds back. Once the payload is whole and
its first segment was delivered, no lost segment is needed, and those held back are released.

Spec: docs/protocol/channels.md, CHN-6 to CHN-8. Source: LIP segmentation.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from logos_crypto.hashes import keccak256
from logos_crypto.protobuf import bytes_field
from logos_delivery.core.channels.errors import SegmentMalformedError
from logos_delivery.core.channels.journal import Journal, Records, fields_of
from logos_delivery.core.channels.reassembly import (
    DropReason,
    Key,
    Limits,
    Reassembly,
    Rebuilt,
    SegmentDropped,
    SetDropped,
)
from logos_delivery.core.channels.reassembly import Effect as SetEffect
from logos_delivery.core.channels.sds_message import SdsMessage
from logos_delivery.core.channels.segmentation import Segment, decode

_KEY: Final = "s/"
_SENDER, _CONTENT = range(1, 3)


@dataclass(frozen=True, slots=True)
class Whole:
    """A payload to hand over."""

    sender: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """Messages wait for segments that a payload, whole already, no longer needs."""

    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """Segments were not used, or the payload they belong to was given up."""

    sender: str
    reason: DropReason | None
    """None: the content was no segment."""


Effect = Whole | Release | Dropped


@dataclass(slots=True)
class _Members:
    """What is known of the segments of a payload, beside their pieces."""

    saved: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    first: str = ""
    """Id of the first segment's message; the payload follows what that message follows."""
    has_begun: bool = False
    """Whether the first segment was delivered."""
    payload: bytes | None = None


class Payloads:
    """The incomplete payloads of one channel, and those that wait to be handed over."""

    def __init__(self, journal: Journal, limits: Limits) -> None:
        self._journal = journal
        self._limits = limits
        self._reassembly = Reassembly(limits)
        self._members: dict[Key, _Members] = {}
        self._key_of: dict[str, Key] = {}
        """Of messages that wait, also after their payload was handed over or dropped."""

    def parked(self, message: SdsMessage, now_ms: int) -> list[Effect]:
        """A message has arrived that waits for others."""
        segment = _segment_of(message)
        if segment is None or not segment.parity_count:
            return []
        key = (message.sender, segment.payload_hash)
        members = self._members.setdefault(key, _Members())
        members.waiting.add(message.message_id)
        self._key_of[message.message_id] = key
        return self._take(key, members, segment, message, now_ms)

    def delivered(self, message: SdsMessage, now_ms: int) -> list[Effect]:
        """A message is delivered: all that it follows was delivered before it."""
        key = self._key_of.pop(message.message_id, None)
        if key is not None:
            members = self._members.get(key)
            if members is None or message.message_id not in members.waiting:
                return []  # its payload has ended without it
            members.waiting.discard(message.message_id)
            members.has_begun |= message.message_id == members.first
            self._save(members, message)
            return self._hand_over(key)
        segment = _segment_of(message)
        if segment is None:
            return [Dropped(message.sender, None)]
        if segment.data_count == 1 and not segment.parity_count:
            if keccak256(segment.piece) != segment.payload_hash:
                return [Dropped(message.sender, DropReason.WRONG_HASH)]
            return [Whole(message.sender, segment.piece)]
        key = (message.sender, segment.payload_hash)
        members = self._members.setdefault(key, _Members())
        self._save(members, message)
        return self._take(key, members, segment, message, now_ms)

    def expire(self, now_ms: int) -> list[Effect]:
        """Gives up payloads that have been incomplete for too long."""
        return self._follow(self._reassembly.tick(now_ms))

    def due_ms(self) -> int | None:
        """Returns when `expire` is due."""
        return self._reassembly.next_wake_ms()

    def restore(self, records: Records, waiting: Iterable[SdsMessage], now_ms: int) -> list[Effect]:
        """Takes saved segments in, and those of messages that wait."""
        effects: list[Effect] = []
        for key, value in records.items():
            if key.startswith(_KEY):
                fields = fields_of(key, value)
                sender, content = fields.text(_SENDER), fields.raw(_CONTENT)
                message = SdsMessage(sender, key.removeprefix(_KEY), "", content=content)
                effects += self.delivered(message, now_ms)
        for message in waiting:
            effects += self.parked(message, now_ms)
        return effects

    def _take(
        self, key: Key, members: _Members, segment: Segment, message: SdsMessage, now_ms: int
    ) -> list[Effect]:
        if segment.place == 0:
            members.first = message.message_id
            members.has_begun = message.message_id not in members.waiting
        if members.payload is not None:
            return self._hand_over(key)  # whole already; this may have been its first segment
        effects = self._follow(self._reassembly.receive(message.sender, segment, now_ms))
        if key not in self._reassembly and members.payload is None:
            self._forget(key)  # a late segment of a payload that was handed over
        return effects

    def _follow(self, effects: list[SetEffect]) -> list[Effect]:
        found: list[Effect] = []
        for effect in effects:
            sender, _ = effect.key
            match effect:
                case Rebuilt(key=key, payload=payload):
                    self._members[key].payload = payload
                    found += self._hand_over(key)
                case SetDropped(key=key, reason=reason):
                    self._forget(key)
                    found.append(Dropped(sender, reason))
                case SegmentDropped(reason=reason):
                    found.append(Dropped(sender, reason))
        return found

    def _hand_over(self, key: Key) -> list[Effect]:
        members = self._members[key]
        if members.payload is None:
            return []
        if not members.waiting:
            self._forget(key)
            return [Whole(key[0], members.payload)]
        held = sum(len(each.payload or b"") for each in self._members.values())
        if held > self._limits.bytes_:
            self._forget(key)
            return [Dropped(key[0], DropReason.DISPLACED)]
        if not members.has_begun:
            return []  # what the payload follows is not delivered yet
        return [Release(tuple(sorted(members.waiting)))]

    def _save(self, members: _Members, message: SdsMessage) -> None:
        members.saved.add(message.message_id)
        raw = bytes_field(_SENDER, message.sender.encode()) + bytes_field(_CONTENT, message.content)
        self._journal.put(_KEY + message.message_id, raw)

    def _forget(self, key: Key) -> None:
        members = self._members.pop(key, None)
        if members is not None:
            for message_id in members.saved:
                self._journal.drop(_KEY + message_id)


def _segment_of(message: SdsMessage) -> Segment | None:
    try:
        return decode(message.content)
    except SegmentMalformedError:
        return None
