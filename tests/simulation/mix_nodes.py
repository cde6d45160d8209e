"""Mixes on virtual time: the product's senders, relays and pools, real packets, played links.

The network notes what an observer of all links sees, and beside it the truth: it knows all keys,
and follows each packet when it is sent. What must hold at any moment is checked at every delivery
and after every packet: nothing arrives twice or changed, each packet is accounted for, nothing
grows beyond its bound.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from itertools import count
from typing import Final

from logos_anonymity import model
from logos_anonymity.captures import Crossing
from logos_base.errors import LogosError
from logos_mixnet.core.mixing import relay as relays
from logos_mixnet.core.mixing import sender as senders
from logos_mixnet.core.mixing.cover import Law, Profile
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.mixing.relay import Deliver, Forward, Keep, KeyEpoch, PacketRelay
from logos_mixnet.core.mixing.sender import COVER_CODEC, Depart, Outgoing, Sender
from logos_mixnet.core.mixing.tags import TAG_BYTES
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES, HEADER_BYTES, PACKET_BYTES
from logos_mixnet.core.sphinx.header import Hop
from logos_mixnet.core.sphinx.message import MixMessage, unpad
from logos_mixnet.core.sphinx.packet import Exit, Relay, receive, unwrap
from logos_mixnet.core.sphinx.primitives import public_key
from logos_simulation.chance import Chance
from logos_simulation.links import Links, Weather
from logos_simulation.node import Node, Run
from logos_simulation.world import World

CODEC: Final = "/test/1.0.0"
TAGS: Final = "tags"
KEY_EPOCH: Final = 1
MAX_KEEP_MS: Final = 4
LATE_MS: Final = 15_000
WEATHER: Final = Weather(1, 20)


class Nature(Enum):
    """What a relay does with packets that it should pass on."""

    HONEST = auto()
    DROPS = auto()
    DELAYS = auto()
    REPLAYS = auto()
    TAGS = auto()
    """Marks payloads, to know them again."""
    FLOODS = auto()
    """Sends old packets, altered ones and junk to everybody, again and again."""


def law_of(profile: Profile) -> model.Law:
    """What everybody knows of a profile."""
    return model.Law(
        profile.mean_delay_ms,
        profile.mean_pause_ms,
        profile.hops,
        is_constant=profile.law is Law.CONSTANT,
    )


@dataclass
class Sent:
    """A message, as its user knows it."""

    given_ms: int
    sender: str
    receiver: str
    content: bytes
    redundancy: int
    packets: list[int] = field(default_factory=list)
    arrivals: int = 0
    refused: object = None


class MixNetwork:
    """What the nodes share, and what is noted of it."""

    def __init__(self, seed: int, profile: Profile, nodes: int, weather: Weather = WEATHER) -> None:
        self.world = World(seed)
        self.links = Links(self.world, weather)
        self.profile = profile
        self.nodes: list[MixNode] = []
        self.messages: list[Sent] = []
        self.capture: list[tuple[Crossing, int, int]] = []
        """With the number of the packet, and its hop."""
        self.lost = 0
        self.passes: Callable[[str, str], bool] = lambda _sender, _receiver: True
        """Whether links carry a packet."""
        self._numbers = count()
        self._tracks: dict[bytes, tuple[int, int]] = {}
        for number in range(nodes):
            self.nodes.append(MixNode(self, f"n{number}"))
        self.by_address = {node.mix.hop.address: node for node in self.nodes}
        for node in self.nodes:
            self.world.after(0, node.node.start)

    def named(self, name: str) -> "MixNode":
        """Returns a node."""
        return next(node for node in self.nodes if node.name == name)

    def message(self, at_ms: int, sender: str, receiver: str, redundancy: int = 1) -> Sent:
        """Has a node send a message at a time."""
        content = b"%d %s" % (len(self.messages), self.random_bytes(8).hex().encode())
        sent = Sent(at_ms, sender, receiver, content, redundancy)
        self.messages.append(sent)
        self.world.after(at_ms - self.world.now_ms, partial(self.named(sender).send, sent))
        return sent

    def random_bytes(self, size: int) -> bytes:
        """Draws bytes by the seed."""
        words = (self.world.chance.below(1 << 64) for _ in range(-(-size // 8)))
        return b"".join(word.to_bytes(8, "big") for word in words)[:size]

    def follow(self, depart: Depart) -> None:
        """Finds a packet's way, as only somebody with all keys can."""
        number, at, packet = next(self._numbers), depart.first_hop, depart.packet
        for hop in count(1):
            self._tracks[_name(packet)] = number, hop
            content = unwrap(receive(packet, self.by_address[at].private_key))
            if not isinstance(content, Relay):
                break
            at, packet = content.next_hop, content.packet
        assert isinstance(content, Exit)
        said = MixMessage.decode(unpad(content.message))
        if said.codec == CODEC:
            self.messages[int(said.body.split()[0])].packets.append(number)

    def carry(self, sender: "MixNode", address: bytes, packet: bytes) -> None:
        """Takes a packet to the next node, and notes its crossing."""
        receiver, sent_ms = self.by_address[address], self.world.now_ms

        def lose() -> None:
            self.lost += 1

        def arrive() -> None:
            arrived_ms = self.world.now_ms
            crossing = Crossing(sent_ms, arrived_ms, sender.name, receiver.name, len(packet))
            self.capture.append((crossing, *self._tracks.get(_name(packet), (-1, 0))))
            receiver.arrived(sender.name, packet)

        if self.passes(sender.name, receiver.name):
            self.links.send(sender.node, receiver.node, arrive, lose)
        else:
            lose()

    def run(self, until_ms: int) -> None:
        """Lets time pass."""
        self.world.run(until_ms)

    def delivered(self, message: Sent, content: bytes) -> None:
        """Checks that a message has arrived as it was sent, and not more often."""
        self.world.require(content == message.content, "a message arrived changed")
        message.arrivals += 1
        self.world.require(message.arrivals <= message.redundancy, "a message arrived again")

    def truth(self) -> model.Run:
        """Returns the capture with what only the network knows, of messages that have arrived."""
        ordered = sorted(self.capture, key=lambda each: each[0].sent_ms)
        places = {(packet, hop): place for place, (_, packet, hop) in enumerate(ordered)}
        found = []
        for sent in self.messages:
            if sent.arrivals and len(sent.packets) == 1:
                first, last = ((sent.packets[0], hop) for hop in (1, self.profile.hops))
                ends = places[first], places[last]
                found.append(model.Message(sent.given_ms, sent.sender, sent.receiver, *ends))
        return model.Run(
            law_of(self.profile),
            [crossing for crossing, _, _ in ordered],
            [hop for _, _, hop in ordered],
            [packet for _, packet, _ in ordered],
            found,
        )


