"""KER-29: started calls are bounded, kept for their owners, and forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.errors import TooManyCallsError, UnknownCallError
from logos_kernel.core.started import (
    KEPT_MS,
    MAX_KEPT,
    MAX_KEPT_BYTES,
    MAX_RUNNING,
    CallState,
    StartedCalls,
)


def end(calls: StartedCalls, call_id: bytes, size: int = 0, now_ms: int = 0) -> None:
    calls.end(call_id, CallState.SUCCEEDED, "outcome", size, now_ms)


def is_known(calls: StartedCalls, call_id: bytes, now_ms: int = 0) -> bool:
    try:
        calls.find(call_id, "module:a", now_ms, is_admin=False)
    except UnknownCallError:
        return False
    return True


def test_a_call_is_its_owners_and_an_admins() -> None:
    calls = StartedCalls()
    calls.begin(b"1", "module:a", 0)

    assert calls.find(b"1", "module:a", 0, is_admin=False).state is CallState.RUNNING
    assert calls.find(b"1", "operator:b", 0, is_admin=True).owner == "module:a"
    with pytest.raises(UnknownCallError):
        calls.find(b"1", "operator:a", 0, is_admin=False)


def test_an_outcome_is_kept_for_ten_minutes_after_the_end() -> None:
    calls = StartedCalls()
    calls.begin(b"1", "module:a", 0)
    end(calls, b"1", now_ms=5 * KEPT_MS)

    assert is_known(calls, b"1", 6 * KEPT_MS - 1)
    assert not is_known(calls, b"1", 6 * KEPT_MS)


def test_so_many_run_at_a_time() -> None:
    calls = StartedCalls()
    for number in range(MAX_RUNNING):
        calls.begin(bytes([number]), "module:a", 0)

    with pytest.raises(TooManyCallsError):
        calls.begin(b"more", "module:a", 0)
    end(calls, b"\0")
    calls.begin(b"more", "module:a", 0)


@pytest.mark.property
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0, 1, MAX_KEPT_BYTES // 3, MAX_KEPT_BYTES + 1]),
            st.sampled_from([0, 1, KEPT_MS // 2]),
        ),
        max_size=40,
    )
)
def test_what_is_kept_is_bounded_and_is_the_newest(ends: list[tuple[int, int]]) -> None:
    calls, now_ms = StartedCalls(), 0
    kept: list[tuple[bytes, int, int]] = []
    for number, (size, gap_ms) in enumerate(ends):
        call_id = number.to_bytes(2, "big")
        now_ms += gap_ms
        calls.begin(call_id, "module:a", now_ms)
        end(calls, call_id, size, now_ms)
        kept.append((call_id, size, now_ms))
        while sum(each[1] for each in kept) > MAX_KEPT_BYTES or kept[0][2] + KEPT_MS <= now_ms:
            kept.pop(0)
            if not kept:
                break

        known = [number.to_bytes(2, "big") for number in range(number + 1)]
        assert [one for one in known if is_known(calls, one, now_ms)] == [one[0] for one in kept]


def test_of_many_the_newest_are_kept() -> None:
    calls = StartedCalls()
    for number in range(MAX_KEPT + 1):
        calls.begin(number.to_bytes(2, "big"), "module:a", 0)
        end(calls, number.to_bytes(2, "big"))

    assert not is_known(calls, b"\0\0")
    assert is_known(calls, b"\0\1")
