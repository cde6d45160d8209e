"""Peering: connect to peers, ban them, measure them, list and watch them.

The rules are in core/peering.py.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from logos_mixnet.core import peering as core
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.capability.keys import Signer
from logos_mixnet.core.capability.places import own_addresses, texts_of
from logos_mixnet.core.errors import DialFailedError, StoreError
from logos_mixnet.core.exchange import Ask, Found, NamedPeer
from logos_mixnet.core.node_record import sign_node_record
from logos_mixnet.core.notices import Notice, Watcher
from logos_mixnet.core.ports import PeerHost, PeerStore
from logos_mixnet.core.standing import Worth
from logos_mixnet.core.traffic import Traffic
from logos_mixnet.operations.exchange import ExchangeOperations
from logos_mixnet.operations.inbox import Inbox, Inboxes
from logos_mixnet.operations.streams import StreamOperations
from logos_module.driver import Driver

log = logging.getLogger(__name__)

LISTENING_TIMEOUT_S: Final = 2.0


class PeeringOperations:
    """The connections of one node."""

    def __init__(
        self,
        machine: core.Peering,
        host: PeerHost,
        store: PeerStore,
        now_ms: Callable[[], int],
        *,
        streams: StreamOperations,
        status: Callable[[str], None],
        peers_changed: Callable[[int], None],
        tell_isolation: Callable[[bool, str], None],
        signer: Signer,
        announce: Sequence[str] = (),
    ) -> None:
        """`announce` are the addresses of the profile at which others reach this node."""
        self.machine = machine
        self.driver: Driver[core.Effect] = Driver(machine, self._perform, now_ms)
        self.exchange = ExchangeOperations(streams, machine.exchange, self.driver)
        self.now_ms = now_ms
        self.watchers: Inboxes[Watcher, Notice] = Inboxes()
        self._host = host
        self._store = store
        self._signer = signer
        self._announce = announce
        self._tell_status = status
        self._peers_changed = peers_changed
        self._tell_isolation = tell_isolation

    async def load(self) -> None:
        """Takes over the book and the bans of the last run."""
        peers, bans = await self._store.load_peers(), await self._store.load_bans()
        self.driver.put(self.machine.loaded, peers, bans)

    async def wait_listening(self, count: int) -> None:
        """Waits until the host has said where it listens, 2 s at most."""
        try:
            async with asyncio.timeout(LISTENING_TIMEOUT_S):
                await self.driver.ask(self.machine.listening, count)
        except TimeoutError:
            log.warning("host has not said where it listens", extra={"expected": count})

    async def save(self) -> None:
        """Writes what is not yet stored of the book, when the driver has ended."""
        try:
            await self._store.save_peers(self.machine.unsaved())
        except StoreError as error:  # e.g. a full disk: what it knew before is kept
            log.warning("address book not saved", extra={"error": str(error)})

    async def connect(self, address: Address) -> str:
        """Connects to a node and keeps it connected; returns its peer id."""
        peer_id: str = await self.driver.ask(self.machine.connect, address)
        return peer_id

    async def disconnect(self, peer_id: str) -> None:
        """Closes the connections to a peer and forgets it, also on disk."""
        await self.driver.ask(self.machine.disconnect, peer_id)

    async def ban(self, peer_id: str, duration_ms: int | None, reason: str) -> None:
        """Refuses a peer for a time, or until it is unbanned; also after a restart."""
        await self.driver.ask(self.machine.ban, peer_id, duration_ms, reason)

    async def unban(self, peer_id: str) -> None:
        """Refuses a peer no longer."""
        await self.driver.ask(self.machine.unban, peer_id)

    async def isolate(self, mark: str = "") -> None:
        """Cuts this node off until it is healed. `mark`: of the call."""
        await self.driver.ask(partial(self.machine.isolate, mark=mark))

    async def heal(self, mark: str = "") -> None:
        """Ends an isolation. `mark`: of the call."""
        await self.driver.ask(partial(self.machine.heal, mark=mark))

    async def ping(self, peer_id: str) -> int:
        """Measures the round trip to a peer, in microseconds."""
        microseconds: int = await self.driver.ask(self.machine.ping, peer_id)
        return microseconds

    async def tag(self, peer_id: str, name: str, worth: Worth) -> None:
        """Makes a peer worth more to this node, or less."""
        await self.driver.ask(self.machine.standing.tag, peer_id, name, worth)

    async def untag(self, peer_id: str, name: str) -> None:
        """Takes a tag away."""
        await self.driver.ask(self.machine.standing.untag, peer_id, name)

    async def protect(self, peer_id: str, name: str) -> None:
        """Keeps a peer connected for a reason."""
        await self.driver.ask(self.machine.standing.protect, peer_id, name)

    async def unprotect(self, peer_id: str, name: str) -> None:
        """Takes a reason away."""
        await self.driver.ask(self.machine.standing.unprotect, peer_id, name)

    async def exchange_with(self, peer_id: str) -> tuple[Found, ...]:
        """Asks a connected peer for others; returns those that it names."""
        found: tuple[Found, ...] = await self.driver.ask(self.machine.exchange.ask, peer_id)
        return found

    async def add_addresses(self, source: str, peers: Sequence[NamedPeer]) -> tuple[int, int]:
        """Takes where another node says that peers are.

        Returns of how many an address was taken, and how many of these are new.
        """
        counts: tuple[int, int] = await self.driver.ask(self.machine.exchange.named, source, peers)
        return counts

    def announced(self) -> list[str]:
        """Returns the addresses at which others reach this node, as its records name them."""
        return texts_of(own_addresses(self._announce or self.machine.own_addresses))

    def sign_node_record(self, content: bytes) -> bytes:
        """Signs what a module says of this node in a node record; returns 64 bytes (NET-25)."""
        return sign_node_record(self._signer, content)

    def shown(self) -> list[Found]:
        """Returns what this node would answer to a peer that asks for others."""
        return self.machine.exchange.shown(self.now_ms())

    def traffic(self) -> Mapping[str, Traffic]:
        """Returns what the link to each connected peer has carried, by peer id."""
        return self._host.traffic()

    @contextmanager
    def watch(self) -> Iterator[Inbox[Notice]]:
        """Reports events of peers, first one for each that is connected."""
        watcher = self.machine.watch()
        with self.watchers.open(watcher, watcher.take) as notices:
            yield notices

    def _perform(self, effect: core.Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Notice():
                self._tell(effect)
            case core.Status(connected, known, is_isolated):
                self._tell_status(f"{connected} of {known} peers{', isolated' * is_isolated}")
                self._peers_changed(connected)
            case core.Dial(address):
                self.driver.start(self._dial(address))
            case Ask():
                self.exchange.begin(effect)
            case core.Save():
                self.driver.start(self._store_change(effect))
            case core.StoreBan() | core.RemoveBan():
                return self._store_change(effect)
            case core.CutOff(is_on, mark):
                self._host.perform(effect)
                self._tell_isolation(is_on, mark)
            case _:
                self._host.perform(effect)
        return None

    def _tell(self, notice: Notice) -> None:
        what = {"event": notice.event.value, "peer_id": notice.peer_id, "detail": notice.detail}
        log.info("peer event", extra=what)
        for watcher in self.watchers:
            watcher.put(notice)
            self.watchers.wake(watcher)

    async def _dial(self, address: Address) -> None:
        peer_id, reason = None, None
        try:
            peer_id = await self._host.dial(address)
        except DialFailedError as error:
            reason = str(error)
        self.driver.report(self.machine.dialled, address, peer_id, reason)

    async def _store_change(self, effect: core.StoreEffect) -> None:
        try:
            match effect:
                case core.StoreBan(ban):
                    await self._store.save_ban(ban)
                case core.RemoveBan(peer_id):
                    await self._store.remove_ban(peer_id)
                case core.Save(changes):
                    await self._store.save_peers(changes)
        except StoreError as error:  # e.g. a full disk: the network goes on without
            log.warning("change not stored", extra={"error": str(error)})
            self.driver.report(self.machine.not_stored, effect, error)
        else:
            self.driver.report(self.machine.stored, effect)
