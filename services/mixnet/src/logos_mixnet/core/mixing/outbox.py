"""Packets of own messages and answers that have not left: each has a time of its own (MIX-22).

Kept is what a packet will carry, once for all of its copies, and not the packet. One that did not
leave, for want of a link or since its proof came late (RLN-38), is tried anew a few times.
"""

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from logos_base.errors import LogosError
from logos_base.machine import Answer, Refuse, Ticket
from logos_mixnet.core.mixing.errors import LinkDownError, QueueFullError
from logos_mixnet.core.rln.errors import ProofLateError

MAX_QUEUED_BYTES: Final = 16 << 20
"""Of messages that have not left yet."""
MAX_TRIES: Final = 3
"""Of a packet: paths whose first mix cannot be reached, and proofs that come late, together."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A packet that is made when it leaves, on a path that is drawn then."""

    padded: bytes
    """The message of this packet (MIX-10)."""
    last_hop: str
    """Peer id of the mix where it ends; empty: any."""
    destination: bytes
    """An address block: where it is handed over. Zeros: the last hop is meant."""
    mean_delay_ms: int


@dataclass(frozen=True, slots=True)
class Made:
    """A packet that is ready for its first hop."""

    first_hop: bytes
    packet: bytes


@dataclass(slots=True)
class Sending:
    """A message, until all of its packets have left."""

    ticket: Ticket
    packets: int
    left: int
    size: int


@dataclass(order=True, slots=True)
class Piece:
    """One packet of a message."""

    due_ms: float
    number: int
    """Identifies it. Never reused."""
    sending: Sending = field(compare=False)
    what: Drawn | Made = field(compare=False)
    tries: int = field(default=0, compare=False)


class Outbox:
    """Not thread-safe. Holds up to 16 MiB."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        """A heap."""
        self._departing: dict[int, Piece] = {}
        self._numbers = count()
        self.queued_bytes = 0
        self.sent = 0
        """Packets that have left."""

    def next_number(self) -> int:
        """Returns a number for a packet."""
        return next(self._numbers)

    def put(self, ticket: Ticket, packets: list[tuple[float, Drawn | Made]], size: int) -> None:
        """Adds the packets of a message, each with its time.

        Raises:
            QueueFullError: Too much is waiting to leave.
        """
        if self.queued_bytes + size > MAX_QUEUED_BYTES:
            raise QueueFullError(f"{self.queued_bytes} bytes wait to leave")
        self.queued_bytes += size
        sending = Sending(ticket, len(packets), len(packets), size)
        for due_ms, what in packets:
            heapq.heappush(self._pieces, Piece(due_ms, self.next_number(), sending, what))

    def take(self, now_ms: int) -> Piece | None:
        """Returns a packet that is due and whose message was not refused; None: there is none."""
        while self._pieces and self._pieces[0].due_ms <= now_ms:
            piece = heapq.heappop(self._pieces)
            if piece.sending.left:
                self._departing[piece.number] = piece
                return piece
        return None

    def due_ms(self) -> float | None:
        """Returns when the next packet is due."""
        return self._pieces[0].due_ms if self._pieces else None

    def leaving(self, until_ms: int) -> int:
        """Returns how many packets are due before a time."""
        return sum(piece.due_ms < until_ms for piece in self._pieces)

    def settle(self, number: int, error: LogosError | None, now_ms: int) -> list[Answer | Refuse]:
        """Takes note that a packet has left, or why not: then its message is refused.

        A packet for whose first mix there is no link gets another path, and one whose proof was
        late another proof, a few times.
        """
        piece = self._departing.pop(number, None)
        if piece is None or piece.sending.left == 0:  # refused before
            return []
        sending = piece.sending
        if _is_worth_another_try(error, piece.what):
            piece.tries += 1
            if piece.tries < MAX_TRIES:
                piece.due_ms = now_ms
                heapq.heappush(self._pieces, piece)
                return []
        self.sent += error is None
        sending.left = 0 if error is not None else sending.left - 1
        if sending.left:
            return []
        self.queued_bytes -= sending.size
        if error is not None:
            return [Refuse(sending.ticket, error)]
        return [Answer(sending.ticket, sending.packets)]


def _is_worth_another_try(error: LogosError | None, what: Drawn | Made) -> bool:
    """A packet that is made has its way, but may have another proof: it has not left."""
    return isinstance(error, ProofLateError) or (
        isinstance(error, LinkDownError) and isinstance(what, Drawn)
    )
