"""Publish: a module adds events to a topic of its own; so does the kernel (KER-34, KER-39)."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from logos_base.capabilities import KERNEL, ModuleSubject, Subject
from logos_base.errors import StoreFailedError
from logos_base.topics import TOPIC, module_of
from logos_kernel.core.audit import actor_of
from logos_kernel.core.errors import StaleEpochError
from logos_kernel.core.events import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    MAX_KEY,
    MAX_PAYLOAD_BYTES,
    OPERATOR,
    OVERHEAD_BYTES,
    PAGE,
    TRANSITIONS,
    Batch,
    InvalidEventError,
    NewEvent,
    Published,
    QueueFullError,
    TopicNotOwnedError,
)
from logos_kernel.core.journal import Transition
from logos_kernel.operations.kernel import Kernel

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0


async def publish(
    kernel: Kernel, by: Subject, topic: str, events: Sequence[NewEvent], key: str
) -> Published:
    """Adds events to a topic of the caller's own; they are durable then.

    Args:
        kernel: The kernel.
        by: Who publishes.
        topic: `module/event`.
        events: From 1 to 1,000.
        key: Names the batch, so that a repetition changes nothing; empty: none does.

    Raises:
        InvalidEventError: A field is missing, malformed or too large.
        TopicNotOwnedError: The topic is another's; it is in the audit log.
        StaleEpochError: A newer instance of the module was started.
        KeyReusedError, TooManyTopicsError, QueueFullError: As `EventLog.publish`.
        DiskFullError, StoreFailedError: Nothing was added, or that is not known.
    """
    _check(topic, events, key)
    owner = owner_of(by)
    if module_of(topic) != owner:
        error = TopicNotOwnedError(f"topic: {topic} is for {module_of(topic)} alone, not {owner}")
        kernel.audit.refuse(actor_of(by), "events.publish", topic, error)
        raise error
    epoch = oldest = 0
    if isinstance(by, ModuleSubject):
        epoch, known = by.epoch, kernel.views.one(by.name).epochs
        if epoch not in known:  # two are, while a module is upgraded (KER-48)
            raise StaleEpochError(f"epoch {epoch} of {by.name} is over: a newer one was started")
        oldest = min(known)
    return await kernel.events.publish(Batch(topic, owner, epoch, tuple(events), key, oldest))


def owner_of(by: Subject) -> str:
    """Returns whose topics and groups are a caller's own."""
    if not isinstance(by, ModuleSubject):
        return OPERATOR
    return "" if by.name in {KERNEL, OPERATOR} else by.name


async def publish_transitions(kernel: Kernel, serialize: Callable[[Transition], bytes]) -> None:
    """Publishes every durable transition once, also after a restart. Runs until cancelled.

    The key of a batch is its last revision: where the next kernel goes on.
    """
    journal, log_of = kernel.views.modules.journal, kernel.events.log
    following = int(log_of.last_key(KERNEL) or 0) + 1
    while True:
        published = kernel.published()
        following = max(following, journal.oldest)
        found = journal.since(following)[:PAGE]
        if not found:
            await published.wait()
            continue
        said = tuple(NewEvent(serialize(one)) for one in found)
        batch = Batch(TRANSITIONS, KERNEL, 0, said, key=str(found[-1].revision))
        while not await _is_published(kernel, batch):  # noqa: ASYNC110 -- the store does not tell
            await asyncio.sleep(RETRY_S)
        following = found[-1].revision + 1


async def _is_published(kernel: Kernel, batch: Batch) -> bool:
    try:
        await kernel.events.publish(batch)
    except (StoreFailedError, QueueFullError) as error:
        log.warning("transitions not published", extra={"why": str(error)})
        return False
    return True


def _check(topic: str, events: Sequence[NewEvent], key: str) -> None:
    if not TOPIC.fullmatch(topic):
        raise InvalidEventError(f"topic: must be module/event, is {topic[:200]!r}", field="topic")
    if not 1 <= len(events) <= MAX_BATCH:
        raise InvalidEventError(f"events: must be from 1 to {MAX_BATCH}", field="events")
    if len(key) > MAX_KEY or "\0" in key:
        raise InvalidEventError(f"key: must be at most {MAX_KEY} characters", field="key")
    for at, one in enumerate(events):
        if len(one.payload) > MAX_PAYLOAD_BYTES:
            what = f"events[{at}].payload: must be at most {MAX_PAYLOAD_BYTES} bytes"
            raise InvalidEventError(what, field="events")
        named = one.size - len(one.payload) - OVERHEAD_BYTES
        if len(one.headers) > MAX_HEADERS or named > MAX_HEADERS_BYTES:
            what = f"events[{at}].headers: at most {MAX_HEADERS}, and {MAX_HEADERS_BYTES} bytes"
            raise InvalidEventError(what, field="events")
    if sum(len(one.payload) for one in events) > MAX_BATCH_BYTES:
        raise InvalidEventError(f"events: at most {MAX_BATCH_BYTES} bytes in all", field="events")
