"""Store v3 as bytes, under `/vac/waku/store-query/3.0.0`.

Spec: docs/protocol/delivery-store.md, DST-1, DST-2, DST-3. Source: 13/WAKU2-STORE.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import Fields, bytes_field, bytes_fields, number_field, signed_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core import message as messages
from logos_delivery.core.archive.errors import StorePeerFailedError, StoreRequestMalformedError
from logos_delivery.core.archive.types import MAX_PAGE, Entry, Query
from logos_delivery.core.errors import DeliveryMessageMalformedError
from logos_delivery.core.message import HASH_BYTES, MAX_MESSAGE_BYTES

PROTOCOL: Final = "/vac/waku/store-query/3.0.0"
MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_RESPONSE_BYTES: Final = MAX_PAGE * (MAX_MESSAGE_BYTES + 1024)
"""What another implementation may send. Ours sends little over `PAGE_BYTES`."""
MAX_TEXT_BYTES: Final = 1024
"""Of the id of a request, and of what a status says."""

_REQUEST_ID: Final = 1
_INCLUDE_DATA: Final = 2
_PUBSUB_TOPIC: Final = 10
_CONTENT_TOPICS: Final = 11
_START: Final = 12
_END: Final = 13
_HASHES: Final = 20
_CURSOR: Final = 51
_FORWARD: Final = 52
_LIMIT: Final = 53

_CODE: Final = 10
_TEXT: Final = 11
_MESSAGES: Final = 20

_HASH: Final = 1
_MESSAGE: Final = 2
_TOPIC: Final = 3

_MAX_FIELDS: Final = 2048
_U64: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Request:
    """A query and its id."""

    request_id: str
    query: Query


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a query."""

    request_id: str
    code: int
    text: str = ""
    entries: tuple[Entry, ...] = ()
    cursor: bytes | None = None


def encode_request(request: Request) -> bytes:
    """Encodes a query. Its direction is always written (DST-3)."""
    query = request.query
    parts = [
        bytes_field(_REQUEST_ID, request.request_id.encode()),
        number_field(_INCLUDE_DATA, query.include_data),
    ]
    if query.pubsub_topic is not None:
        parts.append(bytes_field(_PUBSUB_TOPIC, query.pubsub_topic.encode()))
    parts.append(bytes_fields(_CONTENT_TOPICS, (one.encode() for one in query.content_topics)))
    if query.start_ns is not None:
        parts.append(signed_field(_START, query.start_ns))
    if query.end_ns is not None:
        parts.append(signed_field(_END, query.end_ns))
    parts.append(bytes_fields(_HASHES, query.hashes))
    if query.cursor is not None:
        parts.append(bytes_field(_CURSOR, query.cursor))
    parts.append(number_field(_FORWARD, query.is_forward))
    if query.limit is not None:
        parts.append(number_field(_LIMIT, min(query.limit, _U64)))
    return b"".join(parts)


def decode_request(raw: bytes) -> Request:
    """Reads a query, of at most 64 KiB; it is not checked against DST-4.

    Raises:
        StoreRequestMalformedError: It is none.
    """
    if len(raw) > MAX_REQUEST_BYTES:
        raise StoreRequestMalformedError(f"a query of over {MAX_REQUEST_BYTES} bytes")
    try:
        fields = Fields(raw, max_fields=_MAX_FIELDS)
        if not fields.has(_REQUEST_ID):
            raise StoreRequestMalformedError("a query without an id")
        query = Query(
            pubsub_topic=fields.text(_PUBSUB_TOPIC) if fields.has(_PUBSUB_TOPIC) else None,
            content_topics=tuple(fields.texts(_CONTENT_TOPICS)),
            start_ns=fields.signed(_START) if fields.has(_START) else None,
            end_ns=fields.signed(_END) if fields.has(_END) else None,
            hashes=tuple(fields.repeated(_HASHES)),
            include_data=bool(fields.number(_INCLUDE_DATA)),
            cursor=fields.raw(_CURSOR) if fields.has(_CURSOR) else None,
            is_forward=bool(fields.number(_FORWARD)),
            limit=fields.number(_LIMIT) if fields.has(_LIMIT) else None,
        )
        return Request(_short(fields.text(_REQUEST_ID)), query)
    except ProtobufError as error:
        raise StoreRequestMalformedError(str(error)) from error


def encode_response(response: Response) -> bytes:
    """Encodes an answer."""
    parts = [
        bytes_field(_REQUEST_ID, response.request_id.encode()),
        number_field(_CODE, response.code),
        bytes_field(_TEXT, response.text.encode()),
        bytes_fields(_MESSAGES, map(_encode_entry, response.entries)),
    ]
    if response.cursor is not None:
        parts.append(bytes_field(_CURSOR, response.cursor))
    return b"".join(parts)


def _encode_entry(entry: Entry) -> bytes:
    raw = bytes_field(_HASH, entry.hash)
    if entry.message is None:
        return raw
    raw += bytes_field(_MESSAGE, messages.encode(entry.message))
    return raw + bytes_field(_TOPIC, entry.pubsub_topic.encode())


def decode_response(raw: bytes) -> Response:
    """Reads an answer of at most `MAX_RESPONSE_BYTES`; whether it is true, DST-10 says.

    Raises:
        StorePeerFailedError: It is none.
    """
    if len(raw) > MAX_RESPONSE_BYTES:
        raise StorePeerFailedError(f"an answer of over {MAX_RESPONSE_BYTES} bytes")
    try:
        fields = Fields(raw)
        if not fields.has(_CODE):
            raise StorePeerFailedError("an answer without a status")
        return Response(
            request_id=_short(fields.text(_REQUEST_ID)),
            code=fields.number(_CODE),
            text=_short(fields.text(_TEXT)),
            entries=tuple(map(_decode_entry, fields.repeated(_MESSAGES))),
            cursor=fields.raw(_CURSOR) if fields.has(_CURSOR) else None,
        )
    except (ProtobufError, DeliveryMessageMalformedError, StoreRequestMalformedError) as error:
        raise StorePeerFailedError(f"an answer that is none: {error}") from error


def _decode_entry(raw: bytes) -> Entry:
    fields = Fields(raw)
    hash_ = fields.raw(_HASH)
    if len(hash_) != HASH_BYTES:
        raise StorePeerFailedError(f"an answer with a hash of {len(hash_)} bytes")
    if not fields.has(_MESSAGE) and not fields.has(_TOPIC):
        return Entry(hash_)
    if not fields.has(_MESSAGE) or not fields.has(_TOPIC):
        raise StorePeerFailedError("an answer with half a message")
    return Entry(hash_, fields.text(_TOPIC), messages.decode(fields.raw(_MESSAGE)))


def _short(text: str) -> str:
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise StoreRequestMalformedError(f"a text of over {MAX_TEXT_BYTES} bytes")
    return text
