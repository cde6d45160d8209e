"""Peer exchange: records that peers have signed, asked of one another at random.

Spec: docs/protocol/network.md, NET-19 (messages), NET-20 (what is passed on), NET-21 (what is
taken, and how often), NET-26 (what modules are told elsewhere).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.errors import RemoteFaultError
from logos_base.machine import Answer, Refuse, Ticket
from logos_crypto import base58
from logos_mixnet.core.address_book import (
    MAX_ADDRESSES,
    MAX_RECORDS,
    AddressBook,
    PeerEntry,
    SignedCopy,
)
from logos_mixnet.core.addresses import transport_of
from logos_mixnet.core.backoff import Backoff, Rng
from logos_mixnet.core.budgets import Allowance, Budgets
from logos_mixnet.core.capability.crowding import Crowd
from logos_mixnet.core.capability.errors import RecordSignerError
from logos_mixnet.core.capability.multiaddr import decode_address, ips_of
from logos_mixnet.core.capability.places import ip_of_address
from logos_mixnet.core.capability.records import PeerRecord, open_record
from logos_mixnet.core.confidence import Confidence
from logos_mixnet.core.errors import (
    ExchangeRefusedError,
    PeerExchangeFailedError,
    PeerNotConnectedError,
    TooManyPeersError,
)
from logos_mixnet.core.exchange_wire import (
    MAX_SAMPLE,
    ExchangeRequest,
    ExchangeResponse,
    decode_request,
    decode_response,
)
from logos_mixnet.core.own_record import OwnRecord
from logos_mixnet.core.scopes import Scope, scope_of, scope_of_link

MAX_ASKS: Final = 4
"""Peers that are asked at a time, but for those that callers name."""
AGAIN: Final = Backoff(10_000, 600_000)
"""Until the next peer is asked while more are sought, longer after each that named no new one."""
REFRESH_MS: Final = 600_000
"""Until the next peer is asked while none are sought."""
REST_MS: Final = 600_000
"""A peer that has broken a rule, or does not speak the protocol, is not asked for so long."""
MAX_RESTING: Final = 1024
FRESH_MS: Final = 24 * 3600 * 1000
"""A record that was not received for longer is not passed on."""
MAX_TRIES: Final = 64
"""Records that are looked at for one response."""
MAX_NAMED: Final = 64
"""Peers of one call: what a response of Waku's peer exchange has, and some."""
PEERS_OF_IP: Final = 2
PEERS_OF_NETWORK: Final = 3
OF_PEER: Final = Allowance(at_once=4, every_ms=10_000)
OF_ALL: Final = Allowance(at_once=64, every_ms=50)


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request to a peer, and report with `answered` or `not_answered`."""

    peer_id: str
    request: bytes


@dataclass(frozen=True, slots=True)
class NamedPeer:
    """A peer, and where it is said to be."""

    peer_id: str
    addresses: tuple[str, ...]
    """Multiaddresses, untrusted; the first 16 count."""


@dataclass(frozen=True, slots=True)
class Found:
    """A peer that a response names."""

    peer_id: str
    addresses: tuple[str, ...]
    """Those that are believed of its sender."""
    seq: int
    signed: bytes
    is_new: bool
    """Whether the book did not have it."""


@dataclass(slots=True)
class Counts:
    """What has happened since the module started."""

    asked: int = 0
    failed: int = 0
    """Asked peers that did not answer, or broke a rule."""
    served: int = 0
    refused: int = 0
    """Requests over the budget, or that broke a rule."""


Effects = list[Ask | Answer | Refuse]


class Exchange:
    """The peer exchange of one node. Not thread-safe."""

    def __init__(
        self,
        book: AddressBook,
        connected: Mapping[str, PeerEntry],
        own_addresses: Mapping[str, None],
        own_peer_id: str,
        *,
        target_peers: int,
        rng: Rng,
        own: OwnRecord | None,
        is_on: bool,
    ) -> None:
        self.counts = Counts()
        self._book = book
        self._connected = connected
        self._own_addresses = own_addresses
        self._own_peer_id = own_peer_id
        self._target_peers = target_peers
        self._rng = rng
        self._own = own
        self._is_on = is_on
        self._budgets = Budgets(OF_PEER, OF_ALL)
        self._opened: dict[bytes, tuple[PeerRecord, str]] = {}  # a signature costs a millisecond
        self._to_meet: dict[str, None] = {}  # connected peers that were not asked yet
        self._asked: dict[str, list[Ticket]] = {}  # who is asked now, and who waits for it
        self._resting: dict[str, int] = {}
        self._next_ms: int | None = None
        self._barren = 0

    # What has happened

    def met(self, peer_id: str, now_ms: int) -> None:
        """Takes note of a connected peer, which will be asked at once."""
        if self._is_on and not self._rests(peer_id, now_ms) and peer_id not in self._asked:
            self._to_meet[peer_id] = None
        if self._next_ms is None:
            self._next_ms = now_ms + AGAIN.delay_ms(0, self._rng)

    def lost(self, peer_id: str, now_ms: int) -> None:
        """Takes note that a peer is gone: there may be a need of others soon."""
        self._to_meet.pop(peer_id, None)
        self._barren = 0
        if self._next_ms is not None:
            self._next_ms = min(self._next_ms, now_ms + AGAIN.delay_ms(0, self._rng))

    def answered(self, peer_id: str, response: bytes, now_ms: int) -> Effects:
        """Takes the response of a peer that was asked."""
        tickets = self._asked.pop(peer_id, [])
        try:
            found = self._take(peer_id, decode_response(response), now_ms)
        except RemoteFaultError as error:
            return self._end(peer_id, tickets, str(error), now_ms, rests=True)
        new = sum(each.is_new for each in found)
        self._barren = 0 if new else self._barren + 1
        return [Answer(ticket, tuple(found)) for ticket in tickets]

    def not_answered(self, peer_id: str, error: Exception, now_ms: int) -> Effects:
        """Takes note that a peer did not answer: by its fault, or because it cannot."""
        tickets = self._asked.pop(peer_id, [])
        self._barren += 1
        rests = isinstance(error, RemoteFaultError | TimeoutError)
        return self._end(peer_id, tickets, str(error), now_ms, rests=rests)

    # What is asked for

    def ask(self, ticket: Ticket, peer_id: str, now_ms: int) -> Effects:
        """Asks a peer now; answers with what it names.

        Raises:
            PeerNotConnectedError: It is not connected.
            PeerExchangeFailedError: It does not answer as it must. (As a refusal.)
        """
        if peer_id not in self._connected:
            raise PeerNotConnectedError(f"peer {peer_id} is not connected")
        if not self._is_on:
            raise PeerExchangeFailedError("peer exchange is turned off by the profile")
        self._to_meet.pop(peer_id, None)
        if peer_id in self._asked:
            self._asked[peer_id].append(ticket)
            return []
        effect = self._begin(peer_id, now_ms)
        self._asked[peer_id].append(ticket)
        return [effect]

    def serve(self, ticket: Ticket, peer_id: str, raw: bytes, now_ms: int) -> Effects:
        """Answers a peer's request with the bytes of a response.

        Raises:
            ExchangeRefusedError: It is over its budget.
            RemoteFaultError: The request breaks a rule.
        """
        if not self._is_on or not self._budgets.take(peer_id, now_ms):
            raise ExchangeRefusedError("the peer asks too often")
        request = decode_request(raw)
        self._take_own(peer_id, request.own, now_ms)
        self.counts.served += 1
        scope = self._scope(peer_id)
        others = self.sample(request.count, now_ms, scope=scope, but=peer_id)
        return [Answer(ticket, ExchangeResponse(self._own_record(now_ms), others).encode())]

    def named(
        self, ticket: Ticket, source: str, peers: Sequence[NamedPeer], now_ms: int
    ) -> Effects:
        """Takes what a peer has told a module of where others are (NET-26).

        Args:
            ticket: Answered with how many peers were taken, and how many of them are new.
            source: Who says it; empty: the settings of a module, which may name any address.
            peers: What is said, untrusted.
            now_ms: The time.

        Raises:
            TooManyPeersError: There are over 64.
        """
        if len(peers) > MAX_NAMED:
            raise TooManyPeersError(f"{len(peers)} peers in one call, over {MAX_NAMED}")
        scope = self._scope(source) if source else Scope.MACHINE
        crowd = Crowd(of_ip=PEERS_OF_IP, of_network=PEERS_OF_NETWORK)
        taken: dict[str, bool] = {}
        for each in peers:
            transports = dict.fromkeys(map(transport_of, each.addresses[:MAX_ADDRESSES]))
            near = [one for one in transports if one is not None and scope_of(one) >= scope]
            if each.peer_id in {source, self._own_peer_id, *taken} or not near:
                continue
            ips = [ip for ip in map(ip_of_address, near) if ip is not None]
            if source and not crowd.has_room(ips):
                continue
            crowd.add(ips)
            is_new = self._book.hear_of(each.peer_id, near, now_ms)
            if is_new is not None:
                taken[each.peer_id] = is_new
        return [Answer(ticket, (len(taken), sum(taken.values())))]

    def shown(self, now_ms: int) -> list[Found]:
        """Returns what this node would answer to a peer on the same machine."""
        found = []
        for raw in self.sample(MAX_SAMPLE, now_ms):
            record, name = self._open(raw)
            addresses = tuple(believed(record, Scope.MACHINE))
            found.append(Found(name, addresses, record.seq, raw, is_new=False))
        return found

    def sample(
        self, count: int, now_ms: int, *, scope: Scope = Scope.MACHINE, but: str = ""
    ) -> list[bytes]:
        """Returns records at random that are fresh, and of use to a peer at that scope.

        Whether this node is connected to their peers has no part in it (D6).
        """
        chosen: list[bytes] = []
        for tried, entry in enumerate(self._shuffled()):
            if len(chosen) >= count or tried >= MAX_TRIES:
                break
            signed = entry.signed
            if signed is None or entry.ban is not None or entry.peer_id == but:
                continue
            is_fresh = now_ms < signed.heard_ms + FRESH_MS
            if is_fresh and any(scope_of(address) >= scope for address in entry.addresses):
                chosen.append(signed.encoded)
        return chosen

    # What is to be done

    def tick(self, now_ms: int) -> Effects:
        """Asks the peers that are due."""
        effects: Effects = []
        while self._to_meet and len(self._asked) < MAX_ASKS:
            peer_id = next(iter(self._to_meet))
            del self._to_meet[peer_id]
            effects.append(self._begin(peer_id, now_ms))
        if self._is_due(now_ms):
            self._next_ms = now_ms + self._pause_ms()
            open_to_it = [
                name
                for name in self._connected
                if name not in self._asked and not self._rests(name, now_ms)
            ]
            if open_to_it:
                picked = open_to_it[int(self._rng.random() * len(open_to_it))]
                effects.append(self._begin(picked, now_ms))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` has something to do."""
        if not self._is_on or len(self._asked) >= MAX_ASKS or not self._connected:
            return None
        return 0 if self._to_meet else self._next_ms

    def _is_due(self, now_ms: int) -> bool:
        next_ms = self.next_wake_ms()
        return next_ms is not None and not self._to_meet and next_ms <= now_ms

    def _pause_ms(self) -> int:
        if len(self._connected) >= self._target_peers:
            return REFRESH_MS
        return AGAIN.delay_ms(self._barren + 1, self._rng)

    def _begin(self, peer_id: str, now_ms: int) -> Ask:
        self._asked[peer_id] = []
        self.counts.asked += 1
        request = ExchangeRequest(MAX_SAMPLE, self._own_record(now_ms))
        return Ask(peer_id, request.encode())

    def _end(
        self, peer_id: str, tickets: Iterable[Ticket], why: str, now_ms: int, *, rests: bool
    ) -> Effects:
        self.counts.failed += 1
        if rests:
            self._resting.pop(peer_id, None)
            self._resting[peer_id] = now_ms + REST_MS
            while len(self._resting) > MAX_RESTING:
                del self._resting[next(iter(self._resting))]
        error = PeerExchangeFailedError(f"peer {peer_id} names no others: {why}")
        return [Refuse(ticket, error) for ticket in tickets]

    def _rests(self, peer_id: str, now_ms: int) -> bool:
        return self._resting.get(peer_id, 0) > now_ms

    def _own_record(self, now_ms: int) -> bytes:
        if self._own is None or not self._own_addresses:
            return b""
        return self._own.current(self._own_addresses, now_ms).encoded

    def _shuffled(self) -> Iterator[PeerEntry]:
        names = self._book.with_records()
        for at in range(len(names)):
            other = at + int(self._rng.random() * (len(names) - at))
            names[at], names[other] = names[other], names[at]
            entry = self._book.get(names[at])
            if entry is not None:
                yield entry

    def _scope(self, peer_id: str) -> Scope:
        entry = self._connected.get(peer_id)
        made = None if entry is None else entry.connection
        return Scope.WORLD if made is None else scope_of_link(made.address)

    def _take(self, peer_id: str, response: ExchangeResponse, now_ms: int) -> list[Found]:
        opened = [self._open(raw) for raw in response.records]  # one bad record: none is taken
        self._take_own(peer_id, response.own, now_ms)
        scope = self._scope(peer_id)
        crowd = Crowd(of_ip=PEERS_OF_IP, of_network=PEERS_OF_NETWORK)
        found: dict[str, Found] = {}
        for raw, (record, name) in zip(response.records, opened, strict=True):
            addresses = believed(record, scope)
            ips = ips_of(record.addresses)
            if name in {peer_id, self._own_peer_id, *found} or not addresses:
                continue
            if crowd.has_room(ips):
                crowd.add(ips)
                signed = SignedCopy(raw, record.seq, now_ms)
                is_new = self._book.hear(name, signed, addresses, confidence=Confidence.LOW)
                found[name] = Found(name, tuple(addresses), record.seq, raw, is_new)
        return list(found.values())

    def _take_own(self, peer_id: str, raw: bytes, now_ms: int) -> None:
        if not raw:
            return
        record, name = self._open(raw)
        if name != peer_id:
            raise RecordSignerError("a peer gives the record of another as its own")
        addresses = believed(record, self._scope(peer_id))
        if addresses:
            signed = SignedCopy(raw, record.seq, now_ms)
            self._book.hear(name, signed, addresses, confidence=Confidence.MEDIUM)

    def _open(self, raw: bytes) -> tuple[PeerRecord, str]:
        opened = self._opened.pop(raw, None)
        if opened is None:
            record = open_record(raw).record
            opened = record, base58.encode(record.peer_id)
        self._opened[raw] = opened  # last: it came just now
        while len(self._opened) > MAX_RECORDS:
            del self._opened[next(iter(self._opened))]
        return opened


def believed(record: PeerRecord, scope: Scope) -> Sequence[str]:
    """Returns the addresses of a record that can be dialled, and that a peer so near can know."""
    decoded = map(decode_address, record.addresses)
    transports = dict.fromkeys(address.transport for address in decoded if address is not None)
    return [transport for transport in transports if scope_of(transport) >= scope]
