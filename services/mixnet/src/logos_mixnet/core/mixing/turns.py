"""Whose packet is checked next: one peer after another, whatever each of them sends (MIX-17).

Few packets of a peer are here at a time, and few of all are being checked: so one that floods
takes its own turns only. Every other turn is one of the peers of which a proof has held: so they
do not wait for any number of strangers.
"""

from collections import Counter, OrderedDict, deque
from typing import Final

MAX_PROVEN: Final = 4_096
"""Peers that are remembered, those of which a proof has held last."""

_Queues = OrderedDict[str, deque[int]]
"""Of each peer, the one whose turn it is first."""


class Turns:
    """Packets by number, and the peers that sent them."""

    def __init__(self, *, most: int, each: int) -> None:
        """`most`: packets that are checked at a time; `each`: of one peer, with those that wait."""
        self._most = most
        self._each = each
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._waiting: tuple[_Queues, _Queues] = OrderedDict(), OrderedDict()
        """Of strangers, and of peers of which a proof has held when they began to wait."""
        self._turn = 0
        """Which of the two is next, where both wait."""
        self._checking: set[int] = set()
        self._of_peer: Counter[str] = Counter()
        self._peers: dict[int, str] = {}

    def has_room(self, peer_id: str) -> bool:
        """Says whether one more packet of a peer is taken."""
        return self._of_peer[peer_id] < self._each

    def peer_of(self, number: int) -> str:
        """Returns who sent a packet that is here."""
        return self._peers[number]

    def add(self, number: int, peer_id: str) -> None:
        """Takes a packet of a peer that has room."""
        self._of_peer[peer_id] += 1
        self._peers[number] = peer_id
        strangers, proven = self._waiting
        queues = proven if peer_id in self._proven and peer_id not in strangers else strangers
        queues.setdefault(peer_id, deque()).append(number)

    def next(self) -> int | None:
        """Begins with the packet whose turn it is, unless as many as may are being checked."""
        if not any(self._waiting) or len(self._checking) >= self._most:
            return None
        queues = self._waiting[self._turn] or self._waiting[1 - self._turn]
        self._turn = 1 - self._turn
        peer_id, queue = queues.popitem(last=False)
        number = queue.popleft()
        if queue:
            queues[peer_id] = queue
        self._checking.add(number)
        return number

    def held(self, peer_id: str) -> None:
        """Takes note that a proof of a peer has held."""
        self._proven[peer_id] = None
        self._proven.move_to_end(peer_id)
        if len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)

    def done(self, number: int) -> None:
        """Ends with a packet that was begun with."""
        self._checking.remove(number)
        self._forget(number)

    def gone(self, peer_id: str) -> list[int]:
        """Forgets what waits of a stranger that has gone; returns the packets."""
        dropped = list(self._waiting[0].pop(peer_id, ()))
        for number in dropped:
            self._forget(number)
        return dropped

    def _forget(self, number: int) -> None:
        peer_id = self._peers.pop(number)
        self._of_peer[peer_id] -= 1
        if not self._of_peer[peer_id]:
            del self._of_peer[peer_id]
