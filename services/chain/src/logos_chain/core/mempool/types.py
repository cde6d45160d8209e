"""What the mempool keeps and tells. All of it is immutable.

Spec: docs/protocol/chain-mempool.md, MPL-1, MPL-2, MPL-12, MPL-17.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from logos_base.errors import ConfigError
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Admitted, Refused
from logos_chain.core.mempool.errors import Reason
from logos_chain.core.mempool.footprint import Footprint
from logos_mantle.limits import MAX_BODY_BYTES, MAX_TRANSACTIONS
from logos_mantle.prices import MAX_EXECUTION_GAS
from logos_mantle.transactions import SignedTransaction

OWN: Final = ""
"""The source of this node's own transactions."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a mempool holds at most (MPL-1); others raise `ConfigError` with all the problems."""

    transactions: int = 8192
    size_bytes: int = 32 * 1024 * 1024
    """Of encoded transactions that wait."""
    age_ms: int = 3 * 60 * 60_000
    ancestors: int = 24
    checking: int = 256
    """Peers' transactions under verification."""
    checking_bytes: int = 8 * 1024 * 1024
    checking_of_source: int = 32
    own_checking: int = 64
    """This node's own, beside those of peers."""
    statuses: int = 65_536
    """Of transactions in blocks that are not final; and so many of others."""
    safe_blocks: int = 6
    """After as many more blocks, a transaction is SAFE."""

    def __post_init__(self) -> None:
        checks = {f"{name} must be at least 1": getattr(self, name) >= 1 for name in self.__slots__}
        checks["size_bytes, checking_bytes must have room for 2 MiB"] = (
            min(self.size_bytes, self.checking_bytes) >= MAX_BODY_BYTES
        )
        if problems := [problem for problem, holds in checks.items() if not holds]:
            raise ConfigError(problems)


@dataclass(frozen=True, slots=True)
class BlockLimits:
    """What a block may hold of transactions (LED-38)."""

    transactions: int = MAX_TRANSACTIONS
    size_bytes: int = MAX_BODY_BYTES
    gas: int = MAX_EXECUTION_GAS


class Rehearse(Protocol):
    """`Ledger.rehearse` on the local chain's tip, for a block of the present slot."""

    def __call__(
        self, transactions: Sequence[SignedTransaction], now_ms: int
    ) -> list[Admitted | Refused]: ...


class Stage(StrEnum):
    """How far a transaction has come (MPL-17)."""

    PENDING = "PENDING"
    INCLUDED = "INCLUDED"
    SAFE = "SAFE"
    FINAL = "FINAL"
    DROPPED = "DROPPED"


@dataclass(frozen=True, slots=True)
class Status:
    """How far a transaction has come, where, or why no further."""

    stage: Stage
    block: BlockId | None = None
    """With INCLUDED, SAFE and FINAL."""
    reason: Reason | None = None
    """With DROPPED."""


@dataclass(frozen=True, slots=True)
class Included:
    """Which transactions a block has, by their hashes."""

    block: BlockId
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """The transactions of a block."""

    block: BlockId
    transactions: tuple[SignedTransaction, ...]

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Of its transactions."""
        return tuple([each.hash for each in self.transactions])


@dataclass(frozen=True, slots=True)
class Saved:
    """A waiting transaction, for a restart (MPL-20)."""

    raw: bytes
    since_ms: int
    fingerprint: bytes | None
    """Of the obligations that were verified, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What transactions offer a leader, and what they take of a block. They add up."""

    tip: int = 0
    size_bytes: int = 0
    gas: int = 0

    def __add__(self, other: "Worth") -> "Worth":
        return Worth(self.tip + other.tip, self.size_bytes + other.size_bytes, self.gas + other.gas)

    @property
    def rate(self) -> int:
        """The tips of a block that is full of the like, rounded down (MPL-12)."""
        part = max(self.size_bytes * MAX_EXECUTION_GAS, self.gas * MAX_BODY_BYTES)
        return self.tip * MAX_BODY_BYTES * MAX_EXECUTION_GAS // part if part else 0


def total(worths: Iterable[Worth]) -> Worth:
    """Adds up."""
    return sum(worths, Worth())


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction that waits."""

    signed: SignedTransaction
    order: int
    """Above that of each transaction that it follows."""
    since_ms: int
    footprint: Footprint
    makes: frozenset[bytes]
    worth: Worth
    fingerprint: bytes = b""
    """Of its obligations as it was last looked at, 32 bytes; empty: it was not yet."""
    verified: bytes | None = None
    """Of the obligations that are known to hold."""

    @property
    def is_ready(self) -> bool:
        """Whether a block may have it, as far as it is concerned."""
        return self.fingerprint == self.verified

    @property
    def hash(self) -> bytes:
        return self.signed.hash
