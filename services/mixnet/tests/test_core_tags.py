"""The table of seen packets."""

import hashlib
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.mixing import tags
from logos_mixnet.core.mixing.tags import TagTable


def tag(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8)).digest()[: tags.TAG_BYTES]


@given(st.lists(st.integers(0, 300), max_size=600))
def test_it_is_a_set(numbers: list[int]) -> None:
    table, model = TagTable(), set[bytes]()
    for number in numbers:
        one = tag(number)
        assert (one in table) == (one in model)
        assert table.add(one) == (one not in model)
        model.add(one)
    assert len(table) == len(model)


def test_what_was_added_stays_through_growth() -> None:
    table = TagTable()
    for number in range(50_000):
        assert table.add(tag(number))
    assert all(tag(number) in table for number in range(50_000))
    assert not any(tag(number) in table for number in range(50_000, 60_000))


def test_tags_that_agree_in_much_are_told_apart() -> None:
    drawn = Random(7)  # noqa: S311
    table, added = TagTable(), []
    for _ in range(2_000):
        one = drawn.choice([bytes(15), b"\xff" * 15]) + bytes([drawn.randrange(1, 256)])
        assert table.add(one) == (one not in added)
        added.append(one)


def test_a_full_table_takes_nothing_and_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "MAX_TAGS", 100)
    table = TagTable()
    for number in range(100):
        table.add(tag(number))
    assert table.is_full
    with pytest.raises(OverflowError):
        table.add(tag(100))
    assert not table.add(tag(5))
    assert len(table) == 100
    assert all(tag(number) in table for number in range(100))


@pytest.mark.parametrize("wrong", [b"", bytes(16), bytes(15) + b"\x01\x01"])
def test_what_is_no_tag_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        TagTable().add(wrong)
    with pytest.raises(ValueError, match="16 bytes"):
        TagTable().add_all(tag(1) + (wrong or b"\1"))


def test_what_was_stored_comes_back_at_once() -> None:
    table = TagTable()
    table.add_all(b"".join(tag(number) for number in range(1_000)))
    assert len(table) == 1_000
    assert all(tag(number) in table and not table.add(tag(number)) for number in range(1_000))
    assert tag(1_000) not in table
