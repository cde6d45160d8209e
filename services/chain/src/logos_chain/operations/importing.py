"""Begins the chain of a fresh node with a checkpoint instead of the genesis.

The file is read once, in pieces; all of it is looked at before anything is written, and all that is
written is one transaction. So a process that is killed at any point begins again, or has begun.

Spec: docs/protocol/chain-checkpoints.md, CKP-4, CKP-5, CKP-7 to CKP-9.
"""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from logos_chain.core.checkpoints.errors import (
    CheckpointAlteredError,
    CheckpointOtherChainError,
    CheckpointOtherHashError,
    CheckpointUnreadableError,
)
from logos_chain.core.checkpoints.format import CheckpointReader, Record, Summary
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ports import CheckpointStore, Imported, KeptBlock, Settled
from logos_chain.operations.opening import Network

log = logging.getLogger(__name__)

PIECE_BYTES: Final = 1024 * 1024


class Importing:
    """The beginning of one node's chain."""

    def __init__(
        self,
        store: CheckpointStore,
        network: Network,
        specification: bytes,
        *,
        path: Path,
        wanted: bytes = b"",
    ) -> None:
        """
        Args:
            store: Of the chain.
            network: Whose chain it is.
            specification: Hash of the chain's, 32 bytes.
            path: Of the checkpoint.
            wanted: Its hash, 32 bytes; empty: any.
        """
        self._store = store
        self._network = network
        self._specification = specification
        self._path = path
        self._wanted = wanted

    async def run(self) -> None:
        """Begins with the checkpoint, unless a chain was begun already (CKP-7).

        Raises:
            CheckpointUnreadableError, CheckpointMalformedError, CheckpointVersionUnknownError,
            CheckpointTruncatedError, CheckpointAlteredError, CheckpointOtherChainError,
            CheckpointOtherHashError: Nothing was changed.
            ChainStoreDamagedError, DiskFullError, StoreFailedError
        """
        if await self._store.final(0, 1):
            log.info("a chain is kept already: the checkpoint is not looked at")
            return
        block, settled, imported = await asyncio.to_thread(self._read)
        await self._store.begin(block, settled, imported)
        log.warning(
            "the chain begins with a checkpoint, which is trusted: compare its hash with others",
            extra={"hash": imported.hash.hex(), "height": imported.height},
        )

    async def check(self) -> None:
        """Reads the whole file, as `run` would on a fresh database, and changes nothing.

        Raises:
            CheckpointRefusedError: As `run`, but that its records are not checked one by one.
        """
        await asyncio.to_thread(self._check_file)

    def _check_file(self) -> None:
        reader = CheckpointReader()
        for _ in self._records(reader):
            pass
        if reader.summary is None:
            raise CheckpointAlteredError("the checkpoint was altered: it has no summary")
        self._check_chain(reader.summary, reader.hash)

    def _read(self) -> tuple[KeptBlock, Settled, Imported]:
        reader = CheckpointReader()
        # Whatever its records say, the whole file is read first: then it is known what is wrong.
        try:
            block, settled = self._store.gathered(self._records(reader))
        except CheckpointAlteredError:
            self._check_whole()
            raise
        summary = reader.summary
        if summary is None:
            raise CheckpointAlteredError("the checkpoint was altered: it has no summary")
        self._check_chain(summary, reader.hash)
        _check_fit(self._network, summary, block, settled)
        imported = Imported(summary.genesis, summary.height, reader.hash)
        return block, settled, imported

    def _check_chain(self, summary: Summary, found: bytes) -> None:
        genesis = BlockId(self._network.genesis.block.id)
        if (summary.genesis, summary.specification) != (genesis, self._specification):
            raise CheckpointOtherChainError(
                f"{self._path} is a checkpoint of the chain with the genesis "
                f"{summary.genesis.hex()} and the specification {summary.specification.hex()}, "
                f"not of {genesis.hex()} and {self._specification.hex()}"
            )
        if self._wanted and found != self._wanted:
            raise CheckpointOtherHashError(
                f"{self._path} has the hash {found.hex()}, and {self._wanted.hex()} is wanted"
            )

    def _check_whole(self) -> None:
        """Raises what is wrong with the file as such, if there is."""
        for _ in self._records(CheckpointReader()):
            pass

    def _records(self, reader: CheckpointReader) -> Iterator[Record]:
        try:
            with self._path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield from reader.feed(piece)
        except OSError as error:
            raise CheckpointUnreadableError(f"{self._path}: {error.strerror}") from error
        reader.end()


def _check_fit(network: Network, summary: Summary, block: KeptBlock, settled: Settled) -> None:
    """Looks at what the parts of a checkpoint say of one another (CKP-4)."""
    root, head = settled.root, settled.head
    begun = Ledger.from_genesis(network.ledger, network.genesis).head
    pairs = (
        ((block.id, block.parent, block.slot), (root.id, root.parent, root.slot)),
        ((summary.block, summary.height, summary.slot), (root.id, root.height, root.slot)),
        ((root.state.ledger_root, root.slot), (head.root, head.slot)),
        ((root.state.epoch.epoch, root.state.epoch.aged_root), (head.epoch, head.aged_root)),
        (root.state.next_root, head.epoch_root),
        (begun.genesis, head.genesis),
    )
    heights = [each.height for each in (*settled.below, root)]
    slots = [each.slot for each in (*settled.below, root)]
    is_line = heights == [*range(heights[0], root.height + 1)] and slots == sorted(set(slots))
    if not is_line or any(one != other for one, other in pairs):
        raise CheckpointAlteredError("the checkpoint was altered: its parts do not fit")
