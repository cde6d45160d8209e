"""Chains of many nodes on virtual time: safety below k, liveness once faults stop.

The machines are the product's; proofs, and nothing else, are replaced by a checked oracle
(`chain_claims`). Blocks are empty here; `test_chain_ledgers.py` has real bodies.

`LOGOS_SIMULATION_CHAIN_SEEDS` says how many worlds of 50 nodes are run instead of 4.
"""

import os
from typing import Final

import pytest

from chain_worlds import INTERVAL_MS, new_network, populate, run_to_one_tip, trouble
from logos_simulation.world import seeds

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(600)]

SEEDS: Final = int(os.environ.get("LOGOS_SIMULATION_CHAIN_SEEDS") or 4)
NODES: Final = 50
LEADERS: Final = 20
FAULTS_END_MS: Final = 240_000
"""The first epoch of 250 slots ends 20 seconds later."""
END_MS: Final = 320_000


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
    world.require(not any(each.diverged for each in nodes), "a chain is said to have diverged")
    world.require(not any(each.twice for each in nodes), "an honest leader has signed twice")
    world.require(not any(each.refused for each in nodes), "a node has refused its own block")
    faults = {why for each in nodes for why in each.rejected if why.is_fault}
    world.require(not faults, f"honest nodes have sent what breaks a rule: {faults}")
    ends = {why for each in nodes for _, why in each.ends if why.is_fault}
    world.require(not ends, f"honest nodes are said to have broken a rule: {ends}")