class MixNode:
    """A mix: sender, relay, pool and disk."""

    def __init__(self, network: MixNetwork, name: str) -> None:
        self.network = network
        self.name = name
        self.nature = Nature.HONEST
        self.private_key = hashlib.sha256(name.encode()).digest()
        address = name.encode().ljust(ADDRESS_BYTES, b"\0")
        self.mix = Mix(name, Hop(public_key(self.private_key), address))
        self.node = Node(network.world, name, self._boot)
        self._past: list[tuple[bytes, bytes]] = []
        """What a hostile relay keeps: next hops and packets."""

    def _boot(self, node: Node) -> None:
        chance = node.world.chance
        key = KeyEpoch(KEY_EPOCH, self.private_key)
        for tag in node.disk.keys(TAGS):
            key.tags.add(tag.to_bytes(TAG_BYTES, "big"))
        self.pool = Pool()
        self.pool.update(other.mix for other in self.network.nodes)
        self.frames = 0
        self.relay = PacketRelay([key], chance, is_guarded=False)
        self.sender = Sender(
            self.mix,
            self.pool,
            self.network.profile,
            rng=chance,
            random_bytes=self.network.random_bytes,
            now_ms=node.now_ms,
        )
        self._relay_run = Run[relays.Effect](node, self.relay, self._relays)
        self._sender_run = Run[senders.Effect](node, self.sender, self._sends)
        if self.nature is Nature.FLOODS:
            node.after(1_000, self._flood)

    def send(self, sent: Sent) -> None:
        """Sends a message, if it is up."""
        if not self.node.is_up:
            return
        message = MixMessage(CODEC, sent.content).encode()
        mean_ms = self.network.profile.mean_delay_ms
        outgoing = Outgoing(message, sent.receiver, mean_ms, sent.redundancy)

        def done(outcome: object) -> None:
            if isinstance(outcome, LogosError):
                sent.refused = outcome

        self._sender_run.ask(done, self.sender.send, outgoing)

    def arrived(self, peer_id: str, frame: bytes) -> None:
        """Takes a packet from a link."""
        self.frames += 1
        self._relay_run.put(self.relay.arrived, peer_id, frame)
        self._check()

    def _check(self) -> None:
        """Every packet is somewhere, and nothing is larger than it may be."""
        relay, world = self.relay, self.network.world
        known = relay.forwarded + relay.delivered + relay.dropped.total() + relay.held
        world.require(known == self.frames, f"{self.name}: {known} of {self.frames} packets")
        world.require(relay.held <= relays.MAX_HELD, f"{self.name} holds {relay.held} packets")

    def _relays(self, effect: relays.Effect) -> None:
        match effect:
            case Keep():
                self._keep(effect)
            case Forward(next_hop, packet):
                self._forward(next_hop, packet)
            case Deliver(arrived):
                self._deliver(arrived)
            case _:
                raise AssertionError(effect)

    def _keep(self, keep: Keep) -> None:
        disk, report = self.node.disk, self._relay_run.put
        try:
            for tag in keep.tags:
                disk.write(TAGS, int.from_bytes(tag, "big"), True)  # noqa: FBT003 - a value
        except OSError as error:
            report(self.relay.not_kept, keep, str(error))
            return
        disk.sync(TAGS)
        wait_ms = self.network.world.chance.between(0, MAX_KEEP_MS)
        self.node.after(wait_ms, partial(report, self.relay.kept, keep))

    def _sends(self, effect: senders.Effect) -> None:
        assert isinstance(effect, Depart), effect
        self.network.follow(effect)
        self.network.carry(self, effect.first_hop, effect.packet)
        self._sender_run.report(self.sender.departed, effect.number)

    def _deliver(self, arrived: object) -> None:
        assert isinstance(arrived, Exit)
        said = MixMessage.decode(unpad(arrived.message))
        if said.codec == COVER_CODEC:
            self._sender_run.put(self.sender.came_back, said.body)
            return
        message = self.network.messages[int(said.body.split()[0])]
        self.network.world.require(message.receiver == self.name, "a message went astray")
        self.network.delivered(message, said.body)

    # -- what hostile relays do --------------------------------------------------------------

    def _forward(self, next_hop: bytes, packet: bytes) -> None:
        carry = partial(self.network.carry, self, next_hop)
        self._past.append((next_hop, packet))
        match self.nature:
            case Nature.HONEST | Nature.FLOODS:
                carry(packet)
            case Nature.DELAYS:
                self.node.after(LATE_MS, partial(carry, packet))
            case Nature.REPLAYS:
                for wait_ms in (0, 1, 5_000, LATE_MS):
                    self.node.after(wait_ms, partial(carry, packet))
            case Nature.TAGS:
                carry(packet[:-1] + bytes([packet[-1] ^ 1]))
            case Nature.DROPS:
                self.network.lost += 1

    def _flood(self) -> None:
        chance, network = self.network.world.chance, self.network
        for other in network.nodes:
            for _ in range(5 if other is not self else 0):
                junk = network.random_bytes(chance.pick((8, HEADER_BYTES, PACKET_BYTES)))
                network.carry(self, other.mix.hop.address, junk)
        for next_hop, packet in self._past[-20:]:
            at = chance.below(PACKET_BYTES)
            altered = packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]
            network.carry(self, next_hop, chance.pick((packet, altered)))
        self.node.after(500, self._flood)


def drops(nodes: Sequence[MixNode]) -> Counter[str]:
    """What the relays of nodes have dropped, by reason."""
    found: Counter[str] = Counter()
    for node in nodes:
        found += node.relay.dropped
    return found


def spread(
    chance: Chance, network: MixNetwork, every_ms: int, since_ms: int, until_ms: int
) -> None:
    """Has messages sent at even times, between nodes of chance."""
    for at_ms in range(since_ms, until_ms, every_ms):
        sender = chance.pick(network.nodes)
        receiver = chance.pick([node for node in network.nodes if node is not sender])
        network.message(at_ms, sender.name, receiver.name)


def _name(packet: bytes) -> bytes:
    """Alpha: no two packets have the same, and marks on payloads do not change it."""
    return packet[:32]
