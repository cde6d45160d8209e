"""Ranges as bytes, under `/vac/waku/reconciliation/1.0.0`.

All integers are LEB128, shortest. A payload is the sender's pubsub topics and content topics, the
time at which its first range begins, and of each range the time from its beginning to its end, its
type and its content. An end that has the time of the beginning adds the beginning of its hash.

Spec: docs/protocol/delivery-store.md, DST-31, DST-35. Source: WAKU2-SYNC; where it differs, the
reference.
"""

from collections.abc import Iterable
from typing import Final

from logos_crypto import varint
from logos_crypto.refusals import VarintError
from logos_delivery.core.archive.types import Position
from logos_delivery.core.message import HASH_BYTES
from logos_delivery.core.sync.errors import SyncPayloadMalformedError, SyncPayloadTooLargeError
from logos_delivery.core.sync.types import (
    FINGERPRINT_BYTES,
    NO_HASH,
    Bounds,
    Fingerprint,
    ItemSet,
    Payload,
    Range,
    Scope,
    Skip,
)

PROTOCOL: Final = "/vac/waku/reconciliation/1.0.0"
MAX_PAYLOAD_BYTES: Final = 4 * 1024 * 1024
MAX_TOPICS: Final = 1024
"""Of one kind."""
MAX_TOPIC_BYTES: Final = 1024
MAX_RANGES: Final = 8192
MAX_ITEMS: Final = 50_000
"""In all sets of a payload together."""

_SKIP: Final = 0
_FINGERPRINT: Final = 1
_ITEM_SET: Final = 2
_END: Final = b"\0"
_I64: Final = 1 << 63


def encode(payload: Payload) -> bytes:
    """Encodes ranges that follow one another.

    Raises:
        ValueError: They do not, or end with a hash that DST-31 cannot express.
    """
    if not payload.ranges:
        return _END
    parts = [
        _encode_topics(payload.scope.pubsub_topics),
        _encode_topics(payload.scope.content_topics),
        varint.encode(payload.ranges[0].bounds.lower.timestamp_ns),
    ]
    end = Position(payload.ranges[0].bounds.lower.timestamp_ns, NO_HASH)
    for one in payload.ranges:
        if one.bounds.lower != end:
            raise ValueError("a range that does not begin where the one before ends")
        parts.append(_encode_bound(end, one.bounds.upper))
        parts.append(_encode_content(one))
        end = one.bounds.upper
    return b"".join(parts)


def _encode_topics(topics: Iterable[str]) -> bytes:
    raw = [one.encode() for one in sorted(topics)]
    return varint.encode(len(raw)) + b"".join(varint.encode(len(one)) + one for one in raw)


def _encode_bound(lower: Position, upper: Position) -> bytes:
    if upper <= lower:
        raise ValueError("a range that ends before it begins")
    step = upper.timestamp_ns - lower.timestamp_ns
    if not step:
        prefix = upper.hash.rstrip(b"\0")
        return b"\0" + bytes([len(prefix)]) + prefix
    if upper.hash != NO_HASH:
        raise ValueError("a range that ends with a hash at a later time")
    return varint.encode(step)


def _encode_content(one: Range) -> bytes:
    match one:
        case Skip():
            return bytes([_SKIP])
        case Fingerprint():
            return bytes([_FINGERPRINT]) + one.value
        case ItemSet():
            parts = [bytes([_ITEM_SET]), varint.encode(len(one.items))]
            last_ns = 0
            for item in one.items:
                parts += (varint.encode(item.timestamp_ns - last_ns), item.hash)
                last_ns = item.timestamp_ns
            return b"".join(parts) + bytes([one.is_reconciled])


