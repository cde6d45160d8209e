import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_storage.core.errors import BadDataError
from logos_storage.core.presence import Presence


@pytest.mark.property
@given(st.integers(1, 100), st.data())
def test_behaves_like_a_set(block_count: int, data: st.DataObject) -> None:
    held = data.draw(st.sets(st.integers(0, block_count - 1)))
    first = data.draw(st.integers(0, block_count))
    end = data.draw(st.integers(first, block_count))
    presence = Presence(block_count)

    for index in [*held, *held]:
        presence.add(index)

    missing = [index for index in range(first, end) if index not in held]
    assert presence.held == len(held)
    assert presence.is_full == (len(held) == block_count)
    assert [index in presence for index in range(block_count)] == [
        index in held for index in range(block_count)
    ]
    assert presence.next_missing(first, end) == (missing[0] if missing else end)
    assert presence.holds(first, end) == (not missing)
    assert Presence(block_count, presence.to_bytes()).to_bytes() == presence.to_bytes()


def test_bits_behind_the_end_do_not_count() -> None:
    assert Presence(3, b"\xff").held == 3
    assert Presence.full(9).is_full


def test_no_blocks_are_all_there() -> None:
    assert Presence(0).is_full
    assert Presence(0).holds(0, 0)


def test_refuses_a_bitmap_of_another_length() -> None:
    with pytest.raises(BadDataError):
        Presence(9, b"\xff")
