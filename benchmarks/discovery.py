"""Capability discovery: how long pools take to form, what that costs, and what a request costs.

Real hosts on loopback, all in one process, of the profile for testnets; beyond that the product's
machines on virtual time, whose seconds are the network's and not this machine's. A request is
one that a registrar gets; the yardstick of its cost are the signature that is verified and the
one that is made for a ticket, by the same library alone.
"""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import lru_cache
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.report import Figure, arguments, publish, say

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "simulation"))
sys.path.insert(0, str(Path(__file__).parents[1] / "services" / "mixnet" / "tests"))

from capability_hosts import MIX, Pools, discovering
from mixnet_nodes import give_ports_back, own_ports

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
WATCHING: Final = 50
"""Nodes of a simulation that watch; all of them offer."""
ADDRESS: Final = bytes.fromhex("040a00000106fde8")
ROUNDS: Final = 300


async def pool_of_hosts(count: int) -> tuple[float, float]:
    """Returns after how many seconds all know all, and the requests of each node by then."""
    ports = own_ports(count)
    with TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            nodes = [
                await stack.enter_async_context(
                    discovering(Path(folder), port, *(ports[max(0, at - 4) : at] or ports[1:2]))
                )
                for at, port in enumerate(ports)
            ]
            pools, begun = Pools(), time.monotonic()
            for node in nodes:
                pools.watch(node)
                await node.network.capability.advertise(MIX, bytes(32))
            async with asyncio.timeout(PATIENCE_S):
                while pools.least() < count - 1:  # noqa: ASYNC110 - no event tells of it
                    await asyncio.sleep(0.05)
            took_s = time.monotonic() - begun
            asked = sum(node.network.capability.asking.asked for node in nodes) / count
            pools.close()
    give_ports_back()
    return took_s, asked


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


def main() -> int:
    """Prints the figures; exits with 1 if a bar was missed."""
    parser = arguments(__doc__)
    parser.add_argument("--hosts", type=int, nargs="*", default=[5, 20])
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
