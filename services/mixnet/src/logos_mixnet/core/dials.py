"""Which peer to dial next, and when.

Three reasons to dial, in this order: the profile names the peer (bootstrap), a module asked
for it (wanted), or there are fewer connections than `target_peers`.

Spec: docs/protocol/network.md, NET-4.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_mixnet.core.address_book import AddressBook, PeerEntry
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.backoff import DIAL, Rng
from logos_mixnet.core.confidence import Confidence
from logos_mixnet.core.trimming import Watermarks

MAX_DIALS: Final = 16
EARLY_MS: Final = 30_000
"""Nodes of a testnet start together: bootstrap peers may be a moment late."""
EARLY_DELAY_MS: Final = 1000
SCAN_MS: Final = 1000
SHORT_MS: Final = 60_000
"""A connection that ends sooner was not wanted by the peer: it has as many as it may, perhaps."""


@dataclass(frozen=True, slots=True)
class Aims:
    """The connections that a node wants."""

    own_peer_id: str
    bootstrap: Sequence[Address]
    target_peers: int
    max_peers: int
    started_ms: int
    watermarks: Watermarks = field(default_factory=Watermarks)
    """Beyond `target_peers`: how many more others may connect (NET-18)."""
    is_exchanging: bool = False
    """Whether peers are asked for others, and told of them (NET-20)."""


@dataclass(slots=True)
class Target:
    """A bootstrap address of the profile."""

    address: Address
    peer_id: str | None
    """The peer that answered there last, or must."""
    failures: int = 0
    next_dial_ms: int = 0


class Dials:
    """The dials of one node: its bootstrap addresses, and peers of its book."""

    def __init__(
        self, book: AddressBook, connected: Mapping[str, PeerEntry], aims: Aims, rng: Rng
    ) -> None:
        self._book = book
        self._connected = connected
        self._aims = aims
        self._rng = rng
        others = [each for each in aims.bootstrap if each.peer_id != aims.own_peer_id]
        self._targets = [Target(address, address.peer_id) for address in others]
        self._under_way: set[Address] = set()
        self._asked: set[Address] = set()  # dials of callers, which are under way too
        self._scan_ms = 0
        self._short: dict[str, int] = {}
        """How many connections in a row ended soon, of peers that are dialled again."""
        self.is_off = False
        """Nothing is dialled while it is set."""
        for target in self._targets:
            if target.peer_id is not None:
                book.add(target.peer_id).bootstrap = True

    @property
    def below_target(self) -> bool:
        """Whether more peers should be connected."""
        return len(self._connected) < self._aims.target_peers

    def is_bootstrap(self, peer_id: str) -> bool:
        """Returns whether a peer was found at a bootstrap address, or must be there."""
        return any(target.peer_id == peer_id for target in self._targets)

    def exclude(self, address: str) -> None:
        """Never dials an address of this node's own."""
        self._targets = [t for t in self._targets if t.address.transport != address]

    def look_again(self, now_ms: int) -> None:
        """Has the book looked through at once: it has changed."""
        self._scan_ms = now_ms

    def hurry(self, now_ms: int) -> None:
        """Waits no longer with any address: what failed may have been this node's own doing."""
        self._scan_ms = now_ms
        self._short.clear()
        for target in self._targets:
            target.next_dial_ms = min(target.next_dial_ms, now_ms)
        for entry in self._book:
            for score in entry.addresses.values():
                score.next_dial_ms = min(score.next_dial_ms, now_ms)

    def ask(self, address: Address) -> bool:
        """Takes note that a caller asks for a dial; returns whether it must be begun."""
        if address in self._under_way or address in self._asked:
            return False
        self._asked.add(address)
        return True

    def begin(self, now_ms: int) -> list[Address]:
        """Returns the addresses to dial now."""
        self._scan_ms = now_ms + SCAN_MS
        begun: dict[str, Address] = {}  # one to a transport, whichever peer must be there
        for address in self._due(now_ms):
            if len(self._under_way) + len(begun) >= MAX_DIALS:
                break
            begun.setdefault(address.transport, address)
        self._under_way.update(begun.values())
        return list(begun.values())

    def succeeded(self, address: Address, peer_id: str, now_ms: int) -> None:
        """Takes the peer that answered at an address."""
        self._end(address)
        self._scan_ms = now_ms
        self._book.reached(peer_id, address.transport, now_ms)
        for target in self._targets:
            if target.address == address:
                self._learn(target, peer_id)
                at = [address.transport]
                self._book.announce(peer_id, at, now_ms, confidence=Confidence.INFINITE)

    def failed(self, address: Address, now_ms: int) -> bool:
        """Takes note of a failed dial; returns whether a caller had asked for it, and only that."""
        if self._end(address):
            return True
        self._scan_ms = now_ms
        for target in self._targets:
            if target.address == address:
                target.failures += 1
                delay_ms = DIAL.delay_ms(target.failures, self._rng)
                if now_ms - self._aims.started_ms < EARLY_MS:
                    delay_ms = min(delay_ms, EARLY_DELAY_MS)
                target.next_dial_ms = now_ms + delay_ms
        if address.peer_id is not None:
            self._book.failed(address.peer_id, address.transport, now_ms)
        return False

    def lost(self, peer_id: str, since_ms: int, now_ms: int) -> None:
        """Puts off the next dial of a peer whose last connection, made at a time, has ended."""
        self._scan_ms = now_ms
        short = self._short.pop(peer_id, 0) + 1 if now_ms - since_ms < SHORT_MS else 0
        if short and (self.is_bootstrap(peer_id) or peer_id in self._book.wanted):
            self._short[peer_id] = short
        again_ms = now_ms + DIAL.delay_ms(short, self._rng)
        self._book.retry_at(peer_id, again_ms)
        for target in self._targets:
            if target.peer_id == peer_id:
                target.next_dial_ms = again_ms

    def next_ms(self, entry: PeerEntry) -> int | None:
        """Returns when a peer will be dialled; None if connected, banned or not wanted."""
        if entry.connection is not None or entry.ban is not None:
            return None
        times = [t.next_dial_ms for t in self._targets if t.peer_id == entry.peer_id]
        if entry.wanted and entry.next_dial_ms is not None:
            times.append(entry.next_dial_ms)
        return min(times, default=None)

    def next_wake_ms(self) -> int | None:
        """Returns when there may be something to dial; None: not before something happens."""
        if not self._may_dial:
            return None
        times = [target.next_dial_ms for target in self._open_targets()]
        times += [e.next_dial_ms for e in self._open_wanted() if e.next_dial_ms is not None]
        if self.below_target and len(self._book) > len(self._connected):
            times.append(self._scan_ms)
        return min(times, default=None)

    @property
    def _may_dial(self) -> bool:
        has_room = len(self._connected) < self._aims.max_peers
        return not self.is_off and has_room and len(self._under_way) < MAX_DIALS

    def _busy(self) -> set[str]:
        return {address.transport for address in self._under_way | self._asked}

    def _end(self, address: Address) -> bool:
        is_asked = address in self._asked
        self._asked.discard(address)
        self._under_way.discard(address)
        return is_asked

    def _due(self, now_ms: int) -> Iterator[Address]:
        if not self._may_dial:
            return
        for target in self._open_targets():
            if target.next_dial_ms <= now_ms:
                yield target.address
        for entry in self._open_wanted():
            yield from due_address(entry, now_ms)
        missing = self._aims.target_peers - len(self._connected) - len(self._under_way)
        if missing <= 0:
            return
        for entry in sorted(self._spare(now_ms), key=lambda e: e.dial_failures)[:missing]:
            yield from due_address(entry, now_ms)

    def _spare(self, now_ms: int) -> Iterator[PeerEntry]:
        for entry in self._open(self._book):
            next_ms = entry.next_dial_ms
            if next_ms is not None and next_ms <= now_ms:
                yield entry

    def _open_targets(self) -> Iterator[Target]:
        busy = self._busy()
        for target in self._targets:
            known = None if target.peer_id is None else self._book.get(target.peer_id)
            is_open = known is None or (known.connection is None and known.ban is None)
            if is_open and target.address.transport not in busy:
                yield target

    def _open_wanted(self) -> Iterator[PeerEntry]:
        known = map(self._book.get, self._book.wanted)
        return self._open(entry for entry in known if entry is not None)

    def _open(self, entries: Iterable[PeerEntry]) -> Iterator[PeerEntry]:
        busy = self._busy()
        for entry in entries:
            if entry.connection is None and entry.ban is None and busy.isdisjoint(entry.addresses):
                yield entry

    def _learn(self, target: Target, peer_id: str) -> None:
        former, target.peer_id = target.peer_id, peer_id
        target.failures = 0
        for changed in {former, peer_id} - {None}:
            entry = self._book.get(str(changed))
            if entry is not None:
                entry.bootstrap = self.is_bootstrap(str(changed))


def due_address(entry: PeerEntry, now_ms: int) -> Iterator[Address]:
    """Yields the best address of a peer that may be dialled now, if there is one."""
    for address in entry.best_first():
        if entry.addresses[address].next_dial_ms <= now_ms:
            yield Address(address, entry.peer_id)
            return
