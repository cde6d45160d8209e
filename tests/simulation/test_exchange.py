"""Sixty nodes that know one find each other, which trims them again and again (NET-18, NET-21)."""

import pytest

from exchange_nodes import HIGH, TARGET, ExchangeNode
from logos_simulation.world import World

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(900)]

NODES = 60
MINUTES = 2


def reached(nodes: list[ExchangeNode]) -> set[str]:
    """Who can be reached from the last over connections, without the first."""
    by_id = {node.peer_id: node for node in nodes}
    first, found, open_to_it = nodes[0].peer_id, set[str](), [nodes[-1].peer_id]
    while open_to_it:
        name = open_to_it.pop()
        if name not in found and name != first:
            found.add(name)
            open_to_it += by_id[name].machine.connected
    return found


def test_all_find_enough_peers_by_exchange_and_the_first_trims() -> None:
    world = World(7)
    at: dict[str, ExchangeNode] = {}
    nodes = [ExchangeNode(world, number, at) for number in range(NODES)]
    for node in nodes:
        world.after(world.chance.below(10_000), node.node.start)

    world.run(MINUTES * 60_000)

    assert min(len(node.machine.connected) for node in nodes[1:]) >= TARGET
    # Who was trimmed dials the first again, as its profile names it (NET-4), and is turned away.
    assert nodes[0].machine.trimmed >= NODES - HIGH
    assert len(reached(nodes)) == NODES - 1
    known = sorted(len(node.machine.book) for node in nodes)
    assert known[NODES // 2] >= NODES // 2
    assert all(node.machine.exchange.counts.failed < 50 for node in nodes)


def test_the_same_seed_gives_the_same_world() -> None:
    def run() -> list[tuple[str, ...]]:
        world = World(3)
        at: dict[str, ExchangeNode] = {}
        nodes = [ExchangeNode(world, number, at) for number in range(12)]
        for node in nodes:
            node.node.start()
        world.run(30_000)
        return [tuple(node.machine.connected) for node in nodes]

    assert run() == run()
