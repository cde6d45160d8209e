"""Simulated chains with real ledgers, mempools and transfers, on few nodes and seeds.

Five nodes, one of them with each leading note; what `test_chain.py` has in numbers, this has in
depth. Proofs, of leadership and of transfers, are replaced by a checked oracle.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import pytest

from chain_ledgers import COIN, FEE, STAKE, Coins, LedgerNode, new_ledger_network
from chain_links import Network
from chain_worlds import SMALL, WEATHER, run_to_one_tip
from logos_chain.core.mempool.types import Stage
from logos_mantle.transactions import SignedTransaction
from logos_simulation.faults import crash_one, now_and_then
from logos_simulation.world import seeds

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(600)]

OWNERS: Final = 5
COINS: Final = 8


def started(seed: int) -> tuple[Network, list[LedgerNode], Coins]:
    """Five nodes that all know each other."""
    coins = Coins(seed, OWNERS, COINS)
    network = new_ledger_network(seed, SMALL, coins, WEATHER)
    nodes: list[LedgerNode] = []
    for number in range(OWNERS):
        node = LedgerNode(network, f"node{number}", network.notes[number : number + 1])
        node.coins = coins
        nodes.append(node)
    network.join(OWNERS - 1)
    for each in nodes:
        each.peers = [other.name for other in nodes if other is not each]
        network.world.after(network.world.chance.below(2000), each.node.start)
    return network, nodes, coins


def check_all_have(
    network: Network, nodes: Sequence[LedgerNode], made: Sequence[SignedTransaction]
) -> None:
    """All have one ledger, and each transaction is in it once."""
    roots = {each.pool.at_tip().root for each in nodes}
    balances = {tuple(each.balances()) for each in nodes}
    network.world.require(len(roots) == 1, "one ledger")
    network.world.require(len(balances) == 1, f"other balances: {balances}")
    count = Counter(nodes[0].transactions())
    for number, each in enumerate(made):
        network.world.require(count[each.hash] == 1, f"{number} is there {count[each.hash]} times")


@pytest.mark.parametrize("seed", seeds(3))
def test_no_transaction_is_lost_in_a_partition_of_less_than_k(seed: int) -> None:
    """13.1, 13.3: both sides take payments, and a coin is spent on both; then one gives way.

    What the side that gives way had in blocks comes back to its mempools and into the chain; of
    the two that spend one coin there is one in the end, and the other was dropped with a reason.
    """
    network, nodes, coins = started(seed)
    world = network.world
    made: list[SignedTransaction] = []

    def pay(owner: int, coin: int, at: LedgerNode) -> SignedTransaction:
        paid = coins.pay(owner, coin, (owner + 1) % OWNERS)
        at.pool.submit(paid)
        return paid

    world.run(40_000)
    made += [pay(owner, 0, nodes[owner]) for owner in range(OWNERS)]
    world.run(90_000)
    run_to_one_tip(network, 60_000)
    parted = nodes[0].follower.tip
    network.links.part(each.name for each in nodes[3:])
    for number, owner in enumerate((0, 1, 3, 4)):
        world.run(world.now_ms + 700 * number)
        made.append(pay(owner, 1, nodes[owner]))
    one, other = (coins.pay(2, 2, to) for to in (0, 4))
    nodes[1].pool.submit(one)
    nodes[4].pool.submit(other)
    until_ms = world.now_ms + 60_000
    while world.now_ms < until_ms and network.height() < parted.height + SMALL.security_blocks - 1:
        world.run(world.now_ms + 500)

    network.links.heal(each.name for each in nodes[3:])
    run_to_one_tip(network, 200_000)
    made += [pay(owner, 3, nodes[owner]) for owner in range(OWNERS)]
    world.run(world.now_ms + 150_000)
    run_to_one_tip(network, 60_000)

    check_all_have(network, nodes, made)
    count = Counter(nodes[0].transactions())
    world.require(count[one.hash] + count[other.hash] == 1, "the coin is spent once")
    kept, gone = (one, other) if count[one.hash] else (other, one)
    for each in nodes:
        statuses = each.pool.statuses
        world.require(statuses[kept.hash].stage in {Stage.SAFE, Stage.FINAL}, "one is safe")
        dropped = statuses.get(gone.hash)
        world.require(
            dropped is None or (dropped.stage is Stage.DROPPED and dropped.reason),
            f"{each.name} says of the other {dropped}",
        )
        world.require(len(each.pool) == 0, f"{each.name} has {len(each.pool)} that wait")
        world.require(each.pool.at_tip().supply.is_conserved, "tokens add up")
    spent = (len(made) + 1) * FEE
    world.require(
        sum(nodes[0].balances()) == OWNERS * (STAKE + COINS * COIN) - spent, "all but the fees"
    )


@pytest.mark.parametrize("seed", seeds(2))
def test_killed_nodes_come_to_the_same_ledger_again(seed: int) -> None:
    """13.6: each start executes all blocks from the genesis, and finds the state that was kept.

    Payments are given to a node that is not killed; an epoch of 250 slots begins meanwhile.
    """
    network, nodes, coins = started(seed)
    world, made = network.world, list[SignedTransaction]()
    mortal = [each.node for each in nodes[1:]]
    now_and_then(
        world, (4000, 15_000), 300_000, lambda: crash_one(world, mortal, down_ms=(500, 40_000))
    )

    def pay() -> None:
        owner, coin = len(made) % OWNERS, len(made) // OWNERS
        made.append(coins.pay(owner, coin, (owner + 2) % OWNERS))
        nodes[0].pool.submit(made[-1])

    for number in range(OWNERS * COINS):
        world.after(30_000 + 6000 * number, pay)
    world.run(300_000)
    for each in mortal:
        each.start()
    world.run(400_000)
    run_to_one_tip(network, 100_000)

    world.require(not nodes[0].pool.refused, f"a payment is refused: {nodes[0].pool.refused}")
    check_all_have(network, nodes, made)
    world.require(nodes[0].follower.tip.state.epoch.epoch >= 1, "another epoch has begun")
