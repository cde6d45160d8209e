"""Messages on a live capture are found by their times."""

import json
from dataclasses import replace
from random import Random  # noqa: TID251 - a test must run the same every time

import pytest

from logos_anonymity.captures import CaptureError, Sighting, joined
from logos_anonymity.live import (
    UNKNOWN,
    Delivery,
    holds_ms,
    law_as_held,
    messages,
    read_deliveries,
    waiting_by_rate,
)
from logos_anonymity.model import Law, Model, Run, Weather, Wish
from logos_anonymity.posterior import Unstaged, law_as_seen
from logos_anonymity.trials import Report, targets, waiting, watch

LAW = Law(400, 500)
BEGAN_NS = 1_700_000_000_000_000_000


def test_a_capture_of_taps_and_the_deliveries_give_the_truth_back() -> None:
    rng = Random(2)  # noqa: S311
    model = Model(LAW, 6, rng)
    run = model.run(60_000, [Wish(at, *rng.sample(model.names, 2)) for at in range(0, 50_000, 900)])
    sightings = []
    for one in run.crossings:
        for at_ms, seen in ((one.sent_ms, "sent"), (one.arrived_ms, "arrived")):
            at_ns = BEGAN_NS + round(at_ms * 1e6)
            sightings.append(Sighting(at_ns, one.sender, one.receiver, one.size_bytes, seen))
    began_ns = min(one.time_ns for one in sightings)
    deliveries = [
        Delivery(
            BEGAN_NS + round(m.given_ms * 1e6),
            BEGAN_NS + round(run.crossings[m.last].arrived_ms * 1e6) + 100_000,
            m.sender,
            m.receiver,
            BEGAN_NS + round(run.crossings[m.first].sent_ms * 1e6) + 100_000,
        )
        for m in run.messages
    ]

    crossings = joined(sightings)
    found = messages(crossings, deliveries, began_ns, left_ms=1, came_ms=1)

    assert len(crossings) == len(run.crossings)
    assert len(found) >= 0.8 * len(run.messages)
    true = {round(m.given_ms): m for m in run.messages}
    both = [(m, true[round(m.given_ms + (began_ns - BEGAN_NS) / 1e6)]) for m in found]
    for end in ("first", "last"):
        links = [
            (crossings[getattr(m, end)], run.crossings[getattr(other, end)]) for m, other in both
        ]
        right = sum((a.sender, a.receiver) == (b.sender, b.receiver) for a, b in links)
        assert right >= 0.95 * len(found)  # on one link packets of a moment overtake one another
    assert waiting_by_rate(crossings, LAW) == pytest.approx(waiting(run), rel=0.1)


def test_a_message_whose_arrival_nobody_saw_is_left_out() -> None:
    sightings = [Sighting(0, "a", "b", 1, "sent"), Sighting(5, "a", "b", 1, "arrived")]
    late = [Delivery(0, 10**10, "a", "b"), Delivery(0, 10**6, "a", "c")]
    assert messages(joined(sightings), late, 0) == []
    unseen = [Delivery(0, 10**7, "a", "b", left) for left in (-1, 10**9)]
    assert messages(joined(sightings), unseen, 0) == []
    assert [m.first for m in messages(joined(sightings), [Delivery(0, 10**7, "a", "b")], 0)] == [
        UNKNOWN
    ]


def test_a_message_that_could_be_either_of_two_packets_is_left_out() -> None:
    sightings = [
        Sighting(at_ms * 10**6, "a", "b", 1, seen)
        for at_ms, seen in ((0, "sent"), (400, "sent"), (405, "arrived"), (600, "arrived"))
    ]
    crossings = joined(sightings)

    def firsts_and_lasts(left_ms: int, delivered_ms: int) -> list[tuple[int, int]]:
        one = Delivery(0, delivered_ms * 10**6, "a", "b", left_ms * 10**6)
        return [(m.first, m.last) for m in messages(crossings, [one], 0)]

    assert firsts_and_lasts(401, 599) == [(1, 0)]
    assert firsts_and_lasts(401, 601) == []
    assert firsts_and_lasts(401, 700) == [(1, 1)]
    assert firsts_and_lasts(501, 700) == []


def test_lines_of_deliveries_are_read_or_refused() -> None:
    line = {"given_ns": 1, "delivered_ns": 2, "from": "a", "to": "b"}
    told = json.dumps(line | {"left_ns": 3})
    assert read_deliveries([json.dumps(line), "", told]) == [
        Delivery(1, 2, "a", "b"),
        Delivery(1, 2, "a", "b", 3),
    ]
    late = json.dumps(line | {"left_ns": "x"})
    for bad in ("{", "[]", "1", json.dumps({"from": "a"}), late, json.dumps(line) + " " * 5_000):
        with pytest.raises(CaptureError, match="line 1 "):
            read_deliveries([bad])


DEMO = Law(200, 5_714)
"""The law of the profile `demo`: next to nothing waits, so observers are nearly always right."""


def demo(busy_ms: float, seed: int) -> Run:
    rng = Random(seed)  # noqa: S311
    model = Model(DEMO, 5, rng, Weather(busy_ms=busy_ms))
    times = range(5_000, 2_405_000, 6_000)
    return model.run(2_410_000, [Wish(at, *rng.sample(model.names, 2)) for at in times])


def seen_by(run: Run, law: Law) -> Report:
    observer = Unstaged(run.crossings, law_as_seen(law, run.crossings))
    return watch(observer, targets(run), sees_first=True)


@pytest.mark.parametrize("busy_ms", [200, 400])
def test_an_observer_of_a_busy_machine_is_calibrated_by_what_messages_were_held(
    busy_ms: int,
) -> None:
    """The control: by the law of the profile alone it believes too much of its guesses."""
    run = demo(busy_ms, 4)
    held = law_as_held(DEMO, holds_ms(run.crossings, DEMO, run.messages))

    assert held.mean_delay_ms == pytest.approx(200 + busy_ms, rel=0.1)
    assert not seen_by(run, held).is_refuted
    control = seen_by(run, DEMO)
    assert control.is_refuted or not control.is_calibrated
    assert control.believed.value > control.success.high


def test_delays_that_are_those_of_the_law_change_nothing() -> None:
    run = demo(0, 4)
    holds = holds_ms(run.crossings, DEMO, run.messages)

    assert law_as_held(DEMO, holds) == DEMO
    assert seen_by(run, DEMO).is_calibrated
    assert law_as_held(DEMO, []) == law_as_held(DEMO, [9_999.0]) == DEMO


def test_messages_whose_first_crossing_is_unknown_show_no_hold() -> None:
    run = demo(0, 4)
    unknown = [replace(one, first=UNKNOWN) for one in run.messages]
    assert holds_ms(run.crossings, DEMO, unknown) == []
