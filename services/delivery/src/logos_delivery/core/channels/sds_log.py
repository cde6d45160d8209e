"""The local history: which messages were delivered, in the order of all participants.

It knows the latest messages only. What sorts before the ones it has forgotten is taken for old,
so that no message is delivered twice, however late it comes again.

Spec: docs/protocol/channels.md, CHN-12, CHN-13 and CHN-20. Source: LIP SDS, participant state.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from logos_crypto.protobuf import bytes_field, number_field
from logos_delivery.core.channels.journal import Journal, Records, fields_of
from logos_delivery.core.channels.sds_message import HistoryEntry, SdsMessage, decode

MAX_ENTRIES: Final = 2048
MAX_RAW_BYTES: Final = 16 << 20
"""Of messages that are kept whole, to repeat them for others."""

MAX_HEADS: Final = 8
"""Messages beside the last ones that a message names at most."""

_ENTRY: Final = "l/"
_RAW: Final = "m/"
_FLOOR: Final = "f"
_NUMBER, _LAMPORT, _SENDER, _HINT, _ID, _IS_LOST = range(1, 7)


@dataclass(frozen=True, slots=True)
class _Entry:
    number: int
    """Of its arrival."""
    lamport: int | None
    """None: only the id is known, of a message that was given up."""
    sender: str
    hint: bytes
    raw: bytes = b""
    is_lost: bool = False
    """Given up, and welcome if it comes after all."""


class Log:
    """The history of one channel."""

    def __init__(
        self, journal: Journal, *, entries: int = MAX_ENTRIES, raw_bytes: int = MAX_RAW_BYTES
    ) -> None:
        self._journal = journal
        self._max_entries = entries
        self._max_raw_bytes = raw_bytes
        self._entries: dict[str, _Entry] = {}
        """By arrival."""
        self._order: list[tuple[int, str]] = []
        self._heads: set[tuple[int, str]] = set()
        """Messages that no other names."""
        self._floor: tuple[int, str] = (0, "")
        self._kept: dict[str, int] = {}
        """Sizes of what is kept whole, by arrival."""
        self._kept_bytes = 0
        self._number = 0

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._entries

    def __len__(self) -> int:
        return len(self._order)

    def ids(self) -> list[str]:
        """Returns the delivered messages, in order."""
        return [message_id for _, message_id in self._order]

    def known(self) -> Iterable[str]:
        """Returns all ids that count as delivered."""
        return self._entries.keys()

    def last_lamport(self) -> int:
        """Returns the highest Lamport time; 0 if there is none."""
        return self._order[-1][0] if self._order else 0

    def sender_of(self, message_id: str) -> str:
        """Returns the sender of a message; empty if it is unknown."""
        found = self._entries.get(message_id)
        return found.sender if found else ""

    def is_too_old(self, message: SdsMessage) -> bool:
        """Says whether a message sorts before those that were forgotten."""
        return message.order <= self._floor

    def preceding(self, order: tuple[int, str], count: int) -> tuple[HistoryEntry, ...]:
        """Returns what a message at a place in the order follows, the earliest first.

        The last few messages before it, and those before it that no other message names: two
        alone would leave messages out that were sent at the same time.
        """
        end = bisect_left(self._order, order)
        chosen = set(self._order[max(0, end - count) : end])
        chosen.update(sorted(head for head in self._heads if head < order)[-MAX_HEADS:])
        return tuple(self.entry(one) for _, one in sorted(chosen))

    def entry(self, message_id: str) -> HistoryEntry:
        """Returns how a message is named to others."""
        found = self._entries.get(message_id)
        if found is None:
            return HistoryEntry(message_id)
        return HistoryEntry(message_id, found.hint, found.sender)

    def raw(self, message_id: str) -> bytes | None:
        """Returns a message whole, if it is kept."""
        found = self._entries.get(message_id)
        return found.raw if found is not None and found.raw else None

    def add(self, message: SdsMessage, raw: bytes, hint: bytes, now_ms: int) -> None:
        """Takes a delivered message in."""
        entry = _Entry(self._number, message.lamport or 0, message.sender, hint, raw)
        self._insert(message.message_id, entry)
        self._move_heads(message)
        self._journal.put(_RAW + message.message_id, raw)
        self._shrink(now_ms)

    def give_up(self, message_id: str, now_ms: int, *, is_lost: bool) -> None:
        """Takes in that a message is lost, or not needed: nothing waits for it."""
        if message_id not in self._entries:
            self._insert(message_id, _Entry(self._number, None, "", b"", is_lost=is_lost))
            self._shrink(now_ms)

    def is_lost(self, message_id: str) -> bool:
        """Says whether a message was given up that may still be delivered."""
        found = self._entries.get(message_id)
        return found is not None and found.is_lost

    def set_hint(self, message_id: str, hint: bytes) -> None:
        """Takes in by what hash a store finds a message; the first one stands."""
        found = self._entries.get(message_id)
        if found is not None and not found.hint:
            self._entries[message_id] = replace(found, hint=hint)
            self._save(message_id)

    def restore(self, records: Records) -> None:
        """Takes saved records in."""
        found: list[tuple[int, str, _Entry]] = []
        for key, value in records.items():
            if key.startswith(_ENTRY):
                fields, one = fields_of(key, value), key.removeprefix(_ENTRY)
                lamport = fields.number(_LAMPORT) if fields.has(_LAMPORT) else None
                raw = records.get(_RAW + one, b"")
                number, sender = fields.number(_NUMBER), fields.text(_SENDER)
                is_lost = bool(fields.number(_IS_LOST))
                entry = _Entry(number, lamport, sender, fields.raw(_HINT), raw, is_lost)
                found.append((number, one, entry))
        for number, one, entry in sorted(found, key=lambda each: each[0]):
            self._number = number
            self._insert(one, entry)
            if entry.raw:
                self._move_heads(decode(entry.raw))
        if _FLOOR in records:
            fields = fields_of(_FLOOR, records[_FLOOR])
            self._floor = (fields.number(_LAMPORT), fields.text(_ID))

    def _insert(self, message_id: str, entry: _Entry) -> None:
        self._number += 1
        self._entries[message_id] = entry
        if entry.lamport is not None:
            insort(self._order, (entry.lamport, message_id))
        if entry.raw:
            self._kept[message_id] = len(entry.raw)
            self._kept_bytes += len(entry.raw)
        self._save(message_id)

    def _move_heads(self, message: SdsMessage) -> None:
        for named in message.history:
            entry = self._entries.get(named.message_id)
            if entry is not None and entry.lamport is not None:
                self._heads.discard((entry.lamport, named.message_id))
        self._heads.add((message.lamport or 0, message.message_id))

    def _save(self, message_id: str) -> None:
        entry = self._entries[message_id]
        raw = number_field(_NUMBER, entry.number) + bytes_field(_SENDER, entry.sender.encode())
        if entry.lamport is not None:
            raw += number_field(_LAMPORT, entry.lamport)
        if entry.is_lost:
            raw += number_field(_IS_LOST, 1)
        self._journal.put(_ENTRY + message_id, raw + bytes_field(_HINT, entry.hint))

    def _shrink(self, now_ms: int) -> None:
        while self._kept_bytes > self._max_raw_bytes:
            self._drop_raw(next(iter(self._kept)))
        while len(self._entries) > self._max_entries:
            oldest = next(iter(self._entries))
            self._drop_raw(oldest)
            entry = self._entries.pop(oldest)
            self._journal.drop(_ENTRY + oldest)
            if entry.lamport is not None:
                order = (entry.lamport, oldest)
                self._order.pop(bisect_left(self._order, order))
                self._heads.discard(order)
                # A Lamport time far ahead must not make every later message an old one.
                self._raise_floor(min(order, (now_ms, oldest)))

    def _raise_floor(self, order: tuple[int, str]) -> None:
        if order > self._floor:
            self._floor = order
            lamport, message_id = order
            raw = number_field(_LAMPORT, lamport) + bytes_field(_ID, message_id.encode())
            self._journal.put(_FLOOR, raw)

    def _drop_raw(self, message_id: str) -> None:
        size = self._kept.pop(message_id, 0)
        if size:
            self._kept_bytes -= size
            self._entries[message_id] = replace(self._entries[message_id], raw=b"")
            self._journal.drop(_RAW + message_id)
