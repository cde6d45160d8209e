"""The model without packets has the law of the product's machines, and the product states it right.

MIX-30, MIX-33. Real Sphinx packets through senders, relays and pools on one side; on the other
`logos_anonymity.model`, which most statistics are made with.
"""

from collections import Counter
from itertools import pairwise

import pytest

from logos_anonymity.measures import kolmogorov_two
from logos_anonymity.model import Law, Model, Run, Weather, Wish
from logos_anonymity.posterior import Observer, Staged, Unstaged, law_as_seen
from logos_anonymity.trials import Report, holding_times, targets, waiting, watch
from logos_mixnet.core.mixing.anonymity import statement
from logos_mixnet.core.mixing.cover import Law as Pauses
from logos_mixnet.core.mixing.cover import Profile
from logos_simulation.chance import Chance
from mix_nodes import MixNetwork, drops, law_of, spread

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(0)]

NODES = 6
FOR_MS = 80_000
EVERY_MS = 700


def by_machines(profile: Profile) -> Run:
    network = MixNetwork(3, profile, NODES)
    spread(network.world.chance, network, EVERY_MS, 1_000, FOR_MS)
    network.run(FOR_MS)
    assert not drops(network.nodes)
    return network.truth()


def by_law(profile: Profile) -> Run:
    chance = Chance(5)
    model = Model(law_of(profile), NODES, chance)
    wishes = []
    for at_ms in range(1_000, FOR_MS, EVERY_MS):
        sender = chance.pick(model.names)
        receiver = chance.pick([name for name in model.names if name != sender])
        wishes.append(Wish(at_ms, sender, receiver))
    return model.run(FOR_MS, wishes)


def gaps(run: Run, hop: int) -> list[float]:
    """Between departures of a node at one hop."""
    found: list[float] = []
    for name in {one.sender for one in run.crossings}:
        legs = zip(run.crossings, run.hops, strict=True)
        times = [one.sent_ms for one, each in legs if one.sender == name and each == hop]
        found += [after - before for before, after in pairwise(times)]
    return found


def both(run: Run) -> list[Report]:
    law = law_as_seen(run.law, run.crossings)
    observers: list[Observer] = [
        Staged(run.crossings, run.hops, law),
        Unstaged(run.crossings, law),
    ]
    return [watch(each, targets(run), sees_first=True) for each in observers]


@pytest.mark.parametrize("pauses", Pauses)
def test_model_and_machines_have_one_law(pauses: Pauses) -> None:
    profile = Profile("quick", 100, 10_000, 500, law=pauses)
    machines, model = by_machines(profile), by_law(profile)

    assert kolmogorov_two(holding_times(machines), holding_times(model)) > 0.01
    # Machines know whole milliseconds, and a constant pause is one value: its gaps are no law.
    for hop in (1, 2, 3) if pauses is Pauses.POISSON else (2, 3):
        assert kolmogorov_two(gaps(machines, hop), gaps(model, hop)) > 0.01
    assert waiting(machines) == pytest.approx(waiting(model), rel=0.1)
    for one, other in zip(both(machines), both(model), strict=True):
        assert not one.is_refuted, one
        assert not other.is_refuted, other
        assert one.entropy_bits.value == pytest.approx(other.entropy_bits.value, abs=0.4)


def test_a_constant_pause_is_one() -> None:
    profile = Profile("quick", 100, 10_000, 500, law=Pauses.CONSTANT)
    network = MixNetwork(3, profile, 4)
    network.run(30_000)
    found = Counter(round(gap) for gap in gaps(network.truth(), 1))
    assert set(found) <= {571, 572}  # of whole milliseconds


@pytest.mark.parametrize(
    ("nodes", "packets"), [(5, 3.5), (5, 0.35), (8, 1.0), (20, 0.35), (20, 3.5), (60, 1.0)]
)
def test_what_the_product_states_is_what_an_observer_finds(nodes: int, packets: float) -> None:
    """MIX-33: entropy and best guess, within what so few targets can show."""
    mean_ms = 1_000
    law = Law(mean_ms, 2 * mean_ms / packets)
    chance = Chance((nodes, packets))
    model = Model(law, nodes, chance, Weather((1, 5)))
    every_ms = 30 * law.mean_pause_ms / nodes  # one packet in thirty is a message: little more
    wishes = []
    for number in range(120):
        sender = model.pick(model.names)
        receiver = model.pick([name for name in model.names if name != sender])
        wishes.append(Wish(20 * mean_ms + number * every_ms, sender, receiver))
    run = model.run(41 * mean_ms + 120 * every_ms, wishes)

    found = watch(
        Unstaged(run.crossings, law_as_seen(law, run.crossings)), targets(run), sees_first=True
    )

    generous = Profile("generous", 100, 10_000, 10_000)  # so that what was seen decides
    stated = statement(generous, nodes, packets)
    assert stated.entropy_bits == pytest.approx(found.entropy_bits.value, abs=0.35)
    assert stated.best_guess == pytest.approx(found.believed.value, rel=0.3)
