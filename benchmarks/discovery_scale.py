"""Capability discovery as networks grow: what each node pays, and what it finds for it.

The product's machines on virtual time (`tests/simulation/discovery_nodes.py`): seconds are the
network's and not this machine's, signatures and bytes are real. Two networks of each size:

- Profile `local`: all nodes offer one service and watch it, each begun with eight addresses.
  When each knows 30, and nine of ten of all; what each has asked and sent after a minute, and
  how evenly registrars are asked.
- Profile `public`: one node of ten is honest, has a network of its own and is a registrar. The
  others are Sybils of one /24 (D4). What the honest ones find after five minutes.

Ratios are to the smallest network of the run: what a node pays must not grow with the network.

    python -m benchmarks.discovery_scale --nodes 20 50 200 1000
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.report import Figure, arguments, publish, say

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "simulation"))

from discovery_nodes import DiscoveryNode, Network, known_signatures
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.profiles import LOCAL, PUBLIC, Profile
from logos_mixnet.core.capability.records import SignedRecord
from logos_simulation.links import Links, Weather
from logos_simulation.world import World

MINUTE_MS: Final = 60_000
PATIENCE_MS: Final = 240_000
"""No watch knows a peer for longer that it does not find again (DIS-27)."""
SYBILS_AT_MS: Final = 300_000
LOOK_UP_MS: Final = 30_000
MOST: Final = 0.9
HONEST_OF: Final = 10
"""One of so many nodes is honest in the network with Sybils."""
LEAST_HONEST: Final = 5


@dataclass(frozen=True, slots=True)
class Pools:
    """What a network of watching nodes has done."""

    wanted_s: float
    """When each knew 30, or all if there are fewer; infinite if that was not awaited."""
    most_s: float
    """When each knew nine of ten of the others."""
    known: float
    """The part of the others that a node knows after a minute, on average."""
    requests: float
    """Of each node in the first minute."""
    sent_bytes: float
    busiest: float
    """Requests to the registrar that is asked most, as a multiple of the mean."""
    gini: float
    processor_s: float
    """Of the simulation's first minute."""


def network(profile: Profile) -> Network:
    """A world with a little loss."""
    world = World(1)
    return Network(world, Links(world, Weather(loss_percent=1)), profile)


def start(nodes: Sequence[DiscoveryNode]) -> None:
    """Starts them within five seconds."""
    for node in nodes:
        world = node.network.world
        world.after(world.chance.below(5_000), node.node.start)


def gini(loads: Sequence[int]) -> float:
    """0 where all have the same load, near 1 where one has all of it."""
    ordered, total = sorted(loads), sum(loads)
    weighted = sum(place * load for place, load in enumerate(ordered, start=1))
    return 2 * weighted / (len(ordered) * total) - (len(ordered) + 1) / len(ordered)


def seconds_until(nodes: Sequence[DiscoveryNode], count: float, patience_ms: int) -> float:
    """Runs until each node knows so many; returns the second, infinite if patience ends first."""
    world = nodes[0].network.world
    while min(len(node.found()) for node in nodes) < count:
        if world.now_ms >= patience_ms:
            return float("inf")
        world.run(world.now_ms // 1000 * 1000 + 1000)
    return world.now_ms / 1000


def pools(count: int, patience_ms: int) -> Pools:
    """Runs a network that watches itself."""
    pool = network(LOCAL)
    nodes = [pool.add(f"10.1.{at // 250}.{at % 250 + 1}") for at in range(count)]
    for node in nodes:
        node.watched = [node.service]
    start(nodes)
    others, begun = count - 1, time.process_time()
    wanted_s = seconds_until(nodes, min(LOCAL.wanted, others), MINUTE_MS)
    most_s = seconds_until(nodes, MOST * others, MINUTE_MS)
    pool.world.run(MINUTE_MS)
    processor_s = time.process_time() - begun
    loads, mean = [node.served for node in nodes], sum(node.served for node in nodes) / count
    known = sum(len(node.found()) for node in nodes) / count / others
    requests = sum(node.asked for node in nodes) / count
    sent_bytes = sum(node.sent_bytes for node in nodes) / count
    if most_s == float("inf"):
        most_s = seconds_until(nodes, MOST * others, patience_ms)
    return Pools(
        wanted_s,
        most_s,
        known,
        requests,
        sent_bytes,
        max(loads) / mean,
        gini(loads),
        processor_s,
    )


def honest_share(count: int) -> float:
    """Returns the part of the honest in what they find, with nine Sybils for each of them."""
    pool = network(PUBLIC)
    honest = [
        pool.add(f"{20 * (at % 9) + 23}.{at // 250 + 1}.{at % 250}.7")
        for at in range(count // HONEST_OF)
    ]
    sybils = [
        pool.add(f"66.77.88.{at % 250 + 1}", is_registrar=False, contacts=len(honest))
        for at in range(count - len(honest))
    ]
    start([*honest, *sybils])
    found: dict[PeerId, set[PeerId]] = {}

    def take(asking: PeerId, records: tuple[SignedRecord, ...]) -> None:
        found[asking] = {each.record.peer_id for each in records}

    pool.world.run(SYBILS_AT_MS)
    for node in honest:
        node.look_up(partial(take, node.peer.peer_id))
    pool.world.run(SYBILS_AT_MS + LOOK_UP_MS)
    good = {node.peer.peer_id for node in honest}
    return sum(len(each & good) for each in found.values()) / sum(map(len, found.values()))


def figures_of(count: int, run: Pools, least: Pools, of: int) -> Iterator[Figure]:
    """The figures of one size, beside those of the smallest."""
    to = f"{of} nodes"
    wanted = min(LOCAL.wanted, count - 1)
    yield Figure(f"{count} nodes: each knows {wanted}", run.wanted_s, "s")
    yield Figure(f"{count} nodes: each knows 90 % of all", run.most_s, "s")
    yield Figure(f"{count} nodes: part that is known after a minute", run.known, "")
    for what, value, yardstick, unit in (
        ("requests of each in a minute", run.requests, least.requests, ""),
        ("sent by each", run.sent_bytes / 1024, least.sent_bytes / 1024, "KiB"),
    ):
        yield Figure(f"{count} nodes: {what}", value, unit, ratio=value / yardstick, yardstick=to)
    yield Figure(f"{count} nodes: the busiest registrar to the mean", run.busiest, "")
    yield Figure(f"{count} nodes: Gini of the registrars' load", run.gini, "")
    each_ms, least_ms = run.processor_s / count * 1000, least.processor_s / of * 1000
    yield Figure(
        f"{count} nodes: processor time of the simulation, each",
        each_ms,
        "ms",
        ratio=each_ms / least_ms,
        yardstick=to,
    )


def main() -> int:
    """Prints the figures."""
    parser = arguments(__doc__)
    parser.add_argument("--nodes", type=int, nargs="+", default=[20, 50, 200, 1000])
    parser.add_argument(
        "--patience", type=int, default=PATIENCE_MS // 1000, help="seconds to wait for 90 %%"
    )
    options = parser.parse_args()
    figures: list[Figure] = []
    least: Pools | None = None
    with known_signatures():
        for count in options.nodes:
            say(f"{count} nodes")
            run = pools(count, options.patience * 1000)
            least = least or run
            figures += figures_of(count, run, least, options.nodes[0])
            if count // HONEST_OF >= LEAST_HONEST:
                say(f"{count} nodes, nine of ten are Sybils")
                share = honest_share(count)
                figures.append(Figure(f"{count} nodes: honest part beside Sybils", share, ""))
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
