"""The peers that this node knows: where they are reached, and how well that went.

Pure. Bounded: 10,000 peers of 16 addresses each, and 1024 signed records, whatever peers say.

Spec: docs/protocol/network.md, NET-3 (addresses), NET-4 (back-off), NET-9 (book, bans),
NET-22 (confidence).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from logos_mixnet.core.backoff import DIAL, Rng
from logos_mixnet.core.confidence import AddressScore, Confidence, Learned

MAX_PEERS: Final = 10_000
MAX_ADDRESSES: Final = 16
MAX_RECORDS: Final = 1024
"""Signed records of peers; the one heard longest ago gives way."""
FORGET_AFTER_FAILURES: Final = 12
"""Failures in a row at every address: about eight minutes of trying."""


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """What of a peer outlives the process."""

    peer_id: str
    addresses: tuple[str, ...]
    """Without `/p2p`, best first."""
    wanted: bool
    last_seen_ms: int
    """Unix time; 0 if it was never connected."""
    learned: tuple[Learned, ...] = ()
    """Of each address; of none if it was written down before there was confidence."""
    signed: "SignedCopy | None" = None


@dataclass(frozen=True, slots=True)
class SignedCopy:
    """A record that the peer has signed, as it is passed on (NET-20)."""

    encoded: bytes
    seq: int
    heard_ms: int
    """Unix time at which it came last."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A peer that is refused."""

    peer_id: str
    until_ms: int | None
    """Unix time; None until it is unbanned."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be written down."""

    changed: tuple[PeerRecord, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """The oldest open connection to a peer."""

    address: str
    outbound: bool
    since_ms: int


@dataclass(slots=True)
class PeerEntry:
    """One peer."""

    peer_id: str
    addresses: dict[str, AddressScore] = field(default_factory=dict)
    wanted: bool = False
    """Kept connected, because a module asked for it."""
    bootstrap: bool = False
    """Kept connected, because the profile names it."""
    agent: str = ""
    protocols: tuple[str, ...] = ()
    last_seen_ms: int = 0
    round_trip_us: int | None = None
    connection: Connection | None = None
    ban: Ban | None = None
    signed: SignedCopy | None = None

    @property
    def confidence(self) -> Confidence:
        """That of its address which is believed most."""
        scores = self.addresses.values()
        return max((score.confidence for score in scores), default=Confidence.LOW)

    @property
    def heard_ms(self) -> int:
        """Last time that it was connected, or that a peer named an address of it."""
        times = [score.heard_ms for score in self.addresses.values()]
        return max(self.last_seen_ms, *times, 0)

    @property
    def pinned(self) -> bool:
        """Whether it stays in a book that is full."""
        kept = self.wanted or self.bootstrap or self.ban is not None
        return kept or self.connection is not None

    @property
    def dial_failures(self) -> int:
        """Dials that failed since the last success."""
        return sum(score.failures for score in self.addresses.values())

    @property
    def next_dial_ms(self) -> int | None:
        """When the first of its addresses may be dialled; None if there is none."""
        return min((score.next_dial_ms for score in self.addresses.values()), default=None)

    def best_first(self) -> list[str]:
        """Returns its addresses: fewest failures, most confidence, then the last that worked."""
        return sorted(self.addresses, key=lambda address: self.addresses[address].rank)

    def record(self) -> PeerRecord:
        """Returns what of it is to be kept."""
        best = tuple(self.best_first())
        learned = tuple(self.addresses[address].learned() for address in best)
        return PeerRecord(self.peer_id, best, self.wanted, self.last_seen_ms, learned, self.signed)

    def make_room(self, confidence: Confidence) -> bool:
        """Drops the worst address if all places are taken; returns whether one is free.

        Only for an address that is believed as much does one give way that did not fail, and
        never one that the profile or a module names.
        """
        if len(self.addresses) < MAX_ADDRESSES:
            return True
        scores = self.addresses
        loose = [a for a in self.best_first() if scores[a].confidence < Confidence.INFINITE]
        if not loose:
            return False
        worst = scores[loose[-1]]
        if not worst.failures and worst.confidence > confidence:
            return False
        del scores[loose[-1]]
        return True


class AddressBook:
    """Peers by id, and which of them have changed since `take_changes`."""

    def __init__(
        self, rng: Rng, *, max_peers: int = MAX_PEERS, max_records: int = MAX_RECORDS
    ) -> None:
        self._rng = rng
        self._max_peers = max_peers
        self._max_records = max_records
        self._peers: dict[str, PeerEntry] = {}
        self._signed: dict[str, None] = {}  # peers with records, the longest heard first
        self._changed: set[str] = set()
        self._removed: set[str] = set()
        self.wanted: set[str] = set()

    def __len__(self) -> int:
        return len(self._peers)

    def __iter__(self) -> Iterator[PeerEntry]:
        return iter(self._peers.values())

    def get(self, peer_id: str) -> PeerEntry | None:
        """Returns a peer, or None if it is not known."""
        return self._peers.get(peer_id)

    def load(self, records: Iterable[PeerRecord]) -> None:
        """Takes over what was written down."""
        with_record: list[PeerEntry] = []
        for record in records:
            entry = loaded(record)
            self._peers[record.peer_id] = entry
            if record.wanted:
                self.wanted.add(record.peer_id)
            if entry.signed is not None:
                with_record.append(entry)
        for entry in sorted(with_record, key=lambda e: e.signed.heard_ms if e.signed else 0):
            self._keep_signed(entry, entry.signed)

    def add(self, peer_id: str) -> PeerEntry:
        """Returns a peer's entry, made if there was none; makes room for it."""
        entry = self._peers.get(peer_id)
        if entry is None:
            self._make_room(Confidence.INFINITE)
            entry = self._peers[peer_id] = PeerEntry(peer_id)
            self._touch(peer_id)
        return entry

    def want(self, peer_id: str) -> None:
        """Marks a peer to be kept connected."""
        self.add(peer_id).wanted = True
        self.wanted.add(peer_id)
        self._touch(peer_id)

    def announce(
        self,
        peer_id: str,
        addresses: Iterable[str],
        now_ms: int,
        *,
        confidence: Confidence = Confidence.MEDIUM,
    ) -> None:
        """Adds addresses that the peer itself, or another one, names for it."""
        entry = self.add(peer_id)
        for address in addresses:
            if address not in entry.addresses:
                if not entry.make_room(confidence):
                    return
                entry.addresses[address] = AddressScore()
            entry.addresses[address].named(confidence, now_ms)
            self._touch(peer_id)

    def hear(
        self,
        peer_id: str,
        signed: SignedCopy,
        addresses: Iterable[str],
        *,
        confidence: Confidence,
    ) -> bool:
        """Takes a record that a peer has signed; returns whether there was room and it is new.

        In a full book, an unknown peer takes the place of one that is believed no more than it.
        """
        entry = self._peers.get(peer_id)
        if entry is None and not self._make_room(confidence):
            return False
        if entry is not None and entry.signed is not None and signed.seq < entry.signed.seq:
            return False
        is_new = entry is None
        self.announce(peer_id, addresses, signed.heard_ms, confidence=confidence)
        self._keep_signed(self.add(peer_id), signed)
        self._touch(peer_id)
        return is_new

    def hear_of(self, peer_id: str, addresses: Iterable[str], now_ms: int) -> bool | None:
        """Takes where another node says that a peer is; returns whether the peer is new.

        None if there was no room: an unknown peer takes the place of one by hearsay only.
        """
        is_new = peer_id not in self._peers
        if is_new and not self._make_room(Confidence.LOW):
            return None
        self.announce(peer_id, addresses, now_ms, confidence=Confidence.LOW)
        return is_new

    def with_records(self) -> list[str]:
        """Returns the ids of the peers whose signed records it holds."""
        return list(self._signed)

    def reached(self, peer_id: str, address: str, now_ms: int) -> None:
        """Notes that a dial of an address has found the peer there."""
        entry = self.add(peer_id)
        if address not in entry.addresses and not entry.make_room(Confidence.HIGH):
            del entry.addresses[entry.best_first()[-1]]
        score = entry.addresses.setdefault(address, AddressScore())
        score.named(Confidence.HIGH, now_ms)
        score.reached_ms, score.failures, score.next_dial_ms = now_ms, 0, 0
        self.seen(peer_id, now_ms)

    def seen(self, peer_id: str, now_ms: int) -> None:
        """Notes that the peer was connected at this time."""
        self.add(peer_id).last_seen_ms = now_ms
        self._touch(peer_id)

    def failed(self, peer_id: str, address: str, now_ms: int) -> None:
        """Notes that a dial of an address has failed; forgets a peer that is gone."""
        entry = self._peers.get(peer_id)
        score = None if entry is None else entry.addresses.get(address)
        if entry is None or score is None:
            return
        score.failures += 1
        score.next_dial_ms = now_ms + DIAL.delay_ms(score.failures, self._rng)
        gone = all(s.failures >= FORGET_AFTER_FAILURES for s in entry.addresses.values())
        if gone and not entry.pinned:
            self.remove(peer_id)

    def retry_at(self, peer_id: str, time_ms: int) -> None:
        """Puts off the next dial of a peer, after its connection was lost."""
        entry = self._peers.get(peer_id)
        for score in entry.addresses.values() if entry is not None else ():
            score.next_dial_ms = max(score.next_dial_ms, time_ms)

    def remove(self, peer_id: str) -> None:
        """Forgets a peer. Idempotent."""
        if self._peers.pop(peer_id, None) is not None:
            self.wanted.discard(peer_id)
            self._signed.pop(peer_id, None)
            self._changed.discard(peer_id)
            self._removed.add(peer_id)

    def page(
        self, after: str, limit: int, keep: Callable[[PeerEntry], bool]
    ) -> tuple[list[PeerEntry], bool]:
        """Returns up to `limit` peers with ids beyond `after`, in order, and if more follow."""
        kept = (entry for entry in self if entry.peer_id > after and keep(entry))
        beyond = sorted(kept, key=lambda entry: entry.peer_id)
        return beyond[:limit], len(beyond) > limit

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to store."""
        return bool(self._changed or self._removed)

    def take_changes(self) -> Changes:
        """Returns what was changed since the last call."""
        changed = tuple(self._peers[name].record() for name in sorted(self._changed))
        changes = Changes(changed, tuple(sorted(self._removed)))
        self._changed.clear()
        self._removed.clear()
        return changes

    def put_back(self, changes: Changes) -> None:
        """Takes back changes that could not be written down."""
        self._changed |= {r.peer_id for r in changes.changed if r.peer_id in self._peers}
        self._removed |= {name for name in changes.removed if name not in self._peers}
        self._removed |= {r.peer_id for r in changes.changed if r.peer_id not in self._peers}

    def _touch(self, peer_id: str) -> None:
        self._changed.add(peer_id)
        self._removed.discard(peer_id)

    def _make_room(self, confidence: Confidence) -> bool:
        """Has one peer give way in a full book; returns whether one has, or need not.

        The least believed goes, and of those the one that was named longest ago.
        """
        if len(self._peers) < self._max_peers:
            return True
        loose = (entry for entry in self._peers.values() if not entry.pinned)
        victim = min(loose, key=lambda e: (e.confidence, e.heard_ms), default=None)
        if victim is None or victim.confidence > confidence:
            return False
        self.remove(victim.peer_id)
        return True

    def _keep_signed(self, entry: PeerEntry, signed: SignedCopy | None) -> None:
        entry.signed = signed
        self._signed.pop(entry.peer_id, None)
        self._signed[entry.peer_id] = None  # last: heard just now
        while len(self._signed) > self._max_records:
            oldest = next(iter(self._signed))
            del self._signed[oldest]
            self._peers[oldest].signed = None
            self._touch(oldest)


def loaded(record: PeerRecord) -> PeerEntry:
    """Returns a peer as it was written down.

    What the profile of another run named is named no longer: it was reached, or it was not.
    """
    entry = PeerEntry(record.peer_id, {}, record.wanted)
    entry.last_seen_ms = record.last_seen_ms
    entry.signed = record.signed
    for at, address in enumerate(record.addresses[:MAX_ADDRESSES]):
        learned = record.learned[at] if at < len(record.learned) else Learned()
        confidence = learned.confidence
        if confidence is Confidence.INFINITE and not record.wanted:
            confidence = Confidence.HIGH if learned.reached_ms else Confidence.MEDIUM
        entry.addresses[address] = AddressScore(confidence, learned.heard_ms, learned.reached_ms)
    return entry
