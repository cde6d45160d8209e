"""Which peer to dial next, and when: keeps a node connected.

Pure. What happens to connections comes in with the time; dials, searches and
notices go out as effects. Three reasons to dial, in this order: the profile
names the peer (bootstrap), a module asked for it (wanted), or there are fewer
connections than `target_peers`.

Spec: docs/protocol/network.md, NET-4 (dialling), NET-9 (book, bans), NET-13 (searches).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from logos_mixnet.core.address_book import AddressBook, Ban, Connection, PeerEntry
from logos_mixnet.core.addresses import Address, transport_of
from logos_mixnet.core.backoff import DIAL, Backoff, Rng
from logos_mixnet.core.errors import PeerBannedError

MAX_DIALS: Final = 16
EARLY_MS: Final = 30_000
"""Nodes of a testnet start together: bootstrap peers may be a moment late."""
EARLY_DELAY_MS: Final = 1000
SEARCH_SETTLE_MS: Final = 200
SEARCH: Final = Backoff(1000, 60_000)
SCAN_MS: Final = 1000
MAX_PROTOCOLS: Final = 64


class PeerEvent(Enum):
    """What may happen to a peer."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    DIAL_FAILED = "dial_failed"
    BANNED = "banned"
    UNBANNED = "unbanned"


@dataclass(frozen=True, slots=True)
class Notice:
    """Tell whoever watches."""

    event: PeerEvent
    peer_id: str
    """Empty where a dial failed and nobody knows whom it would have reached."""
    detail: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial this address, and report with `dialled`."""

    address: Address


@dataclass(frozen=True, slots=True)
class Search:
    """Search the network for this node's own id, and so for its neighbours."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Refuse a peer, and close its connections."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class Allow:
    """Refuse a peer no longer, and forget its ban."""

    peer_id: str


Effect = Notice | Dial | Search | Refuse | Allow


@dataclass(slots=True)
class Target:
    """A bootstrap address of the profile."""

    address: Address
    peer_id: str | None
    """Who answered there last, or must."""
    failures: int = 0
    next_dial_ms: int = 0


