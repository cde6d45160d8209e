"""This participant's messages that are not acknowledged yet.

Spec: docs/protocol/channels.md, CHN-16 and CHN-19. Source: LIP SDS, review ACK status.
"""

from dataclasses import dataclass, field
from typing import Final

from logos_crypto.protobuf import bytes_field, number_field
from logos_delivery.core.channels.journal import Journal, Records, fields_of

_KEY: Final = "o/"
_RAW, _REQUEST, _ORDINAL, _NUMBER = range(1, 5)


@dataclass(slots=True)
class Unacknowledged:
    """One message, which is one segment of a request."""

    message_id: str
    raw: bytes
    request_id: str
    ordinal: int
    """Of the segment in its request; from 1."""
    number: int = 0
    """Of all that were ever added."""
    repeats: int = 0
    """Not saved: a restart begins at 0."""
    due_ms: int | None = None
    """When it is sent again; None while it waits to be sent."""
    possible: set[str] = field(default_factory=set)
    """Participants whose filter holds it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a message is repeated."""

    timeout_ms: int = 5_000
    repeats: int = 5
    filters: int = 2
    """So many participants' filters make up for an acknowledgement."""


class Outgoing:
    """The unacknowledged messages of one channel, by the time of their sending."""

    def __init__(self, journal: Journal, patience: Patience) -> None:
        self._journal = journal
        self._patience = patience
        self._waiting: dict[str, Unacknowledged] = {}
        self._number = 0
        self.size_bytes = 0

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, message_id: str) -> Unacknowledged | None:
        """Returns one of the messages."""
        return self._waiting.get(message_id)

    def ids(self) -> list[str]:
        """Returns all of them, the oldest first."""
        return list(self._waiting)

    def add(self, one: Unacknowledged) -> None:
        """Takes a message in that waits to be sent."""
        self._number = max(self._number + 1, one.number)
        one.number = self._number
        self._waiting[one.message_id] = one
        self.size_bytes += len(one.raw)
        self._save(one)

    def remove(self, message_id: str) -> Unacknowledged | None:
        """Takes a message out: it is acknowledged, or given up."""
        one = self._waiting.pop(message_id, None)
        if one is not None:
            self.size_bytes -= len(one.raw)
            self._journal.drop(_KEY + message_id)
        return one

    def sent(self, message_id: str, now_ms: int) -> None:
        """A message has reached the network, or the attempt has ended."""
        one = self._waiting.get(message_id)
        if one is not None and one.due_ms is None:
            factor = 2 if one.possible else 1
            one.due_ms = now_ms + factor * self._patience.timeout_ms

    def in_filter(self, message_id: str, participant: str) -> bool:
        """A participant's filter holds it; returns whether that acknowledges it.

        Each participant counts once: a false answer of a filter stays one while it grows.
        """
        one = self._waiting[message_id]
        one.possible.add(participant)
        return len(one.possible) >= self._patience.filters

    def take_due(self, now_ms: int) -> tuple[list[Unacknowledged], list[Unacknowledged]]:
        """Returns what is to be sent again, and what has been repeated often enough."""
        again, ended = list[Unacknowledged](), list[Unacknowledged]()
        for one in self._waiting.values():
            if one.due_ms is not None and one.due_ms <= now_ms:
                (again if one.repeats < self._patience.repeats else ended).append(one)
        for one in again:
            one.due_ms = None
            one.repeats += 1
        return again, ended

    def due_ms(self) -> int | None:
        """Returns when something is due."""
        times = (one.due_ms for one in self._waiting.values() if one.due_ms is not None)
        return min(times, default=None)

    def restore(self, records: Records) -> None:
        """Takes saved records in: what was not acknowledged waits to be sent."""
        found = []
        for key, value in records.items():
            if key.startswith(_KEY):
                fields = fields_of(key, value)
                one = Unacknowledged(
                    key.removeprefix(_KEY),
                    fields.raw(_RAW),
                    fields.text(_REQUEST),
                    fields.number(_ORDINAL),
                    fields.number(_NUMBER),
                )
                found.append(one)
        for one in sorted(found, key=lambda each: each.number):
            self._number = one.number
            self._waiting[one.message_id] = one
            self.size_bytes += len(one.raw)

    def _save(self, one: Unacknowledged) -> None:
        raw = bytes_field(_RAW, one.raw) + bytes_field(_REQUEST, one.request_id.encode())
        raw += number_field(_ORDINAL, one.ordinal) + number_field(_NUMBER, one.number)
        self._journal.put(_KEY + one.message_id, raw)
