"""What a wallet asks of a node's disk.

Spec: docs/protocol/chain-wallet.md, WAL-7, WAL-9, WAL-16, WAL-17.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from logos_chain.core.wallet.derivation import Role


@dataclass(frozen=True, slots=True)
class KeptEntry:
    """One entry of the history, by its place: heights first, then the order in a block."""

    height: int
    place: int
    value: bytes
    """Encoded; at most some 200 bytes."""


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """A transaction that was submitted and is not final."""

    hash: bytes
    """32 bytes."""
    value: bytes
    """Encoded; with the signed transaction, at most 2 MiB and a kibibyte."""


class WalletStore(Protocol):
    """The wallets of one node on disk, by name. Each call is whole or nothing, and durable.

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def load(self, wallet: str, block: bytes) -> bytes | None:
        """Returns the state of a wallet after a final block, by its id; None: it has none there."""
        ...

    async def keep(
        self,
        wallet: str,
        block: bytes,
        height: int,
        state: bytes,
        entries: Sequence[KeptEntry],
    ) -> None:
        """Keeps the state after a block that is about to be final, and adds to the history.

        The newest state below it is kept beside it, since the block may not become final before a
        stop. All others go, and so do entries above the older one's height that are not given here.
        An entry that is given replaces one at its place: after a stop, or after an error that was
        none, entries at or below the older one's height are given again.
        """
        ...

    async def entries(
        self, wallet: str, before: tuple[int, int] | None, limit: int
    ) -> Sequence[KeptEntry]:
        """Returns entries of the history before a height and place, the newest first."""
        ...

    async def put_draft(self, wallet: str, draft: KeptDraft) -> None:
        """Adds a draft, or replaces it."""
        ...

    async def drop_drafts(self, wallet: str, hashes: Sequence[bytes]) -> None:
        """Drops drafts; those that are not there change nothing."""
        ...

    async def drafts(self, wallet: str) -> Sequence[KeptDraft]:
        """Returns the drafts, in the order in which they were added."""
        ...

    async def next_voucher(self, wallet: str) -> int:
        """Returns the number below which all vouchers may have been issued; 0 at first."""
        ...

    async def issue_until(self, wallet: str, number: int) -> None:
        """Notes that all vouchers below a number may have been issued; it never falls."""
        ...

    async def used_before(self, wallet: str) -> Mapping[Role, int]:
        """Returns below which numbers keys were in use on a chain that was given up (CON-52).

        Empty: none was.
        """
        ...

    async def watch(self, wallet: str, key: bytes) -> None:
        """Adds a public key, 32 bytes, to those that a wallet watches. Idempotent."""
        ...

    async def watched(self, wallet: str) -> Sequence[bytes]:
        """Returns the keys that a wallet watches, in their order as bytes."""
        ...

    async def forget(self, wallet: str) -> None:
        """Drops all of a wallet but the keys that it watches, which no phrase has to do with."""
        ...
