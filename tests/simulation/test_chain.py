"""Chains of many nodes on virtual time: safety below k, liveness once faults stop.

The machines are the product's (`chain_nodes`); proofs alone are replaced, by a checked oracle
(`chain_claims`). Blocks are empty here; `test_chain_ledgers.py` has real bodies.

`LOGOS_SIMULATION_CHAIN_SEEDS` says how many worlds of 50 nodes are run instead of 4;
`LOGOS_SIMULATION_SEED` repeats one.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from typing import Final

import pytest

from chain_claims import Place, make_block
from chain_disks import Kept
from chain_foes import Equivocator, Private, private_chain
from chain_links import Network
from chain_nodes import ChainNode
from chain_worlds import INTERVAL_MS, SMALL, new_network, populate, run_to_one_tip, trouble
from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.consensus.sync.downloading import PeerEnd
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_simulation.faults import now_and_then
from logos_simulation.links import Weather
from logos_simulation.world import seeds

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(600)]

SEEDS: Final = int(os.environ.get("LOGOS_SIMULATION_CHAIN_SEEDS") or 4)
NODES: Final = 50
LEADERS: Final = 20
FAULTS_END_MS: Final = 240_000
"""The first epoch of 250 slots ends 20 seconds later."""
END_MS: Final = 320_000
ROOT: Final = bytes(32)
"""Of no ledger of these networks."""


@pytest.mark.parametrize("seed", seeds(SEEDS))
def test_fifty_nodes_stay_one_chain_through_faults(seed: int) -> None:
    """Crashes, stalls, moved clocks, losses and partitions of less than k blocks.

    Whenever a block becomes final anywhere, it is compared with all others of its height. Once the
    faults have ended, there is one tip within twelve block intervals, and a higher one later.
    """
    stakes = [50 + 5 * number for number in range(LEADERS)]
    network = new_network(seed, stakes)
    nodes = populate(network, NODES)
    trouble(network, nodes, FAULTS_END_MS)
    world = network.world
    world.run(FAULTS_END_MS + 1)

    run_to_one_tip(network, 12 * INTERVAL_MS)
    height = network.height()
    world.run(END_MS)
    run_to_one_tip(network, 12 * INTERVAL_MS, above=height)

    world.require(network.height() > height + 4, "the chain does not grow")
    lowest = min(each.kept.root.height for each in nodes)
    deep = network.height() - network.parameters.security_blocks
    world.require(lowest == deep, f"final at {lowest}, and the tip is at {network.height()}")
    check_nobody_is_blamed(network, nodes)


def check_nobody_is_blamed(network: Network, nodes: Sequence[ChainNode]) -> None:
    """All are honest: nothing that a node has told of another may say otherwise."""
    require = network.world.require
    require(not any(each.diverged for each in nodes), "a chain is said to have diverged")
    require(not any(each.twice for each in nodes), "an honest leader has signed twice")
    require(not any(each.refused for each in nodes), "a node has refused its own block")
    faults = {why for each in nodes for why in each.rejected if why.is_fault}
    require(not faults, f"honest nodes have sent what breaks a rule: {faults}")
    ends = {why for each in nodes for _, why in each.ends if why.is_fault}
    require(not ends, f"honest nodes are said to have broken a rule: {ends}")


@pytest.mark.parametrize("seed", seeds(1))
def test_a_slow_and_lossy_network_is_one_chain_too(seed: int) -> None:
    """Half a block interval for a hop at worst, and every sixth block of a neighbour is lost."""
    weather = Weather(min_delay_ms=1, max_delay_ms=2500, loss_percent=17)
    parameters = replace(SMALL, security_blocks=12, uncle_window_blocks=6)
    network = new_network(seed, [100] * 20, parameters, weather, copies_percent=20)
    nodes, world = populate(network), network.world
    trouble(network, nodes, 200_000)
    world.run(200_001)

    run_to_one_tip(network, 40 * INTERVAL_MS)
    height = network.height()
    world.run(260_000)
    run_to_one_tip(network, 40 * INTERVAL_MS, above=height)

    check_nobody_is_blamed(network, nodes)


def blocks_made(nodes: Sequence[ChainNode]) -> int:
    """Returns how many blocks nodes have proposed."""
    return sum(each.leading.counts.proposed for each in nodes)


def side_depth(nodes: Sequence[ChainNode], parted: TreeBlock) -> int:
    """Returns how many blocks a side has after the block at which it was cut off."""
    return max(each.follower.tip.height for each in nodes) - parted.height


@pytest.mark.parametrize("seed", seeds(4))
def test_a_partition_of_three_and_two_heals_to_one_tip(seed: int) -> None:
    """13.1: k = 20, until both sides have 40 blocks together, and the smaller one at most 18.

    What matters is the shorter side, which gives way wholly. It learns of the other chain with the
    next block of that, so there is one tip before the longer side has made a fourth block. Where
    the longer one has made blocks final, it reports the other until that is given up.
    """
    dev = PRESETS["dev"]
    network = new_network(seed, [100] * 5, dev)
    nodes, world = populate(network), network.world
    three, two = nodes[:3], nodes[3:]
    world.run(150_000)
    run_to_one_tip(network, 60_000)
    parted = nodes[0].follower.tip
    network.links.part(each.name for each in two)
    while (
        side_depth(two, parted) < 18
        and sum(side_depth(each, parted) for each in (two, three)) < 2 * dev.security_blocks
    ):
        world.run(world.now_ms + 1000)
    shorter, longer = sorted((two, three), key=lambda side: side_depth(side, parted))
    depth, most = side_depth(shorter, parted), side_depth(longer, parted)
    world.require(depth > 5, "the shorter side has a chain of its own")
    before = blocks_made(longer)

    network.links.heal(each.name for each in two)
    run_to_one_tip(network, 600_000)

    world.require(blocks_made(longer) - before <= 3, "it takes more than three blocks")
    world.require(max(network.moves) >= depth, "the shorter side gives way wholly")
    world.run(world.now_ms + 200_000)
    run_to_one_tip(network, 60_000)
    finals = {each.kept.final_at(parted.height + 1) for each in nodes}
    world.require(len(finals) == 1, "one final chain")
    world.require(not any(each.diverged for each in shorter), "who gives way has not diverged")
    if most <= dev.security_blocks:
        world.require(not any(each.diverged for each in longer), "nothing was final on one side")


@pytest.mark.parametrize("seed", seeds(4))
def test_a_partition_deeper_than_k_is_reported_and_never_merged(seed: int) -> None:
    """13.1, CON-47: both sides have made other blocks final; the operators of one start anew."""
    network = new_network(seed, [100] * 5)
    nodes, world = populate(network), network.world
    three, two = nodes[:3], nodes[3:]
    world.run(60_000)
    run_to_one_tip(network, 60_000)
    parted = nodes[0].follower.tip
    network.links.part(each.name for each in two)
    network.is_one_chain = False
    while min(side_depth(each, parted) for each in (two, three)) < SMALL.security_blocks + 2:
        world.run(world.now_ms + 1000)
    finals = [each.follower.latest_immutable for each in nodes]

    network.links.heal(each.name for each in two)
    world.run(world.now_ms + 100_000)

    for each, final in zip(nodes, finals, strict=True):
        world.require(each.kept.is_final(final.id), f"{each.name} has given up what was final")
        world.require(each.diverged, f"{each.name} does not report the other chain")
        ends = {why for _, why in each.ends if why.is_fault}
        world.require(not ends, f"the other side is said to have broken a rule: {ends}")
    world.require(network.conflicts, "both sides have final blocks")
    world.require(len(network.tips()) > 1, "merged silently")

    for each in two:
        each.node.crash()
        each.kept = Kept(network.genesis, SMALL.uncle_window_slots)
        each.peers = [other.name for other in three]
        world.after(1000, each.node.start)
    world.run(world.now_ms + 10_000)
    run_to_one_tip(network, 12 * INTERVAL_MS)
    world.require(two[0].kept.is_final(finals[0].id), "those that start anew are on the other side")


LONG: Final = replace(SMALL, name="long", security_blocks=30, uncle_window_blocks=12)
"""A window of 37 slots for the density, in which chance decides little."""


def attacked(seed: int, parameters: Parameters) -> tuple[Network, list[ChainNode], ChainNode]:
    """An honest network that has stood still for long, and a longer chain made in private.

    One note of 10 % has made it from the genesis on, in the slots of an hour.
    """
    network = new_network(seed, [225] * 4 + [100], parameters)
    note = network.notes[-1]
    nodes, world = populate(network, 4), network.world
    while network.height() <= parameters.security_blocks + 8:
        world.run(world.now_ms + INTERVAL_MS)
    run_to_one_tip(network, 60_000)
    for each in nodes:
        each.switch(is_on=False)
    height = network.height()
    chain = private_chain(network, network.genesis, note, blocks=height + 20, end=9000)
    world.require(len(chain) == height + 20, "the attacker's chain is the longer one")
    world.run(network.clock.begins_ms(chain[-1].candidate.header.slot) + 2000)
    foe = Private(network, "foe")
    for parcel in chain:
        foe.kept.add(parcel)
    foe.node.start()
    world.run(world.now_ms + 3000)
    world.require(foe.follower.tip.id == chain[-1].id, "the attacker has its chain")
    return network, nodes, foe


@pytest.mark.parametrize("seed", seeds(2))
def test_a_longer_sparse_chain_from_the_genesis_deceives_nobody(seed: int) -> None:
    """13.2: neither a fresh node with one honest peer, by CON-22, nor one that is online."""
    network, nodes, foe = attacked(seed, LONG)
    world, tip = network.world, nodes[0].follower.tip
    fresh = [ChainNode(network, f"fresh{number}") for number in range(2)]
    for number, each in enumerate(fresh):
        each.peers = [foe.name, nodes[number].name][:: 1 if number else -1]
        each.neighbours = [foe, nodes[number]]
        nodes[number].neighbours.append(each)
        each.node.start()
    told: list[bool] = []
    nodes[3].download([foe.name], None, told.append)
    world.run(world.now_ms + 60_000)

    world.require(told == [False], "a node that is online does not follow the attacker")
    world.require([each.peer for each in nodes[3].diverged] == [foe.name], "it reports it")
    for each in (*fresh, nodes[3]):
        world.require(each.follower.tip.id == tip.id, f"{each.name} is deceived")
    for each in fresh:
        world.require(each.starting.may_propose, "a fresh node is online")
        world.require((foe.name, PeerEnd.DONE) in each.ends, "it has seen the attacker's chain")

    for each in nodes:
        each.switch(is_on=True)
    world.run(world.now_ms + 120_000)
    run_to_one_tip(network, 60_000, above=tip.height)


def test_without_the_rule_of_density_it_would_deceive_a_fresh_node() -> None:
    """The control: a window of the whole chain counts all blocks, as the longest chain does."""
    network, nodes, foe = attacked(0, replace(LONG, density_window_slots=1_000_000))
    network.is_one_chain = False
    fresh = ChainNode(network, "fresh")
    fresh.peers = [foe.name, nodes[0].name]
    fresh.node.start()

    network.world.run(network.world.now_ms + 60_000)

    assert fresh.follower.tip.id == foe.follower.tip.id


@pytest.mark.parametrize("seed", seeds(2))
def test_who_stakes_on_every_fork_is_reported_and_stops_nobody(seed: int) -> None:
    """13.5, CON-39: 30 % of the stake signs two blocks a slot, and one on each other fork.

    k is 12: with 30 % it extends both of its blocks a few times in a row.
    """
    parameters = replace(SMALL, security_blocks=12)
    network = new_network(seed, [86, *[10] * 20], parameters)
    world = network.world
    foe = Equivocator(network, "foe", network.notes[:1])
    nodes = [ChainNode(network, f"node{at}", network.notes[at : at + 1]) for at in range(1, 21)]
    network.join(4)
    for each in (foe, *nodes):
        each.peers = [world.chance.pick(nodes).name for _ in range(2)]
        world.after(world.chance.below(2000), each.node.start)
    world.run(200_000)

    run_to_one_tip(network, 12 * INTERVAL_MS)
    proposed = foe.leading.counts.proposed
    world.require(proposed >= 5, "the equivocator leads often enough")
    for each in nodes:
        same = {one.leader_key for one in each.twice if one.is_same_slot}
        world.require(len(same) == proposed, f"{each.name} reports {len(same)} of {proposed}")
        world.require(each.kept.root.height > 10, "blocks become final")


@pytest.mark.parametrize("seed", seeds(1))
def test_what_nobody_has_won_is_refused(seed: int) -> None:
    """That the oracle is a checked one: it refuses what the circuit would refuse."""
    network = new_network(seed, [100] * 4)
    nodes, world = populate(network), network.world
    world.run(40_000)
    note, node = network.notes[0].note_id, nodes[1]
    tip = node.follower.tip
    epoch = node.follower.epoch_at(tip.slot + 1)
    won = network.oracle.winning_slots(epoch, note, tip.slot + 1, tip.slot + 100)
    lost = next(slot for slot in range(tip.slot + 1, tip.slot + 100) if slot not in won)
    false = make_block(network.oracle, note, Place(tip.id, lost, epoch, ROOT), "false")
    place = Place(tip.id, lost, epoch, tip.state.ledger_root)
    unwon = make_block(network.oracle, note, place, "unwon")
    unsigned = replace(unwon.candidate.signed, signature=bytes(64))
    cases = (
        (RejectReason.INVALID_PROOF, unwon),
        (RejectReason.INVALID_PROOF, false),
        (
            RejectReason.INVALID_SIGNATURE,
            replace(unwon, candidate=replace(unwon.candidate, signed=unsigned)),
        ),
    )
    world.run(network.clock.begins_ms(lost) + 3000)

    for reason, parcel in cases:
        told: list[RejectReason | None] = []
        node.take(parcel, "node0", told.append)
        world.run(world.now_ms + 2000)
        assert told == [reason]


def test_the_same_seed_gives_the_same_world() -> None:
    def run() -> list[tuple[BlockId, int]]:
        network = new_network(7, [100] * 8)
        nodes = populate(network)
        trouble(network, nodes, 60_000)
        network.world.run(90_000)
        return [each.tip() for each in nodes]

    assert run() == run()


@pytest.mark.parametrize("seed", seeds(2))
def test_clocks_that_jump_and_are_set_right_cost_nothing_final(seed: int) -> None:
    """13.7: by up to 100 s, either way, for up to 40 s; each less than half of an epoch."""
    network = new_network(seed, [100] * 20)
    nodes, world = populate(network), network.world

    def jump() -> None:
        node, by_ms = world.chance.pick(nodes).node, world.chance.between(-100_000, 100_000)
        if abs(node.skew_ms) < 1000:
            node.jump(by_ms)
            world.after(world.chance.between(2000, 40_000), lambda: node.jump(-by_ms))

    now_and_then(world, (3000, 12_000), 150_000, jump)
    world.run(200_000)

    run_to_one_tip(network, 12 * INTERVAL_MS)
    height = network.height()
    world.run(world.now_ms + 60_000)
    run_to_one_tip(network, 12 * INTERVAL_MS, above=height)
    world.require(not any(each.diverged for each in nodes), "a chain is said to have diverged")


@pytest.mark.parametrize("seed", seeds(2))
def test_a_network_that_has_lost_all_its_nodes_goes_on(seed: int) -> None:
    """CON-27: all are killed, and come back one by one after the grace, from what they kept."""
    network = new_network(seed, [100] * 12)
    nodes, world = populate(network), network.world
    world.run(100_000)
    run_to_one_tip(network, 60_000)
    final = max((each.kept.root for each in nodes), key=lambda root: root.height)
    tip = nodes[0].follower.tip
    for each in nodes:
        world.after(world.chance.below(500), each.node.crash)
    away_ms = SMALL.offline_grace_ms + 5000
    for each in nodes:
        world.after(away_ms + world.chance.below(20_000), each.node.start)
    world.run(world.now_ms + away_ms + 21_000)

    world.run(world.now_ms + 60_000)
    run_to_one_tip(network, 12 * INTERVAL_MS, above=tip.height)

    for each in nodes:
        world.require(each.kept.is_final(final.id), f"{each.name} has lost what was final")


@pytest.mark.parametrize("seed", seeds(1))
def test_the_chain_gets_as_fast_again_after_half_of_the_stake_has_left(seed: int) -> None:
    """13.10: the estimate follows what is seen, by half of the error each epoch of 1,000 slots."""
    parameters = replace(SMALL, name="estimating", security_blocks=20, uncle_window_blocks=12)
    network = new_network(seed, [100] * 4, parameters)
    nodes, world = populate(network), network.world

    def end_of(epoch: int) -> None:
        world.run(network.clock.begins_ms(parameters.epoch_begins(epoch + 1)))

    end_of(0)
    for each in nodes[2:]:
        each.node.crash()
    height, heights = network.height(), list[int]()
    for epoch in range(1, 7):
        end_of(epoch)
        heights.append(network.height() - height)
        height = network.height()

    estimate = nodes[0].follower.epoch_at(parameters.epoch_begins(7)).total_stake
    world.require(heights[0] < 130, f"half as many blocks at first: {heights}")
    world.require(heights[-1] > 150, f"and then nearly as many as before: {heights}")
    world.require(150 <= estimate <= 260, f"the estimate is {estimate}, and the stake is 200")
    run_to_one_tip(network, 12 * INTERVAL_MS)


@pytest.mark.parametrize("seed", seeds(1))
def test_few_more_blocks_are_lost_than_slots_are_won_twice(seed: int) -> None:
    """13.5: each of n equal notes wins by 1 - (1-f)^(1/n), and a slot is won at all by f.

    So a tenth of all blocks share a slot with another one, where f is 1/5. Delays of under half a
    second a hop, and proofs that were begun before the parent came, add little.
    """
    count = 10
    network = new_network(seed, [100] * count)
    nodes, world = populate(network), network.world
    world.run(network.clock.begins_ms(900))
    run_to_one_tip(network, 12 * INTERVAL_MS)

    made = blocks_made(nodes)
    slots = {slot for each in nodes for slot, _ in each.kept.signed}
    shared = 1 - len(slots) / made
    lost = 1 - network.height() / made
    theory = 1 - 0.2 / (count * (1 - 0.8 ** (1 / count)))
    spread = 3 * sqrt(theory * (1 - theory) / made)
    world.require(made > 130, f"only {made} blocks")
    world.require(abs(shared - theory) < spread, f"{shared:.3f} share a slot, not {theory:.3f}")
    world.require(shared - 0.01 <= lost < shared + 0.05, f"{lost:.3f} of all are lost")
