"""Mixnet nodes of a simulated world: the product's machines over hosts and disks that are played.

Beside each node stands what its user was promised by an answer, which must hold whatever
happens: bans, and keys that are announced or no longer are.
"""

from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final, Generic, Literal, TypeVar

from logos_base.machine import Answer, Machine, Refuse
from logos_mixnet.core import discovery, gossip, peering
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.advertisements import SMALL_NETWORK_REPUBLISH_MS
from logos_mixnet.core.dials import MAX_DIALS, Aims
from logos_mixnet.core.discovery import Discovery
from logos_mixnet.core.errors import StoreError, TooManyKeysError
from logos_mixnet.core.gossip import VERDICT_TIMEOUT_MS, Gossip, Reader, Verdict
from logos_mixnet.core.mailbox import Message
from logos_mixnet.core.peering import Direction, Peering
from logos_mixnet.net.clock import steady_unix_ms
from logos_simulation.node import Node, Run
from logos_simulation.world import World
from mixnet_host import Host, Network
from mixnet_memory_stores import MemoryAdvertisementStore, MemoryPeerStore

UNIX_MS: Final = 1_800_000_000_000
TOPIC: Final = "t"
JOURNAL: Final = "journal"
MAX_TICKS: Final = 60
"""Of one machine in a second: fewer than a livelock has, more than anything else."""
MAX_KEYS: Final = 8
MAX_HELD: Final = 6
REPUBLISH_SLACK_MS: Final = 5000

Effect = TypeVar("Effect")


