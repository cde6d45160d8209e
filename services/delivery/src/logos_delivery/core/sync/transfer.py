"""Messages that store nodes give each other, under `/vac/waku/transfer/1.0.0`.

Spec: docs/protocol/delivery-store.md, DST-37, DST-38. Source: WAKU2-SYNC; where it differs, the
reference.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import Fields, bytes_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core import message as messages
from logos_delivery.core.archive.admission import MAX_PUBSUB_TOPIC_BYTES, refusal_of
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.errors import DeliveryMessageMalformedError
from logos_delivery.core.message import MAX_MESSAGE_BYTES
from logos_delivery.core.sync.errors import (
    TransferMalformedError,
    TransferTooMuchError,
    TransferUnwantedError,
)
from logos_delivery.core.sync.types import Scope

PROTOCOL: Final = "/vac/waku/transfer/1.0.0"
MAX_TRANSFER_BYTES: Final = MAX_MESSAGE_BYTES + 1024
MAX_MESSAGES: Final = 50_000
"""That one reconciliation may bring."""
MAX_BYTES: Final = 512 * 1024 * 1024
"""That one reconciliation may bring."""
LINGER_MS: Final = 60_000
"""How long after a reconciliation, or the last of its messages, more may come."""

_PUBSUB_TOPIC: Final = 1
_MESSAGE: Final = 2


def encode(entry: Entry) -> bytes:
    """Encodes a message and its pubsub topic."""
    topic = bytes_field(_PUBSUB_TOPIC, entry.pubsub_topic.encode())
    return topic + bytes_field(_MESSAGE, messages.encode(entry.kept))


def decode(raw: bytes) -> Entry:
    """Reads a message and its pubsub topic, of at most `MAX_TRANSFER_BYTES`.

    Raises:
        TransferMalformedError: It is none.
    """
    if len(raw) > MAX_TRANSFER_BYTES:
        raise TransferMalformedError(f"a transfer of over {MAX_TRANSFER_BYTES} bytes")
    try:
        fields = Fields(raw)
        if not fields.has(_PUBSUB_TOPIC) or not fields.has(_MESSAGE):
            raise TransferMalformedError("a transfer without its topic or its message")
        topic = fields.text(_PUBSUB_TOPIC)
        if len(topic.encode()) > MAX_PUBSUB_TOPIC_BYTES:
            raise TransferMalformedError(f"a topic of over {MAX_PUBSUB_TOPIC_BYTES} bytes")
        return Entry.of(topic, messages.decode(fields.raw(_MESSAGE)))
    except (ProtobufError, DeliveryMessageMalformedError) as error:
        raise TransferMalformedError(str(error)) from error


@dataclass(slots=True)
class Gate:
    """What one other node may send for one reconciliation (DST-38)."""

    scope: Scope
    oldest_ns: int
    """Older messages are not compared, so they are not sent."""
    messages: int = 0
    size_bytes: int = 0
    closes_ms: int | None = None
    """When it closes; None: the reconciliation is under way."""

    def is_open(self, now_ms: int) -> bool:
        """Returns whether messages may come."""
        return self.closes_ms is None or now_ms < self.closes_ms

    def finish(self, now_ms: int) -> None:
        """The reconciliation is over: what it has found may still come."""
        self.closes_ms = now_ms + LINGER_MS

    def take(self, raw: bytes, now_ms: int) -> Entry:
        """Returns a message that may be kept if its proof is valid. The time is the wall clock.

        Raises:
            TransferMalformedError, TransferUnwantedError, TransferTooMuchError: The sender is at
                fault.
        """
        self.messages += 1
        self.size_bytes += len(raw)
        if self.messages > MAX_MESSAGES or self.size_bytes > MAX_BYTES:
            raise TransferTooMuchError("more than one reconciliation may bring")
        entry = decode(raw)
        refusal = refusal_of(entry, now_ms * 1_000_000, is_history=True)
        if refusal is not None:
            raise TransferUnwantedError(f"a message that is not kept: {refusal}")
        if entry.kept.timestamp_ns < self.oldest_ns:
            raise TransferUnwantedError("a message that is older than what is reconciled")
        if not self.scope.has(entry.pubsub_topic, entry.kept.content_topic):
            raise TransferUnwantedError("a message of a topic that is not reconciled")
        if self.closes_ms is not None:
            self.closes_ms = now_ms + LINGER_MS
        return entry
