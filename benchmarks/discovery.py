"""Capability discovery: how long pools take to form, what that costs, and what a request costs.

Real hosts on loopback, all in one process, of the profile for testnets; beyond that the product's
machines on virtual time, whose seconds are the network's and not this machine's. A request is
one that a registrar gets; the yardstick of its cost are the signature that is verified and the
one that is made for a ticket, by the same library alone.

Of 50 hosts one look-up returns 30 at most, so that some know each other late (DIS-27): there it is
asked what D3 asks, when 95 % of what five services offer, from 22 hosts down to 3, is known to ten
hosts that watch all five. A network that is not there after three minutes is reported as that.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.discovery_scale import gini
from benchmarks.report import Figure, arguments, publish, say

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "simulation"))
sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "mixnet" / "tests"))

from capability_hosts import MIX, Pools, discovering
from mixnet_nodes import RunningNode, give_ports_back, own_ports

from discovery_nodes import Ed25519Signer, Network
from logos_mixnet.core.capability.cache import CachedAdvertisement
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.keys import PublicKey, Secp256k1Signer
from logos_mixnet.core.capability.profiles import LOCAL
from logos_mixnet.core.capability.records import ServiceInfo, sign_record
from logos_mixnet.core.capability.registrar import Registrar
from logos_mixnet.core.capability.wire import GetAdsRequest, RegisterRequest, encode_request
from logos_simulation.chance import Chance
from logos_simulation.links import Links, Weather
from logos_simulation.world import World

BAR_S: Final = 60
"""Acceptance 6, for 20 nodes."""
PATIENCE_S: Final = 180
POPULARITY: Final = {
    "/service/1": 22,
    "/service/2": 11,
    "/service/3": 8,
    "/service/4": 6,
    "/service/5": 3,
}
"""The n-th service as popular as 1/n: 50 hosts."""
RAREST: Final = "/service/5"
WATCHING_OF: Final = 5
"""One host of so many watches all services."""
WATCHING: Final = 50
"""Nodes of a simulation that watch; all of them offer."""
ADDRESS: Final = bytes.fromhex("040a00000106fde8")
ROUNDS: Final = 300


@asynccontextmanager
async def hosts(count: int) -> AsyncIterator[Sequence[RunningNode]]:
    """Runs nodes, each begun with the addresses of up to four that were started before it."""
    ports = own_ports(count)
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(
                    discovering(Path(folder), port, *(ports[max(0, at - 4) : at] or ports[1:2]))
                )
                for at, port in enumerate(ports)
            ]
    give_ports_back()


async def seconds_until(is_so: Callable[[], bool]) -> float:
    """Returns when it was; infinite after three minutes."""
    begun = time.monotonic()
    while not is_so():
        if time.monotonic() - begun > PATIENCE_S:
            return float("inf")
        await asyncio.sleep(0.05)
    return time.monotonic() - begun


async def pool_of_hosts(count: int) -> tuple[float, float]:
    """Returns after how many seconds all know all, and the requests of each node by then."""
    async with hosts(count) as nodes:
        pools = Pools()
        for node in nodes:
            pools.watch(node)
            await node.network.capability.advertise(MIX, bytes(32))
        took_s = await seconds_until(lambda: pools.least() >= count - 1)
        asked = sum(node.network.capability.asking.asked for node in nodes) / count
        pools.close()
    return took_s, asked


@dataclass(frozen=True, slots=True)
class Rarities:
    """What D3 asks of real hosts."""

    took_s: float
    """When 95 % was known."""
    rarest_s: float
    """When each that watches knew all who offer the rarest service."""
    asked: float
    """Requests of each host by then."""
    gini: float
    """Of the requests that hosts were asked."""
    refused: int
    """Requests that registrars did not serve (DIS-22)."""


async def services_of_hosts() -> Rarities:
    """Runs 50 hosts with five services, of which ten watch all."""
    names = [name for name, hosts_of in POPULARITY.items() for _ in range(hosts_of)]
    known: dict[tuple[int, str], int] = {}
    async with hosts(len(names)) as nodes:
        with ExitStack() as watches:
            for at in range(0, len(nodes), WATCHING_OF):
                for name in POPULARITY:
                    watches.enter_context(
                        nodes[at].network.capability.watch(
                            name,
                            lambda found, at=at, name=name: known.update({(at, name): len(found)}),
                        )
                    )
            for node, name in zip(nodes, names, strict=True):
                await node.network.capability.advertise(name, bytes(32))
            watching = range(0, len(nodes), WATCHING_OF)
            wanted = 0.95 * len(watching) * (len(nodes) - 1)
            begun = time.monotonic()
            took_s = await seconds_until(lambda: sum(known.values()) >= wanted)
            await seconds_until(lambda: _is_known(known, names, RAREST, watching))
            rarest_s = time.monotonic() - begun
            cards = [node.network.capability for node in nodes]
            return Rarities(
                took_s,
                rarest_s,
                sum(each.asking.asked for each in cards) / len(cards),
                gini([each.registrar.answered for each in cards]),
                sum(each.registrar.refused.total() for each in cards),
            )


def _is_known(
    known: dict[tuple[int, str], int], names: Sequence[str], name: str, watching: range
) -> bool:
    return all(
        known.get((at, name), 0) >= names.count(name) - (names[at] == name) for at in watching
    )


def simulated(count: int) -> tuple[float, float, float]:
    """Returns the seconds until each watching node knows 30, the requests by then, and the
    part of all that one knows on average after a minute."""
    world = World(1)
    pool = Network(world, Links(world, Weather(loss_percent=1)), LOCAL)
    nodes = [pool.add(f"10.{at // 62500}.{at // 250 % 250}.{at % 250 + 1}") for at in range(count)]
    watching = nodes[:: count // WATCHING]
    for node in watching:
        node.watched = [node.service]
    for node in nodes:
        world.after(world.chance.below(3000), node.node.start)
    took_s = 0
    while min(len(node.found()) for node in watching) < LOCAL.wanted and took_s < PATIENCE_S:
        took_s += 1
        world.run(1000 * took_s)
    asked = sum(node.asked for node in watching) / len(watching)
    world.run(max(60_000, world.now_ms))
    known = sum(len(node.found()) for node in watching) / len(watching)
    return float(took_s), asked, known / (count - 1)


def microseconds(work: Callable[[int], Any]) -> float:
    """Median of the processor time of many calls."""
    times = []
    for at in range(ROUNDS):
        begun = time.thread_time_ns()
        work(at)
        times.append((time.thread_time_ns() - begun) / 1000)
    return median(times)


def request_costs() -> list[Figure]:
    """What a registrar with a fifth of its places taken spends on a request."""
    signers = [Secp256k1Signer((at + 1).to_bytes(32, "big")) for at in range(ROUNDS)]
    own, service_id = signers[0], service_id_of(MIX)
    registrar = Registrar(own, LOCAL, Contacts(), Chance(1))
    sender = signers[1].public_key.peer_id
    for at in range(200):
        record = sign_record(Ed25519Signer(at), 1, [ADDRESS], [ServiceInfo(MIX, bytes(32))])
        registrar.cache.put(CachedAdvertisement(service_id, record, None, 2**50))
    offered = [
        sign_record(each, 1, [ADDRESS], [ServiceInfo(MIX, bytes(32))]).encoded for each in signers
    ]
    registers = [encode_request(RegisterRequest(service_id, each)) for each in offered]
    query, now_ms = encode_request(GetAdsRequest(service_id)), 1_000_000_000

    def ask(message: bytes) -> object:
        return registrar.requested(1, sender, None, message, now_ms)

    message = bytes(200)
    signature = own.sign(message)
    signed = microseconds(
        lambda _: (own.sign(message), own.public_key.has_signed(message, signature))
    )
    yardstick = f"a signature made and one verified, {signed:,.0f} µs"
    register = microseconds(lambda at: ask(registers[at]))
    return [
        Figure(
            "REGISTER answered with a ticket",
            register,
            "µs",
            None,
            None,
            register / signed,
            yardstick,
        ),
        Figure("GET_ADS with ten of 200", microseconds(lambda _: ask(query)), "µs"),
        Figure("garbage", microseconds(lambda _: ask(message)), "µs"),
    ]


def figures_of(found: Rarities) -> list[Figure]:
    """The figures of D3."""
    return [
        Figure("50 hosts: 95 % of five services known", found.took_s, "s", at_most=BAR_S),
        Figure("50 hosts: the rarest service known to all", found.rarest_s, "s"),
        Figure("50 hosts: requests of each by then", found.asked, ""),
        Figure("50 hosts: Gini of the registrars' load", found.gini, ""),
        Figure("50 hosts: requests not served", float(found.refused), ""),
    ]


def main() -> int:
    """Prints the figures; exits with 1 if a bar was missed."""
    parser = arguments(__doc__)
    parser.add_argument("--hosts", type=int, nargs="*", default=[5, 20])
    parser.add_argument("--no-services", action="store_true", help="without D3's 50 real hosts")
    parser.add_argument("--simulated", type=int, nargs="*", default=[200, 1000])
    options = parser.parse_args()
    figures = request_costs()
    for count in options.hosts:
        say(f"{count} hosts")
        took_s, asked = asyncio.run(pool_of_hosts(count))
        figures += [
            Figure(
                f"{count} hosts: full pools", took_s, "s", at_most=BAR_S if count <= 20 else None
            ),
            Figure(f"{count} hosts: requests of each by then", asked, ""),
        ]
    if not options.no_services:
        say("50 hosts, five services")
        figures += figures_of(asyncio.run(services_of_hosts()))
    PublicKey.has_signed = lru_cache(1 << 20)(PublicKey.has_signed)  # type: ignore[method-assign]
    for count in options.simulated:
        say(f"{count} nodes on virtual time")
        took_s, asked, share = simulated(count)
        figures += [
            Figure(f"{count} nodes: pools of 30", took_s, "s"),
            Figure(f"{count} nodes: requests of each by then", asked, ""),
            Figure(f"{count} nodes: part of all that is known after a minute", share, ""),
        ]
    return publish(figures, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