class Peering:
    """Connections of one node. Not thread-safe."""

    def __init__(
        self,
        *,
        own_peer_id: str,
        bootstrap: Sequence[Address],
        target_peers: int,
        max_peers: int,
        rng: Rng,
        started_ms: int,
    ) -> None:
        self.book = AddressBook(rng)
        self.connected: dict[str, PeerEntry] = {}
        self.own_peer_id = own_peer_id
        self._own_addresses: set[str] = set()
        self._targets = [Target(a, a.peer_id) for a in bootstrap if a.peer_id != own_peer_id]
        self._target_peers = target_peers
        self._max_peers = max_peers
        self._rng = rng
        self._started_ms = started_ms
        self._dialling: set[Address] = set()
        self._bans: dict[str, Ban] = {}
        self._searches = 0
        self._next_search_ms: int | None = None
        for target in self._targets:
            if target.peer_id is not None:
                self.book.add(target.peer_id).bootstrap = True

    @property
    def status(self) -> str:
        """Connections in a few words."""
        known = sum(entry.ban is None for entry in self.book)
        return f"{len(self.connected)} of {known} peers"

    # What has happened

    def load_bans(self, bans: Iterable[Ban]) -> list[Effect]:
        """Takes over the bans that were written down."""
        for ban in bans:
            self._bans[ban.peer_id] = self.book.add(ban.peer_id).ban = ban
        return [Refuse(peer_id) for peer_id in self._bans]

    def listens_at(self, address: str) -> None:
        """Notes an address of this node's own, which is never dialled."""
        self._own_addresses.add(address)
        self._targets = [t for t in self._targets if t.address.transport != address]

    def connection_made(
        self, peer_id: str, address: str, *, outbound: bool, now_ms: int
    ) -> list[Effect]:
        """Takes one more connection to a peer."""
        entry = self.book.add(peer_id)
        transport = transport_of(address)
        if outbound and transport is not None:
            self.book.reached(peer_id, transport, now_ms)
        if entry.connection is not None:
            return []
        entry.connection = Connection(address, outbound, now_ms)
        entry.bootstrap = any(target.peer_id == peer_id for target in self._targets)
        self.connected[peer_id] = entry
        self.book.seen(peer_id, now_ms)
        self._search_soon(now_ms)
        return [Notice(PeerEvent.CONNECTED, peer_id, address, now_ms)]

    def connection_lost(
        self, peer_id: str, *, remaining: int, reason: str, now_ms: int
    ) -> list[Effect]:
        """Takes the end of a connection; `remaining` others to the peer stand."""
        entry = self.connected.get(peer_id)
        if entry is None or remaining:
            return []
        del self.connected[peer_id]
        entry.connection = None
        entry.round_trip_us = None
        if self.book.get(peer_id) is entry:
            self.book.seen(peer_id, now_ms)
        again_ms = now_ms + DIAL.delay_ms(0, self._rng)
        self.book.retry_at(peer_id, again_ms)
        for target in self._targets:
            if target.peer_id == peer_id:
                target.next_dial_ms = again_ms
        return [Notice(PeerEvent.DISCONNECTED, peer_id, reason, now_ms)]

    def identified(
        self,
        peer_id: str,
        *,
        agent: str,
        protocols: Sequence[str],
        addresses: Sequence[str],
        now_ms: int,
    ) -> None:
        """Takes what a connected peer claims of itself."""
        entry = self.connected.get(peer_id)
        if entry is None:
            return
        entry.agent = agent
        entry.protocols = tuple(protocols[:MAX_PROTOCOLS])
        transports = (transport_of(address) for address in addresses)
        self.book.announce(peer_id, [t for t in transports if t and t not in self._own_addresses])
        self._search_soon(now_ms)

    def round_trip(self, peer_id: str, microseconds: int) -> None:
        """Takes a measured round trip."""
        entry = self.connected.get(peer_id)
        if entry is not None:
            entry.round_trip_us = microseconds

    def dialled(
        self, address: Address, peer_id: str | None, error: str | None, now_ms: int
    ) -> list[Effect]:
        """Takes the end of a dial: who answered, or why nobody did."""
        self._dialling.discard(address)
        targets = [target for target in self._targets if target.address == address]
        if peer_id is not None:
            self.book.reached(peer_id, address.transport, now_ms)
            for target in targets:
                self._learn(target, peer_id)
            return []
        for target in targets:
            target.failures += 1
            delay_ms = DIAL.delay_ms(target.failures, self._rng)
            if now_ms - self._started_ms < EARLY_MS:
                delay_ms = min(delay_ms, EARLY_DELAY_MS)
            target.next_dial_ms = now_ms + delay_ms
        if address.peer_id is not None:
            self.book.failed(address.peer_id, address.transport, now_ms)
            if address.peer_id in self.connected:
                return []
        return [Notice(PeerEvent.DIAL_FAILED, address.peer_id or "", f"{address}: {error}", now_ms)]

    # What is asked for

    def already_at(self, address: Address) -> str | None:
        """Returns the connected peer that an address means, or None.

        Raises:
            PeerBannedError: The peer is banned.
        """
        if address.peer_id in self._bans:
            raise PeerBannedError(f"peer {address.peer_id} is banned on this node")
        if address.peer_id is not None:
            return address.peer_id if address.peer_id in self.connected else None
        for peer_id, entry in self.connected.items():
            made = entry.connection
            if made and made.outbound and transport_of(made.address) == address.transport:
                return peer_id
        return None

    def want(self, peer_id: str, address: Address) -> None:
        """Keeps a peer connected from now on."""
        self.book.want(peer_id)
        self.book.announce(peer_id, [address.transport])

    def forget(self, peer_id: str) -> None:
        """Removes a peer from the book; a banned one stays banned."""
        self.book.remove(peer_id)
        ban = self._bans.get(peer_id)
        if ban is not None:
            self.book.add(peer_id).ban = ban

    def ban(self, ban: Ban, now_ms: int) -> list[Effect]:
        """Refuses a peer from now on."""
        self._bans[ban.peer_id] = self.book.add(ban.peer_id).ban = ban
        return [
            Refuse(ban.peer_id),
            Notice(PeerEvent.BANNED, ban.peer_id, ban.reason, now_ms),
        ]

    def unban(self, peer_id: str, now_ms: int) -> list[Effect]:
        """Refuses a peer no longer. Idempotent."""
        if self._bans.pop(peer_id, None) is None:
            return []
        entry = self.book.get(peer_id)
        if entry is not None:
            entry.ban = None
        return [Allow(peer_id), Notice(PeerEvent.UNBANNED, peer_id, "", now_ms)]

    def is_banned(self, peer_id: str) -> bool:
        """Says whether a peer is refused."""
        return peer_id in self._bans

    def next_dial_ms(self, entry: PeerEntry) -> int | None:
        """Returns when a peer will be dialled; None if connected, banned or not wanted."""
        if entry.connection is not None or entry.ban is not None:
            return None
        times = [t.next_dial_ms for t in self._targets if t.peer_id == entry.peer_id]
        if entry.wanted and entry.next_dial_ms is not None:
            times.append(entry.next_dial_ms)
        return min(times, default=None)

    # What is to be done

    def advance(self, now_ms: int) -> list[Effect]:
        """Returns what is due. Call it after every event and at `wake_ms`."""
        over = [b.peer_id for b in self._bans.values() if b.until_ms and b.until_ms <= now_ms]
        effects: list[Effect] = [e for peer_id in over for e in self.unban(peer_id, now_ms)]
        for address in self._due(now_ms):
            if len(self._dialling) >= MAX_DIALS:
                break
            if address not in self._dialling:
                self._dialling.add(address)
                effects.append(Dial(address))
        if self._search_is_due(now_ms):
            self._searches += 1
            self._next_search_ms = now_ms + SEARCH.delay_ms(self._searches, self._rng)
            effects.append(Search())
        return effects

    def wake_ms(self, now_ms: int) -> int:
        """Returns when `advance` has something to do at the latest."""
        times = [now_ms + 60_000]
        times += [ban.until_ms for ban in self._bans.values() if ban.until_ms is not None]
        if self._may_dial:  # else the next event changes that
            times += [t.next_dial_ms for t in self._open_targets()]
            times += [e.next_dial_ms for e in self._open_wanted() if e.next_dial_ms is not None]
        if self._below_target and len(self.book) > len(self.connected):
            times.append(now_ms + SCAN_MS)
        if self._below_target and self.connected and self._next_search_ms is not None:
            times.append(self._next_search_ms)
        return max(min(times), now_ms)

    @property
    def _below_target(self) -> bool:
        return len(self.connected) < self._target_peers

    @property
    def _may_dial(self) -> bool:
        return len(self.connected) < self._max_peers and len(self._dialling) < MAX_DIALS

    def _due(self, now_ms: int) -> Iterator[Address]:
        if not self._may_dial:
            return
        for target in self._open_targets():
            if target.next_dial_ms <= now_ms:
                yield target.address
        for entry in self._open_wanted():
            yield from due_address(entry, now_ms)
        missing = self._target_peers - len(self.connected) - len(self._dialling)
        if missing <= 0:
            return
        for entry in sorted(self._spare(now_ms), key=lambda e: e.dial_failures)[:missing]:
            yield from due_address(entry, now_ms)

    def _spare(self, now_ms: int) -> Iterator[PeerEntry]:
        for entry in self.book:
            if entry.connection is None and entry.ban is None:
                next_ms = entry.next_dial_ms
                if next_ms is not None and next_ms <= now_ms and not self._is_dialled(entry):
                    yield entry

    def _is_dialled(self, entry: PeerEntry) -> bool:
        return any(Address(a, entry.peer_id) in self._dialling for a in entry.addresses)

    def _open_targets(self) -> Iterator[Target]:
        for target in self._targets:
            known = target.peer_id
            idle = target.address not in self._dialling
            if idle and (known is None or not (known in self.connected or known in self._bans)):
                yield target

    def _open_wanted(self) -> Iterator[PeerEntry]:
        for peer_id in self.book.wanted:
            entry = self.book.get(peer_id)
            if entry and entry.connection is None and not entry.ban and not self._is_dialled(entry):
                yield entry

    def _learn(self, target: Target, peer_id: str) -> None:
        former, target.peer_id = target.peer_id, peer_id
        target.failures = 0
        for changed in {former, peer_id} - {None}:
            entry = self.book.get(str(changed))
            if entry is not None:
                entry.bootstrap = any(t.peer_id == changed for t in self._targets)

    def _search_soon(self, now_ms: int) -> None:
        self._searches = 0
        self._next_search_ms = now_ms + SEARCH_SETTLE_MS

    def _search_is_due(self, now_ms: int) -> bool:
        due = self._next_search_ms is not None and self._next_search_ms <= now_ms
        return due and self._below_target and bool(self.connected)


def due_address(entry: PeerEntry, now_ms: int) -> Iterator[Address]:
    """Yields the best address of a peer that may be dialled now, if there is one."""
    for address in entry.best_first():
        if entry.addresses[address].next_dial_ms <= now_ms:
            yield Address(address, entry.peer_id)
            return
