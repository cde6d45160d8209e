"""M1 to M6 and M8 of the mix's tests: what an observer of all links finds out (MIX-30, MIX-31).

The first three, and acceptance 3, on twenty of the product's mixes with real packets; the others on
the model of their law, which `test_mix_law.py` compares with them. `docs/anonymity.md` has more
targets, by `benchmarks/anonymity.py`. Seeds are fixed, so that nothing fails by chance.
"""

import math

import pytest

from logos_anonymity.attacks import Nearest, Pair, fully_corrupted
from logos_anonymity.measures import kolmogorov, kolmogorov_two
from logos_anonymity.model import TAIL, Law, Model, Run, Weather
from logos_anonymity.posterior import Staged, Unstaged, law_as_seen
from logos_anonymity.trials import Report, holding_times, targets, waiting, watch
from logos_mixnet.core.mixing.cover import STRONG
from logos_simulation.chance import Chance
from mix_experiments import (
    BEGIN_MS,
    activity,
    advantage_of,
    first_at_top,
    flows,
    rounds,
    swaps,
    wishes_of,
)
from mix_nodes import MixNetwork, drops, spread

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(0)]

HASTY = Law(1, STRONG.mean_pause_ms)
"""The control: as good as no delay."""


@pytest.fixture(scope="module")
def strong() -> Run:
    """Twenty mixes of the product, and some 200 messages between them."""
    network = MixNetwork(1, STRONG, 20)
    spread(network.world.chance, network, 550, BEGIN_MS, BEGIN_MS + 112_000)
    network.run(BEGIN_MS + 112_000 + 60_000)
    assert not drops(network.nodes)
    assert all(message.arrivals == 1 for message in network.messages)
    return network.truth()


@pytest.fixture(scope="module")
def seen(strong: Run) -> dict[str, Report]:
    """What observers find: those who know hop numbers, and those who do not."""
    law = law_as_seen(strong.law, strong.crossings)
    staged, unstaged = Staged(strong.crossings, strong.hops, law), Unstaged(strong.crossings, law)
    wanted = targets(strong)
    return {
        "staged, first": watch(staged, wanted, sees_first=True),
        "staged, given": watch(staged, wanted[::2], sees_first=False),
        "unstaged, first": watch(unstaged, wanted, sees_first=True),
    }


def test_m1_holding_times_follow_the_law_and_know_no_class(strong: Run) -> None:
    held = holding_times(strong)
    # Of packets that came early enough: those that wait longest would be missing.
    few = held[: len(held) * 3 // 4][:8_000]
    assert len(few) > 5_000
    assert kolmogorov(few, lambda at: (1 - math.exp(-at / 2_000)) / (1 - TAIL)) > 0.01
    own = {strong.packets[message.first] for message in strong.messages}
    classes: dict[bool, list[float]] = {True: [], False: []}
    arrived: dict[int, float] = {}
    for packet, one in zip(strong.packets, strong.crossings, strict=True):
        if packet in arrived:
            classes[packet in own].append(one.sent_ms - arrived[packet])
        arrived[packet] = one.arrived_ms
    assert len(classes[True]) > 300
    assert kolmogorov_two(classes[True], classes[False]) > 0.01


def test_m2_strong_hides_a_message_among_as_many_as_it_promises(
    strong: Run, seen: dict[str, Report]
) -> None:
    """Acceptance 3: k of 7, 6 bits, a best guess of 0.08; from what links show, and better."""
    assert waiting(strong) >= 7
    links = seen["unstaged, first"]
    assert links.targets >= 200
    assert links.entropy_bits.low >= 6
    assert links.believed.value <= 0.08
    assert links.success.value <= 0.08
    told = seen["staged, given"]
    assert told.entropy_bits.low >= 6
    assert told.believed.value <= 0.08
    # Whoever is told hop numbers and the first crossing too has the least to guess.
    most = seen["staged, first"]
    assert most.entropy_bits.value >= 5.8
    assert most.believed.value <= 0.08


def test_m2_observers_are_calibrated(seen: dict[str, Report]) -> None:
    for name, report in seen.items():
        assert not report.is_refuted, (name, report)


def test_m3_the_nearest_departure_is_no_better_than_bayes_and_finds_what_is_not_hidden(
    strong: Run, seen: dict[str, Report]
) -> None:
    nearest = watch(Nearest(strong.crossings, strong.law), targets(strong), sees_first=True)
    assert nearest.success.value <= 1.5 * seen["staged, first"].success.value
    chance = Chance(1)
    control = Model(HASTY, 20, chance)
    run = control.run(60_000, wishes_of(control, chance, 1_000, 200, 250))
    found = watch(Nearest(run.crossings, HASTY), targets(run), sees_first=True)
    assert found.success.value >= 0.95


def test_m4_flows_are_not_matched_with_cover_and_are_without() -> None:
    hidden, bare = flows(7, has_cover=True), flows(7, has_cover=False)
    assert hidden.hits_at_1_percent.value <= 0.05
    assert hidden.area.holds(0.5)
    assert bare.area.low > hidden.area.high
    assert bare.hits_at_1_percent.value >= 2 * hidden.hits_at_1_percent.value


@pytest.fixture(scope="module")
def pairs() -> tuple[Run, list[Pair]]:
    """500 pairs of messages at the same time."""
    return swaps(5, 500)


def test_m5_who_writes_to_whom_is_guessed_with_an_advantage_that_is_stated(
    pairs: tuple[Run, list[Pair]],
) -> None:
    """The observer knows hop numbers, both first crossings and both recipients: the worst case."""
    found = {share: advantage_of(pairs, share) for share in (0.0, 0.1, 0.2, 0.33)}
    assert len(pairs[1]) >= 500
    assert found[0.0].high <= 0.7, found
    assert found[0.0].value < found[0.2].value < found[0.33].value, found
    assert found[0.33].low > found[0.0].high, found


def test_m5_paths_of_corrupted_mixes_only_are_as_rare_as_theory_says() -> None:
    chance = Chance(8)
    model = Model(HASTY, 20, chance, Weather(has_cover=False))
    run = model.run(10**9, wishes_of(model, chance, 0, 1_000, 20_000))
    for share in (0.1, 0.2, 0.33):
        bad = round(20 * share)
        hits, misses = fully_corrupted(run, [f"n{number}" for number in range(bad)])
        # Sender, two mixes and recipient are distinct: c^3 but for that.
        honest = 20 - bad
        theory = honest * math.perm(bad, 3) + math.perm(bad, 4)
        theory /= math.perm(20, 4)
        total = hits + misses
        assert abs(hits - total * theory) < 4 * math.sqrt(total * theory) + 1
        assert hits / total <= share**3


def test_m6_patience_finds_a_sender_sooner_without_cover() -> None:
    covered, bare = (
        first_at_top(rounds(6, has_cover=True)),
        first_at_top(rounds(6, has_cover=False)),
    )
    assert bare <= 10, bare
    assert covered >= 3 * bare, (covered, bare)


def test_m8_a_message_an_epoch_does_not_show_and_many_do() -> None:
    """And what loops cannot hide: over minutes, a node that sends more than it receives."""
    few, many = activity(4, 10_000), activity(4, 1_000)
    assert few["departures"].value <= 0.6, few
    assert few["balance"].value <= 0.67, few
    assert few["long balance"].value >= 0.9, few
    assert many["departures"].value >= 0.75, many
    assert many["balance"].value >= 0.9, many
