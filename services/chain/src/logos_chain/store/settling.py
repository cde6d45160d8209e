"""Writes the newest final block with its state: at the beginning whole, then what blocks change.

Functions of one transaction. All of them raise `ValueError` for what no caller may ask for; the
transaction is undone then.

Spec: docs/protocol/chain-store.md, CHS-3, CHS-5, CHS-6.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, Final, TypeVar

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.state import Delta, State
from logos_chain.core.ledger.types import Snapshots
from logos_chain.core.ports import ChainStoreDamagedError, Imported, KeptBlock, Settled
from logos_chain.store import rows, schema
from logos_chain.store.checkpoints import CHECKPOINT, checkpoint_row
from logos_chain.store.encoding import (
    decode_tree_block,
    encode_head,
    encode_snapshots,
    encode_tree_block,
)
from logos_chain.store.errors import ChainStoreBegunError
from logos_chain.store.loading import ANCESTORS, BLOCKS, ONE, SETTLED, SNAPSHOTS, is_whole
from logos_chain.store.rows import u64, whole
from logos_mantle.octets import HASH_BYTES
from logos_module.database import table_of

TRANSACTIONS: Final = table_of(schema.BlockTransactionRow)
_CHUNK: Final = 200
"""Blocks or rows of one statement. Databases limit its parameters, and 200 blocks name 6.5 MB of
transactions at the most."""

T = TypeVar("T")


async def begin(
    session: AsyncSession, genesis: KeptBlock, settled: Settled, imported: Imported | None
) -> None:
    """Writes a chain's first block and its state, and the checkpoint that they come from.

    Raises:
        ChainStoreBegunError: A chain is kept already.
        ValueError: The state is not that of the block.
    """
    if await session.scalar(select(BLOCKS.c.number).limit(1)) is not None:
        raise ChainStoreBegunError("a chain is kept already: another one needs an empty store")
    if genesis.id != settled.root.id or not is_whole(settled.state, settled.head):
        raise ValueError("a state of another block")
    await add(session, genesis, is_final=True)
    total = await _write_state(session, settled.state)
    await _write_below(session, settled.below)
    await _write_snapshots(session, settled.head.snapshots)
    if imported is not None:
        await session.execute(insert(CHECKPOINT).values(**checkpoint_row(imported)))
    await session.execute(
        insert(SETTLED).values(
            number=ONE,
            root=encode_tree_block(settled.root),
            head=encode_head(settled.head),
            ledger_sum=total.to_bytes(rows.SUM_BYTES, "big"),
        )
    )


async def add(session: AsyncSession, block: KeptBlock, *, is_final: bool) -> None:
    """Writes a block and its transactions."""
    hashes = list(dict.fromkeys(block.transactions))
    if any(len(each) != HASH_BYTES for each in (block.id, block.parent, *hashes)):
        raise ValueError(f"a hash has {HASH_BYTES} bytes")
    row = insert(BLOCKS).values(
        id=block.id,
        parent=block.parent,
        height=u64(block.height),
        slot=u64(block.slot),
        is_final=is_final,
        transactions=b"".join(block.transactions),
        raw=block.raw,
    )
    number = await session.scalar(row.returning(BLOCKS.c.number))
    await _insert(session, TRANSACTIONS, [{"hash": each, "block": number} for each in hashes])


async def move(
    session: AsyncSession, blocks: Sequence[tuple[TreeBlock, Delta]], keep_slots: int
) -> None:
    """Makes blocks final that follow the newest final one, oldest first; one at least."""
    settled = (await session.execute(select(SETTLED))).one_or_none()
    if settled is None:
        raise ValueError("nothing was begun")
    root = decode_tree_block(whole(settled.root))
    added, deltas = [block for block, _ in blocks], [delta for _, delta in blocks]
    heads = [deltas[0].before, *(each.after for each in deltas)]
    chain = pairwise([root, *added])
    if any(newer.parent != older.id or newer.height != older.height + 1 for older, newer in chain):
        raise ValueError("blocks that do not follow the newest final one")
    if encode_head(heads[0]) != settled.head or any(
        delta.before != head for delta, head in zip(deltas, heads, strict=False)
    ):
        raise ValueError("changes of another state than that of the newest final block")
    await _mark_final(session, [each.id for each in added])
    total = await _write_changes(session, deltas, int.from_bytes(whole(settled.ledger_sum), "big"))
    oldest = max(0, added[-1].slot - keep_slots)
    await _write_below(session, [each for each in (root, *added[:-1]) if each.slot >= oldest])
    await session.execute(delete(ANCESTORS).where(ANCESTORS.c.slot < u64(oldest)))
    if heads[-1].snapshots != heads[0].snapshots:
        await session.execute(delete(SNAPSHOTS))
        await _write_snapshots(session, heads[-1].snapshots)
    await session.execute(
        update(SETTLED).values(
            root=encode_tree_block(added[-1]),
            head=encode_head(heads[-1]),
            ledger_sum=total.to_bytes(rows.SUM_BYTES, "big"),
        )
    )


async def drop(session: AsyncSession, blocks: Iterable[BlockId]) -> None:
    """Drops blocks that are kept, and what is known of their transactions."""
    wanted = select(BLOCKS.c.number, BLOCKS.c.is_final, BLOCKS.c.transactions)
    for chunk in _chunks(blocks):
        found = (await session.execute(wanted.where(BLOCKS.c.id.in_(chunk)))).all()
        if any(each.is_final for each in found):
            raise ValueError("a block that is final cannot be dropped")
        for each in found:
            await _drop_transactions(session, each.number, hashes_of(whole(each.transactions)))
        await session.execute(
            delete(BLOCKS).where(BLOCKS.c.number.in_([each.number for each in found]))
        )


def hashes_of(raw: bytes) -> tuple[bytes, ...]:
    """Returns the hashes of a block's transactions; raises `ChainStoreDamagedError`."""
    if len(raw) % HASH_BYTES:
        raise ChainStoreDamagedError("half a hash among those of a block's transactions")
    return tuple([raw[at : at + HASH_BYTES] for at in range(0, len(raw), HASH_BYTES)])


