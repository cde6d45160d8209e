"""Received messages that wait for others which they follow.

Its bounds are of one sender and of all. Where it is full, a new message is refused rather than an
old one displaced: what waits here was acknowledged, and what is refused will be sent again.

Spec: docs/protocol/channels.md, CHN-17 and CHN-18. Source: LIP SDS, receive message.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import bytes_field, number_field
from logos_delivery.core.channels.errors import ChannelStateError, SdsMessageMalformedError
from logos_delivery.core.channels.journal import Journal, Records, fields_of
from logos_delivery.core.channels.sds_message import SdsMessage, decode

MAX_MESSAGES: Final = 1024
MAX_BYTES: Final = 64 << 20

_KEY: Final = "p/"
_RAW, _HINT, _SINCE = range(1, 4)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits."""

    message: SdsMessage
    raw: bytes
    hint: bytes
    since_ms: int
    missing: frozenset[str]


class Parked:
    """The messages of one channel that wait."""

    def __init__(
        self, journal: Journal, *, messages: int = MAX_MESSAGES, bytes_: int = MAX_BYTES
    ) -> None:
        self._journal = journal
        self._max_messages = messages
        self._max_bytes = bytes_
        self._waiting: dict[str, Waiting] = {}
        """By arrival."""
        self._awaited: dict[str, set[str]] = {}
        """Those that wait for a message."""
        self._held: dict[str, tuple[int, int]] = {}
        """Messages and bytes of a sender."""
        self._size = 0

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._waiting.values())

    def park(self, waiting: Waiting) -> bool:
        """Takes a message in; False: there is no room for it."""
        sender, size = waiting.message.sender, len(waiting.raw)
        count, held = self._held.get(sender, (0, 0))
        if len(self) >= self._max_messages or self._size + size > self._max_bytes:
            return False
        if count * 2 >= self._max_messages or (held + size) * 2 > self._max_bytes:
            return False
        self._take(waiting)
        raw = bytes_field(_RAW, waiting.raw) + bytes_field(_HINT, waiting.hint)
        key = _KEY + waiting.message.message_id
        self._journal.put(key, raw + number_field(_SINCE, waiting.since_ms))
        return True

    def _take(self, waiting: Waiting) -> None:
        message_id, size = waiting.message.message_id, len(waiting.raw)
        count, held = self._held.get(waiting.message.sender, (0, 0))
        self._held[waiting.message.sender] = (count + 1, held + size)
        self._size += size
        self._waiting[message_id] = waiting
        for one in waiting.missing:
            self._awaited.setdefault(one, set()).add(message_id)

    def met(self, message_ids: Iterable[str]) -> list[Waiting]:
        """Takes in that messages are there, and releases those that wait for nothing more.

        They come in the order of all participants; what they in turn release is not among them.
        """
        released = []
        for met in message_ids:
            for waiter in self._awaited.pop(met, ()):
                waiting = self._waiting[waiter]
                if not any(one in self._awaited for one in waiting.missing):
                    self._release(waiter)
                    released.append(waiting)
        return sorted(released, key=lambda waiting: waiting.message.order)

    def missing_since(self, latest_ms: int) -> list[str]:
        """Returns what messages wait for that wait since then or for longer, and is not here."""
        found: dict[str, None] = {}
        for waiting in self._waiting.values():
            if waiting.since_ms <= latest_ms:
                found.update((one, None) for one in sorted(self._still(waiting)))
        return [one for one in found if one not in self._waiting]

    def missing_of(self, message_id: str) -> set[str]:
        """Returns what one message still waits for."""
        waiting = self._waiting.get(message_id)
        return self._still(waiting) if waiting else set()

    def stuck_since(self, latest_ms: int) -> list[str]:
        """Returns what messages wait for that wait since then, and wait in a circle.

        Only a sender that lies can name messages so.
        """
        found: dict[str, None] = {}
        for waiting in self._in_circles():
            if waiting.since_ms <= latest_ms:
                found.update((one, None) for one in sorted(self._still(waiting)))
        return list(found)

    def oldest_ms(self) -> int | None:
        """Returns since when the longest wait lasts that another message here cannot end."""
        times = [one.since_ms for one in self if not self._still(one) <= self._waiting.keys()]
        times += [one.since_ms for one in self._in_circles()]
        return min(times, default=None)

    def _in_circles(self) -> list[Waiting]:
        """Returns what would wait for ever, even if all came that is not here."""
        ready = [one for one in self._awaited if one not in self._waiting]
        left = {one: len(self._still(waiting)) for one, waiting in self._waiting.items()}
        while ready:
            for waiter in self._awaited.get(ready.pop(), ()):
                left[waiter] -= 1
                if not left[waiter]:
                    del left[waiter]
                    ready.append(waiter)
        return [self._waiting[one] for one in left]

    def _still(self, waiting: Waiting) -> set[str]:
        return {one for one in waiting.missing if one in self._awaited}

    def restore(self, records: Records, known: Iterable[str]) -> list[Waiting]:
        """Takes saved records in; returns them."""
        ids = set(known)
        found = []
        for key, value in records.items():
            if key.startswith(_KEY):
                fields = fields_of(key, value)
                raw = fields.raw(_RAW)
                try:
                    message = decode(raw)
                except SdsMessageMalformedError as error:
                    raise ChannelStateError(f"record {key!r} is no message: {error}") from error
                missing = frozenset(one.message_id for one in message.history) - ids
                since_ms = fields.number(_SINCE)
                found.append(Waiting(message, raw, fields.raw(_HINT), since_ms, missing))
        found.sort(key=lambda waiting: waiting.since_ms)
        for waiting in found:
            self._take(waiting)
        return found

    def _release(self, message_id: str) -> None:
        waiting = self._waiting.pop(message_id)
        self._journal.drop(_KEY + message_id)
        size, sender = len(waiting.raw), waiting.message.sender
        count, held = self._held.pop(sender)
        if count > 1:
            self._held[sender] = (count - 1, held - size)
        self._size -= size
