"""DST-12: which messages are kept."""

from dataclasses import replace

import pytest

from logos_delivery.core.archive.admission import MAX_DRIFT_NS, Refusal, refusal_of
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.message import Message

NOW = 1_800_000_000 * 10**9
SHARD = "/waku/2/rs/3/0"
MESSAGE = Message(b"x", "/a/1/b/c", timestamp_ns=NOW)


def refusal(message: Message, *, is_history: bool = False, shard: str = SHARD) -> Refusal | None:
    return refusal_of(Entry.of(shard, message), NOW, is_history=is_history)


@pytest.mark.parametrize(
    ("offset_ns", "live", "history"),
    [
        (0, None, None),
        (MAX_DRIFT_NS, None, None),
        (-MAX_DRIFT_NS, None, None),
        (MAX_DRIFT_NS + 1, Refusal.TOO_NEW, Refusal.TOO_NEW),
        (-MAX_DRIFT_NS - 1, Refusal.TOO_OLD, None),
        (1 - NOW, Refusal.TOO_OLD, None),
        (-NOW, Refusal.TOO_OLD, Refusal.TOO_OLD),
        (-NOW - 1, Refusal.TOO_OLD, Refusal.TOO_OLD),
    ],
)
def test_times_are_bounded(offset_ns: int, live: Refusal | None, history: Refusal | None) -> None:
    message = replace(MESSAGE, timestamp_ns=NOW + offset_ns)

    assert refusal(message) is live
    assert refusal(message, is_history=True) is history


def test_an_ephemeral_message_is_not_kept() -> None:
    message = replace(MESSAGE, is_ephemeral=True)

    assert refusal(message) is Refusal.EPHEMERAL
    assert refusal(message, is_history=True) is Refusal.EPHEMERAL


def test_topics_have_their_length_in_bytes() -> None:
    assert refusal(replace(MESSAGE, content_topic="ä" * 512)) is None
    assert refusal(replace(MESSAGE, content_topic="ä" * 512 + "x")) is Refusal.TOPIC_TOO_LONG
    assert refusal(MESSAGE, shard="x" * 256) is None
    assert refusal(MESSAGE, shard="x" * 257) is Refusal.TOPIC_TOO_LONG
