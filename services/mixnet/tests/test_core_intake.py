"""MIX-29: how fast packets of one peer are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.mixing import intake as module
from logos_mixnet.core.mixing.intake import Intake


def test_what_two_epochs_allow_is_read_at_once_and_no_more() -> None:
    intake = Intake(limit=10, period_ms=10_000)
    assert [intake.taken("peer", 0) for _ in range(21)] == [0.0] * 20 + [500.0]
    assert intake.taken("other", 0) == 0.0


@given(st.lists(st.integers(0, 400), min_size=1, max_size=300))
def test_who_waits_as_told_is_never_read_faster_than_twice_the_limit(gaps_ms: list[int]) -> None:
    intake, now_ms, times = Intake(limit=10, period_ms=10_000), 0.0, []
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        times.append(now_ms)
        now_ms += intake.taken("peer", int(now_ms))
    for place, first_ms in enumerate(times):
        for later, last_ms in enumerate(times[place:]):
            assert later <= 20 + (last_ms - first_ms) / 500 + 1


def test_who_sends_a_false_proof_is_not_read_for_an_epoch() -> None:
    intake = Intake(limit=10, period_ms=10_000)
    assert intake.taken("peer", 0) == 0.0
    intake.failed("peer", 0)
    assert intake.taken("peer", 0) == 1_000.0
    intake.failed("peer", 1_000)
    assert intake.taken("peer", 1_000) == 10_500.0
    assert intake.taken("other", 0) == 0.0


def test_the_peers_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PEERS", 10)
    intake = Intake(limit=10, period_ms=10_000)
    for number in range(1_000):
        intake.taken(f"peer{number}", 0)
    assert len(intake._left) == 10
