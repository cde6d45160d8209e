"""Which messages are kept.

Spec: docs/protocol/delivery-store.md, DST-12. Source: 13/WAKU2-STORE, eligibility.
"""

from enum import StrEnum
from typing import Final

from logos_delivery.core.archive.types import Entry

MAX_DRIFT_NS: Final = 20 * 10**9
"""From this node's clock, either way."""
MAX_CONTENT_TOPIC_BYTES: Final = 1024
MAX_PUBSUB_TOPIC_BYTES: Final = 256
"""What a database server puts into an index is limited."""


class Refusal(StrEnum):
    """Why a message is not kept."""

    EPHEMERAL = "EPHEMERAL"
    TOO_OLD = "TOO_OLD"
    TOO_NEW = "TOO_NEW"
    TOPIC_TOO_LONG = "TOPIC_TOO_LONG"


def refusal_of(entry: Entry, now_ns: int, *, is_history: bool = False) -> Refusal | None:
    """Returns why a message is not kept; None: it is (DST-12).

    Args:
        entry: The message.
        now_ns: This node's clock, nanoseconds since 1970.
        is_history: Whether another store node sent it: then it may be old.
    """
    message = entry.kept
    if message.is_ephemeral:
        return Refusal.EPHEMERAL
    if len(message.content_topic.encode()) > MAX_CONTENT_TOPIC_BYTES:
        return Refusal.TOPIC_TOO_LONG
    if len(entry.pubsub_topic.encode()) > MAX_PUBSUB_TOPIC_BYTES:
        return Refusal.TOPIC_TOO_LONG
    if message.timestamp_ns > now_ns + MAX_DRIFT_NS:
        return Refusal.TOO_NEW
    # A message without a time has none near now.
    if message.timestamp_ns <= 0 or (
        not is_history and message.timestamp_ns < now_ns - MAX_DRIFT_NS
    ):
        return Refusal.TOO_OLD
    return None
