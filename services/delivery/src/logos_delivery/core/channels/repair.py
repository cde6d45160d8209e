"""What is missing, and how the participants of a channel repair it together (SDS-R).

A missing message is fetched from a store by its hint, if it has one, and asked for in a later
message of this participant. Those who have it wait, each for another time, and the first to
repeat it stops the others.

Spec: docs/protocol/channels.md, CHN-21 to CHN-23. Source: LIP SDS, SDS Repair.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logos_delivery.core.channels.sds_message import HistoryEntry

MAX_GAPS: Final = 1024
MAX_ANSWERS: Final = 256
ENTRIES_PER_MESSAGE: Final = 3
FETCH_AFTER_MS: Final = 2_000
FETCH_EVERY_MS: Final = 30_000
HINTS_PER_FETCH: Final = 20
PARTICIPANTS_PER_GROUP: Final = 128


def hash_of(*parts: str) -> int:
    """Returns a number of 64 bits of one or more ids: the head of sha2-256, big-endian.

    The ids are joined by a zero byte. The LIP names no hash.
    """
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode()).digest()[:8], "big")


@dataclass(frozen=True, slots=True)
class Times:
    """What all participants of a channel must agree on."""

    min_ms: int = 30_000
    """T_min: so long a missing message is waited for before it is asked for."""
    max_ms: int = 120_000
    """T_max: at the latest then it is asked for, and answered."""
    groups: int = 1
    """num_response_groups: a message is repeated by those of one group."""


def groups_for(participants: int) -> int:
    """Returns how many response groups so many participants have."""
    return participants // PARTICIPANTS_PER_GROUP + 1


def request_delay_ms(times: Times, participant: str, message_id: str) -> int:
    """T_req: after how long a participant asks for a message that it misses."""
    spread = times.max_ms - times.min_ms
    return times.min_ms + (hash_of(participant, message_id) % spread if spread > 0 else 0)


def response_delay_ms(times: Times, participant: str, sender: str, message_id: str) -> int:
    """T_resp: after how long a participant repeats a message; at once if it is the sender."""
    distance = hash_of(participant) ^ hash_of(sender)
    return distance * hash_of(message_id) % times.max_ms if times.max_ms > 0 else 0


def is_responder(times: Times, participant: str, sender: str, message_id: str) -> bool:
    """Says whether a participant is of the group that repeats a message."""
    if times.groups <= 1:
        return True
    own, other = hash_of(participant, message_id), hash_of(sender, message_id)
    return own % times.groups == other % times.groups


@dataclass(slots=True)
class _Gap:
    entry: HistoryEntry
    found_ms: int
    request_ms: int
    fetch_ms: int | None


class Gaps:
    """The messages that this participant misses: the outgoing repair request buffer."""

    def __init__(self, times: Times, participant: str) -> None:
        self._times = times
        self._participant = participant
        self._gaps: dict[str, _Gap] = {}
        """By the time they were found."""

    def __len__(self) -> int:
        return len(self._gaps)

    def add(self, entries: Iterable[HistoryEntry], now_ms: int) -> None:
        """Takes missing messages in; over a bound, further ones are not repaired."""
        for entry in entries:
            found = self._gaps.get(entry.message_id)
            if found is None and len(self) < MAX_GAPS:
                fetch_ms = now_ms + FETCH_AFTER_MS if entry.hint else None
                request_ms = now_ms + self._delay_ms(entry)
                self._gaps[entry.message_id] = _Gap(entry, now_ms, request_ms, fetch_ms)
            elif found is not None and entry.hint and not found.entry.hint:
                found.entry, found.fetch_ms = entry, now_ms + FETCH_AFTER_MS

    def close(self, message_id: str) -> None:
        """A message is there, or given up."""
        self._gaps.pop(message_id, None)

    def postpone(self, message_id: str, now_ms: int) -> None:
        """Another participant has asked for it: this one asks later, if it must."""
        found = self._gaps.get(message_id)
        if found is not None:
            found.request_ms = now_ms + self._again_ms(found.entry)

    def to_request(self, now_ms: int) -> tuple[HistoryEntry, ...]:
        """Returns the few most overdue entries, which are asked for with the next message."""
        due = [gap for gap in self._gaps.values() if gap.request_ms <= now_ms]
        chosen = sorted(due, key=lambda gap: gap.request_ms)[:ENTRIES_PER_MESSAGE]
        for gap in chosen:
            gap.request_ms = now_ms + self._again_ms(gap.entry)
        return tuple(gap.entry for gap in chosen)

    def to_fetch(self, now_ms: int) -> tuple[bytes, ...]:
        """Returns the hints of messages to be looked for in a store now."""
        due = [gap for gap in self._gaps.values() if (gap.fetch_ms or now_ms + 1) <= now_ms]
        for gap in due[:HINTS_PER_FETCH]:
            gap.fetch_ms = now_ms + FETCH_EVERY_MS
        return tuple(gap.entry.hint for gap in due[:HINTS_PER_FETCH])

    def found_before(self, latest_ms: int) -> list[str]:
        """Returns what has been missing since then or for longer."""
        return [one for one, gap in self._gaps.items() if gap.found_ms <= latest_ms]

    def request_ms(self) -> int | None:
        """Returns when the next message is to be asked for."""
        return min((gap.request_ms for gap in self._gaps.values()), default=None)

    def due_ms(self, lost_after_ms: int) -> int | None:
        """Returns when something is to be fetched, or given up."""
        times = [gap.fetch_ms for gap in self._gaps.values() if gap.fetch_ms is not None]
        times += [gap.found_ms + lost_after_ms for gap in self._gaps.values()]
        return min(times, default=None)

    def _delay_ms(self, entry: HistoryEntry) -> int:
        return request_delay_ms(self._times, self._participant, entry.message_id)

    def _again_ms(self, entry: HistoryEntry) -> int:
        """After how long to ask again: a request may be lost, or its answer."""
        least_ms = self._times.min_ms
        return least_ms + self._delay_ms(entry) % max(least_ms, 1)


class Answers:
    """The messages that others miss: the incoming repair request buffer."""

    def __init__(self, times: Times, participant: str) -> None:
        self._times = times
        self._participant = participant
        self._due: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def add(self, message_id: str, sender: str, now_ms: int) -> None:
        """Another participant asks for a message that this one has, of a known sender."""
        is_own = is_responder(self._times, self._participant, sender, message_id)
        if is_own and message_id not in self._due and len(self) < MAX_ANSWERS:
            delay_ms = response_delay_ms(self._times, self._participant, sender, message_id)
            self._due[message_id] = now_ms + delay_ms

    def cancel(self, message_id: str) -> None:
        """Another participant has repeated it."""
        self._due.pop(message_id, None)

    def take_due(self, now_ms: int) -> list[str]:
        """Returns what is to be repeated now."""
        due = [one for one, due_ms in self._due.items() if due_ms <= now_ms]
        for one in due:
            del self._due[one]
        return due

    def due_ms(self) -> int | None:
        """Returns when something is due."""
        return min(self._due.values(), default=None)
