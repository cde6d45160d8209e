"""Attacks on captures in which they must succeed, and on others in which they must not."""

import math
import xml.etree.ElementTree as ET
from random import Random  # noqa: TID251 - a test must run the same every time

from logos_anonymity.activity import balance, departures, off_grid, told_apart, traffic
from logos_anonymity.attacks import (
    Intersection,
    Nearest,
    Pair,
    corrupted,
    fully_corrupted,
    swap_advantage,
)
from logos_anonymity.flows import correlation, match_flows
from logos_anonymity.model import Law, Model, Run, Weather, Wish
from logos_anonymity.octets import (
    ByteClassifier,
    compressed,
    shared_windows,
    uniformity,
    zero_run,
)
from logos_anonymity.plots import Axis, Line, chart
from logos_anonymity.posterior import Staged
from logos_anonymity.trials import targets, watch

BARE = Weather((1, 2), has_cover=False, has_entry_delay=False)
HASTY = Law(1, 600)


def run_of(law: Law, wishes: list[Wish], for_ms: float, weather: Weather | None = None) -> Run:
    return Model(law, 10, Random(4), weather).run(for_ms, wishes)  # noqa: S311


def every(pause_ms: int, for_ms: int) -> list[Wish]:
    return [
        Wish(at, f"n{at // pause_ms % 5}", f"n{5 + at // pause_ms % 3}")
        for at in range(100, for_ms, pause_ms)
    ]


def test_the_nearest_departure_finds_what_nobody_hides() -> None:
    run = run_of(HASTY, every(300, 60_000), 60_000)
    found = watch(Nearest(run.crossings, HASTY), targets(run), sees_first=True)
    assert found.success.value > 0.9
    slow = Law(3_000, 600)
    run = run_of(slow, every(1_000, 400_000), 400_000)
    found = watch(Nearest(run.crossings, slow), targets(run), sees_first=True)
    assert found.success.value < 0.05


def pairs_of(run: Run) -> list[Pair]:
    there = zip(run.messages[::2], run.messages[1::2], strict=False)
    return [Pair(one, other) for one, other in there if one.receiver != other.receiver]


def test_who_wrote_to_whom_is_plain_without_delays_and_not_with_them() -> None:
    wishes = [
        Wish(at + 20 * second, f"n{second}", f"n{5 + (at // 4_000 + second) % 2}")
        for at in range(120_000, 520_000, 4_000)
        for second in (0, 1)
    ]
    advantages = []
    for law in (HASTY, Law(4_000, 800)):
        run = run_of(law, wishes, 700_000)
        observer = Staged(run.crossings, run.hops, law)
        advantages.append(swap_advantage(observer, run, pairs_of(run), Random(1)))  # noqa: S311
    assert advantages[0].low > 0.9
    assert advantages[1].value < 0.4


def test_what_corrupted_nodes_know_is_the_truth() -> None:
    run = run_of(Law(300, 500), every(700, 60_000), 60_000)
    told = corrupted(run, ["n1", "n2"])
    for arrival, departure in told.onward.items():
        assert run.packets[arrival] == run.packets[departure]
        assert run.crossings[arrival].receiver == run.crossings[departure].sender
        assert run.crossings[departure].sender in told.nodes
    own = {run.packets[number] for number in told.own}
    begins = zip(run.packets, run.hops, run.crossings, strict=True)
    assert own == {packet for packet, hop, one in begins if hop == 1 and one.sender in told.nodes}


def test_paths_of_corrupted_nodes_only_are_counted() -> None:
    run = run_of(HASTY, every(300, 60_000), 60_000)
    everyone = [f"n{number}" for number in range(10)]
    assert fully_corrupted(run, everyone) == (len(run.messages), 0)
    assert fully_corrupted(run, []) == (0, len(run.messages))


