"""Scalable Data Sync: a machine (`logos_base.machine`) of one participant in one channel.

Every message names those it follows. From that alone, participants deliver in causal order, learn
what others have received, and find out what they miss. Content is opaque to it.

Spec: docs/protocol/channels.md, CHN-9 to CHN-23. Source: LIP SDS.
"""

from collections.abc import Iterable
from typing import Final

from logos_delivery.core.channels import bloom
from logos_delivery.core.channels.errors import (
    BloomFilterMalformedError,
    SdsMessageMalformedError,
)
from logos_delivery.core.channels.journal import Journal, Records
from logos_delivery.core.channels.repair import Answers, Gaps, hash_of
from logos_delivery.core.channels.sds_log import Log
from logos_delivery.core.channels.sds_message import (
    HistoryEntry,
    SdsMessage,
    decode,
    encode,
    message_id,
)
from logos_delivery.core.channels.sds_outgoing import Outgoing, Unacknowledged
from logos_delivery.core.channels.sds_parked import Parked, Waiting
from logos_delivery.core.channels.sds_receipts import Receipts
from logos_delivery.core.channels.sds_types import (
    Acknowledged,
    Deliver,
    Effect,
    Fetch,
    Ignored,
    IgnoreReason,
    Lost,
    NotAcknowledged,
    Park,
    SdsConfig,
    Transmit,
)

MAX_AHEAD_MS: Final = 60 * 60_000
"""A Lamport time further ahead of this node's clock does not move that of this participant."""
JOIN_SLACK_MS: Final = 5 * 60_000
"""Clocks may be apart by so much."""
RECEIPTS_PER_SYNC: Final = 64
SYNC_HISTORY: Final = 10
"""Who was away asks for so many messages at once."""
REQUEST_EVERY_MS: Final = 1_000
"""Between sync messages that only ask for repair."""


