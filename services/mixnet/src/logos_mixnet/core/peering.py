"""Connections to peers: made, searched for, refused, and what of them is stored.

Spec: docs/protocol/network.md, NET-9 (book, bans), NET-13 (searches), NET-18 (trimming). Dials:
core/dials.py. Peer exchange: core/exchange.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.address_book import (
    AddressBook,
    Ban,
    Changes,
    Connection,
    PeerEntry,
    PeerRecord,
)
from logos_mixnet.core.addresses import Address, transport_of
from logos_mixnet.core.backoff import Backoff, Rng
from logos_mixnet.core.confidence import Confidence
from logos_mixnet.core.dials import Aims, Dials
from logos_mixnet.core.errors import (
    DialFailedError,
    InvalidBanError,
    InvalidPeerIdError,
    NodeIsolatedError,
    PeerBannedError,
    PeerNotConnectedError,
)
from logos_mixnet.core.exchange import Ask, Exchange
from logos_mixnet.core.notices import Notice, PeerEvent, Watcher
from logos_mixnet.core.own_record import OwnRecord
from logos_mixnet.core.standing import Standing
from logos_mixnet.core.trimming import Trim

Direction = Literal["inbound", "outbound"]

SEARCH_SETTLE_MS: Final = 200
SEARCH: Final = Backoff(1000, 60_000)
MAX_PROTOCOLS: Final = 64
PING_TIMEOUT_MS: Final = 10_000
SAVE_DELAY_MS: Final = 2_000
"""Changes of the book are stored together: at most one transaction in this time."""
STORE_RETRY_MS: Final = 5_000
MAX_BAN_REASON_BYTES: Final = 200
MAX_UNTIL_MS: Final = 2**45
"""Unix time of the year 3084: far from the end of what a Timestamp can say."""


@dataclass(frozen=True, slots=True)
class Dial:
    """Dial this address, and report with `dialled`."""

    address: Address


@dataclass(frozen=True, slots=True)
class Search:
    """Search the network for this node's neighbours, and connect to them."""


