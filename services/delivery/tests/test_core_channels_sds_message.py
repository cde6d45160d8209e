import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.protobuf import bytes_field, bytes_fields, number_field
from logos_delivery.core.channels.errors import SdsMessageMalformedError
from logos_delivery.core.channels.sds_message import (
    MAX_FILTER_BYTES,
    MAX_HINT_BYTES,
    MAX_HISTORY,
    MAX_ID_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_REPAIRS,
    HistoryEntry,
    SdsMessage,
    decode,
    encode,
    message_id,
)

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "vectors/logos-channels/frames.json").read_text(encoding="utf-8"))

IDS = b"".join(bytes_field(number, b"x") for number in (1, 2, 3))

ids = st.text(min_size=1, max_size=40)
entries = st.builds(HistoryEntry, ids, st.binary(max_size=MAX_HINT_BYTES), st.text(max_size=40))
messages = st.builds(
    SdsMessage,
    ids,
    ids,
    ids,
    st.none() | st.integers(0, (1 << 64) - 1),
    st.lists(entries, max_size=5).map(tuple),
    st.binary(max_size=100),
    st.lists(entries, max_size=5).map(tuple),
    st.binary(max_size=100),
)


def read(case: dict[str, Any]) -> SdsMessage:
    def entry(each: dict[str, str]) -> HistoryEntry:
        return HistoryEntry(each["id"], bytes.fromhex(each["hint"]), each["sender"])

    return SdsMessage(
        case["sender"],
        case["message_id"],
        case["channel_id"],
        case["lamport"],
        tuple(map(entry, case["history"])),
        bytes.fromhex(case["bloom"]),
        tuple(map(entry, case["repairs"])),
        bytes.fromhex(case["content"]),
    )


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["messages"], ids=lambda case: case["id"])
def test_messages_have_published_bytes(case: dict[str, Any]) -> None:
    """CHN-9: the field numbers of the LIP."""
    assert encode(read(case)).hex() == case["raw"]
    assert decode(bytes.fromhex(case["raw"])) == read(case)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["ids"], ids=lambda case: case["sender"])
def test_ids_have_published_values(case: dict[str, Any]) -> None:
    """CHN-10."""
    content = bytes.fromhex(case["content"])

    assert message_id(case["sender"], case["lamport"], content) == case["message_id"]


@given(messages)
def test_a_message_is_read_as_it_was_written(message: SdsMessage) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_message_or_refused(raw: bytes) -> None:
    try:
        found = decode(raw)
    except SdsMessageMalformedError:
        return
    assert decode(encode(found)) == found


@given(messages, st.data())
def test_a_damaged_message_is_a_message_or_refused(
    message: SdsMessage, data: st.DataObject
) -> None:
    raw = bytearray(encode(message))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = decode(bytes(raw))
    except SdsMessageMalformedError:
        return
    assert decode(encode(found)) == found


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        IDS[3:],
        bytes_field(1, b"") + IDS[3:],
        bytes_field(1, b"x" * (MAX_ID_BYTES + 1)) + IDS[3:],
        bytes_field(1, b"\xff") + IDS[3:],
        IDS + bytes_field(10, b"x"),
        IDS + bytes_fields(11, [bytes_field(1, b"x")] * (MAX_HISTORY + 1)),
        IDS + bytes_field(11, b""),
        IDS + bytes_field(11, bytes_field(1, b"x") + bytes_field(2, bytes(MAX_HINT_BYTES + 1))),
        IDS + bytes_field(11, bytes_field(1, b"x") + bytes_field(3, b"x" * (MAX_ID_BYTES + 1))),
        IDS + bytes_field(11, number_field(1, 1)),
        IDS + bytes_field(12, bytes(MAX_FILTER_BYTES + 1)),
        IDS + bytes_fields(13, [bytes_field(1, b"x")] * (MAX_REPAIRS + 1)),
        IDS + bytes_field(20, bytes(MAX_MESSAGE_BYTES)),
    ],
)
def test_what_breaks_a_rule_is_no_message(raw: bytes) -> None:
    """CHN-9, CHN-11."""
    with pytest.raises(SdsMessageMalformedError):
        decode(raw)


def test_a_message_without_repairs_of_an_older_participant_is_read() -> None:
    """nim-sds: "backward compat: message without repairRequest decodes fine"."""
    found = decode(IDS + number_field(10, 7) + bytes_field(20, b"c"))

    assert (found.lamport, found.repairs, found.content) == (7, (), b"c")
    assert decode(IDS + bytes_field(20, b"c")).lamport is None
