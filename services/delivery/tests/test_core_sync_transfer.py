"""DST-37, DST-38: messages that store nodes give each other."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.protobuf import bytes_field
from logos_delivery.core import message as messages
from logos_delivery.core.archive.types import Entry
from logos_delivery.core.message import Message
from logos_delivery.core.sync import transfer
from logos_delivery.core.sync.errors import (
    TransferMalformedError,
    TransferTooMuchError,
    TransferUnwantedError,
)
from logos_delivery.core.sync.transfer import LINGER_MS, MAX_TRANSFER_BYTES, Gate, decode, encode
from logos_delivery.core.sync.types import Scope

NOW = 1_800_000_000_000
NOW_NS = NOW * 1_000_000
SHARD = "/waku/2/rs/3/0"
MESSAGE = Message(b"x", "/a/1/b/c", timestamp_ns=NOW_NS - 10**12, proof=b"proof")
BODY = messages.encode(MESSAGE)


def raw_of(message: Message = MESSAGE, shard: str = SHARD) -> bytes:
    return encode(Entry.of(shard, message))


def gate() -> Gate:
    return Gate(Scope(), NOW_NS - 10**13)


def test_a_transfer_has_the_numbers_of_the_reference() -> None:
    assert raw_of() == bytes_field(1, SHARD.encode()) + bytes_field(2, BODY)
    assert decode(raw_of()) == Entry.of(SHARD, MESSAGE)


@pytest.mark.property
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_transfer_or_the_fault_of_their_sender(raw: bytes) -> None:
    with suppress(TransferMalformedError):
        decode(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes_field(1, b"t"),
        bytes_field(2, BODY),
        bytes_field(1, b"t") + bytes_field(2, b""),
        bytes_field(1, b"\xff") + bytes_field(2, BODY),
        bytes_field(1, b"t" * 257) + bytes_field(2, BODY),
        bytes(MAX_TRANSFER_BYTES + 1),
    ],
)
def test_what_is_no_transfer_is_refused(raw: bytes) -> None:
    with pytest.raises(TransferMalformedError):
        gate().take(raw, NOW)


@pytest.mark.parametrize(
    "message",
    [
        replace(MESSAGE, is_ephemeral=True),
        replace(MESSAGE, timestamp_ns=NOW_NS + 21 * 10**9),
        replace(MESSAGE, timestamp_ns=NOW_NS - 10**13 - 1),
        replace(MESSAGE, timestamp_ns=0),
        replace(MESSAGE, content_topic="x" * 1025),
    ],
)
def test_a_message_that_would_not_be_kept_is_unwanted(message: Message) -> None:
    with pytest.raises(TransferUnwantedError):
        gate().take(raw_of(message), NOW)


def test_a_message_of_another_topic_is_unwanted() -> None:
    for scope in (Scope(frozenset({"/other"})), Scope(content_topics=frozenset({"/other"}))):
        with pytest.raises(TransferUnwantedError):
            Gate(scope, 0).take(raw_of(), NOW)


def test_old_messages_come_in_and_keep_the_gate_open() -> None:
    one = gate()
    assert one.is_open(NOW + 10**9)
    one.finish(NOW)

    assert one.take(raw_of(), NOW + LINGER_MS - 1) == Entry.of(SHARD, MESSAGE)

    assert one.is_open(NOW + 2 * LINGER_MS - 2)
    assert not one.is_open(NOW + 2 * LINGER_MS - 1)


def test_what_one_reconciliation_brings_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "MAX_MESSAGES", 2)
    by_count, by_size = gate(), gate()
    for _ in range(2):
        by_count.take(raw_of(), NOW)
    with pytest.raises(TransferTooMuchError):
        by_count.take(raw_of(), NOW)

    monkeypatch.setattr(transfer, "MAX_BYTES", len(raw_of()) * 2 - 1)
    by_size.take(raw_of(), NOW)
    with pytest.raises(TransferTooMuchError):
        by_size.take(raw_of(), NOW)
