"""Reads the newest final block with its state, and looks at all of it.

Spec: docs/protocol/chain-store.md, CHS-9, CHS-10.
"""

from collections.abc import Mapping
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
    row = (await session.execute(select(SETTLED))).one_or_none()
    if row is None:
        return None
    snapshots = await session.scalar(select(SNAPSHOTS.c.value))
    if snapshots is None:
        raise ChainStoreDamagedError("the snapshots are missing")
    head = decode_head(whole(row.head), decode_snapshots(whole(snapshots)))
    root = decode_tree_block(whole(row.root))
    await _check_newest(session, root)
    tables, total = {}, 0
    for kind in rows.KINDS:
        tables[kind.name], total = await _entries(session, kind, total)
    if total.to_bytes(rows.SUM_BYTES, "big") != row.ledger_sum:
        raise ChainStoreDamagedError("the ledger's rows are not those that were written")
    ancestors = await session.scalars(select(ANCESTORS.c.value).order_by(ANCESTORS.c.slot))
    return Kept(root, tuple([decode_tree_block(whole(each)) for each in ancestors]), head, tables)


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


async def _entries(
    session: AsyncSession, kind: rows.Kind[Any, Any], total: int
) -> tuple[Mapping[Any, Any], int]:
    """Returns the entries of a table, and a sum with its rows added. Notes come by slot."""
    table = schema.LEDGER[kind.name]
    pages = select(table).order_by(table.c.key).limit(PAGE_ROWS)
    entries: dict[Any, Any] = {}
    following = pages
    while page := [
        (whole(each.key), whole(each.value)) for each in await session.execute(following)
    ]:
        entries |= rows.entries_of(kind, page)
        total = rows.sum_of(kind, page, total)
        following = pages.where(table.c.key > page[-1][0])
    return entries, total
