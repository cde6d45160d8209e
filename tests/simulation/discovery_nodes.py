"""Nodes that advertise and discover on virtual time: the machines of each.

Played: dials, streams that are lost or reset, and identify, by which nodes that talk learn where
the other listens. Signatures are real; they are Ed25519's, the faster ones of the two.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from ipaddress import IPv4Address
from itertools import count
from typing import ClassVar, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_mixnet.core.addresses import Address
from logos_mixnet.core.capability import advertiser, discoverer, watches
from logos_mixnet.core.capability.asks import Ask
from logos_mixnet.core.capability.budget import Budget
from logos_mixnet.core.capability.contacts import Contacts
from logos_mixnet.core.capability.distance import ServiceId, service_id_of
from logos_mixnet.core.capability.keys import PeerId, PublicKey
from logos_mixnet.core.capability.multiaddr import encode_address
from logos_mixnet.core.capability.profiles import Profile
from logos_mixnet.core.capability.records import ServiceInfo, SignedRecord, sign_record
from logos_mixnet.core.capability.registrar import Effect, Registrar, Rejected, Respond
from logos_mixnet.core.capability.wire import GetAdsResponse, Peer, encode_response
from logos_simulation.links import Links
from logos_simulation.node import Node, Run
from logos_simulation.world import World

ASK_TIMEOUT_MS: Final = 5_000
MIX: Final = "/mix/1.0.0"

Reply = Callable[[bytes | None], None]
Found = Callable[[tuple[SignedRecord, ...]], None]


class Ed25519Signer:
    """An identity that follows from a number."""

    made: ClassVar[set[tuple[PublicKey, bytes, bytes]]] = set()
    """What all of them have signed: `known_signatures`."""

    def __init__(self, number: int) -> None:
        secret = hashlib.sha256(b"node%d" % number).digest()
        self._key = Ed25519PrivateKey.from_private_bytes(secret)

    @cached_property
    def public_key(self) -> PublicKey:
        raw = self._key.public_key().public_bytes_raw()
        return PublicKey(bytes.fromhex("08011220") + raw)

    def sign(self, message: bytes) -> bytes:
        signature = self._key.sign(message)
        self.made.add((self.public_key, message, signature))
        return signature


@contextmanager
def known_signatures() -> Iterator[None]:
    """Verifies no signature that a node of the simulation has made, and each other one once.

    Whether a signature is valid depends on nothing but itself, and what is made is valid.
    """
    made, verify = Ed25519Signer.made, lru_cache(1 << 16)(PublicKey.has_signed)

    def has_signed(key: PublicKey, message: bytes, signature: bytes) -> bool:
        return (key, message, signature) in made or verify(key, message, signature)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PublicKey, "has_signed", has_signed)
        yield
    made.clear()


@dataclass
class Network:
    """What the nodes share."""

    world: World
    links: Links
    profile: Profile
    nodes: "dict[PeerId, DiscoveryNode]" = field(default_factory=dict)
    budget: Callable[[], Budget] | None = None
    """Of each registrar (DIS-22); None: it serves all."""

    def add(self, ip: str, service: str = MIX, **options: object) -> "DiscoveryNode":
        node = DiscoveryNode(self, len(self.nodes), ip, service, **options)  # type: ignore[arg-type]
        self.nodes[node.peer.peer_id] = node
        return node


class DiscoveryNode:
    """A node that advertises one service."""

    def __init__(
        self,
        network: Network,
        number: int,
        ip: str,
        service: str,
        *,
        claims: str | None = None,
        is_registrar: bool = True,
        contacts: int = 8,
    ) -> None:
        self.network = network
        self.ip = IPv4Address(ip)
        self.service = service
        self.service_id = service_id_of(service)
        self.is_registrar = is_registrar
        self.node = Node(network.world, f"node{number}", self._boot)
        self._known = contacts
        self._signer = Ed25519Signer(number)
        address = encode_address(Address(f"/ip4/{claims or ip}/tcp/4000"))
        self.record = sign_record(self._signer, 1, [address], [ServiceInfo(service, bytes(32))])
        self.peer = Peer(self._signer.public_key.peer_id, (address,))
        self.served = 0
        self.unserved = 0
        """Requests that were beyond its budget."""
        self._budget = network.budget and network.budget()
        self.sent_bytes = 0
        """Of requests and responses; frames, streams and handshakes are more."""
        self.queries = 0
        self.lies: Callable[[], GetAdsResponse] | None = None
        """What a hostile registrar answers to whatever it is asked."""
        self.rejected: list[str] = []
        self.is_offering = True
        self.watched: list[str] = []
        self.pools: dict[ServiceId, tuple[SignedRecord, ...]] = {}
        self.asked = 0

    def _boot(self, node: Node) -> None:
        own, profile, chance = self.peer.peer_id, self.network.profile, node.world.chance
        self.contacts = Contacts()
        others = [each for each in self.network.nodes.values() if each.is_registrar]
        for _ in range(self._known):
            other = chance.pick(others)
            if other is not self:
                self.contacts.met(other.peer)
        self._numbers = count()
        self._replies: dict[int, Reply] = {}
        self.registrar = Registrar(self._signer, profile, self.contacts, chance)
        self.advertiser = advertiser.Advertiser(own, profile, self.contacts, chance)
        cache = self.registrar.cache
        self.discoverer = discoverer.Discoverer(own, profile, self.contacts, chance, cache)
        self._registrar = Run[Effect](node, self.registrar, self._respond)
        self._advertiser = Run[advertiser.Effect](node, self.advertiser, self._register)
        self._discoverer = Run[discoverer.Effect](node, self.discoverer, self._query)
        self.watches = watches.Watches(profile, chance)
        self._watches = Run[watches.Effect](node, self.watches, self._watch)
        self.pools = {}
        if self.is_offering:
            self._advertiser.put(self.advertiser.advertise, self.service_id, self.record)
        for service in self.watched:
            self._watches.put(self.watches.watch, service_id_of(service))

    def look_up(self, found: Found, service_id: ServiceId | None = None) -> None:
        """Looks for a service, or for its own."""

        def done(outcome: object) -> None:
            assert isinstance(outcome, tuple), outcome
            found(outcome)

        self._discoverer.ask(done, self.discoverer.look_up, service_id or self.service_id)

    def found(self, service_id: ServiceId | None = None) -> set[PeerId]:
        """Whom it knows by its watches: of one service, or of all."""
        lists = self.pools.values() if service_id is None else [self.pools.get(service_id, ())]
        return {each.record.peer_id for records in lists for each in records}

    def serve(self, sender: "DiscoveryNode", message: bytes, reply: Reply) -> None:
        """Takes a request from the connection of a peer."""
        now_ms = self.network.world.now_ms
        if self._budget is not None and not self._budget.take(sender.peer.peer_id, now_ms):
            self.unserved += 1
            reply(None)
            return
        self.served += 1
        if not self.is_registrar:
            reply(None)
            return
        if self.lies is not None:
            reply(encode_response(self.lies()))
            return
        number = next(self._numbers)
        self._replies[number] = reply
        peer_id = sender.peer.peer_id
        self._registrar.put(self.registrar.requested, number, peer_id, sender.ip, message)
        self._met(sender)

    def _met(self, other: "DiscoveryNode") -> None:
        if other.is_registrar and other.peer.peer_id not in self.contacts:
            self.contacts.met(other.peer)
            self._advertiser.put(self.advertiser.met, other.peer)

    def _respond(self, effect: Effect) -> None:
        match effect:
            case Respond(request, message):
                self._replies.pop(request)(message)
            case Rejected(reason):
                self.rejected.append(reason)
            case _:
                self._replies.pop(effect.request)(None)

    def _register(self, effect: advertiser.Effect) -> None:
        if isinstance(effect, Ask):
            run, machine = self._advertiser, self.advertiser
            self._ask(
                effect,
                partial(run.put, machine.answered, effect.number),
                partial(run.put, machine.unanswered, effect.number),
            )

    def _query(self, effect: discoverer.Effect) -> None:
        if isinstance(effect, Ask):
            self.queries += 1
            run, machine = self._discoverer, self.discoverer
            self._ask(
                effect,
                partial(run.put, machine.answered, effect.number),
                partial(run.put, machine.unanswered, effect.number),
            )

    def _watch(self, effect: watches.Effect) -> None:
        match effect:
            case watches.LookUp(service_id):
                self._discoverer.ask(
                    partial(self._found, service_id), self.discoverer.look_up, service_id
                )
            case watches.Changed(service_id, records):
                self.pools[service_id] = records

    def _found(self, service_id: ServiceId, outcome: object) -> None:
        if isinstance(outcome, tuple):
            self._watches.put(self.watches.found, service_id, outcome)
        else:
            self._watches.put(self.watches.not_looked_up, service_id)

    def _ask(
        self, ask: Ask, answered: Callable[[bytes], None], unanswered: Callable[[], None]
    ) -> None:
        is_open = True
        self.asked += 1
        self.sent_bytes += len(ask.message)

        def end(message: bytes | None) -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                if message is None:
                    unanswered()
                else:
                    self._met(target)
                    answered(message)

        def reply(message: bytes | None) -> None:
            target.sent_bytes += len(message or b"")
            self.network.links.send(target.node, self.node, partial(end, message))

        self.node.after(ASK_TIMEOUT_MS, partial(end, None))
        target = self.network.nodes[ask.peer.peer_id]
        if target.peer.addresses == ask.peer.addresses:
            arrives = partial(target.serve, self, ask.message, reply)
            self.network.links.send(self.node, target.node, arrives)
