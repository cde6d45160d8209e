from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import ErrorKind, RemoteFaultError
from logos_crypto.protobuf import (
    MAX_FIELDS,
    Fields,
    bytes_field,
    bytes_fields,
    number_field,
    numbers_field,
    signed_field,
)
from logos_crypto.refusals import ProtobufError


class OtherMalformedError(RemoteFaultError):
    kind = ErrorKind.INVALID_ARGUMENT
    reason = "OTHER_MALFORMED"


class OtherFields(Fields):
    malformed: ClassVar[type[RemoteFaultError]] = OtherMalformedError


READERS = [(Fields, ProtobufError), (OtherFields, OtherMalformedError)]

numbers = st.integers(1, (1 << 29) - 1)
u64 = st.integers(0, (1 << 64) - 1)


@given(numbers, st.lists(u64, min_size=1, max_size=5))
def test_integers_come_back_packed_or_not(number: int, values: list[int]) -> None:
    one_by_one = b"".join(number_field(number, value) for value in values)

    assert Fields(one_by_one).number(number) == values[-1]
    for raw in (one_by_one, numbers_field(number, values)):
        assert Fields(raw).numbers(number) == values


@given(numbers, st.integers(-(1 << 63), (1 << 63) - 1))
def test_signed_integers_come_back(number: int, value: int) -> None:
    assert Fields(signed_field(number, value)).signed(number) == value


@given(numbers, st.lists(st.text(max_size=20), max_size=5))
def test_texts_come_back_in_their_order(number: int, texts: list[str]) -> None:
    fields = Fields(bytes_fields(number, [text.encode() for text in texts]))

    assert fields.has(number) == bool(texts)
    assert fields.texts(number) == texts
    assert fields.text(number) == (texts[-1] if texts else "")
    assert fields.raw(number) == fields.text(number).encode()


def test_fixed_integers_of_a_newer_sender_are_passed_over() -> None:
    raw = b"\x09" + bytes(8) + b"\x15" + bytes(4) + number_field(3, 7)

    assert Fields(raw).number(3) == 7


@pytest.mark.parametrize(("reader", "error"), READERS)
@pytest.mark.parametrize(
    "raw",
    [
        b"\x80",
        b"\x00\x00",
        b"\x80\x80\x80\x80\x10\x00",
        b"\x0a\x05ab",
        b"\x0a\x80",
        b"\x0b",
        b"\x09\x00",
        b"\x08" + b"\xff" * 10,
        b"\x08",
    ],
    ids=["tag", "zero", "number", "length", "size", "group", "fixed", "varint", "value"],
)
def test_what_is_no_message_is_refused_with_the_readers_error(
    reader: type[Fields], error: type[RemoteFaultError], raw: bytes
) -> None:
    with pytest.raises(error) as refused:
        reader(raw)
    assert type(refused.value) is error


@pytest.mark.parametrize(("reader", "error"), READERS)
@pytest.mark.parametrize(
    "read",
    [
        lambda fields: fields.number(2),
        lambda fields: fields.raw(1),
        lambda fields: fields.repeated(1),
        lambda fields: fields.text(2),
        lambda fields: fields.texts(2),
        lambda fields: fields.numbers(2),
    ],
    ids=["number", "raw", "repeated", "text", "texts", "numbers"],
)
def test_fields_of_another_type_are_refused_with_the_readers_error(
    reader: type[Fields], error: type[RemoteFaultError], read: Callable[[Fields], object]
) -> None:
    fields = reader(number_field(1, 5) + bytes_field(2, b"\xff"))

    with pytest.raises(error) as refused:
        read(fields)
    assert type(refused.value) is error


@pytest.mark.parametrize(("reader", "error"), READERS)
def test_a_message_has_at_most_so_many_fields(
    reader: type[Fields], error: type[RemoteFaultError]
) -> None:
    assert reader(number_field(1, 1) * MAX_FIELDS).has(1)
    with pytest.raises(error, match="over 128 fields"):
        reader(number_field(1, 1) * (MAX_FIELDS + 1))
    assert reader(number_field(1, 1) * (MAX_FIELDS + 1), max_fields=MAX_FIELDS + 1).has(1)


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_a_message_or_refused(raw: bytes) -> None:
    with suppress(ProtobufError):
        Fields(raw)
