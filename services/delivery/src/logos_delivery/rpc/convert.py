"""Between messages of the contract and those of the core."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from logos.delivery.v1 import delivery_pb2, message_pb2, store_pb2
from logos_delivery.core.applications import CONNECTION, RECEIVED, EventFilter, Happening
from logos_delivery.core.archive.types import Entry, Page, Query
from logos_delivery.core.errors import PayloadEmptyError
from logos_delivery.core.health import ConnectionStatus, ProtocolStatus, TopicHealth
from logos_delivery.core.message import Message
from logos_delivery.core.sending.request import EventKind, Request, RequestState
from logos_delivery.core.topics import parse_content_topic
from logos_delivery.operations.health import Health
from logos_delivery.operations.information import NodeInformation
from logos_delivery.operations.subscriptions import TopicResult

_KINDS: Final = {
    RECEIVED: delivery_pb2.EVENT_KIND_RECEIVED,
    CONNECTION: delivery_pb2.EVENT_KIND_CONNECTION,
    EventKind.PROPAGATED.value: delivery_pb2.EVENT_KIND_PROPAGATED,
    EventKind.SENT.value: delivery_pb2.EVENT_KIND_SENT,
    EventKind.ERROR.value: delivery_pb2.EVENT_KIND_ERROR,
    EventKind.UNCONFIRMED.value: delivery_pb2.EVENT_KIND_UNCONFIRMED,
}
_NAMES: Final = {value: name for name, value in _KINDS.items()}
_STATES: Final = {
    RequestState.PARKED: delivery_pb2.REQUEST_STATE_PARKED,
    RequestState.SENDING: delivery_pb2.REQUEST_STATE_SENDING,
    RequestState.PROPAGATED: delivery_pb2.REQUEST_STATE_PROPAGATED,
    RequestState.SENT: delivery_pb2.REQUEST_STATE_SENT,
    RequestState.FAILED: delivery_pb2.REQUEST_STATE_FAILED,
    RequestState.UNCONFIRMED: delivery_pb2.REQUEST_STATE_UNCONFIRMED,
}
CONNECTIONS: Final = {
    ConnectionStatus.DISCONNECTED: delivery_pb2.CONNECTION_STATUS_DISCONNECTED,
    ConnectionStatus.PARTIALLY_CONNECTED: delivery_pb2.CONNECTION_STATUS_PARTIALLY_CONNECTED,
    ConnectionStatus.CONNECTED: delivery_pb2.CONNECTION_STATUS_CONNECTED,
}
TOPICS: Final = {
    TopicHealth.UNHEALTHY: delivery_pb2.TOPIC_HEALTH_UNHEALTHY,
    TopicHealth.MINIMALLY_HEALTHY: delivery_pb2.TOPIC_HEALTH_MINIMALLY_HEALTHY,
    TopicHealth.SUFFICIENTLY_HEALTHY: delivery_pb2.TOPIC_HEALTH_SUFFICIENTLY_HEALTHY,
    TopicHealth.NOT_SUBSCRIBED: delivery_pb2.TOPIC_HEALTH_NOT_SUBSCRIBED,
}

_SENTENCES: Final = {
    ConnectionStatus.DISCONNECTED: "no other node is connected: messages wait",
    ConnectionStatus.PARTIALLY_CONNECTED: "fewer nodes are connected than wanted",
    ConnectionStatus.CONNECTED: "connected",
}


def at(time_ms: int) -> Timestamp:
    """Converts a time, milliseconds since 1970."""
    stamp = Timestamp()
    stamp.FromMilliseconds(time_ms)
    return stamp


def from_message(message: Message) -> message_pb2.Message:
    """Converts a message."""
    return message_pb2.Message(
        payload=message.payload,
        content_topic=message.content_topic,
        version=message.version,
        timestamp=message.timestamp_ns,
        meta=message.meta,
        proof=message.proof,
        ephemeral=message.is_ephemeral,
    )


def to_message(message: message_pb2.Message) -> Message:
    """Converts an application's message.

    Raises:
        ContentTopicInvalidError, PayloadEmptyError, MetaTooLongError
    """
    parse_content_topic(message.content_topic)
    if not message.payload:
        raise PayloadEmptyError("a message has at least one byte of payload")
    return Message(
        message.payload,
        message.content_topic,
        message.version,
        message.timestamp,
        message.meta,
        message.proof,
        message.ephemeral,
    )


def to_filter(request: delivery_pb2.WatchEventsRequest) -> EventFilter:
    """Converts which events are wanted."""
    kinds = (_NAMES.get(kind, "") for kind in request.kinds)
    return EventFilter(
        frozenset(kinds), frozenset(request.content_topics), frozenset(request.request_ids)
    )


def from_event(event: Happening) -> delivery_pb2.Event:
    """Converts an event."""
    converted = delivery_pb2.Event(
        position=event.position,
        kind=_KINDS[event.kind],
        at=at(event.at_ms),
        message_hash=event.message_hash,
        request_id=event.request_id,
        content_topic=event.content_topic,
    )
    if event.kind == CONNECTION:
        converted.connection = CONNECTIONS[ConnectionStatus(event.text)]
    else:
        converted.error = event.text
    if event.message is not None:
        converted.message.CopyFrom(from_message(event.message))
    return converted


def from_result(result: TopicResult) -> delivery_pb2.TopicResult:
    """Converts what became of a content topic."""
    return delivery_pb2.TopicResult(
        content_topic=result.content_topic,
        reason=result.reason,
        pubsub_topic=result.pubsub_topic,
    )


def from_request(request: Request) -> delivery_pb2.GetRequestResponse:
    """Converts a request."""
    converted = delivery_pb2.GetRequestResponse(
        state=_STATES[request.state],
        message_hash=request.message_hash,
        content_topic=request.message.content_topic,
        attempts=request.attempts,
        accepted_at=at(request.accepted_ms),
        error=request.error,
    )
    if request.propagated_ms is not None:
        converted.propagated_at.CopyFrom(at(request.propagated_ms))
    if request.ended_ms is not None:
        converted.ended_at.CopyFrom(at(request.ended_ms))
    return converted


def to_query(request: store_pb2.StoreQueryRequest) -> Query:
    """Converts a query."""
    return Query(
        request.pubsub_topic if request.HasField("pubsub_topic") else None,
        tuple(request.content_topics),
        request.time_start if request.HasField("time_start") else None,
        request.time_end if request.HasField("time_end") else None,
        tuple(request.message_hashes),
        request.include_data,
        request.pagination_cursor if request.HasField("pagination_cursor") else None,
        request.pagination_forward,
        request.pagination_limit if request.HasField("pagination_limit") else None,
    )


def from_page(request_id: str, page: Page) -> store_pb2.StoreQueryResponse:
    """Converts a page."""
    return store_pb2.StoreQueryResponse(
        request_id=request_id,
        status_code=200,
        status_desc="OK",
        messages=[_from_entry(entry) for entry in page.entries],
        pagination_cursor=page.cursor,
    )


def _from_entry(entry: Entry) -> store_pb2.StoredMessage:
    if entry.message is None:
        return store_pb2.StoredMessage(message_hash=entry.hash)
    return store_pb2.StoredMessage(
        message_hash=entry.hash,
        message=from_message(entry.message),
        pubsub_topic=entry.pubsub_topic,
    )


def from_health(health: Health) -> delivery_pb2.Health:
    """Converts the health."""
    return delivery_pb2.Health(
        connection=CONNECTIONS[health.status],
        text=_SENTENCES[health.status],
        shards={topic: TOPICS[one] for topic, one in health.shards.items()},
        content_topics={topic: TOPICS[one] for topic, one in health.content_topics.items()},
        protocols=[
            delivery_pb2.ProtocolHealth(
                protocol=one.protocol.value,
                mounted=one.status is not ProtocolStatus.NOT_MOUNTED,
                ready=one.status is ProtocolStatus.READY,
                text=one.text,
            )
            for one in health.protocols
        ],
    )


def from_information(node: NodeInformation) -> delivery_pb2.GetNodeInfoResponse:
    """Converts what a node is."""
    return delivery_pb2.GetNodeInfoResponse(
        peer_id=node.peer_id,
        addresses=node.addresses,
        enr=node.enr,
        enr_missing=node.enr_missing,
        mode=node.mode,
        preset=node.preset,
        cluster=node.cluster,
        shards=node.shards,
        version=node.version,
    )
