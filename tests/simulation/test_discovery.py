"""Pools that form by discovery alone, and what Sybil advertisers of one network can do to them."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import pytest

from discovery_nodes import DiscoveryNode, Network, known_signatures
from logos_mixnet.core.capability.budget import Budget
from logos_mixnet.core.capability.distance import ServiceId, service_id_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.profiles import LOCAL, PUBLIC, Profile
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.core.capability.wire import GetAdsResponse
from logos_simulation.faults import crash_one, now_and_then
from logos_simulation.links import Links, Weather
from logos_simulation.world import World, seeds

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(900)]

LOOK_UP_MS: Final = 30_000


@pytest.fixture(autouse=True, scope="module")
def signatures() -> Iterator[None]:
    with known_signatures():
        yield


def network(seed: int, profile: Profile) -> Network:
    world = World(seed)
    return Network(world, Links(world, Weather(loss_percent=2)), profile)


def start(nodes: Iterable[DiscoveryNode], within_ms: int = 5000) -> None:
    for node in nodes:
        world = node.network.world
        world.after(world.chance.below(within_ms), node.node.start)


def look_ups(
    nodes: Sequence[DiscoveryNode], at_ms: int, service_id: ServiceId | None = None
) -> dict[PeerId, set[PeerId]]:
    """Whom each node finds in a look-up that begins at a time."""
    world = nodes[0].network.world
    found: dict[PeerId, set[PeerId]] = {}

    def take(asking: PeerId, records: tuple[SignedRecord, ...]) -> None:
        found[asking] = {each.record.peer_id for each in records}

    world.run(at_ms)
    for node in nodes:
        node.look_up(partial(take, node.peer.peer_id), service_id)
    world.run(at_ms + LOOK_UP_MS)
    return found


@pytest.mark.parametrize("seed", seeds(1))
def test_two_hundred_nodes_form_a_pool(seed: int) -> None:
    """Each knows eight others, and all are of one network. After 30 s everyone is found."""
    pool = network(seed, LOCAL)
    nodes = [pool.add(f"10.1.{number // 250}.{number % 250 + 1}") for number in range(200)]
    start(nodes)

    found = look_ups(nodes, 30_000)

    assert len(found) == len(nodes)
    assert min(map(len, found.values())) >= LOCAL.wanted - 1  # one of them may be itself
    assert len(set().union(*found.values())) == len(nodes)
    assert max(node.queries for node in nodes) <= 16 * LOCAL.queries
    assert not any(node.rejected for node in nodes)


@pytest.mark.parametrize("seed", seeds(3))
def test_a_pool_outlives_churn_and_forgets_who_left(seed: int) -> None:
    pool = network(seed, LOCAL)
    nodes = [pool.add(f"10.1.0.{number + 1}") for number in range(40)]
    start(nodes)
    world = pool.world
    leaving = nodes[30:]
    now_and_then(
        world,
        (2000, 6000),
        180_000,
        lambda: crash_one(world, [node.node for node in nodes[:30]], down_ms=(1000, 20_000)),
    )
    for node in leaving:
        world.after(100_000, node.node.crash)
    world.run(210_000)
    for node in nodes[:30]:
        node.node.start()

    found = look_ups(nodes[:30], 300_000)

    seen = set().union(*found.values())
    assert seen == {node.peer.peer_id for node in nodes[:30]}
    assert min(map(len, found.values())) >= 20
    for node in nodes[:30]:
        assert not node.rejected or set(node.rejected) <= {"TICKET_WINDOW", "TICKET_SIGNATURE"}


@pytest.mark.parametrize("seed", seeds(2))
def test_d3_rare_services_are_found_among_popular_ones(seed: int) -> None:
    """D3: 50 nodes, five services, the n-th as popular as 1/n; after 60 s all are found."""
    pool = network(seed, LOCAL)
    services = [f"/service/{number}" for number in range(1, 6)]
    popularity = [22, 11, 8, 6, 3]
    names = [name for name, count in zip(services, popularity, strict=True) for _ in range(count)]
    nodes = [pool.add(f"10.1.0.{at + 1}", name) for at, name in enumerate(names)]
    start(nodes)

    for name, count in zip(services, popularity, strict=True):
        for node in nodes:
            node.queries = 0
        service_id = service_id_of(name)
        found = look_ups(nodes, max(pool.world.now_ms, 60_000), service_id)

        offering = {node.peer.peer_id for node in nodes if node.service_id == service_id}
        assert set().union(*found.values()) == offering
        assert len(offering) == count
        least = min(len(each - {asking}) for asking, each in found.items())
        assert least >= 0.6 * count - 1
        assert max(node.queries for node in nodes) <= 16 * LOCAL.queries


HONEST: Final = 20
SYBILS: Final = 200


BEFORE_MS: Final = 300_000
"""No Sybil has waited out the similarity of its address: 882 s."""
AFTER_MS: Final = 1_100_000


def honest_shares(
    profile: Profile, *times_ms: int, subnet: str, lies: bool = False
) -> Iterator[float]:
    """Returns the share of honest nodes in what they find, beside ten times as many Sybils.

    The honest nodes are registrars, each in a network of its own. The Sybils are all in one /24
    and advertise like the others; those that lie claim addresses all over the world.
    """
    pool = network(1, profile)
    chance = pool.world.chance

    def anywhere() -> str:
        return f"{20 * chance.between(1, 9) + 3}.{chance.below(256)}.{chance.below(256)}.7"

    honest = [pool.add(anywhere()) for _ in range(HONEST)]
    sybils = [
        pool.add(
            f"{subnet}.{number % 250 + 1}",
            is_registrar=False,
            contacts=HONEST,
            claims=anywhere() if lies else None,
        )
        for number in range(SYBILS)
    ]
    start([*honest, *sybils])

    bad = {node.peer.peer_id for node in sybils}
    for at_ms in times_ms:
        found = look_ups(honest, at_ms)
        total = sum(map(len, found.values()))
        assert total >= HONEST * HONEST / 2
        yield 1 - sum(len(each & bad) for each in found.values()) / total


def test_d4_sybils_of_one_subnet_get_little() -> None:
    """DIS-20: they can be reached, so they are in one network by their records, too."""
    shares = list(honest_shares(PUBLIC, BEFORE_MS, AFTER_MS, subnet="66.77.88"))

    assert min(shares) >= 0.8, shares


def test_d4_sybils_that_lie_about_their_addresses_get_less_than_half() -> None:
    """What is left are registrars, which see where they come from."""
    shares = list(honest_shares(PUBLIC, BEFORE_MS, AFTER_MS, subnet="66.77.88", lies=True))

    assert min(shares) >= 0.55, shares


def test_d4_without_similarity_sybils_take_over() -> None:
    """The control: of private addresses there may be any number, and scores count nothing."""
    profile = replace(PUBLIC, ip_similarity_percent=0)

    (share,) = honest_shares(profile, BEFORE_MS, subnet="10.77.88")

    assert share <= 0.2


@pytest.mark.parametrize("seed", seeds(3))
def test_d5_hostile_registrars_do_not_take_over(seed: int) -> None:
    """One registrar of five admits nobody and names only its own: Sybils, and its accomplices.

    Each Sybil has a network of its own, so that nothing but the choice of registrars is in its way.
    """
    pool = network(seed, PUBLIC)
    chance = pool.world.chance
    ips = [f"{20 * chance.between(1, 9) + 3}.{chance.below(256)}.{at}.7" for at in range(150)]
    honest = [pool.add(ip) for ip in ips[:40]]
    hostile = [pool.add(ip) for ip in ips[40:50]]
    sybils = [pool.add(ip, is_registrar=False, contacts=0) for ip in ips[50:]]

    def lies() -> GetAdsResponse:
        named = [chance.pick(sybils).record.encoded for _ in range(10)]
        return GetAdsResponse(tuple(named), tuple(node.peer for node in hostile))

    for node in hostile:
        node.lies = lies
    start([*honest, *hostile])

    found = look_ups(honest, 600_000)

    bad = {node.peer.peer_id for node in (*hostile, *sybils)}
    share = 1 - sum(len(each & bad) for each in found.values()) / sum(map(len, found.values()))
    assert share >= 0.4, share


def gini(loads: Sequence[int]) -> float:
    """0 where all have the same load, near 1 where one has all of it."""
    ordered, total = sorted(loads), sum(loads)
    weighted = sum(place * load for place, load in enumerate(ordered, start=1))
    return 2 * weighted / (len(ordered) * total) - (len(ordered) + 1) / len(ordered)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", seeds(1))
def test_d3_most_can_be_discovered_within_a_minute(
    seed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """D3, DIS-29: as above; ten nodes watch all five services, and registrars share the load."""
    pool = network(seed, LOCAL)
    services = {f"/service/{rank}": count for rank, count in enumerate((22, 11, 8, 6, 3), start=1)}
    names = [name for name, count in services.items() for _ in range(count)]
    nodes = [pool.add(f"10.1.0.{at + 1}", name, contacts=4) for at, name in enumerate(names)]
    watching = nodes[::5]
    for node in watching:
        node.watched = list(services)
    start(nodes)

    wanted = len(watching) * (len(nodes) - 1)  # all but itself
    at_ms, share = 0, 0.0
    while share < 0.95 and at_ms < 120_000:
        at_ms += 1000
        pool.world.run(at_ms)
        share = sum(len(node.found()) for node in watching) / wanted
    load = gini([node.served for node in nodes])
    with capsys.disabled():
        sys.stdout.write(
            f"\nD3: 95 % after {at_ms / 1000:.0f} s, Gini of the registrars' load {load:.2f}\n"
        )

    assert at_ms <= 60_000
    assert load <= 0.5


@pytest.mark.parametrize("seed", seeds(1))
def test_registrars_that_do_not_serve_all_cost_nobody_a_peer(seed: int) -> None:
    """DIS-31: near the service they get more than they serve, and nothing is lost by that."""
    pool = network(seed, LOCAL)
    pool.budget = lambda: Budget(4, 16)
    nodes = [pool.add(f"10.1.0.{at + 1}") for at in range(50)]
    for node in nodes:
        node.watched = [node.service]
    start(nodes)
    pool.world.run(60_000)

    asked = sum(node.served + node.unserved for node in nodes)
    assert 0.02 * asked < sum(node.unserved for node in nodes) < 0.4 * asked
    assert min(len(node.found()) for node in nodes) >= LOCAL.wanted
