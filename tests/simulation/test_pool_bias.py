"""D5: paths through pools that discovery has made are as likely through one mix as another.

Rule: DIS-30.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import sqrt
from typing import Final

import pytest

from discovery_nodes import DiscoveryNode, Network, known_signatures
from logos_crypto import base58
from logos_mixnet.core.capability.profiles import LOCAL
from logos_mixnet.core.capability.wire import GetAdsResponse
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.sphinx.header import Hop
from logos_simulation.chance import Chance
from logos_simulation.links import Links, Weather
from logos_simulation.world import World, seeds

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(600)]

PATHS: Final = 10_000
LENGTH: Final = 3
NODES: Final = 24
SETTLED_MS: Final = 90_000
GONE_MS: Final = 2 * LOCAL.expiry_s * 1000 + 30_000
"""After that nobody knows of who has left: registrars let go of it, then the watches."""


@pytest.fixture(autouse=True, scope="module")
def signatures() -> Iterator[None]:
    with known_signatures():
        yield


def network(seed: int) -> Network:
    world = World(seed)
    return Network(world, Links(world, Weather(loss_percent=1)), LOCAL)


def join(pool: Network, count: int) -> list[DiscoveryNode]:
    """Mixes that watch for mixes, and start within five seconds."""
    begin = len(pool.nodes)
    nodes = [pool.add(f"10.1.0.{begin + at + 1}", contacts=4) for at in range(count)]
    for node in nodes:
        node.watched = [node.service]
        pool.world.after(pool.world.chance.below(5000), node.node.start)
    return nodes


def name(node: DiscoveryNode) -> str:
    return base58.encode(node.peer.peer_id)


def pool_of(node: DiscoveryNode) -> Pool:
    """What the mix makes of what discovery found."""
    pool = Pool()
    hop = Hop(bytes(32), bytes(94))
    pool.update(Mix(base58.encode(peer_id), hop) for peer_id in node.found())
    return pool


def drawn(nodes: Sequence[DiscoveryNode]) -> Counter[str]:
    """How often each mix is in 10,000 paths that all nodes draw."""
    chance, counts = Chance(5), Counter[str]()
    pools = [(name(node), pool_of(node)) for node in nodes]
    for at in range(PATHS):
        own, pool = pools[at % len(pools)]
        counts.update(mix.peer_id for mix in pool.path(LENGTH, chance, without=[own]))
    return counts


def excess(counts: Counter[str], mixes: Iterable[str]) -> float:
    """Chi-square against the uniform, as a multiple of what one of a thousand exceeds."""
    cells = set(mixes)
    assert counts.keys() <= cells
    mean, freedom = counts.total() / len(cells), len(cells) - 1
    chi_square = sum((counts[cell] - mean) ** 2 / mean for cell in cells)
    spread = 2 / (9 * freedom)  # Wilson and Hilferty
    critical = freedom * (1 - spread + 3.09 * sqrt(spread)) ** 3
    return chi_square / critical


@pytest.mark.parametrize("seed", seeds(1))
def test_d5_paths_are_uniform_also_after_churn(seed: int) -> None:
    pool = network(seed)
    nodes = join(pool, NODES)
    pool.world.run(SETTLED_MS)
    assert excess(drawn(nodes), map(name, nodes)) < 1

    for node in nodes[:6]:
        node.node.crash()
    stayed = [*nodes[6:], *join(pool, 6)]
    pool.world.run(pool.world.now_ms + GONE_MS)

    assert excess(drawn(stayed), map(name, stayed)) < 1


def liar(pool: Network, accomplices: Sequence[DiscoveryNode]) -> Callable[[], GetAdsResponse]:
    """What a registrar answers that admits nobody and names its accomplices only."""

    def lie() -> GetAdsResponse:
        named = [pool.world.chance.pick(accomplices).record.encoded for _ in range(10)]
        return GetAdsResponse(tuple(named), tuple(each.peer for each in accomplices))

    return lie


@pytest.mark.parametrize("seed", seeds(1))
def test_d5_one_hostile_registrar_of_five_draws_no_more_paths(seed: int) -> None:
    """They are mixes as well, and get their fifth. The control has each of them count twice, and
    must not pass."""
    pool = network(seed)
    honest, hostile = join(pool, NODES), join(pool, 6)
    for node in hostile:
        node.lies = liar(pool, hostile)

    pool.world.run(SETTLED_MS)

    counts, mixes = drawn(honest), [name(node) for node in (*honest, *hostile)]
    taken = sum(counts[name(node)] for node in hostile)
    assert taken / (PATHS * LENGTH) == pytest.approx(6 / 29, rel=0.03)
    # An honest node is in the paths of all others but not in its own.
    assert excess(fair(counts, honest, hostile), mixes) < 1
    doubled = Counter({mix: counts[mix] * (1 + (mix in mixes[NODES:])) for mix in mixes})
    assert excess(doubled, mixes) > 1


def fair(
    counts: Counter[str], honest: Sequence[DiscoveryNode], hostile: Sequence[DiscoveryNode]
) -> Counter[str]:
    """Counts as if the hostile, too, drew paths, in which each would not be itself."""
    own = len(honest) / (len(honest) - 1)
    scaled = Counter(counts)
    for node in honest:
        scaled[name(node)] = round(counts[name(node)] * own)
    return scaled


@pytest.mark.parametrize("seed", seeds(1))
def test_clocks_that_jump_by_an_hour_empty_no_pool_for_long(seed: int) -> None:
    """A clock that is set counts from the next start (NET-9): tickets are out of their window."""
    pool = network(seed)
    nodes = join(pool, 20)
    for node in nodes:
        node.node.jump(36_000_000)  # so that an hour before is a time, too
    pool.world.run(SETTLED_MS)
    for at, node in enumerate(nodes[:12]):
        node.node.crash()
        node.node.jump(3_600_000 if at % 2 else -3_600_000)
        pool.world.after(1000, node.node.start)

    pool.world.run(pool.world.now_ms + GONE_MS)

    everyone = {node.peer.peer_id for node in nodes}
    for node in nodes:
        assert node.found() == everyone - {node.peer.peer_id}