class Sds:
    """One participant's view of a channel. `joined_ms` is when it first opened it."""

    def __init__(self, config: SdsConfig, journal: Journal, joined_ms: int) -> None:
        self._config = config
        self._lamport = joined_ms
        self._joined_ms = joined_ms
        self._active_ms = joined_ms
        self._asked_ms = 0
        self._bloom = bloom.RollingBloom(size_bytes=config.filter_bytes or 1)
        self._receipts = Receipts(config.participant)
        self._gaps = Gaps(config.times, config.participant)
        self._answers = Answers(config.times, config.participant)
        self.log = Log(journal, entries=config.log_entries)
        self.parked = Parked(journal)
        self.outgoing = Outgoing(journal, config.patience)

    # Sending

    def send(self, content: bytes, request_id: str, ordinal: int, now_ms: int) -> Unacknowledged:
        """Makes a message of content, which is to be acknowledged from now on."""
        message = self._message(content, now_ms)
        one = Unacknowledged(message.message_id, encode(message), request_id, ordinal)
        self.log.add(message, one.raw, b"", now_ms)
        self.outgoing.add(one)
        return one

    def ephemeral(self, content: bytes, now_ms: int) -> Transmit:
        """Makes a message that takes no part in history, order and acknowledgement."""
        me, lamport = self._config.participant, self._next_lamport(now_ms)
        name = message_id(me, lamport, content)
        message = SdsMessage(me, name, self._config.channel_id, content=content)
        return Transmit(name, encode(message), is_ephemeral=True)

    def sent(self, message_id_: str, hint: bytes, now_ms: int) -> None:
        """A message has reached the network under a hash, or, without one, it has not."""
        self.outgoing.sent(message_id_, now_ms)
        if hint:
            self.log.set_hint(message_id_, hint)

    def _next_lamport(self, now_ms: int) -> int:
        self._lamport = max(now_ms, self._lamport + 1)
        return self._lamport

    def _message(self, content: bytes, now_ms: int, receipts: Iterable[str] = ()) -> SdsMessage:
        lamport = self._next_lamport(now_ms)
        count = self._config.history if content else max(self._config.history, SYNC_HISTORY)
        history = self.log.preceding((lamport, ""), count)
        named = {entry.message_id for entry in history}
        extra = tuple(self.log.entry(one) for one in receipts if one not in named)
        self._receipts.named_by("", named)
        self._active_ms = now_ms
        has_filter = self._config.filter_bytes and self._bloom.filter.count
        return SdsMessage(
            sender=self._config.participant,
            message_id=message_id(self._config.participant, lamport, content),
            channel_id=self._config.channel_id,
            lamport=lamport,
            history=extra + history,
            bloom=bloom.encode(self._bloom.filter) if has_filter else b"",
            repairs=self._gaps.to_request(now_ms),
            content=content,
        )

    # Receiving

    def receive(self, raw: bytes, hint: bytes, now_ms: int) -> list[Effect]:
        """Takes a message from the network; `hint` is the hash of what carried it, or empty."""
        try:
            message = decode(raw)
        except SdsMessageMalformedError:
            return [Ignored(IgnoreReason.MALFORMED)]
        if message.channel_id != self._config.channel_id:
            return [Ignored(IgnoreReason.FOREIGN)]
        if message.sender == self._config.participant:
            self._answers.cancel(message.message_id)
            return [Ignored(IgnoreReason.OWN)]
        if message.lamport is None and message.content:
            return [Deliver(message)]
        self._active_ms = now_ms
        self._answers.cancel(message.message_id)
        effects = self._review(message)
        self._note_requests(message, now_ms)
        if not message.content:
            self._gaps.add(self._missing(message), now_ms)
            return effects
        return effects + self._take(message, raw, hint, now_ms)

    def waive(
        self, message_ids: Iterable[str], now_ms: int, *, is_lost: bool = False
    ) -> list[Effect]:
        """Takes in that messages are not needed, or lost: nothing waits for them any longer."""
        ids = list(message_ids)
        for one in ids:
            self.log.give_up(one, now_ms, is_lost=is_lost)
            self._gaps.close(one)
        return self._release(ids, now_ms)

    def _review(self, message: SdsMessage) -> list[Effect]:
        """Learns what the sender of a message has received (CHN-16)."""
        named = [entry.message_id for entry in message.history]
        self._receipts.named_by(message.sender, named)
        acknowledged = [one for one in named if one in self.outgoing]
        if message.bloom and len(self.outgoing):
            acknowledged += self._in_filter(message)
        ended = [self.outgoing.remove(one) for one in acknowledged]
        return [Acknowledged(one) for one in ended if one is not None]

    def _in_filter(self, message: SdsMessage) -> list[str]:
        try:
            filter_ = bloom.decode(message.bloom)
        except BloomFilterMalformedError:
            return []  # another implementation's: the rest of the message counts
        if filter_.false_rate() > bloom.MAX_FALSE_RATE:
            return []
        held = [one for one in self.outgoing.ids() if one in filter_]
        return [one for one in held if self.outgoing.in_filter(one, message.sender)]

    def _note_requests(self, message: SdsMessage, now_ms: int) -> None:
        for entry in message.repairs:
            self._gaps.postpone(entry.message_id, now_ms)
            if self.log.raw(entry.message_id) is not None:
                sender = self.log.sender_of(entry.message_id)
                self._answers.add(entry.message_id, sender, now_ms)

    def _missing(self, message: SdsMessage) -> list[HistoryEntry]:
        return [
            entry
            for entry in message.history
            if entry.message_id not in self.log and entry.message_id not in self.parked
        ]

    def _take(self, message: SdsMessage, raw: bytes, hint: bytes, now_ms: int) -> list[Effect]:
        one = message.message_id
        if one in self.parked or (one in self.log and not self.log.is_lost(one)):
            self._receipts.owe(one, message.sender, now_ms)
            self._gaps.close(one)
            return [Ignored(IgnoreReason.DUPLICATE)]
        if self.log.is_too_old(message):
            return [Ignored(IgnoreReason.TOO_OLD)]
        # What was said before this participant joined follows what it cannot have.
        is_before = (message.lamport or 0) < self._joined_ms - JOIN_SLACK_MS
        named = {entry.message_id for entry in message.history} - {one}
        unmet = frozenset(() if is_before else (each for each in named if each not in self.log))
        waiting = Waiting(message, raw, hint, now_ms, unmet)
        if unmet and not self.parked.park(waiting):
            return [Ignored(IgnoreReason.NO_ROOM)]
        self._gaps.close(one)
        self._bloom.add(one)
        self._receipts.owe(one, message.sender, now_ms)
        if unmet:
            self._gaps.add(self._missing(message), now_ms)
            return [Park(message)]
        return [self._deliver(waiting, now_ms), *self._release([one], now_ms)]

    def _deliver(self, waiting: Waiting, now_ms: int) -> Deliver:
        message = waiting.message
        lamport = message.lamport or 0
        if lamport <= now_ms + MAX_AHEAD_MS:
            self._lamport = max(self._lamport, lamport)
        self.log.add(message, waiting.raw, waiting.hint, now_ms)
        return Deliver(message)

    def _release(self, message_ids: Iterable[str], now_ms: int) -> list[Effect]:
        """Delivers what waited for messages, and what waited for that, in order."""
        effects: list[Effect] = []
        ready = self.parked.met(message_ids)
        while ready:
            waiting = ready.pop(0)
            effects.append(self._deliver(waiting, now_ms))
            ready += self.parked.met([waiting.message.message_id])
            ready.sort(key=lambda each: each.message.order)
        return effects

    # Time

    def tick(self, now_ms: int) -> list[Effect]:
        """Repeats, repairs, gives up and acknowledges what is due."""
        effects = self._give_up(now_ms)
        again, ended = self.outgoing.take_due(now_ms)
        effects += [Transmit(one.message_id, one.raw, is_ephemeral=False) for one in again]
        for one in ended:
            self.outgoing.remove(one.message_id)
            effects.append(NotAcknowledged(one))
        for name in self._answers.take_due(now_ms):
            raw = self.log.raw(name)
            if raw is not None:
                effects.append(Transmit(name, raw, is_ephemeral=True))
        hashes = self._gaps.to_fetch(now_ms)
        if hashes:
            effects.append(Fetch(hashes))
        sync_ms = self._sync_ms()
        if sync_ms is not None and sync_ms <= now_ms:
            self._asked_ms = now_ms
            receipts = self._receipts.take(RECEIPTS_PER_SYNC)
            message = self._message(b"", now_ms, receipts)
            effects.append(Transmit(message.message_id, encode(message), is_ephemeral=True))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due."""
        oldest_ms = self.parked.oldest_ms()
        times = [
            self.outgoing.due_ms(),
            self._answers.due_ms(),
            self._gaps.due_ms(self._config.lost_after_ms),
            self._sync_ms(),
            None if oldest_ms is None else oldest_ms + self._wait_ms(),
        ]
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    def _wait_ms(self) -> int:
        """After how long what is missing is given up.

        To one who has just joined, it is most likely from before: once a sender of today would
        have ceased to repeat it, it is waited for no longer.
        """
        if len(self.log):
            return self._config.lost_after_ms
        patience = self._config.patience
        least_ms = patience.timeout_ms * (patience.repeats + 1)
        return min(self._config.lost_after_ms, least_ms)

    def _give_up(self, now_ms: int) -> list[Effect]:
        latest_ms = now_ms - self._wait_ms()
        lost = self.parked.missing_since(latest_ms)
        lost += self._gaps.found_before(now_ms - self._config.lost_after_ms)
        ids = tuple(dict.fromkeys(lost))
        effects: list[Effect] = []
        if ids:
            effects = [Lost(ids), *self.waive(ids, now_ms, is_lost=True)]
        return effects + self._release(self.parked.stuck_since(latest_ms), now_ms)

    def _sync_ms(self) -> int | None:
        """When a sync message is due: to acknowledge, to ask for repair, or after a silence."""
        request_ms = self._gaps.request_ms()
        if request_ms is not None:
            request_ms = max(request_ms, self._asked_ms + REQUEST_EVERY_MS)
        times = [self._receipts.due_ms(), request_ms]
        if self._config.sync_ms and len(self.log):
            spread = hash_of(self._config.participant, str(self._active_ms)) % self._config.sync_ms
            times.append(self._active_ms + self._config.sync_ms + spread)
        return min((time_ms for time_ms in times if time_ms is not None), default=None)

    # Restart

    def restore(self, records: Records, now_ms: int) -> None:
        """Takes saved records in. What is missing is asked for again."""
        self.log.restore(records)
        self.outgoing.restore(records)
        for waiting in self.parked.restore(records, self.log.known()):
            self._gaps.add(self._missing(waiting.message), now_ms)
        self._lamport = max(self._lamport, min(self.log.last_lamport(), now_ms + MAX_AHEAD_MS))
        self._active_ms = now_ms
        for one in self.log.ids():
            if self.log.sender_of(one) != self._config.participant:
                self._bloom.add(one)
