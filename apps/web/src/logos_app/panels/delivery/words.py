"""What the panel Messages says. Pure."""

from typing import Final

from logos.delivery.v1 import delivery_pb2 as pb
from logos_app.panels.delivery.seen import MessagesSeen, Sent
from logos_app.shown import formats, words

MAX_SHOWN: Final = 2_000
"""Letters of a message."""

_STAGES: Final = {
    "accepted": "on its way",
    "propagated": "another node has it",
    "sent": "a store node has it",
    "error": "it could not be sent",
    "unconfirmed": "another node has it; no store node has confirmed it",
}
_CONNECTED: Final[dict[int, str]] = {
    pb.CONNECTION_STATUS_CONNECTED: "is connected to enough nodes",
    pb.CONNECTION_STATUS_PARTIALLY_CONNECTED: "is connected to few nodes",
}
_TOPICS: Final[dict[int, str]] = {
    pb.TOPIC_HEALTH_UNHEALTHY: "no neighbour",
    pb.TOPIC_HEALTH_MINIMALLY_HEALTHY: "few neighbours",
    pb.TOPIC_HEALTH_SUFFICIENTLY_HEALTHY: "enough neighbours",
}


def sentence(node: str, seen: MessagesSeen) -> str:
    """How messages stand at a node, in a sentence."""
    if seen.health is None:
        return f"How messages stand at {node} is not known yet."
    count = len(seen.topics)
    follows = "follows no topic" if not count else f"follows {words.counted(count, 'topic')}"
    how = _CONNECTED.get(seen.health.connection, "is connected to no node: what it sends waits")
    return f"{words.capital(node)} {follows}, and {how}."


def stage_said(sent: Sent) -> str:
    """How far a message has come."""
    why = f": {formats.shown(sent.why)}" if sent.why else ""
    return f"{_STAGES[sent.stage]}{why}"


def topic_said(seen: MessagesSeen, topic: str) -> str:
    """How a topic is connected."""
    if seen.health is None:
        return "not known yet"
    return _TOPICS.get(seen.health.content_topics.get(topic, 0), "not known yet")


def text_of(payload: bytes) -> str:
    """A payload for people: its text, or how large it is."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return f"{formats.size(len(payload))} that are not text"
    return formats.shown(text[:MAX_SHOWN]) + ("…" if len(text) > MAX_SHOWN else "")