def test_patience_finds_a_sender_that_alone_sends() -> None:
    wishes = [Wish(at, "n0", "n1") for at in range(60_000, 400_000, 10_000)]
    others = [
        Wish(at, f"n{2 + at // 7_000 % 8}", "n9" if at // 7_000 % 8 != 7 else "n3")
        for at in range(0, 400_000, 7_000)
    ]
    run = run_of(Law(500, 600), [*wishes, *others], 420_000, BARE)
    suspects = Intersection(run.crossings, run.law)
    for message in run.messages[: len(wishes)]:
        suspects.saw(run.crossings[message.last].arrived_ms, "n1")
    assert suspects.rank("n0") == 1
    assert suspects.believed("n0") > 0.99
    assert suspects.believed("n4") < 0.01


def test_flows_without_cover_or_delay_are_matched() -> None:
    rng = Random(9)  # noqa: S311
    pairs = {"n0": "n5", "n1": "n6", "n2": "n7"}
    begins = [10_000.0, 80_000.0]
    wishes = [
        Wish(begin + 60_000 * rng.random(), sender, recipient)
        for begin in begins
        for sender, recipient in pairs.items()
        for _ in range(30)
    ]
    run = run_of(Law(100, 600), wishes, 200_000, BARE)
    found = match_flows(run.crossings, run.law, pairs, begins)
    assert found.area.low > 0.6
    curve = found.curve()
    assert curve[0] == (0, 0)
    assert curve[-1] == (1, 1)
    assert curve == sorted(curve)


def test_correlation_is_pearsons() -> None:
    assert correlation([1, 2, 3], [2, 4, 6]) == 1
    assert math.isclose(correlation([1, 2, 3], [3, 2, 1]), -1)
    assert correlation([1, 1, 1], [1, 2, 3]) == 0


def test_a_node_that_sends_a_lot_is_told_from_one_that_does_not() -> None:
    law = Law(300, 500, is_constant=True)
    wishes = [Wish(at, "n0", "n5") for at in range(1_000, 100_000, 170)]
    seen = traffic(run_of(law, wishes, 100_000).crossings)
    epochs = [(at, at + 10_000.0) for at in range(20_000, 90_000, 10_000)]
    scores = {
        departures: (
            [departures(seen["n0"], *e) for e in epochs],
            [departures(seen["n4"], *e) for e in epochs],
        ),
        balance: (
            [balance(seen["n0"], *e) for e in epochs],
            [balance(seen["n4"], *e) for e in epochs],
        ),
    }
    assert all(told_apart(active, idle).value == 1 for active, idle in scores.values())
    idle_ms = off_grid(seen["n4"], 20_000, 90_000, 500)
    assert departures(seen["n4"], 20_000, 90_000) - idle_ms >= 140  # its own loops fit the grid
    assert off_grid(seen["n0"], 20_000, 90_000, 500) > idle_ms + 300


def noise(size: int, count: int, seed: int = 1) -> list[bytes]:
    rng = Random(seed)  # noqa: S311
    return [rng.randbytes(size) for _ in range(count)]


def test_random_bytes_look_random_and_others_do_not() -> None:
    random = noise(500, 200)
    text = [b"all that glitters is not gold" * 17] * 200
    assert uniformity(random) > 0.01
    assert compressed(random) > 0.99
    assert uniformity(text) < 1e-9
    assert compressed(text) < 0.1
    assert shared_windows(random[0], random[1]) == frozenset()
    assert shared_windows(random[0], b"x" + random[0][100:106] + b"y") == {random[0][100:106]}
    assert [zero_run(raw) for raw in (b"", b"a", b"a\0\0b\0", bytes(9))] == [0, 0, 2, 9]


def test_a_byte_that_is_more_often_small_gives_packets_away() -> None:
    first, second = noise(60, 2_000), noise(60, 2_000, seed=2)
    marked = [raw[:7] + bytes([raw[7] // 2]) + raw[8:] for raw in second]
    blind = ByteClassifier(first[:1_000], second[:1_000]).area(first[1_000:], second[1_000:])
    seeing = ByteClassifier(first[:1_000], marked[:1_000]).area(first[1_000:], marked[1_000:])
    assert blind.holds(0.5)
    assert seeing.value > 0.6


def test_a_chart_is_xml_with_a_line_for_each_series() -> None:
    drawn = chart(
        "a < b",
        Axis("rounds", 0, 50),
        Axis("rank", 1, 20),
        [Line("with cover", [(0, 20), (50, 2)]), Line("without", [(0, 20), (50, 1)])],
    )
    root = ET.fromstring(drawn)  # noqa: S314 - of our own making
    lines = root.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 2
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "a < b"
    assert (lines[0].get("points") or "").startswith("70.0,")
