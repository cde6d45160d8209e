"""Subscribe, consume and replay: who reads events, and from where (KER-36, KER-37)."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from logos_base.capabilities import ModuleSubject, Subject
from logos_base.topics import ALL, EVENT_NAME, TOPIC, TOPIC_PATTERN, covers, module_of
from logos_kernel.core.audit import actor_of
from logos_kernel.core.event_log import Topic
from logos_kernel.core.events import (
    MAX_PATTERNS,
    PAGE,
    Event,
    EventsRemovedError,
    Group,
    InvalidEventError,
    SubscriptionDeniedError,
    UnknownPositionError,
    UnknownSequenceError,
    UnknownTopicError,
)
from logos_kernel.core.gaps import Gaps, Missed
from logos_kernel.core.queue_group import MAX_IN_FLIGHT
from logos_kernel.core.types import ModuleState
from logos_kernel.operations.kernel import Kernel
from logos_kernel.operations.publish import owner_of
from logos_kernel.operations.queue_groups import Member

BOOKMARK_S: Final = 10.0
DEFAULT_IN_FLIGHT: Final = 64


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin; all None: with what comes from now on."""

    after: int | None = None
    """A position."""
    at_ms: int | None = None
    """Wall clock."""
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Consumer:
    """What a member of a queue group asks for."""

    group: str
    """Without its owner."""
    topics: Sequence[str]
    start: Start
    """Where a new group begins."""
    room: int
    """Unsettled events, at most; 0: 64."""


@dataclass(frozen=True, slots=True)
class SourceAt:
    """Whether the module behind a topic is READY."""

    module: str
    is_armed: bool
    epoch: int


@dataclass(frozen=True, slots=True)
class Bookmark:
    """All up to a position was delivered, or does not match."""

    position: int


Message = tuple[Event, ...] | Missed | SourceAt | Bookmark


async def subscribe(
    kernel: Kernel, by: Subject, topics: Sequence[str], start: Start, *, fails_on_gap: bool
) -> AsyncIterator[Message]:
    """Streams events, and waits for more. Holds one page at a time.

    Raises:
        InvalidEventError: A field is missing or malformed.
        SubscriptionDeniedError: A module does not declare it; it is in the audit log.
        UnknownPositionError, UnknownSequenceError: The node has not come to that.
        EventsRemovedError: There is a gap, and `fails_on_gap`.
        TooManySubscriptionsError: There are too many.
    """
    check_patterns(kernel, by, topics)
    events = kernel.events
    with events.subscription(owner_of(by)):
        position, gaps = await _begin(kernel, topics, start)
        yield Bookmark(position)
        known: dict[str, SourceAt] = {}
        while True:
            published = events.published
            for source in _changed_sources(kernel, topics, known):
                yield source
            page = await events.read(topics, position)
            for missed in gaps.in_page(page):
                if fails_on_gap:
                    raise EventsRemovedError(
                        f"{missed.topic}: events up to sequence {missed.last} are removed"
                    )
                yield missed
            if page.events:
                yield page.events
            if page.position > position:
                position = page.position
            elif not await _is_set(published):
                yield Bookmark(position)


@asynccontextmanager
async def consume(kernel: Kernel, by: Subject, wanted: Consumer) -> AsyncIterator[Member]:
    """Joins a queue group for as long as the context is open.

    Raises:
        As `subscribe`, and:
        GroupMismatchError: It reads other topics.
        TooManyGroupsError: There is no room for a new one.
    """
    group, topics, room = wanted.group, wanted.topics, wanted.room
    check_patterns(kernel, by, topics)
    if not EVENT_NAME.fullmatch(group):
        raise InvalidEventError(f"group: must match {EVENT_NAME.pattern}", field="group")
    if not 0 <= room <= MAX_IN_FLIGHT:
        what = f"max_in_flight: must be at most {MAX_IN_FLIGHT}"
        raise InvalidEventError(what, field="max_in_flight")
    with kernel.events.subscription(owner_of(by)):
        position, _ = await _begin(kernel, topics, wanted.start)
        name = f"{owner_of(by)}/{group}"
        new = Group(name, tuple(sorted(topics)), position, kernel.events.wall_ms())
        async with kernel.events.groups.member(new, room or DEFAULT_IN_FLIGHT) as member:
            yield member


