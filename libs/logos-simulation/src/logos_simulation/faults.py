"""Seeded faults: crashes, stalls and partitions."""

from collections.abc import Callable, Sequence

from logos_simulation.links import Links
from logos_simulation.node import Node
from logos_simulation.world import World


def now_and_then(
    world: World, every_ms: tuple[int, int], until_ms: int, what: Callable[[], None]
) -> None:
    """Calls `what` repeatedly, after random pauses between two bounds."""

    def again() -> None:
        if world.now_ms <= until_ms:
            what()
            world.after(world.chance.between(*every_ms), again)

    world.after(world.chance.between(0, every_ms[1]), again)


def crash_one(world: World, nodes: Sequence[Node], *, down_ms: tuple[int, int]) -> None:
    """Crashes one of the nodes, and starts it again after a while."""
    node = world.chance.pick(nodes)
    if node.is_up:
        node.crash()
        world.after(world.chance.between(*down_ms), node.start)


def stall_one(world: World, nodes: Sequence[Node], *, for_ms: tuple[int, int]) -> None:
    """Stalls one of the nodes for a while."""
    world.chance.pick(nodes).stall(world.chance.between(*for_ms))


def part_some(
    world: World, links: Links, nodes: Sequence[Node], *, for_ms: tuple[int, int]
) -> None:
    """Cuts about a third of the nodes off for a while."""
    names = [node.name for node in nodes if world.chance.hits(33)]
    if names:
        links.part(names, for_ms=world.chance.between(*for_ms))
