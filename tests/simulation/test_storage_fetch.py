"""Storage nodes that fetch one dataset from one another, on virtual time.

Seeds hold everything from the start; the rest fetch it, and serve what they have as soon as
they have it. Some peers lie, some stall, some crash and come back with what was durable,
every link loses its stream now and then, and parts of the network are cut off for a while.
"""

import pytest

from logos_simulation.faults import crash_one, now_and_then, part_some, stall_one
from logos_simulation.links import Links, Weather
from logos_simulation.world import World, seeds
from logos_storage.core.errors import BadDataError, NoProvidersError, ProvidersUnreachableError
from storage_nodes import City, Dataset, Nature, StorageNode

pytestmark = pytest.mark.simulation

SMALL, LARGE = Dataset.of(24), Dataset.of(240)


def city_of(seed: int, dataset: Dataset, *, loss_percent: float | None = None) -> City:
    world = World(seed)
    loss = world.chance.below(8) if loss_percent is None else loss_percent
    return City(world, Links(world, Weather(loss_percent=loss)), dataset)


def trouble(city: City, until_ms: int, mortal: list[StorageNode]) -> None:
    """Crashes, stalls and partitions until some time, and none after it."""
    world, everyone = city.world, [one.node for one in city.nodes.values()]
    nodes = [one.node for one in mortal]
    now_and_then(
        world, (2000, 9000), until_ms, lambda: crash_one(world, nodes, down_ms=(200, 5000))
    )
    now_and_then(
        world, (4000, 20_000), until_ms, lambda: stall_one(world, nodes, for_ms=(500, 9000))
    )
    now_and_then(
        world,
        (9000, 40_000),
        until_ms,
        lambda: part_some(world, city.links, everyone, for_ms=(500, 9000)),
    )


@pytest.mark.parametrize("hundred", range(10))
def test_all_get_everything_though_some_lie_stall_and_crash(hundred: int) -> None:
    for seed in seeds(100):
        city = city_of(100 * hundred + seed, SMALL)
        city.add("seed", 1, held=24)
        city.add("liar", 1, Nature.LIAR)
        city.add("staller", 1, Nature.STALLER)
        leechers = city.add("leecher", 3, wants=True)
        trouble(city, 20_000, leechers)

        city.world.run(300_000)

        city.check()
        for one in leechers:
            city.world.require(one.is_done, f"{one.node.name} has {one.bitfield.held} blocks")
            city.world.require(one.banned <= {"liar0"}, "an honest provider is banned")


def failures_of(
    seed: int, error: type[Exception], *, liars: int = 0, stallers: int = 0, held: int = 0
) -> None:
    """Runs a city that has nothing true to give, or not all of it; no user tries again."""
    city = city_of(seed, SMALL, loss_percent=0)
    city.add("liar", liars, Nature.LIAR)
    city.add("staller", stallers, Nature.STALLER)
    city.add("part", 1 if held else 0, held=held)
    leechers = city.add("leecher", 4, wants=True)
    for one in leechers:
        one.tries_again = False

    city.world.run(300_000)

    city.check()
    for one in leechers:
        kinds = [type(failure) for failure in one.failures]
        city.world.require(kinds == [error], f"{one.node.name}: {kinds}")
        city.world.require(one.bitfield.held == held, f"{one.node.name} has {one.bitfield.held}")


def test_liars_alone_end_in_bad_data_and_nothing_is_kept() -> None:
    for seed in seeds(50):
        failures_of(seed, BadDataError, liars=4)


def test_stallers_alone_end_in_unreachable() -> None:
    for seed in seeds(50):
        failures_of(seed, ProvidersUnreachableError, stallers=4, liars=1)


def test_what_no_node_holds_leaves_no_providers() -> None:
    for seed in seeds(50):
        failures_of(seed, NoProvidersError, held=12)


def test_a_hundred_nodes_for_ten_minutes() -> None:
    city = city_of(1, LARGE)
    city.add("seed", 2, held=240)
    city.add("liar", 8, Nature.LIAR)
    city.add("staller", 6, Nature.STALLER)
    leechers = city.add("leecher", 84, wants=True, within_ms=480_000)
    trouble(city, 540_000, leechers[:40])

    city.world.run(600_000)

    city.check()
    for one in leechers:
        city.world.require(one.is_done, f"{one.node.name} has {one.bitfield.held} blocks")