async def replay(
    kernel: Kernel, by: Subject, topic: str, first: int, last: int
) -> AsyncIterator[tuple[Event, ...]]:
    """Streams the kept events of a topic, from one sequence to another. 0: from end to end.

    Raises:
        InvalidEventError, SubscriptionDeniedError: As `subscribe`.
        UnknownTopicError: Nothing was ever published on it.
        EventsRemovedError: The first is no longer kept.
        UnknownSequenceError: The topic has not come to the last.
    """
    check_patterns(kernel, by, [topic])
    if not TOPIC.fullmatch(topic):
        raise InvalidEventError("topic: must be the full name of one", field="topic")
    known = kernel.events.log.topics.get(topic)
    if known is None:
        raise UnknownTopicError(f"nothing was ever published on {topic}")
    if last > known.last or first > known.last + 1:
        raise UnknownSequenceError(f"{topic} has come to {known.last} only")
    following, end = first or known.removed + 1, last or known.last
    while following <= end:
        if following <= known.removed:
            raise EventsRemovedError(f"{topic} is kept from sequence {known.removed + 1} only")
        limit = min(end, following + PAGE - 1)
        events = await kernel.events.store.read_topic(topic, following, limit)
        if not events or events[0].sequence != following:
            raise EventsRemovedError(f"{topic}: sequence {following} is no longer kept")
        yield events
        following = events[-1].sequence + 1


def readable_topics(kernel: Kernel, by: Subject) -> list[tuple[str, Topic]]:
    """Returns the topics that a caller may read, by name."""
    allowed = _allowed(kernel, by)
    topics = sorted(kernel.events.log.topics.items())
    return [(name, topic) for name, topic in topics if covers(allowed, name)]


def check_patterns(kernel: Kernel, by: Subject, topics: Sequence[str]) -> None:
    """Raises an error if topics are malformed, or not for the caller."""
    if not 1 <= len(topics) <= MAX_PATTERNS or len(set(topics)) < len(topics):
        what = f"topics: must be from 1 to {MAX_PATTERNS}, each once"
        raise InvalidEventError(what, field="topics")
    allowed = _allowed(kernel, by)
    for topic in topics:
        if not TOPIC_PATTERN.fullmatch(topic):
            what = f"topics: must be module/event, module/* or *, is {topic[:200]!r}"
            raise InvalidEventError(what, field="topics")
        if not covers(allowed, topic):
            error = SubscriptionDeniedError(
                f"{by.name} does not declare {topic} (subscribes in its module.toml)"
            )
            kernel.audit.refuse(actor_of(by), "events.subscribe", topic, error)
            raise error


def _allowed(kernel: Kernel, by: Subject) -> tuple[str, ...]:
    """Returns what a caller may read: a module its own topics, and what it declares."""
    if not isinstance(by, ModuleSubject):
        return (ALL,)
    manifest = kernel.views.modules.find(by.name).plan.manifest
    return (f"{by.name}/{ALL}", *manifest.subscribes)


async def _begin(kernel: Kernel, topics: Sequence[str], start: Start) -> tuple[int, Gaps]:
    """Returns the position before the first event, and what is known to be read by then."""
    events = kernel.events
    newest = events.log.position
    if start.after is not None:
        if not 0 <= start.after <= newest:
            raise UnknownPositionError(
                f"after_position: {start.after}, but the newest is {newest}: the node's state was"
                " replaced; begin with 0"
            )
        return start.after, Gaps()
    if start.at_ms is not None:
        before = await events.store.position_before(at_ms=start.at_ms)
        return newest if before is None else before, Gaps()
    if start.sequence is None:
        return newest, Gaps()
    topic = topics[0]
    if len(topics) > 1 or not TOPIC.fullmatch(topic) or start.sequence < 1:
        what = "start: a sequence is from 1, and of one topic, by its full name"
        raise InvalidEventError(what, field="start")
    known = events.log.topics.get(topic, Topic())
    if start.sequence > known.last + 1:
        raise UnknownSequenceError(f"{topic} has come to {known.last} only")
    if start.sequence <= known.removed:
        return 0, Gaps({topic: start.sequence - 1})
    before = await events.store.position_before(topic=topic, sequence=start.sequence)
    return newest if before is None else before, Gaps({topic: start.sequence - 1})


def _changed_sources(
    kernel: Kernel, topics: Sequence[str], known: dict[str, SourceAt]
) -> Iterator[SourceAt]:
    """Yields how the modules that are read are, where that has changed."""
    named = {module_of(topic) for topic in topics}
    for module in kernel.views.modules:
        if module.name not in named and ALL not in named:
            continue
        is_armed = module.state is ModuleState.READY
        before = known.get(module.name)
        if before and before.is_armed and (not is_armed or before.epoch != module.epoch):
            yield SourceAt(module.name, is_armed=False, epoch=before.epoch)
        elif before and before.is_armed == is_armed:
            continue
        now = SourceAt(module.name, is_armed=is_armed, epoch=module.epoch)
        known[module.name] = now
        if is_armed or before is None:
            yield now


async def _is_set(published: asyncio.Event) -> bool:
    """Waits for news; returns False if none came for a while."""
    try:
        async with asyncio.timeout(BOOKMARK_S):
            await published.wait()
    except TimeoutError:
        return False
    return True
