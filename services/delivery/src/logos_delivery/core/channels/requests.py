"""The sends of an application that have not ended: which of their segments did what.

Spec: docs/protocol/channels.md, CHN-26. Source: LIP reliable-channel-api, type definitions.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import number_field
from logos_delivery.core.channels.journal import Journal, Records, fields_of

_KEY: Final = "r/"
_TOTAL, _IS_SENT, _IS_EPHEMERAL = range(1, 4)


@dataclass(slots=True)
class Request:
    """One send."""

    request_id: str
    total: int
    is_ephemeral: bool
    unsent: set[int]
    """Segments that have not reached the network."""
    unacknowledged: set[int]
    """Segments that no participant is known to have."""
    is_sent: bool = False


class Requests:
    """The sends of one channel."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._open: dict[str, Request] = {}

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._open

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, request_id: str, total: int, *, is_ephemeral: bool) -> None:
        """A payload is sent in so many segments."""
        ordinals = set(range(1, total + 1))
        waits = set() if is_ephemeral else set(ordinals)
        request = Request(request_id, total, is_ephemeral, ordinals, waits)
        self._open[request_id] = request
        self._save(request)

    def get(self, request_id: str) -> Request | None:
        """Returns a send that has not ended."""
        return self._open.get(request_id)

    def all(self) -> list[Request]:
        """Returns the sends that have not ended."""
        return list(self._open.values())

    def end(self, request_id: str) -> None:
        """A send has ended."""
        if self._open.pop(request_id, None) is not None:
            self._journal.drop(_KEY + request_id)

    def sent(self, request_id: str, ordinal: int) -> bool:
        """A segment has reached the network; returns whether it was the last one."""
        request = self._open.get(request_id)
        if request is None or request.is_sent:
            return False
        request.unsent.discard(ordinal)
        request.is_sent = not request.unsent
        if request.is_sent:
            self._save(request)
        return request.is_sent

    def acknowledged(self, request_id: str, ordinal: int) -> bool:
        """A participant has a segment; returns whether it was the last one."""
        request = self._open.get(request_id)
        if request is None:
            return False
        request.unacknowledged.discard(ordinal)
        return not request.unacknowledged

    def restore(self, records: Records, outgoing: dict[str, set[int]]) -> list[Request]:
        """Takes saved records in, with the segments that are unacknowledged; returns them."""
        for key, value in records.items():
            if key.startswith(_KEY):
                fields, request_id = fields_of(key, value), key.removeprefix(_KEY)
                waits = outgoing.get(request_id, set())
                is_sent = bool(fields.number(_IS_SENT))
                self._open[request_id] = Request(
                    request_id,
                    fields.number(_TOTAL),
                    bool(fields.number(_IS_EPHEMERAL)),
                    set() if is_sent else set(waits),
                    set(waits),
                    is_sent,
                )
        return self.all()

    def _save(self, request: Request) -> None:
        raw = number_field(_TOTAL, request.total) + number_field(_IS_SENT, int(request.is_sent))
        raw += number_field(_IS_EPHEMERAL, int(request.is_ephemeral))
        self._journal.put(_KEY + request.request_id, raw)
