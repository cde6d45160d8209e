"""Small worlds of chain nodes, and what goes wrong in them."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from chain_claims import digest, field
from chain_links import Network
from chain_nodes import ChainNode
from logos_chain.core.consensus.epochs import genesis_state
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_simulation.faults import crash_one, now_and_then, stall_one
from logos_simulation.links import Links, Weather
from logos_simulation.world import World

SMALL: Final = Parameters(
    "simulated",
    slot_ms=1000,
    activation=Fraction(1, 5),
    security_blocks=5,
    learning_rate=Fraction(1, 2),
    uncle_window_blocks=3,
    prolonged_bootstrap_ms=1000,
    offline_grace_ms=30_000,
)
"""Like `ci`, with a k that a short partition cannot reach: epochs of 250 slots."""
INTERVAL_MS: Final = 5000
"""Of blocks, on average."""
WEATHER: Final = Weather(min_delay_ms=20, max_delay_ms=400, loss_percent=2)


def note(world: World, number: int, value: int) -> LeaderNote:
    """A note whose id and key follow from the seed."""
    seed = f"{world.seed} {number}"
    return LeaderNote(field("note", seed), field("secret", seed), value)


def new_network(
    seed: int,
    stakes: Sequence[int],
    parameters: Parameters = SMALL,
    weather: Weather = WEATHER,
    *,
    copies_percent: float = 5,
) -> Network:
    """A network of a seed, with its notes and no node yet."""
    world = World(seed)
    notes = [note(world, number, value) for number, value in enumerate(stakes)]
    root = field("ledger", str(seed))
    state = genesis_state(root, field("nonce", str(seed)), sum(stakes))
    genesis = TreeBlock(BlockId(digest("genesis", str(seed))), BlockId(bytes(32)), 0, state, b"")
    links = Links(world, weather)
    return Network(world, links, parameters, genesis, notes, copies_percent=copies_percent)


def populate(
    network: Network, count: int | None = None, *, degree: int = 4, peers: int = 3
) -> list[ChainNode]:
    """Adds nodes, one for each note first, with neighbours and peers by chance; starts them."""
    chance, world = network.world.chance, network.world
    notes = network.notes
    nodes = [
        ChainNode(network, f"node{number}", notes[number : number + 1])
        for number in range(len(notes) if count is None else count)
    ]
    network.join(degree)
    for each in nodes:
        others = [one.name for one in nodes if one is not each]
        each.peers = [chance.pick(others) for _ in range(peers)]
        each.node.skew_ms = chance.between(-400, 400)
        world.after(chance.below(3000), each.node.start)
    return nodes


def part_briefly(network: Network, nodes: Sequence[ChainNode]) -> None:
    """Cuts some off until a side's chain has grown by k/2 blocks, or for 20 seconds."""
    world, links = network.world, network.links
    cut = [each.name for each in nodes if world.chance.hits(33)]
    height, until_ms = network.height(), world.now_ms + 20_000
    if any(not links.are_joined(nodes[0].name, each.name) for each in nodes):
        return  # one at a time
    links.part(cut)

    def look() -> None:
        is_deep = network.height() - height >= network.parameters.security_blocks // 2
        if is_deep or world.now_ms >= until_ms:
            links.heal(cut)
        else:
            world.after(250, look)

    look()


def set_a_clock(network: Network, nodes: Sequence[ChainNode]) -> None:
    """Moves a clock, by no more than honest clocks are off."""
    node, wanted = network.world.chance.pick(nodes).node, network.world.chance.between(-600, 600)
    node.jump(wanted - node.skew_ms)


def trouble(network: Network, nodes: Sequence[ChainNode], until_ms: int) -> None:
    """Crashes, stalls, brief partitions and moved clocks up to some time; then all are up."""
    world, each = network.world, [one.node for one in nodes]
    now_and_then(
        world, (2000, 8000), until_ms, lambda: crash_one(world, each, down_ms=(300, 50_000))
    )
    now_and_then(
        world, (4000, 20_000), until_ms, lambda: stall_one(world, each, for_ms=(500, 6000))
    )
    now_and_then(world, (5000, 30_000), until_ms, lambda: part_briefly(network, nodes))
    now_and_then(world, (5000, 20_000), until_ms, lambda: set_a_clock(network, nodes))

    def end() -> None:
        for one in each:
            one.start()

    world.after(until_ms + 1, end)


def run_to_one_tip(network: Network, within_ms: int, *, above: int = -1) -> int:
    """Lets time pass until all nodes have one tip, higher than a height; returns how long."""
    world, begun_ms = network.world, network.world.now_ms
    while len(network.tips()) > 1 or network.height() <= above:
        passed_ms = world.now_ms - begun_ms
        world.require(passed_ms < within_ms, f"{len(network.tips())} tips after {passed_ms} ms")
        world.run(world.now_ms + 250)
    return world.now_ms - begun_ms
