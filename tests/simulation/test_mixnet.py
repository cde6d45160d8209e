"""Mixnet nodes that find, ban, gossip and announce, under every fault at once, on virtual time.

Nodes crash and come back with what was durable, stall, run out of disk and have their clocks set
by a day; connections break, dials cross and are lost, and parts of the network are cut off. What
must hold at any moment is checked in mixnet_mesh.py; when the faults are over, every node is
connected as it should be and announces what it has promised to.
"""

from collections.abc import Callable

import pytest

from logos_mixnet.core.addresses import Address
from logos_simulation.faults import now_and_then, part_some
from logos_simulation.links import Links, Weather
from logos_simulation.world import World, seeds
from mixnet_host import Network
from mixnet_mesh import MixnetNode

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(900)]

TROUBLE_MS = 28_000
MAX_FAULT_MS = 10_000
CALM_MS = 250_000
REPUBLISHED_MS = 1_300_000
DAY_MS = 24 * 3600 * 1000
NODES = 5
KEYS = [b"key%d" % number for number in range(10)]


class Mesh:
    """Nodes that know the first of them, or the first two; and what goes wrong there."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.chance = self.world.chance
        loss = self.chance.below(8)
        self.links = Links(self.world, Weather(loss_percent=loss))
        self.nodes: list[MixnetNode] = []
        network = Network(self.world, self.links, {})
        known = [f"/ip4/10.0.0.{number}/tcp/4000" for number in range(1 + self.chance.below(2))]
        for number in range(NODES):
            bootstrap = [
                Address(known[at], f"node{at}" if self.chance.hits(50) else None)
                for at in range(len(known))
                if at != number
            ]
            if self.chance.hits(1):
                bootstrap += [Address(f"/ip4/10.8.0.{at}/tcp/4000") for at in range(18)]
            node = MixnetNode(network, number, bootstrap, 1 + self.chance.below(NODES))
            network.owners[node.name] = node
            self.nodes.append(node)
            self.world.after(self.chance.below(3000), node.node.start)

    def with_one(self, does: Callable[[MixnetNode], None]) -> Callable[[], None]:
        """Returns what does something to a node that is up, if the one picked is."""

        def act() -> None:
            node = self.chance.pick(self.nodes)
            if node.node.is_up:
                does(node)

        return act

    def run(self, until_ms: int) -> None:
        """Has all of it happen for a while, and then no fault any more."""
        self.trouble()
        self.world.after(TROUBLE_MS + MAX_FAULT_MS, self.end_trouble)
        self.world.run(until_ms)

    def trouble(self) -> None:
        """Faults of every kind, for a while."""
        faults = (
            (6000, self.crash),
            (12_000, lambda node: node.stall(self.chance.between(100, 9000))),
            (15_000, self.fill_disk),
            (8000, self.break_connection),
            (20_000, lambda node: node.node.jump(self.chance.pick((-DAY_MS, DAY_MS)))),
        )
        for pause_ms, fault in faults:
            now_and_then(
                self.world, (pause_ms // 2, pause_ms * 2), TROUBLE_MS, self.with_one(fault)
            )
        now_and_then(self.world, (10_000, 40_000), TROUBLE_MS, self.part)
        now_and_then(self.world, (200, 2500), TROUBLE_MS, self.with_one(self.use))

    def crash(self, node: MixnetNode) -> None:
        node.crash()
        self.world.after(self.chance.between(100, 5000), node.node.start)

    def fill_disk(self, node: MixnetNode) -> None:
        disk = node.node.disk
        disk.is_full = True
        self.world.after(self.chance.between(500, 10_000), lambda: setattr(disk, "is_full", False))

    def break_connection(self, node: MixnetNode) -> None:
        for first, *_ in list(node.host.connections.values())[:1]:
            node.host.tell_end(first)
            node.host.drop(first, "reset")

    def part(self) -> None:
        nodes = [node.node for node in self.nodes]
        part_some(self.world, self.links, nodes, for_ms=(2000, MAX_FAULT_MS))
        for node in self.nodes if self.chance.hits(80) else ():
            if node.node.is_up:
                node.host.end_parted()

    def use(self, node: MixnetNode) -> None:
        """One of the things that users do."""
        chance = self.chance
        other = chance.pick([each for each in self.nodes if each is not node])
        key = chance.pick(KEYS)
        uses: tuple[tuple[int, Callable[[], None]], ...] = (
            (4, lambda: node.ban(other.name, chance.pick((None, 1000, 10_000, 40_000)))),
            (1, lambda: node.unban(other.name)),
            (3, lambda: node.connect(other.address(chance.pick((None, other.name))))),
            (1, lambda: node.disconnect(other.name)),
            (1, lambda: node.ping(other.name)),
            (4, lambda: node.advertise(key, chance.pick((20_000, DAY_MS)))),
            (3, lambda: node.withdraw(key)),
            (1, node.subscribe),
            (6, lambda: node.publish(b"%d" % self.world.now_ms)),
        )
        chance.pick([use for weight, use in uses for _ in range(weight)])()

    def end_trouble(self) -> None:
        """Ends what would not end by itself: weather, full disks, bans without an end or a day."""
        self.links.weather = Weather()
        for node in self.nodes:
            node.node.start()
            node.node.disk.is_full = False
            for peer in list(node.host.blocked):
                until_ms = node.banned.get(peer)
                if until_ms is None or until_ms > node.clock_ms() + TROUBLE_MS:
                    node.unban(peer)


@pytest.mark.parametrize("hundred", range(10))
def test_all_find_each_other_and_every_promise_is_kept(hundred: int) -> None:
    for seed in seeds(100):
        mesh = Mesh(100 * hundred + seed)
        mesh.run(CALM_MS)

        for node in mesh.nodes:
            node.check_calm()


def test_what_is_advertised_is_announced_again_in_time() -> None:
    for seed in seeds(50):
        mesh = Mesh(seed)
        mesh.run(REPUBLISHED_MS)

        for node in mesh.nodes:
            node.check_calm()
