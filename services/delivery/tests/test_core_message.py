"""DEL-1 to DEL-4: the message and its hash, by published values."""

import hashlib
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.errors import (
    DeliveryMessageMalformedError,
    DeliveryMessageTooLargeError,
    MetaTooLongError,
)
from logos_delivery.core.message import Message, check_size, decode, encode, message_hash

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/messages.json").read_text("utf-8")
)
messages = st.builds(
    Message,
    payload=st.binary(min_size=1, max_size=200),
    content_topic=st.text(min_size=1, max_size=40),
    version=st.integers(0, 2**32 - 1),
    timestamp_ns=st.integers(-(2**63), 2**63 - 1),
    meta=st.binary(max_size=64),
    proof=st.binary(max_size=400),
    is_ephemeral=st.booleans(),
)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["hashes"], ids=lambda case: case["hash"][:8])
def test_the_published_hashes(case: dict[str, Any]) -> None:
    message = Message(
        bytes.fromhex(case["payload"]),
        case["content_topic"],
        timestamp_ns=case["timestamp"],
        meta=bytes.fromhex(case["meta"]),
    )
    assert message_hash(case["pubsub_topic"], message).hex() == case["hash"]


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["message_ids"], ids=lambda case: case["id"][:8])
def test_the_published_ids_of_gossip(case: dict[str, Any]) -> None:
    assert hashlib.sha256(bytes.fromhex(case["data"])).hexdigest() == case["id"]


@given(messages)
def test_every_message_is_read_as_it_was_written(message: Message) -> None:
    assert decode(encode(message)) == message


def test_the_bytes_of_a_message() -> None:
    message = Message(b"abc", "/a/1/b/c", 2, -1, b"m", b"p", is_ephemeral=True)
    assert encode(message).hex() == ("0a0361626312082f612f312f622f63180250015a016daa010170f80101")


@pytest.mark.parametrize("missing", ["payload", "content_topic"])
def test_what_lacks_a_required_field_is_no_message(missing: str) -> None:
    whole = Message(b"x", "/a/1/b/c")
    cut = {
        "payload": replace(whole, payload=b""),
        "content_topic": replace(whole, content_topic=""),
    }
    with pytest.raises(DeliveryMessageMalformedError):
        decode(encode(cut[missing]))


def test_metadata_has_at_most_64_bytes() -> None:
    with pytest.raises(MetaTooLongError):
        Message(b"x", "/a/1/b/c", meta=bytes(65))
    raw = encode(Message(b"x", "/a/1/b/c", meta=bytes(64)))
    with pytest.raises(DeliveryMessageMalformedError):
        decode(raw.replace(b"\x5a\x40", b"\x5a\x41") + b"\x00")


def test_the_size_is_that_of_the_encoded_message() -> None:
    check_size(bytes(153_600))
    with pytest.raises(DeliveryMessageTooLargeError, match="exceeded maximum of 153600 bytes"):
        check_size(bytes(153_601))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_refused(raw: bytes) -> None:
    with suppress(DeliveryMessageMalformedError):
        decode(raw)
