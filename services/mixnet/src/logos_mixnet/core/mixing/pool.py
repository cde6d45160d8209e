"""The mixes that a node knows, and paths through them (MIX-19, MIX-20).

Chance alone chooses, and every mix alike: to prefer those that answer well would let a mix attract
paths, and tell from a path who chose it. What loops show of a mix only removes it. Loops still
go through what is removed, as through every mix: so it is found to be back, and no message is
spent on that.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.backoff import Rng
from logos_mixnet.core.mixing.errors import DestinationUnknownError, PoolTooSmallError
from logos_mixnet.core.sphinx.header import Hop

WEIGHT: Final = 0.1
"""Of the newest loop in a mix's availability."""
FLOOR: Final = 0.5
"""Below this availability a mix is left out."""
SPARE: Final = 2
"""So many mixes more than a path has hops stay in use, however bad."""


@dataclass(frozen=True, slots=True)
class Mix:
    """A mix as its signed record describes it."""

    peer_id: str
    hop: Hop


class Pool:
    """Not thread-safe. Holds no more than discovery gives it."""

    def __init__(self) -> None:
        self._mixes: dict[str, Mix] = {}
        self._availability: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._mixes)

    def __contains__(self, peer_id: str) -> bool:
        return peer_id in self._mixes

    def __iter__(self) -> Iterator[Mix]:
        return iter(sorted(self._mixes.values(), key=_peer))

    def update(self, mixes: Iterable[Mix]) -> None:
        """Takes what discovery knows now, in place of what it knew."""
        self._mixes = {mix.peer_id: mix for mix in mixes}
        known = self._availability.items()
        self._availability = {peer: share for peer, share in known if peer in self._mixes}

    def mix(self, peer_id: str) -> Mix:
        """Returns a mix; raises `DestinationUnknownError` if it is not known."""
        if peer_id not in self._mixes:
            raise DestinationUnknownError(f"no mix {peer_id} is known")
        return self._mixes[peer_id]

    def availability(self, peer_id: str) -> float:
        """Returns the share of the loops through a mix that came back, the newest counting most."""
        return self._availability.get(peer_id, 1.0)

    def is_available(self, peer_id: str) -> bool:
        """Says whether enough loops through a mix come back for messages to go through it."""
        return self.availability(peer_id) >= FLOOR

    def looped(self, peers: Collection[str], *, came_back: bool) -> None:
        """Counts a loop (MIX-20).

        One that is lost counts against those of its mixes that are left out, if there are any: the
        others would be blamed for what is known of these. Else it counts against all of them.
        """
        counted = self._mixes.keys() & set(peers)
        left_out = {peer for peer in counted if not self.is_available(peer)}
        for peer in counted if came_back else left_out or counted:
            before = self.availability(peer)
            self._availability[peer] = before + WEIGHT * (came_back - before)

    def usable(self, length: int, without: Collection[str] = ()) -> list[Mix]:
        """Returns the mixes that paths of a length may go through, in order of their peer ids.

        Those below the floor are among them only where too few would be left, the best first.
        """
        every = sorted((m for m in self._mixes.values() if m.peer_id not in without), key=_peer)
        good = [mix for mix in every if self.is_available(mix.peer_id)]
        lacking = length + SPARE - len(good)
        if lacking <= 0:
            return good
        bad = [mix for mix in every if not self.is_available(mix.peer_id)]
        bad.sort(key=lambda mix: -self.availability(mix.peer_id))
        return sorted([*good, *bad[:lacking]], key=_peer)

    def path(self, length: int, rng: Rng, without: Collection[str] = ()) -> Sequence[Mix]:
        """Draws distinct mixes, each sequence of them as likely as any other.

        Args:
            length: Number of hops.
            rng: Where chance comes from.
            without: Peer ids of this node, and of the destination.

        Raises:
            PoolTooSmallError: There are fewer.
        """
        return _drawn(self.usable(length, without), length, rng)

    def loop(self, length: int, rng: Rng, without: Collection[str] = ()) -> Sequence[Mix]:
        """Draws as `path` does, for a loop: from all mixes, also those that are left out."""
        return _drawn([mix for mix in self if mix.peer_id not in without], length, rng)


def _drawn(left: list[Mix], length: int, rng: Rng) -> Sequence[Mix]:
    if len(left) < length:
        raise PoolTooSmallError(f"a path needs {length} mixes, {len(left)} are known")
    return [left.pop(int(rng.random() * len(left))) for _ in range(length)]


def _peer(mix: Mix) -> str:
    return mix.peer_id
