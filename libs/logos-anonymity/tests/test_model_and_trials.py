"""Captures by the law of a mix, and what their truth is worth."""

import math
from itertools import pairwise
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_anonymity.measures import kolmogorov
from logos_anonymity.model import TAIL, Law, Model, Run, Weather, Wish
from logos_anonymity.posterior import Staged, Unstaged, law_as_seen
from logos_anonymity.trials import holding_times, score, targets, waiting, watch

LAW = Law(mean_delay_ms=300, mean_pause_ms=500)


def a_run(
    law: Law = LAW, nodes: int = 8, for_ms: int = 120_000, weather: Weather | None = None
) -> Run:
    rng = Random(7)  # noqa: S311
    model = Model(law, nodes, rng, weather)
    wishes = [Wish(at, *rng.sample(model.names, 2)) for at in range(500, for_ms, 500)]
    return model.run(for_ms, wishes)


def test_packets_take_their_hops_one_after_another() -> None:
    run = a_run()
    ways: dict[int, list[int]] = {}
    for number, packet in enumerate(run.packets):
        ways.setdefault(packet, []).append(number)
    for numbers in ways.values():
        legs = [run.crossings[number] for number in numbers]
        assert [run.hops[number] for number in numbers] == [1, 2, 3]
        assert all(a.arrived_ms < b.sent_ms for a, b in pairwise(legs))
        assert all(a.receiver == b.sender for a, b in pairwise(legs))
        assert len({legs[0].sender, *(leg.receiver for leg in legs[:2])}) == 3
    for message in run.messages:
        first, last = run.crossings[message.first], run.crossings[message.last]
        assert (first.sender, last.receiver) == (message.sender, message.receiver)
        assert run.packets[message.first] == run.packets[message.last]
        assert first.sent_ms >= message.given_ms


def test_delays_follow_the_truncated_law() -> None:
    samples = holding_times(a_run())[:5_000]
    p = kolmogorov(samples, lambda at: (1 - math.exp(-at / 300)) / (1 - TAIL))
    assert p > 0.01


def test_as_many_packets_wait_as_the_profile_says() -> None:
    run = Model(LAW, 8, Random(1)).run(400_000)  # noqa: S311
    assert LAW.expected_waiting == pytest.approx(1.2)
    assert waiting(run) == pytest.approx(1.2, rel=0.05)


def test_without_cover_or_entry_delay_a_message_is_alone() -> None:
    run = a_run(weather=Weather((0, 0), has_cover=False, has_entry_delay=False))
    assert len(run.crossings) == 3 * len(run.messages)
    assert all(run.crossings[one.first].sent_ms == one.given_ms for one in run.messages)


def test_loops_at_a_constant_rate_are_on_a_grid() -> None:
    law = Law(300, 500, is_constant=True)
    run = Model(law, 4, Random(3)).run(50_000)  # noqa: S311
    begins = [
        one.sent_ms
        for one, hop in zip(run.crossings, run.hops, strict=True)
        if hop == 1 and one.sender == "n0"
    ]
    assert len({round(at % 500, 3) for at in begins}) == 1


@pytest.mark.parametrize("sees_first", [True, False])
@pytest.mark.parametrize("hops_are_known", [True, False])
def test_observers_are_calibrated(sees_first: bool, hops_are_known: bool) -> None:  # noqa: FBT001
    """MIX-31. A wrong law, or a forgotten explanation, breaks it: the next test."""
    run = a_run()
    law = law_as_seen(LAW, run.crossings)
    observer = (
        Staged(run.crossings, run.hops, law) if hops_are_known else Unstaged(run.crossings, law)
    )
    report = watch(observer, targets(run), sees_first=sees_first)
    assert report.targets > 150
    assert not report.is_refuted, report


def test_an_observer_that_overlooks_candidates_is_found_out() -> None:
    """One that takes delays to be a third of what they are leaves out what comes later."""
    run = a_run()
    report = watch(Unstaged(run.crossings, Law(100, 500)), targets(run), sees_first=True)
    assert report.is_refuted


def test_scores_are_those_of_the_posteriors() -> None:
    report = score([({1: 0.5, 2: 0.5}, 2), ({3: 1.0}, 3), ({4: 0.25, 5: 0.75}, 4)])
    assert report.targets == 3
    assert report.success.value == pytest.approx(1 / 3)
    assert report.believed.value == pytest.approx(0.75)
    assert report.surprise_bits.value == pytest.approx((1 + 0 + 2) / 3)
    assert report.entropy_bits.value == pytest.approx((1 + 0 + 0.8113) / 3, rel=1e-3)
    assert report.effective_set == pytest.approx(2**0.6038, rel=1e-3)


def test_a_truth_taken_to_be_impossible_is_a_great_surprise() -> None:
    assert score([({1: 1.0}, 2), ({1: 1.0}, 1)]).surprise_bits.value == 15
