"""What the panel says of the mix, of what it dropped, and of profiles."""

import pytest

from logos.network.v1 import mix_pb2 as pb
from logos_app.panels.mixnet import drops, meter, words
from logos_app.panels.mixnet.meter import MixSeen


def hidden(waiting: float = 3.5, best: float = 0.095, *, observed: bool = True) -> pb.Anonymity:
    basis = pb.Anonymity.BASIS_OBSERVED if observed else pb.Anonymity.BASIS_EXPECTED
    return pb.Anonymity(basis=basis, waiting=waiting, entropy_bits=4.34, best_guess=best)


def profile(name: str, delay_ms: int, pause_ms: int, law: int = 1) -> pb.MixProfile:
    made = pb.MixProfile(name=name, limit=10, hops=3, law=law)  # type: ignore[arg-type]
    made.period.FromSeconds(10)
    made.mean_delay.FromMilliseconds(delay_ms)
    made.mean_pause.FromMilliseconds(pause_ms)
    return made


DEMO, LAPTOP = profile("demo", 200, 5714), profile("laptop", 10_000, 5714)
STRONG, LIP = profile("strong", 2_000, 571), profile("lip", 100, 571, pb.MixProfile.LAW_CONSTANT)


def status(**others: object) -> pb.MixGetStatusResponse:
    values: dict[str, object] = {"profile": LAPTOP, "pool_size": 4, "usable": 3, "guarded": True}
    values |= {"anonymity": hidden(), **others}
    return pb.MixGetStatusResponse(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (None, "Asking node1 for its mix."),
        (
            status(trouble="the disk is full"),
            "The mix of node1 passes nothing on: the disk is full.",
        ),
        (
            status(pool_size=1),
            "Node1 knows one other mix, and a path has 3 hops: two more are needed.",
        ),
        (
            status(pool_size=2),
            "Node1 knows two other mixes, and a path has 3 hops: one more is needed.",
        ),
        (
            status(),
            (
                "A message from node1 is one of five. Someone who sees every link would pick it"
                " once in eleven tries."
            ),
        ),
        (
            status(anonymity=hidden(0.07, 0.84)),
            (
                "A message from node1 is not hidden: someone who sees every link would pick it in"
                " 84 of 100 tries."
            ),
        ),
    ],
)
def test_the_sentence(seen: pb.MixGetStatusResponse | None, text: str) -> None:
    assert words.sentence("node1", seen) == text


def test_what_the_meter_rests_on_is_said() -> None:
    assert "which is less" in words.rests_on(hidden())
    assert "profile promises" in words.rests_on(hidden(observed=False))
    assert words.figures(status())[:2] == [("4.3 bits", "of entropy"), ("0.10", "best guess")]


def test_a_tap_is_warned_of_with_what_is_not_in_its_file() -> None:
    said = words.tap_said("node1", status(tapped=True))
    assert said.startswith("A tap writes down when packets of node1 come and leave, and with whom:")
    assert said.endswith("That is for a test network of your own.")

    said = words.tap_said("node1", status(tap_skipped=3, tap_trouble="the disk is full."))

    assert said.endswith(
        "Three packets are not in its file. It cannot be written: the disk is full."
    )


def test_what_the_mix_does_is_said() -> None:
    counts = pb.MixCounts(
        forwarded=1, delivered=1204, loops_sent=8, loops_back=6, loops_lost=1, loops_skipped=2
    )
    found = {name: (figure, why) for name, figure, why in words.facts(status(
        counts=counts, held=5, ids_left=7
    ))}  # fmt: skip

    assert found["Pool"][0] == "four other mixes"
    assert found["Cover traffic"][0] == "8 sent, 6 back, 1 lost"
    assert found["Held now"][0] == "five packets"
    assert found["Budget"] == (
        "7 left", "Message ids of this epoch of 10 s; each packet takes one."
    )  # fmt: skip
    assert found["Pool"][1] == "3 of them are used; the others lose what they are given."
    every = words.facts(status(usable=4))[0]
    assert every == ("Pool", "four other mixes", "Paths go through all of them alike.")
    assert found["Passed on"][0] == "one packet"
    assert "1,204 ended here" in found["Passed on"][1]


def test_without_proofs_nothing_is_limited() -> None:
    found = {name: figure for name, figure, _ in words.facts(status(guarded=False))}

    assert found["Budget"] == "not limited"


def test_a_profile_says_what_it_hides_and_costs() -> None:
    assert words.hides(DEMO) == "hides nothing"
    assert words.hides(STRONG) == "one of eight, by cover alone"
    assert words.cost(LAPTOP) == (
        "A loop of cover every 5.7 s, at random times; a request and its answer take about"
        " 1 min 00 s."
    )
    assert "at a constant rate" in words.cost(LIP)


@pytest.mark.parametrize(
    ("wanted", "weaker", "said"),
    [
        (STRONG, False, "It spends 10 times as much as now, and hides at least as much. "),
        (DEMO, True, "It spends as much as now, and hides less. "),
        (profile("slow", 10_000, 11_428), True, "It spends 2 times less than now, and hides less."),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_change_says_what_becomes_of_it(
    wanted: pb.MixProfile, *, weaker: bool, said: str
) -> None:
    assert words.is_weaker(wanted, LAPTOP) == weaker
    assert words.change(wanted, LAPTOP, "node1").startswith(said)


def test_drops_have_words_the_most_first() -> None:
    found = drops.drops({"MIX_COPY": 2, "OF_TOMORROW": 9, "MIX_FRAGMENT": 0})

    assert [(each.count, each.reason) for each in found] == [(9, "OF_TOMORROW"), (2, "MIX_COPY")]
    assert found[0].why == "It broke a rule that this app has no words for."
    assert found[1].why == "It arrived before, over another path."


def test_the_meter_is_a_line_of_its_last_ten_minutes() -> None:
    seen = meter.with_reading(MixSeen())
    assert seen.readings == ()
    for at in range(meter.POINTS + 5):
        found = status(anonymity=pb.Anonymity(entropy_bits=at / 50, best_guess=0.1))
        seen = meter.with_reading(meter.with_status(seen, found, at))

    line = meter.line(seen.readings)

    assert len(seen.readings) == meter.POINTS
    assert seen.readings[0].at_ms == 5
    assert line.label == "Anonymity over time: from 0.1 to 2.5 bits, now 2.5"
    assert (line.top, line.marks) == (5, (5, 2.5, 0))
    assert line.points.startswith("0.0,98.0 ")
    assert line.points.endswith(",50.4")


def test_a_meter_that_was_not_read_yet_says_so() -> None:
    assert meter.line(()).points == ""
    assert "too little was read yet" in meter.line(()).label


@pytest.mark.parametrize(("waiting", "crowd", "bars"), [(0.07, 1, 1), (3.5, 5, 5), (99, 100, 24)])
def test_the_crowd_is_bars(waiting: float, crowd: int, bars: int) -> None:
    assert (meter.crowd(waiting), meter.bars(waiting)) == (crowd, bars)


def test_nodes_without_a_peer_id_have_no_name_on_a_path() -> None:
    class Node:
        name, peer_id = "node1", ""

    assert words.names_by_peer([Node()]) == {}
