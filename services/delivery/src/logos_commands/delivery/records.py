"""Messages, events and health as records of the output."""

import base64
from typing import Any, Final

from logos.delivery.v1 import delivery_pb2, message_pb2
from logos_base.errors import ErrorKind, LogosError
from logos_cli.arguments import utf8
from logos_cli.console import shown, sized

ADVICE: Final = {
    "NO_PEERS": "`logosctl delivery health` shows the neighbours; others must run delivery, too",
    "CONTENT_TOPIC_INVALID": "e.g. /my-app/1/chat/proto: application, version, name, encoding",
    "STORE_NODE_MISSING": "a node with the setting `store` keeps messages: `logosctl settings`",
    "REQUEST_UNKNOWN": "a request that has ended is known for an hour",
    "CHANNEL_UNKNOWN": "`logosctl delivery channel list` shows those that are open",
    "CHANNEL_EXISTS": "it is open already: `logosctl delivery channel list`",
    "SYNC_OFF": "`logosctl settings set delivery sync=true` turns it on",
    "SENDS_FULL": "wait until some have ended: `logosctl delivery health` says why they do not",
}
"""What to do about an error, by its reason."""


class FollowEndedError(LogosError):
    """The node ended the stream by which a message was followed; what became of it is not known."""

    kind = ErrorKind.UNAVAILABLE
    reason = "FOLLOW_ENDED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"the node tells no more of {shown(request_id)}: it goes on, and what becomes of it is"
            " an event, which the app and `WatchEvents` show"
        )


def all_utf8(texts: list[str] | None) -> list[str] | None:
    """Refuses texts that are not UTF-8; for the callback of an argument."""
    for text in texts or ():
        utf8(text)
    return texts


def content(payload: bytes) -> dict[str, Any]:
    """A payload: as text if it is one."""
    fields: dict[str, Any] = {"bytes": len(payload)}
    try:
        fields["content"] = payload.decode()
    except UnicodeDecodeError:
        fields["content_base64"] = base64.b64encode(payload).decode()
    return fields


def said(payload: bytes) -> str:
    """A payload for people."""
    try:
        return shown(payload.decode())
    except UnicodeDecodeError:
        return f"{sized(len(payload))} that are not text"


def message_record(message: message_pb2.Message, message_hash: bytes) -> dict[str, Any]:
    """A message."""
    return {
        "message_hash": message_hash.hex(),
        "content_topic": message.content_topic,
        "timestamp": message.timestamp,
        "ephemeral": message.ephemeral,
        "meta_base64": base64.b64encode(message.meta).decode(),
        **content(message.payload),
    }


def event_record(event: delivery_pb2.Event) -> dict[str, Any]:
    """An event."""
    record: dict[str, Any] = {
        "position": event.position,
        "kind": kind_of(event),
        "at": event.at.ToJsonString(),
    }
    if event.HasField("message"):
        return record | message_record(event.message, event.message_hash)
    if event.kind == delivery_pb2.EVENT_KIND_CONNECTION:
        return record | {"connection": name_of(delivery_pb2.ConnectionStatus, event.connection)}
    return record | {
        "request_id": event.request_id,
        "message_hash": event.message_hash.hex(),
        "content_topic": event.content_topic,
        "error": event.error,
    }


def kind_of(event: delivery_pb2.Event) -> str:
    """The kind of an event, e.g. `propagated`."""
    return delivery_pb2.EventKind.Name(event.kind).removeprefix("EVENT_KIND_").lower()


def name_of(enum: Any, value: int) -> str:
    """The name of a value, e.g. `partially connected`."""
    prefix = {
        "ConnectionStatus": "CONNECTION_STATUS_",
        "TopicHealth": "TOPIC_HEALTH_",
        "RequestState": "REQUEST_STATE_",
    }[enum.DESCRIPTOR.name]
    name: str = enum.Name(value)
    return name.removeprefix(prefix).lower().replace("_", " ")


def health_record(health: delivery_pb2.Health) -> dict[str, Any]:
    """The health."""
    topics = delivery_pb2.TopicHealth
    return {
        "connection": name_of(delivery_pb2.ConnectionStatus, health.connection),
        "text": health.text,
        "shards": {key: name_of(topics, one) for key, one in sorted(health.shards.items())},
        "content_topics": {
            key: name_of(topics, one) for key, one in sorted(health.content_topics.items())
        },
        "protocols": [
            {
                "protocol": one.protocol,
                "mounted": one.mounted,
                "ready": one.ready,
                "text": one.text,
            }
            for one in health.protocols
        ],
    }
