"""What a node's chain asks of its disk.

Kept are all valid blocks, each as it came, and the ledger's state at the newest final one. A start
takes that state and executes the blocks above it once more, without their proofs: they were
verified before they were kept. So nothing that can be undone is ever written to the state.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from logos_base.errors import StateError
from logos_chain.core.checkpoints.format import Record
from logos_chain.core.consensus.tree import FinalChain, TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.state import Delta, State
from logos_chain.core.ledger.types import Head


class ChainStoreDamagedError(StateError):
    """What was read is not what this node has verified and written. Nothing was changed."""

    reason = "CHAIN_STORE_DAMAGED"


@dataclass(frozen=True, slots=True)
class KeptBlock:
    """A valid block."""

    id: BlockId
    parent: BlockId
    height: int
    slot: int
    raw: bytes
    """Encoded (MAN-29), at most 2,098,960 bytes."""
    transactions: tuple[bytes, ...]
    """The hashes of its transactions, 32 bytes each, in their order."""

    @property
    def outline(self) -> "BlockOutline":
        """The block without its bytes."""
        sizes = len(self.transactions), len(self.raw)
        return BlockOutline(self.id, self.parent, self.height, self.slot, *sizes)


@dataclass(frozen=True, slots=True)
class BlockOutline:
    """A kept block without its bytes."""

    id: BlockId
    parent: BlockId
    height: int
    slot: int
    transactions: int
    """How many it has."""
    size_bytes: int
    """Encoded."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A chain at its newest final block: what a start goes on from."""

    root: TreeBlock
    below: tuple[TreeBlock, ...]
    """Its ancestors that a tree still wants, oldest first."""
    state: State
    head: Head


@dataclass(frozen=True, slots=True)
class Imported:
    """The checkpoint that a chain on disk was begun with (CKP-8)."""

    genesis: BlockId
    """Of the chain; the node does not have it."""
    height: int
    """Of the first block that the node has."""
    hash: bytes
    """Of the checkpoint, 32 bytes."""


class ChainStore(FinalChain, Protocol):
    """The chain of one node on disk. Each call is whole or nothing, and durable when it returns.

    Errors of all methods: DiskFullError, StoreFailedError.
    """

    async def load(self) -> Settled | None:
        """Returns the newest final block with its state; None if nothing was begun."""
        ...

    async def begin(self, genesis: KeptBlock, settled: Settled) -> None:
        """Begins with a genesis block, or with a checkpoint, in an empty store."""
        ...

    async def add(self, block: KeptBlock) -> None:
        """Keeps a valid block whose parent is kept. One that is kept already changes nothing."""
        ...

    async def settle(
        self, blocks: Sequence[tuple[TreeBlock, Delta]], cut: Sequence[BlockId]
    ) -> None:
        """Makes kept blocks final, and drops others.

        Args:
            blocks: That follow the newest final one, oldest first, with what they have changed.
            cut: Blocks that can never be final; those that are not kept change nothing.
        """
        ...

    async def unsettled(self, after: int, limit: int) -> Sequence[KeptBlock]:
        """Returns kept blocks above the newest final one in the order in which they were added.

        Args:
            after: How many to pass over.
            limit: At most so many.
        """
        ...

    async def block(self, identifier: BlockId) -> KeptBlock | None:
        """Returns a kept block, final or not."""
        ...

    async def outline(self, identifier: BlockId) -> BlockOutline | None:
        """Returns a kept block, final or not, without reading its bytes."""
        ...

    async def final(self, first: int, limit: int) -> Sequence[BlockId]:
        """Returns the ids of final blocks from a height on, at most so many."""
        ...

    async def containing(self, transaction: bytes) -> Sequence[BlockId]:
        """Returns the kept blocks that hold a transaction, by its hash, 32 bytes."""
        ...


class CheckpointStore(Protocol):
    """What checkpoints ask of the same disk. Errors of all methods: StoreFailedError."""

    async def imported(self) -> Imported | None:
        """Returns what the chain was begun with; None: with its genesis, or not at all.

        Raises:
            ChainStoreDamagedError
        """
        ...

    async def final(self, first: int, limit: int) -> Sequence[BlockId]:
        """As `ChainStore`."""
        ...

    async def newest(self) -> TreeBlock | None:
        """Returns the newest final block; None if nothing was begun.

        Raises:
            ChainStoreDamagedError
        """
        ...

    async def dump(self, begin: Callable[[TreeBlock], None], put: Callable[[Record], None]) -> None:
        """Gives the chain at its newest final block, all of one moment (CKP-3).

        Memory: a page of rows.

        Args:
            begin: Is told of the block first. This and `put` may be called in another thread; what
                they raise ends it, and is raised.
            put: Takes the records in their order.

        Raises:
            ChainStoreDamagedError
            ValueError: Nothing was begun.
        """
        ...

    def gathered(self, records: Iterable[Record]) -> tuple[KeptBlock, Settled]:
        """Puts a chain together of records. Untrusted; blocks for as long as a start's `load`.

        Raises:
            CheckpointAlteredError: They are not what `dump` gives. Nothing is written.
        """
        ...

    async def begin(self, genesis: KeptBlock, settled: Settled, imported: Imported | None) -> None:
        """As `ChainStore.begin`, of a checkpoint."""
        ...
