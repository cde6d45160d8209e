"""What callers say of peers: tags that are worth something, and reasons to stay connected.

Spec: docs/protocol/network.md, NET-18. Who is trimmed for it: core/trimming.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.machine import Answer, Ticket
from logos_mixnet.core.errors import InvalidTagError, PeerBannedError
from logos_mixnet.core.trimming import Trim, Trimming, Watermarks

MAX_NAME_BYTES: Final = 64
MAX_VALUE: Final = 1_000_000
MAX_LASTS_MS: Final = 366 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Worth:
    """What a tag adds to the value of a peer."""

    value: int
    lasts_ms: int | None = None
    """It fades evenly to 0 in this time; None: it is for good."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a peer is worth to this node now, and why."""

    score: int
    tags: Mapping[str, int]
    protections: Sequence[str]
    is_protected: bool


class Standing:
    """The questions of callers about the value of peers. Trims no peer: the next tick does."""

    def __init__(
        self,
        watermarks: Watermarks,
        *,
        is_kept: Callable[[str], bool],
        is_banned: Callable[[str], bool],
    ) -> None:
        self.trimming = Trimming(watermarks, is_kept)
        self._is_kept = is_kept
        self._is_banned = is_banned
        self._due: list[Trim] = []

    def tag(
        self, ticket: Ticket, peer_id: str, name: str, worth: Worth, now_ms: int
    ) -> list[Answer]:
        """Adds a value to a peer's, for good or fading to 0; replaces that of the name.

        Raises:
            InvalidTagError: The value or the duration is not valid.
            PeerBannedError: The peer is banned.
            TooManyTagsError: It has 16 others.
        """
        self._check(peer_id)
        if abs(worth.value) > MAX_VALUE:
            raise InvalidTagError(f"a value is at most {MAX_VALUE} from zero", field="value")
        lasts_ms = worth.lasts_ms
        if lasts_ms is not None and not 0 < lasts_ms <= MAX_LASTS_MS:
            raise InvalidTagError("a tag lasts from 1 ms to a year", field="lasts")
        self.trimming.tag(peer_id, name, worth.value, now_ms, lasts_ms=lasts_ms)
        return [Answer(ticket)]

    def untag(self, ticket: Ticket, peer_id: str, name: str, now_ms: int) -> list[Answer]:
        """Takes a value away. Idempotent."""
        self.trimming.untag(peer_id, name, now_ms)
        return [Answer(ticket)]

    def protect(self, ticket: Ticket, peer_id: str, name: str, now_ms: int) -> list[Answer]:
        """Keeps a peer connected for a reason. Idempotent.

        Raises:
            PeerBannedError: The peer is banned.
            TooManyTagsError: It is protected for 16 others.
        """
        self._check(peer_id)
        self.trimming.protect(peer_id, name, now_ms)
        return [Answer(ticket)]

    def unprotect(self, ticket: Ticket, peer_id: str, name: str, now_ms: int) -> list[Answer]:
        """Takes a reason away. Idempotent."""
        self._due += self.trimming.unprotect(peer_id, name, now_ms)
        return [Answer(ticket)]

    def value_of(self, peer_id: str, now_ms: int) -> Value:
        """Returns what a peer is worth now."""
        protections = self.trimming.protections_of(peer_id)
        return Value(
            self.trimming.value_of(peer_id, now_ms),
            self.trimming.tags_of(peer_id, now_ms),
            protections,
            bool(protections) or self._is_kept(peer_id),
        )

    def tick(self, now_ms: int) -> list[Trim]:
        """Returns the peers whose connections are to be ended now."""
        due, self._due = [*self._due, *self.trimming.tick(now_ms)], []
        return due

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` has something to do."""
        return 0 if self._due else self.trimming.next_wake_ms()

    def _check(self, peer_id: str) -> None:
        if self._is_banned(peer_id):
            raise PeerBannedError(f"peer {peer_id} is banned on this node")


def owned(caller: str, name: str) -> str:
    """Returns a name as the node keeps it: those of one caller are not those of another.

    Raises:
        InvalidTagError: It has no byte, or over 64.
    """
    if not 1 <= len(name.encode()) <= MAX_NAME_BYTES:
        raise InvalidTagError(f"a name has 1 to {MAX_NAME_BYTES} bytes", field="name")
    return f"{caller}/{name}"
