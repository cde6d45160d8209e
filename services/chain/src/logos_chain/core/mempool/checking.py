"""Transactions that are being verified, or wait for one that is, before they are taken.

None of them keeps another one out: what is not verified has no rights.

Spec: docs/protocol/chain-mempool.md, MPL-9, MPL-10.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from logos_base.machine import Ticket
from logos_chain.core.ledger.obligations import Obligation
from logos_chain.core.mempool.footprint import Footprint
from logos_chain.core.mempool.types import OWN, Limits
from logos_mantle.derivations import blake2b
from logos_mantle.transactions import SignedTransaction


@dataclass(slots=True)
class Candidate:
    """A transaction that may be taken."""

    check: bytes
    """`check_id` of its bytes."""
    order: int
    """Above those of all that came before it."""
    source: str
    ticket: Ticket | None
    signed: SignedTransaction
    footprint: Footprint
    size_bytes: int
    makes: frozenset[bytes] = frozenset()
    asked: bytes | None = None
    """Fingerprint of the obligations that are being verified; None: it is held."""
    verified: bytes | None = None
    """Fingerprint of the obligations that hold."""


class Checking:
    """Candidates by the id of their check."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._candidates: dict[bytes, Candidate] = {}
        self._counts: Counter[str] = Counter()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, check: bytes) -> bool:
        return check in self._candidates

    def __iter__(self) -> Iterator[Candidate]:
        return iter(list(self._candidates.values()))

    def has_room(self, source: str, size_bytes: int) -> bool:
        """Returns whether one more of a source can be verified."""
        limits, own = self._limits, self._counts[OWN]
        if source == OWN:
            return own < limits.own_checking
        return (
            len(self) - own < limits.checking
            and self._counts[source] < limits.checking_of_source
            and self._size_bytes + size_bytes <= limits.checking_bytes
        )

    def add(self, candidate: Candidate) -> None:
        """Adds one that there is room for."""
        self._candidates[candidate.check] = candidate
        self._counts[candidate.source] += 1
        if candidate.source != OWN:
            self._size_bytes += candidate.size_bytes

    def pop(self, check: bytes) -> Candidate | None:
        """Removes one, if it is there."""
        candidate = self._candidates.pop(check, None)
        if candidate is None:
            return None
        self._counts[candidate.source] -= 1
        if not self._counts[candidate.source]:
            del self._counts[candidate.source]
        if candidate.source != OWN:
            self._size_bytes -= candidate.size_bytes
        return candidate

    def is_preceded(self, candidate: Candidate) -> bool:
        """Returns whether a candidate follows one that came before it, so never in a circle."""
        follows = candidate.footprint.follows
        return any(
            each.order < candidate.order and not follows.isdisjoint(each.makes)
            for each in self._candidates.values()
        )

    def held(self) -> list[Candidate]:
        """Returns those that wait for others, the oldest first."""
        return [each for each in self._candidates.values() if each.asked is None]


def check_id(raw: bytes) -> bytes:
    """Returns what an encoded transaction is verified under, 32 bytes; it depends on its proofs.

    The hash would not do: whoever has a transaction can send it with other proofs, before it.
    """
    return blake2b(b"LOGOS_MEMPOOL_CHECK", raw)


def fingerprint_of(obligations: tuple[Obligation, ...]) -> bytes:
    """Returns what tells obligations from others, 32 bytes."""
    return blake2b(b"LOGOS_MEMPOOL_OBLIGATIONS", repr(obligations).encode())
