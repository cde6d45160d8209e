"""The log of a node's events: positions, retention, and keys of batches (KER-34, KER-35).

One commit is written at a time, with all that has come meanwhile. Nothing changes here before
it is durable. After a commit that failed, the log is read anew: where a database server was
lost, nobody knows whether it was written.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from logos_base.machine import Answer, Refuse, Ticket
from logos_base.topics import module_of
from logos_kernel.core.events import (
    DEFAULT_LIMITS,
    MAX_TOPICS,
    MAX_TOPICS_OF_MODULE,
    Batch,
    Commit,
    Event,
    KeyReusedError,
    KeysUpTo,
    KnownKey,
    Limits,
    PastLog,
    Published,
    QueueFullError,
    Removed,
    Segment,
    TooManyTopicsError,
)


@dataclass(frozen=True, slots=True)
class Append:
    """A commit is to be written; `appended` or `append_failed` follows."""

    commit: Commit


@dataclass(frozen=True, slots=True)
class Load:
    """The log is to be read; `loaded` or `load_failed` follows."""


@dataclass(frozen=True, slots=True)
class News:
    """Readers find more."""


LogEffect = Append | Load | News
Effects = Sequence[LogEffect | Answer | Refuse]


@dataclass(slots=True)
class Topic:
    """What is kept of a topic."""

    removed: int = 0
    """The last sequence that is not kept."""
    removed_position: int = 0
    segments: deque[Segment] = field(default_factory=deque)
    size: int = 0

    @property
    def last(self) -> int:
        """The newest sequence."""
        return self.segments[-1].last if self.segments else self.removed

    def add(self, event: Event, per_segment: int) -> None:
        """Counts one more event."""
        number, size = event.sequence // per_segment, event.said.size
        self.size += size
        if self.segments and self.segments[-1].number == number:
            last = self.segments[-1]
            self.segments[-1] = Segment(
                number, last.first, event.sequence, event.position, last.size + size
            )
        else:
            new = Segment(number, event.sequence, event.sequence, event.position, size)
            self.segments.append(new)

    def remove(self, removed: Removed) -> None:
        """Counts what is gone."""
        while self.segments and self.segments[0].last <= removed.sequence:
            self.size -= self.segments.popleft().size
        self.removed, self.removed_position = removed.sequence, removed.position


@dataclass(slots=True)
class _Waiting:
    """A batch that is not being written yet, and who waits for it."""

    batch: Batch
    tickets: list[Ticket]


class EventLog:
    """The machine. `wall_ms` is the time of events, milliseconds since 1970 UTC."""

    def __init__(
        self, past: PastLog, wall_ms: Callable[[], int], limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._wall_ms = wall_ms
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._writing: dict[tuple[str, int, str], KnownKey] = {}
        """Keys of the commit that is being written."""
        self._writing_topics: set[str] = set()
        self._late: list[tuple[Ticket, KnownKey]] = []
        """Repetitions of what is being written."""
        self._is_busy = False
        self._must_load = False
        self._read(past)

    def _read(self, past: PastLog) -> None:
        self.topics: dict[str, Topic] = {}
        self._keys: dict[str, OrderedDict[tuple[int, str], KnownKey]] = {}
        for removed in past.removed:
            self.topics[removed.topic] = Topic(removed.sequence, removed.position)
        for name, segment in past.segments:
            topic = self.topics.setdefault(name, Topic())
            topic.segments.append(segment)
            topic.size += segment.size
        for key in past.keys:
            self._keys.setdefault(key.publisher, OrderedDict())[key.epoch, key.key] = key
        ends = [one.segments[-1].last_position for one in self.topics.values() if one.segments]
        self.position = max([0, *ends, *(one.position for one in past.removed)])
        """Of the newest durable event."""
        self._tail: deque[Event] = deque()
        self._tail_bytes = 0

    def publish(self, ticket: Ticket, batch: Batch, now_ms: int) -> Effects:
        """Question: adds a batch. The answer, once it is durable, is a `Published`.

        Raises:
            KeyReusedError, TooManyTopicsError, QueueFullError: Nothing was added.
        """
        if batch.key and (answered := self._repeat(ticket, batch)) is not None:
            return answered
        self._check_room(batch)
        self._waiting.append(_Waiting(batch, [ticket]))
        self._waiting_bytes += batch.size
        return self._next()

    def appended(self, commit: Commit, now_ms: int) -> Effects:
        """Input: a commit is durable."""
        for one in commit.removed:
            self.topics[one.topic].remove(one)
        for up_to in commit.forgotten:
            keys = self._keys.get(up_to.publisher, OrderedDict())
            for name in [name for name, key in keys.items() if _is_under(key, up_to)]:
                del keys[name]
        for key in commit.keys:
            self._keys.setdefault(key.publisher, OrderedDict())[key.epoch, key.key] = key
        for event in commit.events:
            topic = self.topics.setdefault(event.topic, Topic())
            topic.add(event, self._limits.segment)
            self._tail.append(event)
            self._tail_bytes += event.said.size
        while self._tail_bytes > self._limits.tail_bytes:
            self._tail_bytes -= self._tail.popleft().said.size
        self.position = commit.events[-1].position
        late = [(ticket, key.published) for ticket, key in self._late]
        self._end()
        answers = [Answer(ticket, where) for ticket, where in (*commit.tickets, *late)]
        return [News(), *answers, *self._next()]

    def append_failed(self, commit: Commit, error: Exception, now_ms: int) -> Effects:
        """Input: a commit failed; whether it was written is not known."""
        tickets = [*(ticket for ticket, _ in commit.tickets), *(one for one, _ in self._late)]
        self._end()
        self._must_load = True
        return [*(Refuse(ticket, error) for ticket in tickets), *self._next()]

    def loaded(self, past: PastLog, now_ms: int) -> Effects:
        """Input: the log, as it is stored."""
        self._end()
        self._must_load = False
        self._read(past)
        waiting, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        effects: list[LogEffect | Answer | Refuse] = [News()]
        for one in waiting:  # again, since their keys may be known now
            for ticket in one.tickets:
                effects.extend(self._publish_again(ticket, one.batch, now_ms))
        return effects

    def load_failed(self, error: Exception, now_ms: int) -> Effects:
        """Input: the log cannot be read now. The next batch tries again."""
        self._end()
        waiting, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        return [Refuse(ticket, error) for one in waiting for ticket in one.tickets]

    def tick(self, now_ms: int) -> Effects:
        """Does nothing: nothing here waits for a time."""
        return ()

    def next_wake_ms(self) -> int | None:
        """Returns None."""
        return None

    def recent(self, after: int, limit: int) -> list[Event] | None:
        """Returns the events after a position, from memory; None if not all are there."""
        if after >= self.position:
            return []
        if not self._tail or after < self._tail[0].position - 1:
            return None
        first = after + 1 - self._tail[0].position
        return [self._tail[at] for at in range(first, min(first + limit, len(self._tail)))]

    def last_key(self, publisher: str) -> str:
        """Returns the newest key of a publisher; empty if none is known."""
        keys = self._keys.get(publisher)
        return next(reversed(keys.values())).key if keys else ""

    def _publish_again(self, ticket: Ticket, batch: Batch, now_ms: int) -> Effects:
        try:
            return self.publish(ticket, batch, now_ms)
        except (KeyReusedError, TooManyTopicsError, QueueFullError) as error:
            return [Refuse(ticket, error)]

    def _repeat(self, ticket: Ticket, batch: Batch) -> Effects | None:
        """Answers a repetition, now or later; returns None if it is none."""
        name = batch.publisher, batch.epoch, batch.key
        for one in self._waiting:
            if (one.batch.publisher, one.batch.epoch, one.batch.key) == name:
                _check_same(batch, one.batch.topic, len(one.batch.events))
                one.tickets.append(ticket)
                return ()
        of_publisher = self._keys.get(batch.publisher)
        written = None if of_publisher is None else of_publisher.get(name[1:])
        known = written or self._writing.get(name)
        if known is None:
            return None
        where = known.published
        _check_same(batch, known.topic, where.last - where.first + 1)
        if written is not None:
            return [Answer(ticket, where)]
        self._late.append((ticket, known))
        return ()

    def _check_room(self, batch: Batch) -> None:
        if self._waiting_bytes + batch.size > self._limits.waiting_bytes:
            raise QueueFullError("too many events wait to be written; try again")
        waiting = {one.batch.topic for one in self._waiting}
        names = self.topics.keys() | self._writing_topics | waiting
        if batch.topic in names:
            return
        owner = module_of(batch.topic)
        if len(names) >= MAX_TOPICS:
            raise TooManyTopicsError(f"a node has {MAX_TOPICS} topics")
        if sum(module_of(name) == owner for name in names) >= MAX_TOPICS_OF_MODULE:
            raise TooManyTopicsError(f"{owner} has {MAX_TOPICS_OF_MODULE} topics already")

    def _next(self) -> Effects:
        """Begins to write what waits, unless something is being written."""
        if self._is_busy or not self._waiting:
            return ()
        self._is_busy = True
        return [Load() if self._must_load else Append(self._commit())]

    def _end(self) -> None:
        self._is_busy = False
        self._late, self._writing, self._writing_topics = [], {}, set()

    def _commit(self) -> Commit:
        events: list[Event] = []
        keys: list[KnownKey] = []
        tickets: list[tuple[Ticket, Published]] = []
        last: dict[str, int] = {}
        oldest: dict[str, int] = {}
        size, at_ms = 0, self._wall_ms()
        while self._waiting and (not events or size < self._limits.commit_bytes):
            one = self._waiting.popleft()
            batch = one.batch
            size += batch.size
            topic = self.topics.get(batch.topic)
            before = last.get(batch.topic, topic.last if topic else 0)
            start = self.position + len(events) + 1
            events += (
                Event(start + at, batch.topic, before + 1 + at, batch.epoch, at_ms, said)
                for at, said in enumerate(batch.events)
            )
            last[batch.topic] = events[-1].sequence
            where = Published(before + 1, events[-1].sequence, events[-1].position)
            if batch.key:
                keys.append(KnownKey(batch.publisher, batch.epoch, batch.key, batch.topic, where))
                oldest[batch.publisher] = batch.oldest_epoch or batch.epoch
            tickets += ((ticket, where) for ticket in one.tickets)
        self._waiting_bytes -= size
        self._writing = {(one.publisher, one.epoch, one.key): one for one in keys}
        self._writing_topics = set(last)
        removed = _due(self.topics, self._limits)
        forgotten = self._forgotten(oldest)
        return Commit(tuple(events), tuple(keys), removed, forgotten, tuple(tickets))

    def _forgotten(self, oldest: Mapping[str, int]) -> tuple[KeysUpTo, ...]:
        """Returns the keys that are one too many, or of epochs before the oldest that publish."""
        found = []
        for publisher, epoch in oldest.items():
            keys = list(self._keys.get(publisher, {}).values())
            surplus = keys[: max(0, len(keys) - self._limits.keys)]
            position = surplus[-1].published.position if surplus else 0
            if position or any(one.epoch < epoch for one in keys):
                found.append(KeysUpTo(publisher, epoch, position))
        return tuple(found)


def _due(topics: Mapping[str, Topic], limits: Limits) -> tuple[Removed, ...]:
    """Returns what retention removes now: whole segments, oldest first (KER-35)."""
    cut: dict[str, int] = {}
    total = 0
    for name, topic in topics.items():
        count, size, at = topic.last - topic.removed, topic.size, 0
        while at < len(topic.segments) - 1:
            one = topic.segments[at]
            held = one.last - one.first + 1
            if count - held < limits.topic_events and size - one.size < limits.topic_bytes:
                break
            count, size, at = count - held, size - one.size, at + 1
        cut[name] = at
        total += size
    while total > limits.all_bytes:
        oldest = min(
            (name for name, topic in topics.items() if cut[name] < len(topic.segments)),
            key=lambda name: topics[name].segments[cut[name]].last_position,
        )
        total -= topics[oldest].segments[cut[oldest]].size
        cut[oldest] += 1
    ends = ((name, topics[name].segments[at - 1]) for name, at in cut.items() if at)
    return tuple(Removed(name, last.last, last.last_position) for name, last in ends)


def _is_under(key: KnownKey, up_to: KeysUpTo) -> bool:
    return key.epoch < up_to.epoch or key.published.position <= up_to.position


def _check_same(batch: Batch, topic: str, count: int) -> None:
    if (batch.topic, len(batch.events)) != (topic, count):
        raise KeyReusedError("key: was given to other events; each batch needs a new one")