@dataclass(frozen=True, slots=True)
class Block:
    """Refuse connections with a peer, and close those there are."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class Unblock:
    """Refuse connections with a peer no longer."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connections with a peer."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class CutOff:
    """Close every connection and refuse all, or refuse them no longer."""

    is_on: bool
    mark: str = ""
    """Of the call that it follows from; given back in the event."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Measure the round trip to a peer, and report with `pinged`."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class StoreBan:
    """Store a ban before anything else."""

    ban: Ban
    tickets: tuple[Ticket, ...]
    """Questions that are answered when it is done; so below."""


@dataclass(frozen=True, slots=True)
class RemoveBan:
    """Remove a ban from the store before anything else."""

    peer_id: str
    tickets: tuple[Ticket, ...] = ()


@dataclass(frozen=True, slots=True)
class Save:
    """Store changes of the book. Other inputs may come before it is done."""

    changes: Changes
    tickets: tuple[Ticket, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """Report how many peers are connected, and how many are known and not banned."""

    connected: int
    known: int
    is_isolated: bool = False


HostEffect = Search | Block | Unblock | Disconnect | CutOff | Ping
StoreEffect = StoreBan | RemoveBan | Save
"""Reported with `stored` or `not_stored`."""
Effect = Dial | Ask | HostEffect | StoreEffect | Notice | Status
Effects = list[Effect | Answer | Refuse]


class Peering:
    """Connections of one node. Not thread-safe."""

    def __init__(self, aims: Aims, rng: Rng, own: OwnRecord | None = None) -> None:
        self.book = AddressBook(rng)
        self.connected: dict[str, PeerEntry] = {}
        self.own_peer_id = aims.own_peer_id
        self.own_addresses: dict[str, None] = {}
        self.dials = Dials(self.book, self.connected, aims, rng)
        self.standing = Standing(
            aims.watermarks, is_kept=self.is_kept, is_banned=lambda name: name in self._bans
        )
        self.exchange = Exchange(
            self.book,
            self.connected,
            self.own_addresses,
            aims.own_peer_id,
            target_peers=aims.target_peers,
            rng=rng,
            own=own,
            is_on=aims.is_exchanging,
        )
        self.trimmed = 0
        """Peers so far that were one too many."""
        self._rng = rng
        self._leaving: set[str] = set()
        """Connected peers whose connections are being closed."""
        self._connecting: dict[Address, list[Ticket]] = {}
        self._pings: dict[Ticket, tuple[str, int]] = {}  # peer and deadline, the oldest first
        self._listening: dict[Ticket, int] = {}
        self._bans: dict[str, Ban] = {}
        self._ban_ends_ms: dict[str, int] = {}
        self._searches = 0
        self._next_search_ms: int | None = None
        self._save_ms: int | None = None
        self._saving: Save | None = None
        self._unsaved_for: list[Ticket] = []  # questions for the next `Save`
        self._status: Status | None = None
        self.is_isolated = False

    # What has happened

    def loaded(self, peers: Iterable[PeerRecord], bans: Iterable[Ban], now_ms: int) -> Effects:
        """Takes over what was stored in the last run."""
        self.book.load(peers)
        for ban in bans:
            self._add_ban(ban)
        return [Block(peer_id) for peer_id in self._bans]

    def listens_at(self, address: str, now_ms: int) -> Effects:
        """Takes an address of this node's own, which is never dialled."""
        self.own_addresses[address] = None
        self.dials.exclude(address)
        return self._answer_listening()

    def connection_made(
        self, peer_id: str, address: str, direction: Direction, now_ms: int
    ) -> Effects:
        """Takes one more connection to a peer."""
        outbound = direction == "outbound"
        entry = self.book.add(peer_id)
        transport = transport_of(address)
        if outbound and transport is not None:
            self.book.reached(peer_id, transport, now_ms)
        if entry.connection is not None:
            return []
        entry.connection = Connection(address, outbound, now_ms)
        entry.bootstrap = self.dials.is_bootstrap(peer_id)
        self.connected[peer_id] = entry
        self.book.seen(peer_id, now_ms)
        self._search_soon(now_ms)
        notice = Notice(PeerEvent.CONNECTED, peer_id, address, now_ms)
        too_many = self.standing.trimming.connected(peer_id, now_ms, is_outbound=outbound)
        return [notice, *self._trim(too_many, now_ms)]

    def connection_lost(self, peer_id: str, remaining: int, reason: str, now_ms: int) -> Effects:
        """Takes the end of a connection; `remaining` others to the peer stand."""
        entry = self.connected.get(peer_id)
        if entry is None or entry.connection is None or remaining:
            return []
        since_ms = entry.connection.since_ms
        del self.connected[peer_id]
        self._leaving.discard(peer_id)
        entry.connection = None
        entry.round_trip_us = None
        if self.book.get(peer_id) is entry:
            self.book.seen(peer_id, now_ms)
        self.dials.lost(peer_id, since_ms, now_ms)
        self.standing.trimming.disconnected(peer_id, now_ms)
        self.exchange.lost(peer_id, now_ms)
        return [
            Notice(PeerEvent.DISCONNECTED, peer_id, reason, now_ms),
            *self._end_pings(peer_id, PeerNotConnectedError(f"peer {peer_id} went away")),
        ]

    def identified(
        self,
        peer_id: str,
        agent: str,
        protocols: Sequence[str],
        addresses: Sequence[str],
        now_ms: int,
    ) -> Effects:
        """Takes what a connected peer claims of itself."""
        entry = self.connected.get(peer_id)
        if entry is not None:
            entry.agent = agent
            entry.protocols = tuple(protocols[:MAX_PROTOCOLS])
            transports = [transport_of(address) for address in addresses]
            others = [t for t in transports if t and t not in self.own_addresses]
            self.book.announce(peer_id, others, now_ms)
            if peer_id not in self._leaving:
                self.exchange.met(peer_id, now_ms)
            self._search_soon(now_ms)
        return []

    def pinged(self, peer_id: str, microseconds: int, now_ms: int) -> Effects:
        """Takes a measured round trip."""
        entry = self.connected.get(peer_id)
        if entry is not None:
            entry.round_trip_us = microseconds
        return self._end_pings(peer_id, microseconds)

    def dialled(
        self, address: Address, peer_id: str | None, error: str | None, now_ms: int
    ) -> Effects:
        """Takes the end of a dial: which peer answered, or why none did."""
        asked = self._connecting.pop(address, [])
        if peer_id is not None:
            self.dials.succeeded(address, peer_id, now_ms)
            return [self._keep_connected(ticket, peer_id, address, now_ms) for ticket in asked]
        refusal = DialFailedError(error or "nothing answers")
        effects: Effects = [Refuse(ticket, refusal) for ticket in asked]
        only_asked = self.dials.failed(address, now_ms)  # by callers, which get the error
        if not only_asked and address.peer_id not in self.connected:
            detail = f"{address}: {refusal}"
            name = address.peer_id or ""
            effects.append(Notice(PeerEvent.DIAL_FAILED, name, detail, now_ms))
        return effects

    def stored(self, done: StoreEffect, now_ms: int) -> Effects:
        """Takes note that a change is stored, and lets it take effect."""
        answers = map(Answer, done.tickets)
        match done:
            case StoreBan(ban):
                self._add_ban(ban)
                notice = Notice(PeerEvent.BANNED, ban.peer_id, ban.reason, now_ms)
                return [Block(ban.peer_id), notice, *answers]
            case RemoveBan(peer_id):
                return [*self._remove_ban(peer_id, now_ms), *answers]
            case Save():
                self._saving = None
                return [*answers, *self._save_due(now_ms)]

    def not_stored(self, failed: StoreEffect, error: Exception, now_ms: int) -> Effects:
        """Takes note that a change could not be stored; saves and ended bans are retried."""
        match failed:
            case Save():
                self._take_back()
                self._save_ms = now_ms + STORE_RETRY_MS
            case RemoveBan(peer_id, ()):
                self._ban_ends_ms[peer_id] = now_ms + STORE_RETRY_MS
        return [Refuse(ticket, error) for ticket in failed.tickets]

    # What is asked for

    def listening(self, ticket: Ticket, count: int, now_ms: int) -> Effects:
        """Waits until `count` addresses are known at which the host listens."""
        self._listening[ticket] = count
        return self._answer_listening()

    def connect(self, ticket: Ticket, address: Address, now_ms: int) -> Effects:
        """Connects to a node and keeps it connected; answers with its peer id.

        Raises:
            DialFailedError: The address is this node's own. (Or refuses: nothing answers.)
            PeerBannedError: The peer is banned. (Or refuses: the peer that answers is.)
            NodeIsolatedError: This node is cut off.
        """
        if self.is_isolated:
            raise NodeIsolatedError("this node is isolated; heal it first")
        if address.peer_id == self.own_peer_id:
            raise DialFailedError("the address is this node's own")
        peer_id = self.already_at(address)
        if peer_id is not None:
            return [self._keep_connected(ticket, peer_id, address, now_ms)]
        self._connecting.setdefault(address, []).append(ticket)
        return [Dial(address)] if self.dials.ask(address) else []

    def disconnect(self, ticket: Ticket, peer_id: str, now_ms: int) -> Effects:
        """Removes a peer from the book, also on disk; a banned one stays banned."""
        self.book.remove(peer_id)
        ban = self._bans.get(peer_id)
        if ban is not None:
            self._add_ban(ban)
        self._unsaved_for.append(ticket)
        self._save_ms = now_ms
        return [Disconnect(peer_id), *self._save_due(now_ms)]

    def ban(
        self, ticket: Ticket, peer_id: str, duration_ms: int | None, reason: str, now_ms: int
    ) -> Effects:
        """Refuses a peer for a time, or until it is unbanned; also after a restart.

        Raises:
            InvalidPeerIdError: The peer is this node.
            InvalidBanError: The duration or the reason is not valid.
        """
        if peer_id == self.own_peer_id:
            raise InvalidPeerIdError("a node cannot ban itself")
        if len(reason.encode()) > MAX_BAN_REASON_BYTES:
            message = f"a reason has at most {MAX_BAN_REASON_BYTES} bytes"
            raise InvalidBanError(message, field="reason")
        until_ms = None if duration_ms is None else now_ms + duration_ms
        if until_ms is not None and not now_ms < until_ms <= MAX_UNTIL_MS:
            raise InvalidBanError("a ban lasts at least 1 ms, at most 1000 years", field="duration")
        return [StoreBan(Ban(peer_id, until_ms, reason), (ticket,))]

    def unban(self, ticket: Ticket, peer_id: str, now_ms: int) -> Effects:
        """Refuses a peer no longer. Idempotent."""
        return [RemoveBan(peer_id, (ticket,))]

    def isolate(self, ticket: Ticket, now_ms: int, *, mark: str = "") -> Effects:
        """Cuts this node off until it is healed (NET-16). Idempotent."""
        if self.is_isolated:
            return [Answer(ticket)]
        self.is_isolated = self.dials.is_off = True
        notice = Notice(PeerEvent.ISOLATED, "", "", now_ms)
        return [CutOff(is_on=True, mark=mark), notice, Answer(ticket)]

    def heal(self, ticket: Ticket, now_ms: int, *, mark: str = "") -> Effects:
        """Ends an isolation, and has the peers that are wanted dialled at once. Idempotent."""
        if not self.is_isolated:
            return [Answer(ticket)]
        self.is_isolated = self.dials.is_off = False
        self.dials.hurry(now_ms)
        notice = Notice(PeerEvent.HEALED, "", "", now_ms)
        return [CutOff(is_on=False, mark=mark), notice, Answer(ticket)]

    def ping(self, ticket: Ticket, peer_id: str, now_ms: int) -> Effects:
        """Measures the round trip to a peer; answers with microseconds.

        Raises:
            PeerNotConnectedError: It is not connected. (Or refuses: it does not answer.)
        """
        if peer_id not in self.connected:
            raise PeerNotConnectedError(f"peer {peer_id} is not connected")
        self._pings[ticket] = (peer_id, now_ms + PING_TIMEOUT_MS)
        return [Ping(peer_id)]

    # What can be read

    def unsaved(self) -> Changes:
        """Returns all that is not known to be stored, for the end."""
        self._take_back()
        return self.book.take_changes()

    def watch(self) -> Watcher:
        """Returns a watcher that knows of the peers that are connected."""
        made = [(e.peer_id, e.connection) for e in self.connected.values() if e.connection]
        return Watcher(Notice(PeerEvent.CONNECTED, n, c.address, c.since_ms) for n, c in made)

    def page(
        self, after: str, limit: int, *, connected_only: bool
    ) -> tuple[list[tuple[PeerEntry, int | None]], bool]:
        """Returns peers with ids beyond `after`, in order, and whether more follow.

        With each comes when it will be dialled; None if connected, banned or not wanted.
        """
        entries, more = self.book.page(
            after, limit, lambda entry: entry.connection is not None or not connected_only
        )
        return [(entry, self.dials.next_ms(entry)) for entry in entries], more

    def is_kept(self, peer_id: str) -> bool:
        """Returns whether a peer is never trimmed: the profile or a module named it."""
        entry = self.connected.get(peer_id)
        return entry is not None and (entry.bootstrap or entry.wanted) and entry.ban is None

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

    # What is to be done

    def tick(self, now_ms: int) -> Effects:
        """Ends bans and pings whose time is over, dials, searches and saves."""
        over = [peer_id for peer_id, end_ms in self._ban_ends_ms.items() if end_ms <= now_ms]
        effects: Effects = [RemoveBan(peer_id) for peer_id in over]
        for ticket, (peer_id, deadline_ms) in list(self._pings.items()):
            if deadline_ms <= now_ms:
                del self._pings[ticket]
                error = PeerNotConnectedError(f"peer {peer_id} does not answer")
                effects.append(Refuse(ticket, error))
        effects += self._trim(self.standing.tick(now_ms), now_ms)
        effects += [Dial(address) for address in self.dials.begin(now_ms)]
        effects += self.exchange.tick(now_ms)
        if self._search_is_due(now_ms):
            self._searches += 1
            self._next_search_ms = now_ms + SEARCH.delay_ms(self._searches, self._rng)
            effects.append(Search())
        effects += self._save_due(now_ms)
        status = self._current_status()
        if status != self._status:
            self._status = status
            effects.append(status)
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` has something to do."""
        times = list(self._ban_ends_ms.values())
        times += [deadline_ms for _, deadline_ms in self._pings.values()]
        parts = (self.dials, self.standing, self.exchange)
        times += [due_ms for part in parts if (due_ms := part.next_wake_ms()) is not None]
        if self.dials.below_target and self.connected and self._next_search_ms is not None:
            times.append(self._next_search_ms)
        if self._saving is None and (self._save_ms is not None or self.book.is_changed):
            times.append(self._save_ms or 0)
        if self._current_status() != self._status:
            times.append(0)
        return min(times, default=None)

    def _keep_connected(
        self, ticket: Ticket, peer_id: str, address: Address, now_ms: int
    ) -> Answer | Refuse:
        if peer_id in self._bans:
            return Refuse(ticket, PeerBannedError(f"peer {peer_id} is banned on this node"))
        self.book.want(peer_id)
        at = [address.transport]
        self.book.announce(peer_id, at, now_ms, confidence=Confidence.INFINITE)
        return Answer(ticket, peer_id)

    def _trim(self, too_many: Iterable[Trim], now_ms: int) -> Effects:
        """Ends connections of peers, which is no fault of theirs."""
        effects: Effects = []
        for each in too_many:
            self.trimmed += 1
            self._leaving.add(each.peer_id)
            worth = self.standing.trimming.value_of(each.peer_id, now_ms)
            detail = f"too many peers, worth {worth}"
            effects += [
                Notice(PeerEvent.TRIMMED, each.peer_id, detail, now_ms),
                Disconnect(each.peer_id),
            ]
        return effects

    def _add_ban(self, ban: Ban) -> None:
        self._bans[ban.peer_id] = self.book.add(ban.peer_id).ban = ban
        self.standing.trimming.forget(ban.peer_id)
        self._ban_ends_ms.pop(ban.peer_id, None)
        if ban.until_ms is not None:
            self._ban_ends_ms[ban.peer_id] = ban.until_ms

    def _remove_ban(self, peer_id: str, now_ms: int) -> Effects:
        if self._bans.pop(peer_id, None) is None:
            return []
        self._ban_ends_ms.pop(peer_id, None)
        entry = self.book.get(peer_id)
        if entry is not None:
            entry.ban = None
        self.dials.look_again(now_ms)
        return [Unblock(peer_id), Notice(PeerEvent.UNBANNED, peer_id, "", now_ms)]

    def _end_pings(self, peer_id: str, outcome: int | Exception) -> Effects:
        tickets = [ticket for ticket, (name, _) in self._pings.items() if name == peer_id]
        for ticket in tickets:
            del self._pings[ticket]
        if isinstance(outcome, Exception):
            return [Refuse(ticket, outcome) for ticket in tickets]
        return [Answer(ticket, outcome) for ticket in tickets]

    def _answer_listening(self) -> Effects:
        there = len(self.own_addresses)
        tickets = [ticket for ticket, count in self._listening.items() if count <= there]
        for ticket in tickets:
            del self._listening[ticket]
        return [Answer(ticket) for ticket in tickets]

    def _save_due(self, now_ms: int) -> Effects:
        if self._save_ms is None and self.book.is_changed:
            self._save_ms = now_ms + SAVE_DELAY_MS
        if self._saving is not None or self._save_ms is None or self._save_ms > now_ms:
            return []
        self._save_ms = None
        self._saving = Save(self.book.take_changes(), tuple(self._unsaved_for))
        self._unsaved_for.clear()
        return [self._saving]

    def _take_back(self) -> None:
        if self._saving is not None:
            self.book.put_back(self._saving.changes)
            self._saving = None

    def _current_status(self) -> Status:
        known = len(self.book) - len(self._bans)
        return Status(len(self.connected), known, self.is_isolated)

    def _search_soon(self, now_ms: int) -> None:
        self._searches = 0
        self._next_search_ms = now_ms + SEARCH_SETTLE_MS

    def _search_is_due(self, now_ms: int) -> bool:
        due = self._next_search_ms is not None and self._next_search_ms <= now_ms
        return due and self.dials.below_target and bool(self.connected)
