"""What leading asks of a node's wallet, its mempool, its disk and its network.

Spec: docs/protocol/chain-leading.md, LEA-2, LEA-7 to LEA-11.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from logos_chain.core.leadership import OwnNote
from logos_chain.core.mempool.types import BlockLimits
from logos_crypto.trees import MerklePath
from logos_mantle.blocks import Block
from logos_mantle.transactions import SignedTransaction


class LeaderWallet(Protocol):
    """The wallet whose notes lead."""

    def leader_notes(self) -> Sequence[OwnNote]:
        """Returns the notes that may lead, locked ones and those of channels too. At once."""
        ...

    async def issue_voucher(self) -> bytes:
        """Returns the commitment of another voucher each time, 32 bytes.

        That it was issued is durable first. Errors are of `LogosError`.
        """
        ...


class ProposalNotes(Protocol):
    """For which slots and notes this node has signed. Durable when a call returns.

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def slots(self) -> Sequence[int]:
        """Returns the slots that are noted."""
        ...

    async def note(self, slot: int, note: bytes, *, final_slot: int) -> bool:
        """Notes a slot and a note, whose id has 32 bytes; False: the pair is noted already.

        Those of slots up to `final_slot` may be dropped: no block can follow there any more.
        """
        ...


class AgedPathStore(Protocol):
    """Paths to aged roots, for starts in the middle of an epoch.

    Errors of all methods: DiskFullError, StoreFailedError; of what is read, ChainStoreDamagedError.
    """

    async def load(self, root: bytes) -> Mapping[bytes, MerklePath]:
        """Returns the paths to a root, 32 bytes, by note id."""
        ...

    async def keep(self, root: bytes, paths: Mapping[bytes, MerklePath]) -> None:
        """Adds paths to a root; a path has about a kibibyte."""
        ...

    async def drop_others(self, roots: Iterable[bytes]) -> None:
        """Drops the paths to all other roots."""
        ...


class Choose(Protocol):
    """Chooses transactions of the mempool: `Mempool.choose`."""

    async def __call__(self, limits: BlockLimits) -> Sequence[SignedTransaction]:
        """Returns them in an order in which they can be executed on the tip."""
        ...


class Publish(Protocol):
    """Sends out a block of this node."""

    async def __call__(self, block: Block) -> None:
        """Returns once others have it, or it is given up. Errors are of `LogosError`."""
        ...
