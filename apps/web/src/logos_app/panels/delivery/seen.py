"""What is known of the messages of a node. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logos.delivery.v1 import delivery_pb2 as pb
from logos_app.nodes.reading import milliseconds

MESSAGES: Final = 100
SENT: Final = 20


@dataclass(frozen=True, slots=True)
class Received:
    """A message that has come."""

    position: int
    at_ms: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a page has sent."""

    request_id: str
    at_ms: int
    topic: str
    text: str
    via_mix: bool = False
    stage: str = "accepted"
    """Or `propagated`, `sent`, `error`, `unconfirmed`."""
    why: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.stage in {"sent", "error", "unconfirmed"}


@dataclass(frozen=True, slots=True)
class MessagesSeen:
    """The messages of a node, as the app saw them last."""

    position: int | None = None
    """Up to which events were seen; None: none were."""
    health: pb.Health | None = None
    topics: tuple[str, ...] = ()
    received: tuple[Received, ...] = ()
    """Newest first."""
    sent: tuple[Sent, ...] = ()
    """Newest first; those of the pages of this app."""


_STAGES: Final = {
    pb.EVENT_KIND_PROPAGATED: "propagated",
    pb.EVENT_KIND_SENT: "sent",
    pb.EVENT_KIND_ERROR: "error",
    pb.EVENT_KIND_UNCONFIRMED: "unconfirmed",
}


def with_state(seen: MessagesSeen, health: pb.Health, topics: Sequence[str]) -> MessagesSeen:
    """The messages of a node after it was asked how it does."""
    return replace(seen, health=health, topics=tuple(topics))


def with_events(seen: MessagesSeen, events: Iterable[pb.Event], position: int) -> MessagesSeen:
    """The messages of a node after these events, in their order."""
    received, sent = list(seen.received), {each.request_id: each for each in seen.sent}
    for event in events:
        if event.kind == pb.EVENT_KIND_RECEIVED:
            at_ms = milliseconds(event.at)
            payload = event.message.payload
            received.insert(0, Received(event.position, at_ms, event.content_topic, payload))
        elif event.kind in _STAGES and event.request_id in sent:
            one = sent[event.request_id]
            sent[event.request_id] = replace(one, stage=_STAGES[event.kind], why=event.error)
    return replace(
        seen,
        position=position,
        received=tuple(received[:MESSAGES]),
        sent=tuple(sent.values()),
    )


def with_sent(seen: MessagesSeen, one: Sent) -> MessagesSeen:
    """The messages of a node after a page has sent one."""
    return replace(seen, sent=(one, *seen.sent)[:SENT])


def of_topic(seen: MessagesSeen, topic: str) -> list[Received]:
    """The messages of one topic, or of all, newest first."""
    return [each for each in seen.received if not topic or each.topic == topic]
