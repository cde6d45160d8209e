"""Mixes under hostile relays, loss, crashes and full disks; M7 and M11.

Whatever happens, at every delivery and packet (`mix_nodes.py`): nothing arrives twice, nothing
arrives changed, every packet is accounted for, no relay holds more than it may.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Final

import pytest

from logos_anonymity.measures import share
from logos_mixnet.core.mixing.cover import STRONG, Profile
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.mixing.sender import MAX_LOOPS
from logos_mixnet.core.sphinx.header import Hop
from logos_simulation.chance import Chance
from logos_simulation.faults import crash_one, now_and_then
from logos_simulation.links import Weather
from logos_simulation.world import seeds
from mix_nodes import MixNetwork, MixNode, Nature, drops, spread

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(0)]

QUICK = Profile("quick", 40, 10_000, 400)
SEND_MS = 25_000
CALM_MS = 60_000


def hostile_network(seed: int, nature: Nature, nodes: int = 10, bad: int = 2) -> MixNetwork:
    network = MixNetwork(seed, QUICK, nodes)
    for node in network.nodes[:bad]:
        node.nature = nature
    spread(network.world.chance, network, 800, 1_000, SEND_MS)
    return network


@pytest.mark.parametrize("nature", Nature)
def test_hostile_relays_lose_packets_and_do_nothing_else(nature: Nature) -> None:
    for seed in seeds(1):
        network = hostile_network(seed, nature)
        network.run(CALM_MS)
        arrived = sum(message.arrivals for message in network.messages)
        sent = len(network.messages)
        found = drops(network.nodes)
        if nature in {Nature.HONEST, Nature.DELAYS, Nature.REPLAYS, Nature.FLOODS}:
            assert arrived == sent
        else:
            # Two of ten mixes: both relays honest with (8 * 7) / (10 * 9), but for the ends.
            assert 0.35 <= arrived / sent <= 0.9
        if nature is Nature.TAGS:
            assert found["MIX_PAYLOAD_DAMAGED"] > 0
        if nature is Nature.REPLAYS:
            assert found["MIX_PACKET_REPEATED"] > arrived
        if nature is Nature.FLOODS:
            assert found["MIX_PACKET_SIZE"] > 0
            assert found["MIX_PACKET_REPEATED"] > 0
            assert found.total() > 1_000
        if nature in {Nature.HONEST, Nature.DELAYS}:
            assert not found


def test_a_seed_repeats_a_run() -> None:
    runs = []
    for _ in range(2):
        network = hostile_network(5, Nature.REPLAYS, nodes=6)
        network.run(20_000)
        runs.append((network.capture, [each.arrivals for each in network.messages]))
    assert runs[0] == runs[1]


def test_churn_loss_and_full_disks_repeat_and_change_nothing() -> None:
    for seed in seeds(2):
        network = MixNetwork(seed, QUICK, 8, Weather(1, 200, loss_percent=3))
        world, nodes = network.world, network.nodes
        for node in nodes[:2]:
            node.nature = Nature.REPLAYS
        spread(world.chance, network, 500, 1_000, SEND_MS)
        up = [node.node for node in nodes]

        def fill(network: MixNetwork = network) -> None:
            disk = network.world.chance.pick(network.nodes).node.disk
            disk.is_full = True
            network.world.after(3_000, lambda: setattr(disk, "is_full", False))

        now_and_then(
            world, (2_000, 8_000), SEND_MS, partial(crash_one, world, up, down_ms=(200, 4_000))
        )
        now_and_then(world, (5_000, 20_000), SEND_MS, fill)
        network.run(CALM_MS)
        arrived = sum(message.arrivals for message in network.messages)
        assert arrived > len(network.messages) / 4
        for node in nodes:
            assert node.relay.held < 100  # what loops leave there
            assert node.relay.trouble == ""
            assert node.sender.loops_sent <= MAX_LOOPS


MANY: Final = Profile("many", 12, 10_000, 400)


@pytest.mark.parametrize("seed", seeds(1))
def test_of_two_hundred_mixes_a_fifth_may_be_hostile_and_others_come_and_go(seed: int) -> None:
    """Half of the hostile lose what they get, the others send it late or again."""
    network = MixNetwork(seed, MANY, 200, Weather(1, 100))
    world, hostile, honest = network.world, network.nodes[:40], network.nodes[40:]
    natures = [Nature.DROPS, Nature.TAGS, Nature.DELAYS, Nature.REPLAYS]
    for at, node in enumerate(hostile):
        node.nature = natures[at % len(natures)]
    for at_ms in range(1_000, 31_000, 100):
        sender, receiver = world.chance.pick(honest).name, world.chance.pick(honest).name
        if sender != receiver:
            network.message(at_ms, sender, receiver)
    coming = [node.node for node in network.nodes]
    now_and_then(
        world, (500, 1_500), 31_000, partial(crash_one, world, coming, down_ms=(500, 4_000))
    )
    network.run(CALM_MS)

    losing = len(hostile) // 2
    theory = math.comb(198 - losing, 2) / math.comb(198, 2)
    arrived, sent = sum(each.arrivals for each in network.messages), len(network.messages)
    # Of 200 some four are down: senders, receivers and the mixes between them.
    assert 0.88 * theory - 0.08 < arrived / sent < theory + 0.08, arrived / sent
    found = drops(network.nodes)
    assert found["MIX_PAYLOAD_DAMAGED"] > 0
    assert found["MIX_PACKET_REPEATED"] > 0
    assert set(found) <= {"MIX_PAYLOAD_DAMAGED", "MIX_PACKET_REPEATED"}


def test_sybils_get_paths_as_their_share_of_the_pool_and_no_more() -> None:
    """Advertisers that one party runs: two mixes of a path are theirs as often as chance says."""
    chance = Chance(3)
    for sybils in (5, 20, 50):
        names = [f"n{number}" for number in range(20)] + [f"s{number}" for number in range(sybils)]
        mixes = [Mix(name, Hop(name.encode().ljust(32), name.encode().ljust(94))) for name in names]
        pool = Pool()
        pool.update(mixes)
        paths = [[m.peer_id[0] for m in pool.path(2, chance, {"n0"})] for _ in range(20_000)]
        theory = math.comb(sybils, 2) / math.comb(19 + sybils, 2)
        assert share(paths.count(["s", "s"]), len(paths)).value == pytest.approx(theory, abs=0.012)


def cut_off(network: MixNetwork, name: str) -> Callable[[], None]:
    """Holds all packets of a mix, as whoever owns its links can."""

    def act() -> None:
        network.passes = lambda sender, receiver: name not in {sender, receiver}

    return act


def test_m7_a_mix_whose_packets_are_held_says_so_within_two_epochs() -> None:
    for seed in seeds(1):
        network = MixNetwork(seed, STRONG, 8)
        victim, others = network.nodes[0], network.nodes[1:]
        network.run(30_000)
        assert not any(node.sender.is_cut_off for node in network.nodes)
        cut_off(network, victim.name)()
        network.run(30_000 + 2 * STRONG.period_ms)
        assert victim.sender.is_cut_off
        assert not any(node.sender.is_cut_off for node in others)
        network.passes = lambda _sender, _receiver: True
        network.run(30_000 + 6 * STRONG.period_ms)
        assert not victim.sender.is_cut_off


@pytest.mark.parametrize("redundancy", [1, 2, 3])
def test_m11_with_one_mix_of_five_down_as_much_arrives_as_theory_says(redundancy: int) -> None:
    """Paths of three mixes that are left, one of them down: a third of them is whole."""
    hits = tries = 0
    quiet = Profile("quiet", 10, 10**9, 200)  # no loops, by which the mix would be found out
    for seed in seeds(1):
        network = MixNetwork(seed, quiet, 5)
        network.world.after(500, network.nodes[4].node.crash)
        chance = network.world.chance
        for at_ms in range(1_000, 121_000, 1_000):
            names = ["n0", "n1", "n2", "n3"]
            sender, receiver = (names.pop(chance.below(len(names))) for _ in range(2))
            network.message(at_ms, sender, receiver, redundancy)
        network.run(180_000)
        hits += sum(message.arrivals > 0 for message in network.messages)
        tries += len(network.messages)
    theory = 1 - (2 / 3) ** redundancy
    assert abs(hits / tries - theory) < 3 * math.sqrt(theory * (1 - theory) / tries), hits / tries


def lamed(seed: int) -> tuple[MixNetwork, MixNode, list[MixNode]]:
    """Ten mixes, one of them down and found out by the others."""
    network = MixNetwork(seed, Profile("quick", 100, 10_000, 200), 10)
    lame, others = network.nodes[9], network.nodes[:9]
    network.world.after(5_000, lame.node.crash)
    network.run(88_000)
    for node in others:
        assert not node.pool.is_available(lame.name)
        assert all(node.pool.is_available(each.name) for each in others)
    return network, lame, others


def test_m11_a_mix_that_is_down_loses_nothing_once_it_is_pruned() -> None:
    """With it in paths like the others it would be a quarter."""
    for seed in seeds(1):
        network, lame, others = lamed(seed)
        for at_ms in range(90_000, 150_000, 250):
            number = at_ms // 250
            network.message(at_ms, f"n{number % 9}", f"n{(number + 1 + number // 9 % 8) % 9}")

        network.run(175_000)

        assert all(message.arrivals == 1 for message in network.messages)
        assert not any(node.pool.is_available(lame.name) for node in others)


def test_m11_a_mix_that_is_back_is_found_by_loops_and_then_has_messages_again() -> None:
    for seed in seeds(1):
        network, lame, others = lamed(seed)
        lame.node.start()
        network.run(148_000)
        assert all(node.pool.is_available(lame.name) for node in others)
        first = len(network.capture)
        for at_ms in range(150_000, 165_000, 250):
            network.message(at_ms, f"n{at_ms // 250 % 4}", f"n{4 + at_ms // 250 % 5}")

        network.run(180_000)

        own = {packet for message in network.messages for packet in message.packets}
        through = {
            p for crossing, p, _ in network.capture[first:] if crossing.receiver == lame.name
        }
        assert own & through
        assert all(message.arrivals == 1 for message in network.messages)
