"""The peers that this node knows: where they are reached, and how well that went.

Pure. Bounded: 10,000 peers of 16 addresses each, whatever peers announce.

Spec: docs/protocol/network.md, NET-3 (addresses), NET-4 (back-off), NET-9 (book, bans).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from logos_mixnet.core.backoff import DIAL, Rng

MAX_PEERS: Final = 10_000
MAX_ADDRESSES: Final = 16
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


@dataclass(slots=True)
class AddressScore:
    """How dialling one address went."""

    failures: int = 0
    """Since the last success."""
    next_dial_ms: int = 0
    reached_ms: int = 0


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
        """Returns its addresses: fewest failures first, then the last that worked."""
        scores = self.addresses

        def rank(address: str) -> tuple[int, int]:
            return scores[address].failures, -scores[address].reached_ms

        return sorted(scores, key=rank)

    def record(self) -> PeerRecord:
        """Returns what of it is to be kept."""
        return PeerRecord(self.peer_id, tuple(self.best_first()), self.wanted, self.last_seen_ms)


class AddressBook:
    """Peers by id, and which of them have changed since `take_changes`."""

    def __init__(self, rng: Rng, *, max_peers: int = MAX_PEERS) -> None:
        self._rng = rng
        self._max_peers = max_peers
        self._peers: dict[str, PeerEntry] = {}
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
        for record in records:
            addresses = {address: AddressScore() for address in record.addresses[:MAX_ADDRESSES]}
            entry = PeerEntry(record.peer_id, addresses, record.wanted)
            entry.last_seen_ms = record.last_seen_ms
            self._peers[record.peer_id] = entry
            if record.wanted:
                self.wanted.add(record.peer_id)

    def add(self, peer_id: str) -> PeerEntry:
        """Returns a peer's entry, made if there was none; makes room for it."""
        entry = self._peers.get(peer_id)
        if entry is None:
            if len(self._peers) >= self._max_peers:
                self._evict()
            entry = self._peers[peer_id] = PeerEntry(peer_id)
            self._touch(peer_id)
        return entry

    def want(self, peer_id: str) -> None:
        """Marks a peer to be kept connected."""
        self.add(peer_id).wanted = True
        self.wanted.add(peer_id)
        self._touch(peer_id)

    def announce(self, peer_id: str, addresses: Iterable[str]) -> None:
        """Adds addresses that the peer itself or another one claims for it."""
        entry = self.add(peer_id)
        for address in addresses:
            if address in entry.addresses:
                continue
            if len(entry.addresses) >= MAX_ADDRESSES and not self._drop_worst(entry):
                return
            entry.addresses[address] = AddressScore()
            self._touch(peer_id)

    def reached(self, peer_id: str, address: str, now_ms: int) -> None:
        """Notes that a dial of an address has found the peer there."""
        entry = self.add(peer_id)
        if address not in entry.addresses and len(entry.addresses) >= MAX_ADDRESSES:
            del entry.addresses[entry.best_first()[-1]]
        entry.addresses[address] = AddressScore(reached_ms=now_ms)
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

    def _evict(self) -> None:
        loose = (entry for entry in self._peers.values() if not entry.pinned)
        victim = min(loose, key=lambda entry: entry.last_seen_ms, default=None)
        if victim is not None:
            self.remove(victim.peer_id)

    @staticmethod
    def _drop_worst(entry: PeerEntry) -> bool:
        # A claim must not push out an address that has worked.
        worst = entry.best_first()[-1]
        if entry.addresses[worst].reached_ms and not entry.addresses[worst].failures:
            return False
        del entry.addresses[worst]
        return True
