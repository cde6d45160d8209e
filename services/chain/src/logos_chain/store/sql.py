"""`ChainStore` in the database.

Spec: docs/protocol/chain-store.md.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.checkpoints.format import Record
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.state import Delta
from logos_chain.core.ports import BlockOutline, Imported, KeptBlock, Settled
from logos_chain.store import checkpoints, settling
from logos_chain.store.advice import Advice
from logos_chain.store.encoding import MAX_U64
from logos_chain.store.loading import BLOCKS, Kept, put_together, read_newest, read_settled
from logos_chain.store.marks import FinalMarks
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.settling import TRANSACTIONS, hashes_of
from logos_mantle.octets import HASH_BYTES
from logos_module.database import Database, reading, writing
from logos_module.shielded import Shielded

_MARKED: Final = 10_000
"""Ids of final blocks that are read at a time when a store is opened."""
_SIZES: Final = (
    func.length(BLOCKS.c.transactions).label("hashes_bytes"),
    func.length(BLOCKS.c.raw).label("raw_bytes"),
)
_ABOVE: Final = BLOCKS.c.is_final.is_(False)


class SqlChainStore:
    """`ChainStore` and `CheckpointStore`.

    One transaction a call; what is given must not change until it returns.
    """

    def __init__(
        self, database: Database, advice: Advice, shielded: Shielded, *, keep_slots: int
    ) -> None:
        """Makes the store of an open database.

        Args:
            database: With the tables of `SCHEMA`.
            advice: Of this database.
            shielded: Outlives the calls of this store.
            keep_slots: Ancestors of the newest final block are kept for so many slots before it.
        """
        self.database = database
        self._advice = advice
        self._shielded = shielded
        self._keep_slots = keep_slots
        self._marks = FinalMarks()

    async def mark(self) -> None:
        """Reads which blocks are final. Once, before any other call: some 2 s for a million."""
        first = 0
        with self._advice.given():
            while first <= MAX_U64 and (page := await self._finals(first, _MARKED)):
                self._marks.fill(BlockId(each.id) for each in page)
                first = read_u64(page[-1].height) + 1
        await asyncio.to_thread(self._marks.order)

    # -- the newest final block ----------------------------------------------------------------

    def is_final(self, block: BlockId) -> bool:
        """Says whether a block is stored as final, at once and from memory (CHS-12)."""
        return block in self._marks

    async def load(self) -> Settled | None:
        """Returns the newest final block with its state; raises `ChainStoreDamagedError`."""
        with self._advice.given():
            kept = await self._read_settled()
            return None if kept is None else await asyncio.to_thread(put_together, kept)

    async def begin(
        self, genesis: KeptBlock, settled: Settled, imported: Imported | None = None
    ) -> None:
        """Begins in an empty store; raises `ChainStoreBegunError` for another (CHS-3)."""
        await self._shielded.run(self._begin_and_mark(genesis, settled, imported))

    async def settle(
        self, blocks: Sequence[tuple[TreeBlock, Delta]], cut: Sequence[BlockId]
    ) -> None:
        """Makes blocks final and drops others; raises `ValueError` where that cannot be (CHS-5)."""
        with self._advice.given():
            await self._shielded.run(self._settle_and_mark(tuple(blocks), tuple(cut)))

    # -- checkpoints ---------------------------------------------------------------------------

    async def imported(self) -> Imported | None:
        """Returns the checkpoint that the chain was begun with; None: with none (CKP-8)."""
        with self._advice.given():
            return await self._read_checkpoint()

    async def newest(self) -> TreeBlock | None:
        """Returns the newest final block; None if nothing was begun."""
        with self._advice.given():
            return await self._read_root()

    async def dump(self, begin: Callable[[TreeBlock], None], put: Callable[[Record], None]) -> None:
        """Gives the chain at its newest final block (CKP-3)."""
        with self._advice.given():
            await self._dump(begin, put)

    def gathered(self, records: Iterable[Record]) -> tuple[KeptBlock, Settled]:
        """Puts a chain together of records; raises `CheckpointAlteredError`."""
        return checkpoints.gather(records)

    # -- blocks --------------------------------------------------------------------------------

    async def add(self, block: KeptBlock) -> None:
        """Keeps a valid block; raises `ValueError` if its parent is not kept (CHS-4)."""
        with self._advice.given():
            await self._add(block)

    async def unsettled(self, after: int, limit: int) -> Sequence[KeptBlock]:
        """Returns kept blocks above the newest final one, in the order of their arrival."""
        with self._advice.given():
            return [_block(row) for row in await self._unsettled(after, limit)]

    async def block(self, identifier: BlockId) -> KeptBlock | None:
        """Returns a kept block, final or not."""
        with self._advice.given():
            row = await self._row(identifier)
            return None if row is None else _block(row)

    async def outline(self, identifier: BlockId) -> BlockOutline | None:
        """Returns a kept block, final or not; its bytes are measured and not read."""
        with self._advice.given():
            row = await self._outline(identifier)
            return None if row is None else _outline(row)

    async def final(self, first: int, limit: int) -> Sequence[BlockId]:
        """Returns the ids of final blocks from a height on, 64 bits; at most so many."""
        return [BlockId(each.id) for each in await self._finals(first, limit)]

    @reading
    async def containing(self, session: AsyncSession, transaction: bytes) -> Sequence[BlockId]:
        """Returns the kept blocks that hold a transaction, in the order of their arrival."""
        found = (
            select(BLOCKS.c.id)
            .join(TRANSACTIONS, TRANSACTIONS.c.block == BLOCKS.c.number)
            .where(TRANSACTIONS.c.hash == transaction)
            .order_by(BLOCKS.c.number)
        )
        return [BlockId(each) for each in await session.scalars(found)]

    # -- transactions --------------------------------------------------------------------------

    async def _begin_and_mark(
        self, genesis: KeptBlock, settled: Settled, imported: Imported | None
    ) -> None:
        await self._begin(genesis, settled, imported)
        self._marks.add(genesis.id)

    async def _settle_and_mark(
        self, blocks: tuple[tuple[TreeBlock, Delta], ...], cut: tuple[BlockId, ...]
    ) -> None:
        """Marks after the commit, also where the caller has gone by then."""
        await self._settle(blocks, cut)
        for block, _ in blocks:
            self._marks.add(block.id)

    @writing
    async def _begin(
        self,
        session: AsyncSession,
        genesis: KeptBlock,
        settled: Settled,
        imported: Imported | None,
    ) -> None:
        await settling.begin(session, genesis, settled, imported)

    @writing
    async def _settle(
        self,
        session: AsyncSession,
        blocks: tuple[tuple[TreeBlock, Delta], ...],
        cut: tuple[BlockId, ...],
    ) -> None:
        if blocks:
            await settling.move(session, blocks, self._keep_slots)
        await settling.drop(session, cut)

    @writing
    async def _add(self, session: AsyncSession, block: KeptBlock) -> None:
        if await session.scalar(select(BLOCKS.c.number).where(BLOCKS.c.id == block.id)) is not None:
            return
        wanted = select(BLOCKS.c.height, BLOCKS.c.slot).where(BLOCKS.c.id == block.parent)
        parent = (await session.execute(wanted)).one_or_none()
        if parent is None:
            raise ValueError("a block whose parent is not kept")
        follows = block.height == read_u64(parent.height) + 1
        if not follows or block.slot <= read_u64(parent.slot):
            raise ValueError("a block that does not follow its parent")
        await settling.add(session, block, is_final=False)

    @reading
    async def _read_settled(self, session: AsyncSession) -> Kept | None:
        return await read_settled(session)

    @reading
    async def _read_checkpoint(self, session: AsyncSession) -> Imported | None:
        return await checkpoints.read_checkpoint(session)

    @reading
    async def _read_root(self, session: AsyncSession) -> TreeBlock | None:
        newest = await read_newest(session)
        return None if newest is None else newest.root

    @reading
    async def _dump(
        self,
        session: AsyncSession,
        begin: Callable[[TreeBlock], None],
        put: Callable[[Record], None],
    ) -> None:
        await checkpoints.dump(session, begin, put)

    @reading
    async def _unsettled(self, session: AsyncSession, after: int, limit: int) -> Sequence[Any]:
        wanted = select(BLOCKS).where(_ABOVE).order_by(BLOCKS.c.number)
        return (await session.execute(wanted.offset(after).limit(limit))).all()

    @reading
    async def _row(self, session: AsyncSession, identifier: BlockId) -> Any:
        return (
            await session.execute(select(BLOCKS).where(BLOCKS.c.id == identifier))
        ).one_or_none()

    @reading
    async def _outline(self, session: AsyncSession, identifier: BlockId) -> Any:
        columns = (BLOCKS.c.id, BLOCKS.c.parent, BLOCKS.c.height, BLOCKS.c.slot)
        wanted = select(*columns, *_SIZES).where(BLOCKS.c.id == identifier)
        return (await session.execute(wanted)).one_or_none()

    @reading
    async def _finals(self, session: AsyncSession, first: int, limit: int) -> Sequence[Any]:
        is_wanted = BLOCKS.c.is_final.is_(True) & (BLOCKS.c.height >= u64(first))
        wanted = select(BLOCKS.c.height, BLOCKS.c.id).where(is_wanted)
        return (await session.execute(wanted.order_by(BLOCKS.c.height).limit(limit))).all()


def _block(row: Any) -> KeptBlock:
    return KeptBlock(
        id=BlockId(whole(row.id)),
        parent=BlockId(whole(row.parent)),
        height=read_u64(row.height),
        slot=read_u64(row.slot),
        raw=whole(row.raw),
        transactions=hashes_of(whole(row.transactions)),
    )


def _outline(row: Any) -> BlockOutline:
    return BlockOutline(
        id=BlockId(whole(row.id)),
        parent=BlockId(whole(row.parent)),
        height=read_u64(row.height),
        slot=read_u64(row.slot),
        transactions=row.hashes_bytes // HASH_BYTES,
        size_bytes=row.raw_bytes,
    )
