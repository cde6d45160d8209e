"""Which connections a node ends when it has too many: watermarks, grace, protection, tags.

Spec: docs/protocol/network.md, NET-17, NET-18.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from logos_mixnet.core.errors import TooManyTagsError

OUTBOUND_BONUS: Final = 100
"""A peer that this node dialled was chosen by it, not by the peer."""
MAX_TAGS: Final = 16
"""Tags, and protections, of one peer."""
MAX_MARKED: Final = 1024
"""Peers with tags or protections that are not connected; the longest gone is forgotten."""

RETURN_MS: Final = 600_000
"""For how long it counts that a peer was trimmed."""
MAX_TRIMMED: Final = 4_096
"""Peers of which it is remembered that they were; the longest gone is forgotten."""


@dataclass(frozen=True, slots=True)
class Watermarks:
    """When connections are ended, and how many."""

    low: int = 160
    """Peers that are left."""
    high: int = 192
    """More peers than this are too many."""
    grace_ms: int = 20_000
    """How long a new peer is left alone."""
    silence_ms: int = 10_000
    """The least time from one trimming to the next."""

    def __post_init__(self) -> None:
        """Raises ValueError if the numbers make no sense."""
        if not 0 <= self.low < self.high:
            raise ValueError(f"the low watermark {self.low} is not below the high one {self.high}")


@dataclass(frozen=True, slots=True)
class Trim:
    """Close the connections with a peer."""

    peer_id: str


@dataclass(frozen=True, slots=True)
class _Tag:
    value: int
    since_ms: int
    until_ms: int | None

    def worth(self, now_ms: int) -> int:
        """Returns its value, which fades evenly to 0 if it ends."""
        if self.until_ms is None:
            return self.value
        left_ms = max(self.until_ms - now_ms, 0)
        return self.value * left_ms // (self.until_ms - self.since_ms)


@dataclass(slots=True)
class _Peer:
    since_ms: int | None = None
    """When it was connected; None if it is not."""
    is_outbound: bool = False
    tags: dict[str, _Tag] = field(default_factory=dict)
    protections: set[str] = field(default_factory=set)


class Trimming:
    """The value of each peer to this node. Not thread-safe."""

    def __init__(
        self, watermarks: Watermarks, is_kept: Callable[[str], bool] = lambda _peer_id: False
    ) -> None:
        """Takes the numbers, and what says whether a peer is protected by the node itself."""
        self._marks = watermarks
        self._is_kept = is_kept
        self._peers: dict[str, _Peer] = {}
        self._connected: set[str] = set()
        self._next_trim_ms = 0
        self._trimmed_ms: OrderedDict[str, int] = OrderedDict()

    def connected(self, peer_id: str, now_ms: int, *, is_outbound: bool) -> Sequence[Trim]:
        """Takes a new peer. One that comes back after it was trimmed has no grace again."""
        peer = self._peer(peer_id)
        is_new = peer_id not in self._connected
        if is_new and not is_outbound and self._is_back(peer_id, now_ms):
            if len(self._connected) >= self._marks.high:
                self._trimmed(peer_id, now_ms)
                return [Trim(peer_id)]
            peer.since_ms = now_ms - self._marks.grace_ms
        else:
            peer.since_ms = now_ms
        peer.is_outbound = is_outbound
        self._connected.add(peer_id)
        return self.tick(now_ms)

    def disconnected(self, peer_id: str, now_ms: int) -> Sequence[Trim]:
        """Takes note that a peer is gone. Its tags and protections wait for its return."""
        peer = self._peers.pop(peer_id, None)
        self._connected.discard(peer_id)
        if peer is not None and (peer.tags or peer.protections):
            peer.since_ms = None
            self._peers[peer_id] = peer  # last among those that are not connected
            self._forget()
        return []

    def tag(
        self, peer_id: str, name: str, value: int, now_ms: int, *, lasts_ms: int | None = None
    ) -> Sequence[Trim]:
        """Adds a value to a peer's, for good or fading over a time; replaces that of the name.

        Raises:
            TooManyTagsError: It has 16 others.
            ValueError: It lasts no time.
        """
        if lasts_ms is not None and lasts_ms <= 0:
            raise ValueError("a tag lasts a while")
        peer = self._peer(peer_id)
        if name not in peer.tags and len(peer.tags) >= MAX_TAGS:
            raise TooManyTagsError(f"peer {peer_id} has {MAX_TAGS} tags")
        until_ms = None if lasts_ms is None else now_ms + lasts_ms
        peer.tags[name] = _Tag(value, now_ms, until_ms)
        self._forget()
        return []

    def untag(self, peer_id: str, name: str, now_ms: int) -> Sequence[Trim]:
        """Takes a value away. Idempotent."""
        if peer_id in self._peers:
            self._peers[peer_id].tags.pop(name, None)
        return []

    def protect(self, peer_id: str, name: str, now_ms: int) -> Sequence[Trim]:
        """Keeps a peer connected for a reason; raises `TooManyTagsError` beyond 16."""
        peer = self._peer(peer_id)
        if name not in peer.protections and len(peer.protections) >= MAX_TAGS:
            raise TooManyTagsError(f"peer {peer_id} is protected for {MAX_TAGS} reasons")
        peer.protections.add(name)
        self._forget()
        return []

    def unprotect(self, peer_id: str, name: str, now_ms: int) -> Sequence[Trim]:
        """Takes a reason away; without any the peer may be trimmed. Idempotent."""
        if peer_id in self._peers:
            self._peers[peer_id].protections.discard(name)
        return self.tick(now_ms)

    def value_of(self, peer_id: str, now_ms: int) -> int:
        """Returns what a peer is worth now."""
        peer = self._peers.get(peer_id, _Peer())
        bonus = OUTBOUND_BONUS if peer.is_outbound and peer.since_ms is not None else 0
        return bonus + sum(tag.worth(now_ms) for tag in peer.tags.values())

    def tags_of(self, peer_id: str, now_ms: int) -> dict[str, int]:
        """Returns what each tag of a peer is worth now."""
        peer = self._peers.get(peer_id, _Peer())
        return {name: tag.worth(now_ms) for name, tag in sorted(peer.tags.items())}

    def protections_of(self, peer_id: str) -> list[str]:
        """Returns for which reasons a peer is protected."""
        return sorted(self._peers.get(peer_id, _Peer()).protections)

    def forget(self, peer_id: str) -> None:
        """Takes away all tags and protections of a peer."""
        peer = self._peers.get(peer_id)
        if peer is not None:
            peer.tags.clear()
            peer.protections.clear()

    def tick(self, now_ms: int) -> Sequence[Trim]:
        """Trims down to the low watermark if there are more peers than the high one."""
        if len(self._connected) <= self._marks.high or now_ms < self._next_trim_ms:
            return []

        def rank(peer_id: str) -> tuple[int, int, str]:
            since_ms = self._peers[peer_id].since_ms
            return self.value_of(peer_id, now_ms), -(since_ms or 0), peer_id

        exposed = sorted(self._exposed(now_ms), key=rank)
        trimmed = exposed[: len(self._connected) - self._marks.low]
        if trimmed:
            self._next_trim_ms = now_ms + self._marks.silence_ms
        for peer_id in trimmed:
            self._trimmed(peer_id, now_ms)
        return [Trim(peer_id) for peer_id in trimmed]

    def next_wake_ms(self) -> int | None:
        """Returns when a trimming is due: grace or silence is over for the first peer."""
        if len(self._connected) <= self._marks.high:
            return None
        times = [since_ms + self._marks.grace_ms for _, since_ms in self._loose()]
        return max(min(times), self._next_trim_ms) if times else None

    def _is_back(self, peer_id: str, now_ms: int) -> bool:
        """Says whether a peer was trimmed a while ago, and would be first to be so again."""
        trimmed_ms = self._trimmed_ms.get(peer_id)
        if trimmed_ms is None or now_ms - trimmed_ms > RETURN_MS:
            return False
        is_protected = bool(self._peer(peer_id).protections) or self._is_kept(peer_id)
        return not is_protected and self.value_of(peer_id, now_ms) <= 0

    def _trimmed(self, peer_id: str, now_ms: int) -> None:
        self._connected.discard(peer_id)
        self._peers[peer_id].since_ms = None
        self._trimmed_ms[peer_id] = now_ms
        self._trimmed_ms.move_to_end(peer_id)
        if len(self._trimmed_ms) > MAX_TRIMMED:
            self._trimmed_ms.popitem(last=False)

    def _exposed(self, now_ms: int) -> list[str]:
        grace_ms = self._marks.grace_ms
        return [peer_id for peer_id, since_ms in self._loose() if since_ms + grace_ms <= now_ms]

    def _loose(self) -> Iterator[tuple[str, int]]:
        for peer_id in self._connected:
            peer = self._peers[peer_id]
            if peer.since_ms is not None and not peer.protections and not self._is_kept(peer_id):
                yield peer_id, peer.since_ms

    def _peer(self, peer_id: str) -> _Peer:
        return self._peers.setdefault(peer_id, _Peer())

    def _forget(self) -> None:
        while len(self._peers) - len(self._connected) > MAX_MARKED:
            gone = next(each for each, peer in self._peers.items() if peer.since_ms is None)
            del self._peers[gone]
