"""Reads the newest final block with its state, and looks at all of it.

Spec: docs/protocol/chain-store.md, CHS-9, CHS-10.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.ledger.notes import NoteTable
from logos_chain.core.ledger.state import State
from logos_chain.core.ledger.tables import Table
from logos_chain.core.ledger.types import Head, Supply
from logos_chain.core.ports import ChainStoreDamagedError, Settled
from logos_chain.store import rows, schema
from logos_chain.store.encoding import decode_head, decode_snapshots, decode_tree_block
from logos_chain.store.rows import whole
from logos_module.database import table_of

PAGE_ROWS: Final = 1_000
"""Of the ledger, read by one statement; some 200 KiB, or a channel of 2 MiB each at the worst."""
ONE: Final = 1
"""The number of the one row of a table that has one."""

BLOCKS: Final = table_of(schema.BlockRow)
SETTLED: Final = table_of(schema.SettledRow)
SNAPSHOTS: Final = table_of(schema.SnapshotsRow)
ANCESTORS: Final = table_of(schema.AncestorRow)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read, decoded, before it is put together."""

    root: TreeBlock
    below: tuple[TreeBlock, ...]
    head: Head
    tables: Mapping[str, Mapping[Any, Any]]
    """Entries of the ledger's tables, by their names in `State`."""


async def read_settled(session: AsyncSession) -> Kept | None:
    """Reads the newest final block; None if nothing was begun.

    Raises:
        ChainStoreDamagedError: What is there is not what was written, as far as bytes say.
    """
    row = await read_newest(session)
    if row is None:
        return None
    head = decode_head(row.head, decode_snapshots(row.snapshots))
    tables, total = {}, 0
    for kind in rows.KINDS:
        tables[kind.name], total = await _entries(session, kind, total)
    check_sum(total, row)
    return Kept(row.root, await read_ancestors(session), head, tables)


@dataclass(frozen=True, slots=True)
class Newest:
    """What is kept of the newest final block beside the tables."""

    root: TreeBlock
    head: bytes
    snapshots: bytes
    ledger_sum: bytes


async def read_newest(session: AsyncSession) -> Newest | None:
    """Reads the newest final block without the tables; errors as `read_settled`."""
    row = (await session.execute(select(SETTLED))).one_or_none()
    if row is None:
        return None
    snapshots = await session.scalar(select(SNAPSHOTS.c.value))
    if snapshots is None:
        raise ChainStoreDamagedError("the snapshots are missing")
    root = decode_tree_block(whole(row.root))
    await _check_newest(session, root)
    return Newest(root, whole(row.head), whole(snapshots), whole(row.ledger_sum))


async def read_ancestors(session: AsyncSession) -> tuple[TreeBlock, ...]:
    """Reads the kept ancestors of the newest final block, oldest first."""
    found = await session.scalars(select(ANCESTORS.c.value).order_by(ANCESTORS.c.slot))
    return tuple([decode_tree_block(whole(each)) for each in found])


def check_sum(total: int, newest: Newest) -> None:
    """Raises `ChainStoreDamagedError` unless the rows are those that were written (CHS-9)."""
    if total.to_bytes(rows.SUM_BYTES, "big") != newest.ledger_sum:
        raise ChainStoreDamagedError("the ledger's rows are not those that were written")


def put_together(kept: Kept) -> Settled:
    """Makes the state of what was read. Two hashes a note: some 10 s for a million; blocks.

    Raises:
        ChainStoreDamagedError: Notes have another root than the head says, tokens do not add
            up, or an ancestor is missing.
    """
    chain = pairwise([*kept.below, kept.root])
    if any(newer.parent != older.id for older, newer in chain):
        raise ChainStoreDamagedError("an ancestor of the newest final block is missing")
    names = [kind.name for kind in rows.KINDS]
    notes, *others = (kept.tables[name] for name in names)
    tables: list[Any] = [NoteTable(notes), *(Table(each) for each in others)]
    state = State(**dict(zip(names, tables, strict=True)))
    if not is_whole(state, kept.head):
        raise ChainStoreDamagedError("the ledger's state does not fit the newest final block")
    return Settled(kept.root, kept.below, state, kept.head)


def is_whole(state: State, head: Head) -> bool:
    """Returns whether a state is that of a head, as a ledger looks at it (LED-39)."""
    return state.notes.root() == head.root and Supply.of(state.notes.totals, head).is_conserved


async def _check_newest(session: AsyncSession, root: TreeBlock) -> None:
    """Blocks and state are written together, so that they end with the same block."""
    finals = select(BLOCKS.c.id).where(BLOCKS.c.is_final.is_(True))
    if await session.scalar(finals.order_by(BLOCKS.c.height.desc()).limit(1)) != root.id:
        raise ChainStoreDamagedError("the newest final block is not that of the state")


async def pages_of(
    session: AsyncSession, kind: rows.Kind[Any, Any]
) -> AsyncIterator[Sequence[rows.Row]]:
    """Reads the rows of a table by ascending key, at most `PAGE_ROWS` at a time."""
    table = schema.LEDGER[kind.name]
    first = following = select(table).order_by(table.c.key).limit(PAGE_ROWS)
    while page := [
        (whole(each.key), whole(each.value)) for each in await session.execute(following)
    ]:
        yield page
        following = first.where(table.c.key > page[-1][0])


async def _entries(
    session: AsyncSession, kind: rows.Kind[Any, Any], total: int
) -> tuple[Mapping[Any, Any], int]:
    """Returns the entries of a table, and a sum with its rows added. Notes come by slot."""
    entries: dict[Any, Any] = {}
    async for page in pages_of(session, kind):
        entries |= rows.entries_of(kind, page)
        total = rows.sum_of(kind, page, total)
    return entries, total
