"""DLC-31: each value has one encoding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import node_record, rlp
from logos_crypto.refusals import NodeRecordError, RlpError

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit".hex()
items = st.recursive(st.binary(max_size=80), lambda each: st.lists(each, max_size=4).map(tuple))


def depth(item: rlp.Item) -> int:
    return 0 if isinstance(item, bytes) else 1 + max(map(depth, item), default=0)


@given(items)
def test_every_item_is_read_as_it_was_written(item: rlp.Item) -> None:
    if depth(item) <= rlp.MAX_DEPTH:
        assert rlp.decode(rlp.encode(item)) == item


@pytest.mark.vectors
@pytest.mark.parametrize(
    ("item", "encoded"),
    [
        (b"dog", "83646f67"),
        ((b"cat", b"dog"), "c88363617483646f67"),
        (b"", "80"),
        ((), "c0"),
        (b"\0", "00"),
        (b"\x0f", "0f"),
        (b"\x04\x00", "820400"),
        (((), ((),), ((), ((),))), "c7c0c1c0c3c0c1c0"),
        (b"Lorem ipsum dolor sit amet, consectetur adipisicing elit", "b838" + LOREM),
    ],
)
def test_the_examples_of_ethereums_documentation(item: rlp.Item, encoded: str) -> None:
    # ethereum.org, Recursive-length prefix serialization, examples
    assert rlp.encode(item).hex() == encoded
    assert rlp.decode(bytes.fromhex(encoded)) == item


@pytest.mark.parametrize(
    "raw",
    [
        "8100",
        "817f",
        "b800",
        "b80161",
        "b90001",
        "83aabb",
        "c2",
        "bf",
        "f800",
        "0000",
        "",
        "c101ff",
    ],
)
def test_other_encodings_of_a_value_are_refused(raw: str) -> None:
    with pytest.raises(RlpError):
        rlp.decode(bytes.fromhex(raw))


def test_lists_in_lists_end_somewhere() -> None:
    raw = b"\xc0"
    for _ in range(40):
        raw = rlp.encode_list([raw])
    with pytest.raises(RlpError, match="deep"):
        rlp.decode(raw)


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_one_item_in_its_one_encoding_or_refused(raw: bytes) -> None:
    try:
        item = rlp.decode(raw)
    except RlpError:
        return
    assert rlp.encode(item) == raw


PAIRS: dict[bytes, rlp.Item] = {b"id": b"v4", b"a": (b"x", ())}


def test_the_content_of_a_record_is_read_as_it_was_made() -> None:
    raw = node_record.content(300, PAIRS)
    items = rlp.decode(raw)

    assert not isinstance(items, bytes)
    assert node_record.read_content(items) == (300, PAIRS)
    assert len(node_record.joined(bytes(64), raw)) == node_record.size_of(raw)


@pytest.mark.parametrize(
    "items",
    [
        (),
        (b"\1", b"id"),
        (b"\0", b"id", b"v4"),
        (bytes([1] * 9), b"id", b"v4"),
        ((), b"id", b"v4"),
        (b"\1", (), b"v4"),
        (b"\1", b"id", b"v4", b"a", b""),
        (b"\1", b"id", b"v4", b"id", b"v4"),
    ],
)
def test_another_form_of_content_is_refused(items: tuple[rlp.Item, ...]) -> None:
    with pytest.raises(NodeRecordError):
        node_record.read_content(items)


def test_a_number_of_more_than_64_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        node_record.content(1 << 64, {})