def now(work: Coroutine[Any, Any, Any]) -> Any:
    """Returns what a call of a store in memory returns; it never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


class Store:
    """The stores of the product in memory, and on disk a journal of their transactions."""

    def __init__(self, node: Node) -> None:
        self.peers = MemoryPeerStore()
        self.keys = MemoryAdvertisementStore()
        self._disk = node.disk
        numbers = sorted(node.disk.keys(JOURNAL))
        self._numbers = count(numbers[-1] + 1 if numbers else 0)
        for number in numbers:
            table, call, args = node.disk.read(JOURNAL, number)  # type: ignore[misc]
            with suppress(TooManyKeysError):
                now(getattr(getattr(self, table), call)(*args[0], **args[1]))

    def change(self, table: Literal["peers", "keys"], call: str, *args: Any, **more: Any) -> Any:
        """Does one transaction, durable when this returns; returns what it returns.

        Raises:
            StoreError: The disk is full.
            TooManyKeysError: There would be more keys than are allowed.
        """
        try:
            self._disk.write(JOURNAL, next(self._numbers), (table, call, (args, more)))
        except OSError as error:
            raise StoreError(str(error)) from error
        self._disk.sync(JOURNAL)
        return now(getattr(getattr(self, table), call)(*args, **more))


class Counted(Generic[Effect]):
    """A machine that may not ask for ticks over and over."""

    def __init__(self, world: World, machine: Machine[Effect]) -> None:
        self.next_wake_ms = machine.next_wake_ms
        self._world = world
        self._machine = machine
        self._second = 0
        self._ticks = 0

    def tick(self, now_ms: int) -> Sequence[Effect | Answer | Refuse]:
        second = self._world.now_ms // 1000
        self._ticks = self._ticks + 1 if second == self._second else 1
        self._second = second
        self._world.require(self._ticks <= MAX_TICKS, "a machine wakes over and over")
        return self._machine.tick(now_ms)


class MixnetNode:
    """One node, and what its user was promised."""

    host: Host

    def __init__(
        self, network: Network, number: int, bootstrap: Sequence[Address], target: int
    ) -> None:
        self.name = f"node{number}"
        self.transport = f"/ip4/10.0.0.{number}/tcp/4000"
        self.bootstrap = bootstrap
        self.target = target
        self.banned: dict[str, int | None] = {}
        """Until when, by its own clock; None until it is unbanned."""
        self.advertised: dict[bytes, int] = {}
        self.withdrawn: set[bytes] = set()
        self.wishes: dict[object, int] = {}
        """The last question about a peer or a key: what an earlier one answers counts no more."""
        self._numbers = count(1)
        self._network = network
        self._world = network.world
        self._chance = network.world.chance
        self._awake_ms = 0
        self.node = Node(network.world, self.name, self._boot)
        self.node.skew_ms = UNIX_MS

    def _boot(self, node: Node) -> None:
        steady_ns: Callable[[], int] = lambda: self._world.now_ms * 1_000_000  # noqa: E731
        self.clock_ms = steady_unix_ms(lambda: node.now_ms * 1_000_000, steady_ns)
        self._forget_what_is_over()
        self.store = Store(node)
        self.host = Host(self._network, self)
        self.dialling: set[Address] = set()
        self.connecting = 0
        self.held: dict[bytes, int] = {}
        self.announced: dict[bytes, int] = {}
        """When a key was announced last in this life, in world time."""
        self.reader: Reader | None = None
        aims = Aims(self.name, self.bootstrap, self.target, 250, self.clock_ms())
        self.peering = Peering(aims, self._chance)
        self.gossip = Gossip(max_held=MAX_HELD)
        self.discovery = Discovery(self._chance, max_keys=MAX_KEYS)
        self.peering_run = self._run(self.peering, self._perform_peering)
        self.gossip_run = self._run(self.gossip, self._perform_gossip)
        self.discovery_run = self._run(self.discovery, self._perform_discovery)
        peers, bans = now(self.store.peers.load_peers()), now(self.store.peers.load_bans())
        self.peering_run.put(self.peering.loaded, peers, bans)
        self.peering_run.put(self.peering.listens_at, self.transport)
        self.subscribe()

    def _run(
        self, machine: Machine[Effect], perform: Callable[[Effect], int | None]
    ) -> Run[Effect]:
        return Run(self.node, Counted(self._world, machine), perform, self.clock_ms)

    # -- faults ------------------------------------------------------------------------------

    def crash(self) -> None:
        self.check_verdicts()
        self._forget_what_is_over()
        self.host.die()
        self.node.crash()

    def stall(self, for_ms: int) -> None:
        self._awake_ms = max(self._awake_ms, self._world.now_ms + for_ms)
        self.node.stall(for_ms)

    # -- what its user does ------------------------------------------------------------------

    def ban(self, peer: str, duration_ms: int | None) -> None:
        wish = self._wish(peer)
        self.banned.pop(peer, None)
        until_ms = None if duration_ms is None else self.clock_ms() + duration_ms

        def done(outcome: object) -> None:
            if self.wishes[peer] == wish and not isinstance(outcome, Exception):
                self.banned[peer] = until_ms
                still = self.is_banned(peer) and peer in self.host.connections
                self._world.require(not still, f"{self.name} bans {peer}, but is connected to it")

        self.peering_run.ask(done, self.peering.ban, peer, duration_ms, "")

    def unban(self, peer: str) -> None:
        self._wish(peer)
        self.banned.pop(peer, None)
        self.peering_run.ask(lambda _outcome: None, self.peering.unban, peer)

    def connect(self, address: Address) -> None:
        self.connecting += 1

        def done(_outcome: object) -> None:
            self.connecting -= 1

        self.peering_run.ask(done, self.peering.connect, address)

    def address(self, peer_id: str | None) -> Address:
        return Address(self.transport, peer_id)

    def disconnect(self, peer: str) -> None:
        self.peering_run.ask(lambda _outcome: None, self.peering.disconnect, peer)

    def ping(self, peer: str) -> None:
        self.peering_run.ask(lambda _outcome: None, self.peering.ping, peer)

    def advertise(self, key: bytes, ttl_ms: int) -> None:
        wish = self._wish(key)
        self.withdrawn.discard(key)
        self.advertised.pop(key, None)
        until_ms = self.clock_ms() + ttl_ms

        def done(outcome: object) -> None:
            if self.wishes[key] == wish and not isinstance(outcome, Exception):
                self.advertised[key] = until_ms

        self.discovery_run.ask(done, self.discovery.advertise, [key], ttl_ms)

    def withdraw(self, key: bytes) -> None:
        wish = self._wish(key)
        self.advertised.pop(key, None)

        def done(outcome: object) -> None:
            if self.wishes[key] == wish and not isinstance(outcome, Exception):
                self.withdrawn.add(key)
                self._world.require(key not in self.host.providing, "a withdrawn key is provided")

        self.discovery_run.ask(done, self.discovery.withdraw, [key])

    def subscribe(self) -> None:
        """Follows the topic, or ends to; mostly as its validator."""
        if self.reader is None:
            self.reader = Reader(TOPIC, self._chance.hits(80))
            self.gossip_run.ask(lambda _outcome: None, self.gossip.join, self.reader)
        else:
            self.gossip_run.put(self.gossip.leave, self.reader)
            self.reader = None

    def publish(self, data: bytes) -> None:
        self.host.publish(Message(TOPIC, gossip.message_id(data), data, self.name, 0))

    def _wish(self, about: object) -> int:
        self.wishes[about] = next(self._numbers)
        return self.wishes[about]

    # -- what must hold ----------------------------------------------------------------------

    def is_banned(self, peer: str | None) -> bool:
        """Returns whether a ban was answered, and is neither over nor taken back."""
        if peer not in self.banned:
            return False
        until_ms = self.banned[peer]
        return until_ms is None or self.clock_ms() < until_ms

    def check_verdicts(self) -> None:
        """No message is held past its deadline."""
        for since_ms in self.held.values():
            self._require_in_time(since_ms)

    def check_calm(self) -> None:
        """Connections, bans and announcements are as they must be a while after all faults."""
        require, machine, name = self._world.require, self.peering, self.name
        self.check_verdicts()
        require(set(machine.connected) == set(self.host.connections), f"{name} is mistaken")
        require(not self.host.blocked, f"{name} still blocks {self.host.blocked}")
        wanted = min(self.target, len(self._network.owners) - 1)
        connected = set(machine.connected)
        require(len(connected) >= wanted, f"{name} has {connected}, not {wanted} peers")
        at = {owner.transport: owner.name for owner in self._network.owners.values()}
        expected = {at.get(address.transport) for address in self.bootstrap} - {None, name}
        require(expected <= connected, f"{name} lacks a bootstrap peer of {expected}")
        self.check_announced()

    def check_announced(self) -> None:
        """Every key that was answered for is announced, and lately."""
        for key, until_ms in self.advertised.items():
            last_ms = self.announced.get(key)
            oldest_ms = self._world.now_ms - SMALL_NETWORK_REPUBLISH_MS - REPUBLISH_SLACK_MS
            is_late = last_ms is None or last_ms < oldest_ms
            is_over = until_ms <= self.clock_ms()
            self._world.require(is_over or not is_late, f"{self.name} does not announce {key!r}")

    def _forget_what_is_over(self) -> None:
        now_ms = self.clock_ms()
        over = [
            peer for peer, until in self.banned.items() if until is not None and until <= now_ms
        ]
        for peer in over:
            del self.banned[peer]
        self.advertised = {key: end for key, end in self.advertised.items() if end > now_ms}

    def _require_in_time(self, since_ms: int) -> None:
        latest_ms = max(since_ms + VERDICT_TIMEOUT_MS, self._awake_ms)
        self._world.require(self._world.now_ms <= latest_ms, f"{self.name}: a verdict is late")

    # -- events of the host ------------------------------------------------------------------

    def made(self, peer: str, address: str, direction: Direction) -> None:
        self._world.require(not self.is_banned(peer), f"{self.name} connects to banned {peer}")
        self.peering_run.put(self.peering.connection_made, peer, address, direction)

    def lost(self, peer: str, remaining: int, reason: str) -> None:
        self.peering_run.put(self.peering.connection_lost, peer, remaining, reason)

    def identified(self, peer: str, addresses: list[str]) -> None:
        self.peering_run.put(self.peering.identified, peer, "sim", ["/sim/1"], addresses)

    def pinged(self, peer: str, microseconds: int) -> None:
        self.peering_run.put(self.peering.pinged, peer, microseconds)

    def claims(self) -> list[str]:
        number = self.transport.split(".")[3].split("/")[0]
        dead, of_another = f"/ip4/10.9.9.{number}/tcp/4000", "/ip4/10.0.0.1/tcp/4000"
        false = [each for each in (dead, of_another) if self._chance.hits(15)]
        return [self.transport, *false]

    def received(self, message: Message) -> None:
        self.held[message.message_id] = self._world.now_ms
        self.gossip_run.put(self.gossip.receive, [message])

    # -- what the product's operations do ----------------------------------------------------

    def _perform_peering(self, effect: peering.Effect) -> int | None:
        match effect:
            case peering.Dial(address):
                self._dial(address)
            case peering.Status(connected):
                self.discovery_run.put(self.discovery.peers_changed, connected)
            case peering.StoreBan() | peering.RemoveBan():
                return self._store(lambda: self._store_change(effect))
            case peering.Save():
                self._store(lambda: self._store_change(effect))
            case peering.Search():
                self.host.search()
            case peering.Block(peer):
                self.host.block(peer)
            case peering.Unblock(peer):
                self.host.blocked.discard(peer)
            case peering.Disconnect(peer):
                self.host.disconnect(peer)
            case peering.Ping(peer):
                self.host.ping(peer)
        return None

    def _dial(self, address: Address) -> None:
        require = self._world.require
        require(not self.is_banned(address.peer_id), f"{self.name} dials a banned peer")
        require(address not in self.dialling, f"{self.name} dials {address} twice at a time")
        allowed = MAX_DIALS + self.connecting
        require(len(self.dialling) < allowed, f"{self.name} dials too many at a time")
        self.dialling.add(address)

        def done(peer: str | None, error: str | None) -> None:
            self.dialling.discard(address)
            self.peering_run.report(self.peering.dialled, address, peer, error)

        self.host.dial(address, done)

    def _store(self, work: Callable[[], Callable[[], None]]) -> int:
        """Does something to the store, and reports it a moment later; returns when it is over."""
        done_ms = self._chance.between(1, 60)
        told_ms = done_ms + self._chance.between(0, 60)
        reports: list[Callable[[], None]] = []

        def tell() -> None:
            reports.pop()()

        self.node.after(done_ms, lambda: reports.append(work()))
        self.node.after(told_ms, tell)
        return told_ms

    def _store_change(self, effect: peering.StoreEffect) -> Callable[[], None]:
        try:
            match effect:
                case peering.StoreBan(ban):
                    self.store.change("peers", "save_ban", ban)
                case peering.RemoveBan(peer_id):
                    self.store.change("peers", "remove_ban", peer_id)
                case peering.Save(changes):
                    self.store.change("peers", "save_peers", changes)
        except StoreError as error:
            return partial(self.peering_run.report, self.peering.not_stored, effect, error)
        return partial(self.peering_run.report, self.peering.stored, effect)

    def _perform_gossip(self, effect: gossip.Effect) -> None:
        match effect:
            case gossip.Follow(topic):
                self.host.topics.add(topic)
            case gossip.Leave(topic):
                self.host.topics.discard(topic)
            case gossip.Arrived(reader):
                self._read(reader)
            case gossip.Judge(message_id, _, verdict):
                self._world.require(message_id in self.held, f"{self.name}: two verdicts")
                self._require_in_time(self.held.pop(message_id))
                self.host.judge(message_id, verdict)

    def _read(self, reader: Reader) -> None:
        batch = reader.mailbox.take()
        for message in batch.messages if batch is not None and reader.validates else ():
            verdict: Verdict = self._chance.pick(("accept", "accept", "reject", "ignore"))
            if self._chance.hits(85):
                late_ms = self._chance.pick((0, 200, 3000, VERDICT_TIMEOUT_MS, 6000))
                judge = (self.gossip.judge, reader, [(message.message_id, verdict)])
                self.node.after(late_ms, lambda judge=judge: self.gossip_run.put(*judge))

    def _perform_discovery(self, effect: discovery.Effect) -> int | None:
        match effect:
            case discovery.Provide(key):
                self._provide(key)
            case discovery.StopProviding(keys):
                self.host.providing.difference_update(keys)
            case _:
                return self._store(lambda: self._change_keys(effect))
        return None

    def _provide(self, key: bytes) -> None:
        self._world.require(key not in self.withdrawn, f"{self.name} provides withdrawn {key!r}")

        def done(error: str | None) -> None:
            if error is None:
                self.announced[key] = self._world.now_ms
            self.discovery_run.report(self.discovery.provided, key, error)

        self.host.provide(key, done)

    def _change_keys(self, effect: discovery.StoreEffect) -> Callable[[], None]:
        machine, report, store = self.discovery, self.discovery_run.report, self.store
        try:
            match effect:
                case discovery.Take(now_ms, limit, make_due):
                    due = store.change("keys", "take_due", now_ms, limit, make_due)
                    return partial(report, machine.taken, due)
                case discovery.Extend(_, keys, expires_ms, limit):
                    store.change("keys", "extend", keys, expires_ms=expires_ms, limit=limit)
                case discovery.Remove(_, keys):
                    store.change("keys", "remove", keys)
                case discovery.Reschedule(advertisements):
                    store.change("keys", "reschedule", advertisements)
        except (StoreError, TooManyKeysError) as error:
            return partial(report, machine.not_stored, effect, error)
        return partial(report, machine.stored, effect)
