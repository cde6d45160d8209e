"""Small worlds of chain nodes, and what goes wrong in them."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from chain_claims import digest, field
from chain_nodes import ChainNode, Network
from logos_chain.core.consensus.epochs import genesis_state
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_simulation.links import Links, Weather
from logos_simulation.world import World

SMALL: Final = Parameters(
    "simulated",
    slot_ms=1000,
    activation=Fraction(1, 5),
    security_blocks=6,
    learning_rate=Fraction(1, 2),
    uncle_window_blocks=3,
    prolonged_bootstrap_ms=1000,
    offline_grace_ms=30_000,
)
"""Like `ci`, with a k that a short partition cannot reach: epochs of 300 slots."""
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
    # As in the product, the weather changes nothing in the past: each world has its own.
    links = Links(world, replace(weather))
    return Network(world, links, parameters, genesis, notes, copies_percent=copies_percent)


def populate(network: Network, *, degree: int = 4, peers: int = 3) -> list[ChainNode]:
    """Adds a node for each note, with neighbours and peers by chance, and starts them."""
    chance, world = network.world.chance, network.world
    nodes = [
        network.add(f"node{number}", [each]) for number, each in enumerate(network.notes)
    ]
    network.join(degree)
    for each in nodes:
        others = [one.name for one in nodes if one is not each]
        each.peers = [chance.pick(others) for _ in range(peers)]
        each.node.skew_ms = chance.between(-400, 400)
        world.after(chance.below(3000), each.node.start)
    return nodes
