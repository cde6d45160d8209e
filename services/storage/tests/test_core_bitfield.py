import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_storage.core.bitfield import Bitfield
from logos_storage.core.errors import BadDataError


@pytest.mark.property
@given(st.integers(1, 100), st.data())
def test_behaves_like_a_set(block_count: int, data: st.DataObject) -> None:
    held = data.draw(st.sets(st.integers(0, block_count - 1)))
    first = data.draw(st.integers(0, block_count))
    end = data.draw(st.integers(first, block_count))
    bitfield = Bitfield(block_count)

    for index in [*held, *held]:
        bitfield.add(index)

    missing = [index for index in range(first, end) if index not in held]
    assert bitfield.held == len(held)
    assert bitfield.is_full == (len(held) == block_count)
    assert [index in bitfield for index in range(block_count)] == [
        index in held for index in range(block_count)
    ]
    assert list(bitfield.missing(first, end)) == missing
    assert bitfield.holds(first, end) == (not missing)
    assert Bitfield(block_count, bitfield.to_bytes()).to_bytes() == bitfield.to_bytes()


def test_bits_behind_the_end_do_not_count() -> None:
    assert Bitfield(3, b"\xff").held == 3
    assert Bitfield.full(9).is_full


def test_no_blocks_are_all_there() -> None:
    assert Bitfield(0).is_full
    assert Bitfield(0).holds(0, 0)


def test_refuses_a_bitmap_of_another_length() -> None:
    with pytest.raises(BadDataError):
        Bitfield(9, b"\xff")