async def _drop_transactions(session: AsyncSession, block: int, hashes: Sequence[bytes]) -> None:
    """By hash too: the key of their table begins with it."""
    is_gone = (TRANSACTIONS.c.block == block) & (TRANSACTIONS.c.hash == bindparam("of"))
    if gone := [{"of": each} for each in hashes]:
        await session.execute(delete(TRANSACTIONS).where(is_gone), gone)


async def _mark_final(session: AsyncSession, blocks: Sequence[BlockId]) -> None:
    wanted = select(BLOCKS.c.number, BLOCKS.c.is_final)
    for chunk in _chunks(blocks):
        found = (await session.execute(wanted.where(BLOCKS.c.id.in_(chunk)))).all()
        if len(found) != len(chunk) or any(each.is_final for each in found):
            raise ValueError("a block that is not kept, or is final already, cannot become final")
        is_meant = BLOCKS.c.number.in_([each.number for each in found])
        await session.execute(update(BLOCKS).where(is_meant).values(is_final=True))


async def _write_state(session: AsyncSession, state: State) -> int:
    total = 0
    for kind in rows.KINDS:
        for chunk in _chunks(getattr(state, kind.name).items()):
            written = [kind.row(key, value) for key, value in chunk]
            total = rows.sum_of(kind, written, total)
            await _insert_rows(session, kind, written)
    return total


async def _write_changes(session: AsyncSession, deltas: Sequence[Delta], total: int) -> int:
    for kind in rows.KINDS:
        net = rows.net_of(kind, deltas)
        key = schema.LEDGER[kind.name].c.key
        if gone := [{"of": each} for each, _ in net.removed]:
            is_gone = key == bindparam("of")
            await session.execute(delete(schema.LEDGER[kind.name]).where(is_gone), gone)
        await _insert_rows(session, kind, net.written)
        total = rows.sum_after(kind, net, total)
    return total


async def _insert_rows(
    session: AsyncSession, kind: rows.Kind[Any, Any], written: Sequence[rows.Row]
) -> None:
    values = [{"key": key, "value": value} for key, value in written]
    await _insert(session, schema.LEDGER[kind.name], values)


async def _write_below(session: AsyncSession, blocks: Sequence[TreeBlock]) -> None:
    values = [{"slot": u64(each.slot), "value": encode_tree_block(each)} for each in blocks]
    await _insert(session, ANCESTORS, values)


async def _write_snapshots(session: AsyncSession, snapshots: Snapshots) -> None:
    value = encode_snapshots(snapshots)
    await session.execute(insert(SNAPSHOTS).values(number=ONE, value=value))


async def _insert(session: AsyncSession, table: Table, values: list[dict[str, Any]]) -> None:
    if values:
        await session.execute(insert(table), values)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