def decode(raw: bytes) -> Payload:
    """Reads ranges; at most one byte is the end of a reconciliation.

    Raises:
        SyncPayloadMalformedError: They are none.
        SyncPayloadTooLargeError: They are too many.
    """
    if len(raw) > MAX_PAYLOAD_BYTES:
        raise SyncPayloadTooLargeError(f"a payload of over {MAX_PAYLOAD_BYTES} bytes")
    if len(raw) <= 1:
        return Payload()
    try:
        return _Reader(raw).payload()
    except VarintError as error:
        raise SyncPayloadMalformedError(str(error)) from error


class _Reader:
    """Reads one payload from its beginning to its end."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._items = 0
        """Read so far, in all sets."""

    def payload(self) -> Payload:
        scope = Scope(self._topics(), self._topics())
        end = Position(self._time(0), NO_HASH)
        ranges: list[Range] = []
        while self._at < len(self._raw):
            if len(ranges) == MAX_RANGES:
                raise SyncPayloadTooLargeError(f"over {MAX_RANGES} ranges")
            bounds = Bounds(end, self._bound(end))
            if bounds.upper <= bounds.lower:
                raise SyncPayloadMalformedError("a range that ends before it begins")
            ranges.append(self._range(bounds))
            end = bounds.upper
        return Payload(scope, tuple(ranges))

    def _topics(self) -> frozenset[str]:
        count = self._number()
        if count > MAX_TOPICS:
            raise SyncPayloadTooLargeError(f"over {MAX_TOPICS} topics")
        return frozenset(self._topic() for _ in range(count))

    def _topic(self) -> str:
        size = self._number()
        if size > MAX_TOPIC_BYTES:
            raise SyncPayloadTooLargeError(f"a topic of over {MAX_TOPIC_BYTES} bytes")
        try:
            return self._bytes(size).decode()
        except UnicodeDecodeError as error:
            raise SyncPayloadMalformedError("a topic that is not UTF-8") from error

    def _bound(self, lower: Position) -> Position:
        time_ns = self._time(lower.timestamp_ns)
        if time_ns != lower.timestamp_ns:
            return Position(time_ns, NO_HASH)
        size = self._bytes(1)[0]
        if size > HASH_BYTES:
            raise SyncPayloadMalformedError(f"a hash of {size} bytes")
        return Position(time_ns, self._bytes(size).ljust(HASH_BYTES, b"\0"))

    def _range(self, bounds: Bounds) -> Range:
        kind = self._bytes(1)[0]
        if kind == _SKIP:
            return Skip(bounds)
        if kind == _FINGERPRINT:
            return Fingerprint(bounds, self._bytes(FINGERPRINT_BYTES))
        if kind == _ITEM_SET:
            return self._item_set(bounds)
        raise SyncPayloadMalformedError(f"a range of type {kind}")

    def _item_set(self, bounds: Bounds) -> ItemSet:
        count = self._number()
        self._items += count
        if self._items > MAX_ITEMS:
            raise SyncPayloadTooLargeError(f"over {MAX_ITEMS} messages")
        items: list[Position] = []
        last = Position(0, b"")
        for _ in range(count):
            one = Position(self._time(last.timestamp_ns), self._bytes(HASH_BYTES))
            if one <= last or not bounds.lower <= one <= bounds.upper:
                raise SyncPayloadMalformedError("messages out of order, or out of their range")
            items.append(one)
            last = one
        is_reconciled = self._bytes(1)[0]
        if is_reconciled > 1:
            raise SyncPayloadMalformedError("a set that is neither reconciled nor not")
        return ItemSet(bounds, tuple(items), bool(is_reconciled))

    def _time(self, since_ns: int) -> int:
        time_ns = since_ns + self._number()
        if time_ns >= _I64:
            raise SyncPayloadMalformedError("a time that has over 63 bits")
        return time_ns

    def _number(self) -> int:
        value, self._at = varint.decode(self._raw, self._at)
        return value

    def _bytes(self, size: int) -> bytes:
        if size > len(self._raw) - self._at:
            raise SyncPayloadMalformedError("a payload that is cut off")
        self._at += size
        return self._raw[self._at - size : self._at]
