"""Runs the peering machine: dials, searches, and tells whoever watches.

Rules are in core/peering.py and core/address_book.py.
"""

import asyncio
import logging
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from logos_mixnet.core.address_book import Ban
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.errors import (
    DialFailedError,
    DrainingError,
    InvalidPeerIdError,
    PeerBannedError,
    PeerNotConnectedError,
    ReaderTooSlowError,
    StoreError,
)
from logos_mixnet.core.peering import (
    Allow,
    Dial,
    Effect,
    Notice,
    PeerEvent,
    Peering,
    Refuse,
    Search,
)
from logos_mixnet.core.ports import Clock, Identity, PeerStore, PeerView
from logos_mixnet.net.host import HostBridge

log = logging.getLogger(__name__)

MAX_WAITING_NOTICES: Final = 1024
DIAL_TIMEOUT_S: Final = 20.0
PING_TIMEOUT_S: Final = 10.0
SAVE_DELAY_S: Final = 2.0
"""Changes of the book are written together: at most one transaction in this time."""


class Watcher:
    """What happens to peers, for one reader."""

    def __init__(self) -> None:
        self.waiting: deque[Notice] = deque()
        self.arrived = asyncio.Event()
        self.closed = False

    def put(self, notice: Notice) -> None:
        """Adds a notice, if the reader has not fallen behind."""
        if len(self.waiting) <= MAX_WAITING_NOTICES:
            self.waiting.append(notice)
        self.arrived.set()

    def __aiter__(self) -> AsyncIterator[Notice]:
        return self

    async def __anext__(self) -> Notice:
        while not self.waiting:
            if self.closed:
                raise DrainingError("the network module is about to stop")
            self.arrived.clear()
            await self.arrived.wait()
        if len(self.waiting) > MAX_WAITING_NOTICES:
            raise ReaderTooSlowError(f"more than {MAX_WAITING_NOTICES} events waited to be read")
        return self.waiting.popleft()


