"""The libp2p hosts of a simulated network, as mixnet's machines see them.

Played: connections with dials that cross, refusals, half-open ends and identify; Kademlia's
searches; gossip that floods; announcements. A host lives as long as its process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from logos_mixnet.core.addresses import Address
from logos_mixnet.core.gossip import Verdict
from logos_mixnet.core.mailbox import Message
from logos_mixnet.core.peering import Direction
from logos_simulation.links import Links
from logos_simulation.node import Node
from logos_simulation.world import World

DIAL_TIMEOUT_MS: Final = 20_000
PROVIDE_TIMEOUT_MS: Final = 90_000
LATE_END_MS: Final = 10_000
"""After so long at the most an end of a connection notices that the other is gone."""

Dialled = Callable[[str | None, str | None], None]


class Owner(Protocol):
    """The node of a host: what it takes from it."""

    name: str
    transport: str
    node: Node
    host: "Host"

    def made(self, peer: str, address: str, direction: Direction) -> None: ...
    def lost(self, peer: str, remaining: int, reason: str) -> None: ...
    def identified(self, peer: str, addresses: list[str]) -> None: ...
    def pinged(self, peer: str, microseconds: int) -> None: ...
    def received(self, message: Message) -> None: ...
    def claims(self) -> list[str]:
        """Returns the addresses that it says are its own."""
        ...


@dataclass(frozen=True, eq=False)
class Connection:
    """Each end has it or has it no longer; they may differ for a while."""

    dialler: "Host"
    answerer: "Host"

    def other(self, end: "Host") -> "Host":
        return self.answerer if end is self.dialler else self.dialler


@dataclass(frozen=True)
class Network:
    """What the hosts share."""

    world: World
    links: Links
    owners: dict[str, Owner]

    def at(self, transport: str) -> Owner | None:
        return next((each for each in self.owners.values() if each.transport == transport), None)


class Host:
    """One host."""

    def __init__(self, network: Network, owner: Owner) -> None:
        self.connections: dict[str, list[Connection]] = {}
        self.blocked: set[str] = set()
        self.providing: set[bytes] = set()
        self.topics: set[str] = set()
        self._network = network
        self._chance = network.world.chance
        self._owner = owner
        self._node = owner.node
        self._seen: dict[bytes, Message] = {}
        self._met: set[str] = set()

    @property
    def is_alive(self) -> bool:
        return self._node.is_up and self._owner.host is self

    # -- connections -------------------------------------------------------------------------

    def dial(self, address: Address, done: Dialled) -> None:
        """Connects to the host at an address, if there is one; calls back once."""
        there = self._network.at(address.transport)
        is_over = False

        def end(peer: str | None, error: str | None) -> None:
            nonlocal is_over
            if not is_over and self.is_alive:
                is_over = True
                done(peer, error)

        self._node.after(DIAL_TIMEOUT_MS, lambda: end(None, "no answer"))
        if there is None or there is self._owner:
            if self._chance.hits(70):
                self._node.after(self._network.links.delay_ms(), lambda: end(None, "refused"))
            return

        def answered(connection: Connection | None) -> None:
            if connection is None:
                end(None, "refused")
            elif is_over or not self.is_alive or there.name in self.blocked:
                self.tell_end(connection)
                end(None, "denied")
            else:
                self._add(there.name, connection, address.transport, "outbound")
                end(there.name, None)

        def arrives() -> None:
            connection = there.host.answer(self, address.peer_id)
            self._network.links.send(
                there.node,
                self._node,
                lambda: answered(connection),
                lambda: connection and there.host.drop(connection, "reset"),
            )

        refused = self._chance.hits(50)
        self._network.links.send(
            self._node, there.node, arrives, (lambda: end(None, "refused")) if refused else None
        )

    def answer(self, dialler: "Host", peer_id: str | None) -> Connection | None:
        """Takes a connection from another host, unless it is refused."""
        name = dialler._owner.name
        if name in self.blocked or peer_id not in {None, self._owner.name}:
            return None
        connection = Connection(dialler, self)
        self._add(name, connection, f"{dialler._owner.transport}0", "inbound")
        return connection

    def drop(self, connection: Connection, reason: str) -> None:
        """Takes note at this end that a connection has ended. Idempotent."""
        name = connection.other(self)._owner.name
        ends = self.connections.get(name, [])
        if not self.is_alive or connection not in ends:
            return
        ends.remove(connection)
        if not ends:
            del self.connections[name]
        self._owner.lost(name, len(ends), reason)

    def disconnect(self, name: str) -> None:
        """Closes the connections to a peer, which learns of it later."""
        for connection in list(self.connections.get(name, [])):
            self.tell_end(connection)
            self.drop(connection, "closed")

    def block(self, name: str) -> None:
        self.blocked.add(name)
        self.disconnect(name)

    def end_parted(self) -> None:
        """Has connections over a cut end, as their pings time out."""
        for name, ends in list(self.connections.items()):
            if not self._network.links.are_joined(self._owner.name, name):
                for connection in list(ends):
                    self._node.after(
                        self._chance.below(LATE_END_MS),
                        lambda connection=connection: self.drop(connection, "timeout"),
                    )

    def die(self) -> None:
        """Has the other ends learn that this process is gone."""
        for ends in self.connections.values():
            for connection in ends:
                self.tell_end(connection)

    def ping(self, name: str) -> None:
        for connection in self.connections.get(name, [])[:1]:
            self._network.links.send(
                self._node,
                connection.other(self)._node,
                lambda: self._node.after(20, lambda: self._owner.pinged(name, 20_000)),
            )

    def _add(self, name: str, connection: Connection, address: str, direction: Direction) -> None:
        self.connections.setdefault(name, []).append(connection)
        self._owner.made(name, address, direction)
        claims = connection.other(self)._owner.claims()

        def identify() -> None:
            if self.is_alive and name in self.connections:
                self._owner.identified(name, claims)

        self._node.after(self._network.links.delay_ms(), identify)

    def tell_end(self, connection: Connection) -> None:
        other = connection.other(self)
        joined = self._network.links.are_joined(self._owner.name, other._owner.name)
        late_ms = self._network.links.delay_ms() if joined else self._chance.below(LATE_END_MS)
        other._node.after(late_ms, lambda: other.drop(connection, "reset"))

    # -- searches, announcements, gossip -----------------------------------------------------

    def search(self) -> None:
        """Asks every peer for its peers, and connects to them, as Kademlia does."""
        for ends in list(self.connections.values()):
            other = ends[0].other(self)
            self._network.links.send(self._node, other._node, lambda o=other: self._asks(o))

    def _asks(self, other: "Host") -> None:
        names = list(other.connections)
        self._network.links.send(other._node, self._node, lambda: self._meet(names))

    def _meet(self, names: list[str]) -> None:
        for name in names:
            known = name in self._met or name in self.connections or name in self.blocked
            if name != self._owner.name and not known and self.is_alive:
                self._met.add(name)
                address = Address(self._network.owners[name].transport, name)
                self.dial(address, lambda _peer, _error, name=name: self._met.discard(name))

    def provide(self, key: bytes, done: Callable[[str | None], None]) -> None:
        """Announces a key to the peers there are."""
        self.providing.add(key)
        weather = self._network.links.weather
        if self._chance.hits(weather.loss_percent):
            self._node.after(PROVIDE_TIMEOUT_MS, lambda: done("no answer"))
        else:
            late_ms = self._network.links.delay_ms()
            self._node.after(late_ms, lambda: done(None if self.connections else "no peers"))

    def publish(self, message: Message) -> None:
        self._seen[message.message_id] = message
        self._pass_on(message)

    def judge(self, message_id: bytes, verdict: Verdict) -> None:
        """Passes on a message that was accepted."""
        if verdict == "accept":
            self._pass_on(self._seen[message_id])

    def _pass_on(self, message: Message) -> None:
        copy = message._replace(from_peer_id=self._owner.name)
        for name, ends in self.connections.items():
            if name != message.from_peer_id:
                other = ends[0].other(self)
                self._network.links.send(self._node, other._node, lambda o=other: o.hear(copy))

    def hear(self, message: Message) -> None:
        """Takes a message from another host; the same bytes once."""
        wanted = self.is_alive and message.topic in self.topics
        if wanted and message.message_id not in self._seen:
            self._seen[message.message_id] = message
            self._owner.received(message)
