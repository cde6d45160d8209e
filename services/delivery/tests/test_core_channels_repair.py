import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.channels.repair import (
    ENTRIES_PER_MESSAGE,
    FETCH_AFTER_MS,
    FETCH_EVERY_MS,
    HINTS_PER_FETCH,
    MAX_ANSWERS,
    MAX_GAPS,
    Answers,
    Gaps,
    Times,
    groups_for,
    is_responder,
    request_delay_ms,
    response_delay_ms,
)
from logos_delivery.core.channels.sds_message import HistoryEntry

ROOT = Path(__file__).parents[3]
REFERENCE = json.loads((ROOT / "vectors/nim-sds/reliability.json").read_text(encoding="utf-8"))
OURS = json.loads((ROOT / "vectors/logos-channels/bloom.json").read_text(encoding="utf-8"))

names = st.text(min_size=1, max_size=20)


@pytest.mark.vectors
@pytest.mark.parametrize("case", REFERENCE["repair"], ids=lambda case: case["id"])
def test_delays_and_groups_are_within_the_reference_s_bounds(case: dict[str, Any]) -> None:
    times = Times(case["min_ms"], case["max_ms"], case["groups"])
    who, sender, one = case["participant"], case["sender"], case["message"]

    low, high = case["request_ms"]
    assert low <= request_delay_ms(times, who, one) <= high
    low, high = case["response_ms"]
    assert low <= response_delay_ms(times, who, sender, one) <= high
    if case["is_responder"] is not None:
        assert is_responder(times, who, sender, one) is case["is_responder"]


@pytest.mark.vectors
@pytest.mark.parametrize("case", OURS["repair"], ids=lambda case: case["participant"])
def test_delays_and_groups_have_published_values(case: dict[str, Any]) -> None:
    """CHN-22: all participants of a channel must compute the same groups."""
    times = Times(case["min_ms"], case["max_ms"], case["groups"])
    who, sender, one = case["participant"], case["sender"], case["message"]

    assert request_delay_ms(times, who, one) == case["request_ms"]
    assert response_delay_ms(times, who, sender, one) == case["response_ms"]
    assert is_responder(times, who, sender, one) is case["is_responder"]


@given(names, names, names, st.integers(1, 50))
def test_delays_are_within_the_times_and_a_sender_is_first(
    who: str, sender: str, one: str, groups: int
) -> None:
    times = Times(30_000, 300_000, groups)

    assert 30_000 <= request_delay_ms(times, who, one) < 300_000
    assert 0 <= response_delay_ms(times, who, sender, one) < 300_000
    assert response_delay_ms(times, sender, sender, one) == 0
    assert is_responder(times, sender, sender, one)


def test_groups_share_the_participants_evenly() -> None:
    times = Times(groups=10)

    responders = sum(
        is_responder(times, f"participant {number}", "alice", "msg") for number in range(1000)
    )

    assert 50 <= responders <= 200


@pytest.mark.parametrize(("participants", "groups"), [(0, 1), (127, 1), (128, 2), (1000, 8)])
def test_there_is_a_group_for_every_128_participants(participants: int, groups: int) -> None:
    assert groups_for(participants) == groups


def gaps_of(count: int, *, hint: bytes = b"") -> Gaps:
    gaps = Gaps(Times(), "me")
    gaps.add((HistoryEntry(f"m{number}", hint) for number in range(count)), 0)
    return gaps


def test_the_most_overdue_are_asked_for_first_and_then_again_later() -> None:
    gaps = gaps_of(10)
    delays = {f"m{number}": request_delay_ms(Times(), "me", f"m{number}") for number in range(10)}
    order = sorted(delays, key=delays.__getitem__)

    assert gaps.request_ms() == delays[order[0]]
    assert gaps.to_request(delays[order[0]] - 1) == ()
    asked = [gaps.to_request(120_000) for _ in range(5)]

    assert [entry.message_id for each in asked for entry in each] == order
    assert max(map(len, asked)) == ENTRIES_PER_MESSAGE
    again = {one: 30_000 + delay % 30_000 for one, delay in delays.items()}
    assert gaps.request_ms() == 120_000 + min(again.values())


def test_one_that_another_asks_for_is_asked_for_later() -> None:
    gaps = gaps_of(1)
    due_ms = gaps.request_ms()
    assert due_ms is not None

    gaps.postpone("m0", due_ms)
    gaps.postpone("unknown", due_ms)

    assert gaps.to_request(due_ms) == ()
    assert gaps.request_ms() == due_ms + 30_000 + due_ms % 30_000


def test_hints_are_fetched_soon_and_again_and_few_at_a_time() -> None:
    gaps = gaps_of(HINTS_PER_FETCH + 5, hint=bytes(32))

    assert gaps.to_fetch(FETCH_AFTER_MS - 1) == ()
    assert len(gaps.to_fetch(FETCH_AFTER_MS)) == HINTS_PER_FETCH
    assert len(gaps.to_fetch(FETCH_AFTER_MS)) == 5
    assert gaps.to_fetch(FETCH_AFTER_MS) == ()
    assert gaps.due_ms(10**9) == FETCH_AFTER_MS + FETCH_EVERY_MS


def test_a_hint_that_is_learned_later_is_used() -> None:
    gaps = gaps_of(1)
    gaps.add([HistoryEntry("m0", b"hash")], 50)

    assert gaps.to_fetch(50 + FETCH_AFTER_MS) == (b"hash",)


def test_closed_gaps_are_forgotten_and_their_number_is_bounded() -> None:
    gaps = gaps_of(MAX_GAPS + 1)
    assert len(gaps) == MAX_GAPS

    for number in range(MAX_GAPS):
        gaps.close(f"m{number}")

    assert (len(gaps), gaps.request_ms(), gaps.due_ms(1)) == (0, None, None)


def test_answers_wait_their_time_unless_another_is_first() -> None:
    answers = Answers(Times(), "me")
    answers.add("own", "me", 1000)
    answers.add("other", "you", 1000)

    assert answers.take_due(1000) == ["own"]
    due_ms = answers.due_ms()
    assert due_ms == 1000 + response_delay_ms(Times(), "me", "you", "other")
    answers.add("other", "you", 2000)
    assert answers.due_ms() == due_ms
    answers.cancel("other")
    assert answers.take_due(due_ms) == []


def test_only_the_group_answers_and_not_without_end() -> None:
    answers = Answers(Times(groups=1_000_000), "me")
    answers.add("other", "you", 0)
    assert len(answers) == 0

    for number in range(MAX_ANSWERS + 1):
        answers.add(f"m{number}", "me", 0)
    assert len(answers) == MAX_ANSWERS
