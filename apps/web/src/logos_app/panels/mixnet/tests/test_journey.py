"""A request on its way: what its hops tell, and how that is shown."""

from dataclasses import replace

import pytest

from logos.network.v1 import mix_pb2 as pb
from logos_app.panels.mixnet import journey, words
from logos_app.panels.mixnet.journey import Journey, Stage
from logos_app.shown.problems import Problem

NAMES = {"p2": "node2", "p3": "node3", "p1": "node1", "p4": "node4"}
HELD, FORWARDED = pb.TraceResponse.STEP_HELD, pb.TraceResponse.STEP_FORWARDED
DELIVERED, DROPPED = pb.TraceResponse.STEP_DELIVERED, pb.TraceResponse.STEP_DROPPED


def hop(peer_id: str, tag: bytes) -> pb.TracedHop:
    return pb.TracedHop(peer_id=peer_id, tag=tag)


PLAN = pb.MixPingResponse.Planned(
    forward=[hop("p2", b"a"), hop("elsewhere", b"b"), hop("p4", b"c")],
    back=[hop("p2", b"d"), hop("p3", b"e"), hop("p1", b"f")],
    anonymity=pb.Anonymity(waiting=0.07, best_guess=0.84),
)
BEGUN = Journey("node4", 200)
LEFT = replace(journey.planned(BEGUN, PLAN, NAMES), departed_ms=1_000)


def step(tag: bytes, kind: int, at_ms: int, delay_ms: float = 0, why: str = "") -> pb.TraceResponse:
    made = pb.TraceResponse(tag=tag, step=kind, detail=why)  # type: ignore[arg-type]
    made.at.FromMilliseconds(at_ms)
    made.delay.FromMicroseconds(round(delay_ms * 1000))
    return made


def test_a_path_is_planned_with_the_names_that_are_known() -> None:
    found = journey.planned(BEGUN, PLAN, NAMES)

    assert [words.hop_name(each) for each in found.forward] == ["node2", "elsewhere", "node4"]
    assert [each.stage for each in found.forward] == [Stage.AWAITED, Stage.UNKNOWN, Stage.AWAITED]
    assert [each.is_back for each in found.hops] == [*3 * [False], *3 * [True]]
    assert journey.tags(found) == {
        "node2": [b"a", b"d"], "node4": [b"c"], "node3": [b"e"], "node1": [b"f"],
    }  # fmt: skip


def test_a_hop_tells_when_it_holds_and_passes_on() -> None:
    held = journey.traced(LEFT, "node2", step(b"a", HELD, 1_100, 205.5))
    passed = journey.traced(held, "node2", step(b"a", FORWARDED, 1_312))

    assert words.hop_said(held.hops[0], is_over=False) == "holds it, 206 ms drawn"
    assert words.hop_said(passed.hops[0], is_over=False) == (
        "held it 212 ms, 206 ms drawn, and passed it on"
    )
    assert passed.hops[3].stage is Stage.AWAITED, "the same node, another packet"


@pytest.mark.parametrize(
    ("node", "tag", "kind"),
    [
        ("node3", b"a", HELD),
        ("node2", b"z", HELD),
        ("node2", b"a", pb.TraceResponse.STEP_UNSPECIFIED),
    ],
)
def test_what_concerns_no_hop_changes_nothing(node: str, tag: bytes, kind: int) -> None:
    assert journey.traced(LEFT, node, step(tag, kind, 1)) == LEFT


def test_the_ends_of_both_ways_are_told() -> None:
    there = journey.traced(LEFT, "node4", step(b"c", DELIVERED, 1_500))
    back = journey.traced(there, "node1", step(b"f", DELIVERED, 2_200))

    assert words.hop_said(back.hops[2], is_over=False) == "the request has arrived"
    assert words.hop_said(back.hops[5], is_over=False) == "the answer has arrived"


def test_a_drop_is_told_with_its_reason() -> None:
    found = journey.traced(LEFT, "node2", step(b"a", DROPPED, 1_100, why="MIX_RELAY_BUSY"))

    assert found.dropped is found.hops[0]
    assert words.hop_said(found.hops[0], is_over=False) == (
        "dropped it. More were held than there is room for."
    )


def test_an_answer_ends_it() -> None:
    answer = pb.MixPingResponse.Answered()
    answer.round_trip.FromMilliseconds(1_240)
    answer.under_way.FromMilliseconds(980)
    found = journey.answered(LEFT, answer)

    assert (LEFT.is_over, found.is_over) == (False, True)
    assert words.hop_said(found.hops[0], is_over=True) == "nothing was seen here"
    assert words.way_said(found, "node1") == (
        "The answer came back after 1.2 s, 980 ms of it under way, over three hops there and three"
        " back."
    )


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "Nothing was sent from this page yet."),
        (BEGUN, "A request from node1 to node4 is being wrapped."),
        (
            replace(LEFT, departed_ms=0),
            "A request from node1 to node4 waits to leave. Only node1 knows its whole path.",
        ),
        (LEFT, "A request from node1 to node4 is under way."),
        (
            replace(LEFT, problem=Problem("why", "MIX_NO_ANSWER")),
            "The request from node1 to node4 was not answered.",
        ),
    ],
)
def test_how_it_is_doing_is_a_sentence(found: Journey | None, text: str) -> None:
    assert words.way_said(found, "node1") == text


def test_bars_are_parts_of_the_way() -> None:
    held = journey.traced(LEFT, "node2", step(b"a", HELD, 1_245, 200))
    passed = journey.traced(held, "node2", step(b"a", FORWARDED, 1_490))
    whole = replace(passed, round_trip_ms=1_000, under_way_ms=980)

    assert journey.bar(whole, whole.hops[0]) == journey.Bar(25.0, 25.0)
    assert journey.bar(whole, whole.hops[1]) is None
    assert journey.bar(replace(whole, departed_ms=0), whole.hops[0]) is None
    before = journey.bar(passed, passed.hops[0])
    assert before is not None
    assert before.x < 25, "as long as the end is not known, there is room for it"


@pytest.mark.parametrize("at_ms", [0, 1, 999, 10**9])
def test_a_clock_that_is_off_draws_no_bar_beyond_the_picture(at_ms: int) -> None:
    found = replace(journey.traced(LEFT, "node2", step(b"a", HELD, at_ms)), under_way_ms=10)
    bar = journey.bar(found, found.hops[0])

    assert (bar is None) == (at_ms == 0)
    if bar is not None:
        assert 0 <= bar.x <= bar.x + bar.width <= 100