class PeerDriver:
    """The connections of one node."""

    def __init__(
        self,
        bridge: HostBridge,
        machine: Peering,
        store: PeerStore,
        clock: Clock,
        *,
        status: Callable[[str], None],
        peers_changed: Callable[[int], None],
    ) -> None:
        self._bridge = bridge
        self._machine = machine
        self._store = store
        self._clock = clock
        self._say = status
        self._peers_changed = peers_changed
        self._said = ""
        self._listening: dict[str, None] = {}
        self._listens = asyncio.Event()
        self._changed = asyncio.Event()
        self._watchers: set[Watcher] = set()
        self._pings: dict[str, set[asyncio.Future[int]]] = {}
        self._saving = asyncio.Lock()
        bridge.answers("DialDone")
        bridge.on("Listening", self._listening_at)
        bridge.on("Connected", self._connected)
        bridge.on("Disconnected", self._disconnected)
        bridge.on("Identified", self._identified)
        bridge.on("Pinged", self._pinged)

    # The driver

    async def load(self) -> None:
        """Takes over the book and the bans of the last run."""
        self._machine.book.load(await self._store.load_peers())
        self._obey(self._machine.load_bans(await self._store.load_bans()))

    async def run(self) -> None:
        """Dials and searches as the machine says, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                now_ms = self._clock.now_ms()
                for effect in self._machine.advance(now_ms):
                    match effect:
                        case Dial(address):
                            tasks.create_task(self._dial_and_report(address))
                        case Allow(peer_id):
                            self._bridge.host.unban(peer_id)
                            await self._forget_ban(peer_id)
                        case _:
                            self._obey([effect])
                self._say_status()
                await self._wait((self._machine.wake_ms(now_ms) - now_ms) / 1000)

    async def keep_saved(self) -> None:
        """Writes changes of the book, a moment after they were made, until cancelled."""
        while True:
            await asyncio.sleep(SAVE_DELAY_S)
            try:
                await self.save()
            except StoreError as error:  # e.g. a full disk: the network goes on without
                log.warning("address book not saved", extra={"error": str(error)})

    async def save(self) -> None:
        """Writes what has changed in the book."""
        async with self._saving:
            changes = self._machine.book.take_changes()
            if not (changes.changed or changes.removed):
                return
            try:
                await self._store.save_peers(changes)
            except StoreError:
                self._machine.book.put_back(changes)
                raise

    async def wait_listening(self, count: int, timeout_s: float) -> None:
        """Waits until the host has said where it listens, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                while len(self._listening) < count:
                    self._listens.clear()
                    await self._listens.wait()
        except TimeoutError:
            log.warning("host has not said where it listens", extra={"expected": count})

    def close(self) -> None:
        """Ends every watch."""
        for watcher in self._watchers:
            watcher.closed = True
            watcher.arrived.set()

    # For the servicers

    def identity(self) -> Identity:
        """Returns who this node is."""
        connected = len(self._machine.connected)
        return Identity(self._machine.own_peer_id, list(self._listening), connected)

    def page(self, *, after: str, limit: int, connected_only: bool) -> tuple[list[PeerView], bool]:
        """Returns peers with ids beyond `after`, in order, and whether more follow."""
        machine = self._machine
        entries, more = machine.book.page(
            after, limit, lambda entry: entry.connection is not None or not connected_only
        )
        return [PeerView(entry, machine.next_dial_ms(entry)) for entry in entries], more

    async def connect(self, address: Address) -> str:
        """Connects to a node and keeps it connected; returns who it is."""
        if address.peer_id == self._machine.own_peer_id:
            raise DialFailedError("that address is this node's own")
        peer_id = self._machine.already_at(address)
        if peer_id is None:
            peer_id = await self._dial(address)
        if self._machine.is_banned(peer_id):
            raise PeerBannedError(f"peer {peer_id} is banned on this node")
        self._machine.want(peer_id, address)
        self._changed.set()
        return peer_id

    async def disconnect(self, peer_id: str) -> None:
        """Closes the connections to a peer and forgets it."""
        self._machine.forget(peer_id)
        self._bridge.host.disconnect(peer_id)
        await self.save()
        self._changed.set()

    async def ban(self, ban: Ban) -> None:
        """Refuses a peer, also after a restart."""
        if ban.peer_id == self._machine.own_peer_id:
            raise InvalidPeerIdError("that is this node itself")
        await self._store.save_ban(ban)
        self._obey(self._machine.ban(ban, self._clock.now_ms()))
        self._changed.set()

    async def unban(self, peer_id: str) -> None:
        """Refuses a peer no longer."""
        await self._store.remove_ban(peer_id)
        self._obey(self._machine.unban(peer_id, self._clock.now_ms()))
        self._changed.set()

    async def ping(self, peer_id: str) -> int:
        """Measures the round trip to a peer, in microseconds."""
        if peer_id not in self._machine.connected:
            raise PeerNotConnectedError(f"peer {peer_id} is not connected")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting = self._pings.setdefault(peer_id, set())
        waiting.add(future)
        self._bridge.host.ping(peer_id)
        try:
            async with asyncio.timeout(PING_TIMEOUT_S):
                return await future
        except TimeoutError as error:
            raise PeerNotConnectedError(f"peer {peer_id} does not answer") from error
        finally:
            waiting.discard(future)

    @contextmanager
    def watch(self) -> Iterator[AsyncIterator[Notice]]:
        """Tells what happens to peers, first who is connected."""
        watcher = Watcher()
        for peer_id, entry in self._machine.connected.items():
            if entry.connection is not None:
                made = entry.connection
                watcher.waiting.append(
                    Notice(PeerEvent.CONNECTED, peer_id, made.address, made.since_ms)
                )
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    # From the host

    def _listening_at(self, event: Any) -> None:
        self._listening[event.address] = None
        self._machine.listens_at(event.address)
        self._listens.set()

    def _connected(self, event: Any) -> None:
        self._obey(
            self._machine.connection_made(
                event.peer_id,
                event.address,
                outbound=event.outbound,
                now_ms=self._clock.now_ms(),
            )
        )
        self._peers_changed(len(self._machine.connected))
        self._changed.set()

    def _disconnected(self, event: Any) -> None:
        notices = self._machine.connection_lost(
            event.peer_id,
            remaining=event.connections,
            reason=event.reason,
            now_ms=self._clock.now_ms(),
        )
        self._obey(notices)
        self._peers_changed(len(self._machine.connected))
        if notices:
            error = PeerNotConnectedError(f"peer {event.peer_id} went away")
            for future in self._pings.pop(event.peer_id, set()):
                if not future.done():
                    future.set_exception(error)
        self._changed.set()

    def _identified(self, event: Any) -> None:
        self._machine.identified(
            event.peer_id,
            agent=event.agent,
            protocols=event.protocols,
            addresses=event.listen_addresses,
            now_ms=self._clock.now_ms(),
        )
        self._changed.set()

    def _pinged(self, event: Any) -> None:
        self._machine.round_trip(event.peer_id, event.round_trip_us)
        for future in self._pings.pop(event.peer_id, set()):
            if not future.done():
                future.set_result(event.round_trip_us)

    # Effects

    def _obey(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Notice():
                    log.info(
                        "peer event",
                        extra={
                            "event": effect.event.value,
                            "peer_id": effect.peer_id,
                            "detail": effect.detail,
                        },
                    )
                    for watcher in self._watchers:
                        watcher.put(effect)
                case Refuse(peer_id):
                    self._bridge.host.ban(peer_id)
                case Allow(peer_id):
                    self._bridge.host.unban(peer_id)
                case Search():
                    self._bridge.host.bootstrap()
                case Dial():
                    raise AssertionError("only `run` dials")

    async def _dial(self, address: Address) -> str:
        try:
            async with asyncio.timeout(DIAL_TIMEOUT_S):
                resolved = await resolve(address)
                done = await self._bridge.answer(self._bridge.host.dial(str(resolved)))
        except TimeoutError as error:
            raise DialFailedError(f"nobody answers at {address}") from error
        except (ValueError, OSError) as error:
            raise DialFailedError(f"cannot dial {address}: {error}") from error
        if done.peer_id is None:
            raise DialFailedError(f"cannot reach {address}: {done.error}")
        return str(done.peer_id)

    async def _dial_and_report(self, address: Address) -> None:
        peer_id, reason = None, None
        try:
            peer_id = await self._dial(address)
        except DialFailedError as error:
            reason = str(error)
        self._obey(self._machine.dialled(address, peer_id, reason, self._clock.now_ms()))
        self._changed.set()

    async def _forget_ban(self, peer_id: str) -> None:
        try:
            await self._store.remove_ban(peer_id)
        except StoreError as error:  # its time is over all the same, also after a restart
            log.warning("ban not removed", extra={"peer_id": peer_id, "error": str(error)})

    def _say_status(self) -> None:
        if self._machine.status != self._said:
            self._said = self._machine.status
            self._say(self._said)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.01)):
                await self._changed.wait()
        except TimeoutError:
            return


async def resolve(address: Address) -> Address:
    """Returns an address with an IP in place of a name (NET-3).

    Raises:
        OSError: The name has no address.
    """
    if address.name_kind is None:
        return address
    families = {"dns4": socket.AF_INET, "dns6": socket.AF_INET6, "dns": socket.AF_UNSPEC}
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(
        address.host, address.port, family=families[address.name_kind], type=socket.SOCK_STREAM
    )
    family, _, _, _, (host, *_) = found[0]
    kind = "ip4" if family == socket.AF_INET else "ip6"
    return Address(f"/{kind}/{host}/tcp/{address.port}", address.peer_id)
