"""`SavedTransactions` in the database: what waits in the mempool, for a restart.

A row is named by a hash of all bytes of its transaction, so that what is there already is known
without being read. Places leave what stays where it is: what joins at either end of the order
writes nothing but itself.

Spec: docs/protocol/chain-store.md, CHS-15, CHS-17; chain-mempool.md, MPL-20.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.mempool.types import Saved
from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.store.advice import Advice
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.schema import WaitingRow
from logos_chain.store.seals import check_seal, seal_of
from logos_mantle import octets
from logos_mantle.derivations import blake2b
from logos_mantle.octets import HASH_BYTES
from logos_module.database import Database, reading, table_of, writing

WAITING: Final = table_of(WaitingRow)
_PAGE: Final = 200
"""Transactions that are written by one statement: databases limit its parameters."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row without its bytes."""

    id: bytes
    since_ms: bytes
    fingerprint: bytes | None

    def columns(self, place: int) -> tuple[bytes | None, ...]:
        """Returns what is sealed; the id stands for the transaction."""
        return self.id, place.to_bytes(8, "big", signed=True), self.since_ms, self.fingerprint


class SqlSavedTransactions:
    """`SavedTransactions`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def load(self) -> Sequence[Saved]:
        """Returns what was saved, in its order; raises `ChainStoreDamagedError`."""
        rows = await self._all()
        with self._advice.given():
            return await asyncio.to_thread(lambda: [_saved(each) for each in rows])

    async def save(self, waiting: Sequence[Saved]) -> None:
        """Saves exactly these, each once; only what has changed since is written.

        Hashes all bytes in a thread: 50 ms for 32 MiB.

        Raises:
            ValueUnencodableError: A time has not 64 bits, or a fingerprint not 32 bytes.
        """
        rows = await asyncio.to_thread(_rows_of, tuple(waiting))
        with self._advice.given():
            await self._save(rows)

    @reading
    async def _all(self, session: AsyncSession) -> Sequence[Any]:
        return (await session.execute(select(WAITING).order_by(WAITING.c.place))).all()

    @writing
    async def _save(self, session: AsyncSession, rows: Mapping[_Row, bytes]) -> None:
        wanted = select(WAITING.c.id, WAITING.c.place, WAITING.c.since_ms, WAITING.c.fingerprint)
        found = (await session.execute(wanted)).all()
        there = {
            _Row(each.id, each.since_ms, each.fingerprint): _place(each.place) for each in found
        }
        places = _places(list(rows), there)
        stale = [row for row, place in there.items() if places.get(row) != place]
        if stale:
            is_stale = WAITING.c.id == bindparam("of")
            await session.execute(
                delete(WAITING).where(is_stale), [{"of": each.id} for each in stale]
            )
        fresh = [row for row, place in places.items() if there.get(row) != place]
        for page in _paged(fresh):
            values = [_values(each, places[each], rows[each]) for each in page]
            await session.execute(insert(WAITING), values)


def _places(order: Sequence[_Row], there: Mapping[_Row, int]) -> dict[_Row, int]:
    """Returns rising places, with those of most rows as they are.

    From the end on, a row keeps its place if it is below that of the next one.
    """
    below = max(there.values(), default=0) + len(order) + 1
    places: dict[_Row, int] = {}
    for row in reversed(order):
        below = min(there.get(row, below), below - 1)
        places[row] = below
    return places


def _rows_of(waiting: Sequence[Saved]) -> dict[_Row, bytes]:
    rows: dict[bytes, tuple[_Row, bytes]] = {}
    for each in waiting:
        if each.fingerprint is not None:
            octets.fixed(each.fingerprint, HASH_BYTES, "fingerprint")
        identifier = _id(each.raw)
        rows.setdefault(
            identifier, (_Row(identifier, u64(each.since_ms), each.fingerprint), each.raw)
        )
    return dict(rows.values())


def _values(row: _Row, place: int, raw: bytes) -> dict[str, Any]:
    return {
        "id": row.id,
        "place": place,
        "since_ms": row.since_ms,
        "fingerprint": row.fingerprint,
        "seal": seal_of(WAITING.name, *row.columns(place)),
        "raw": raw,
    }


def _saved(row: Any) -> Saved:
    raw, since_ms = whole(row.raw), whole(row.since_ms)
    fingerprint = None if row.fingerprint is None else whole(row.fingerprint)
    read = _Row(_id(raw), since_ms, fingerprint)
    check_seal(row.seal, WAITING.name, *read.columns(_place(row.place)))
    if row.id != read.id:
        raise ChainStoreDamagedError(f"a row of {WAITING.name} is not that of its transaction")
    return Saved(raw, read_u64(since_ms), fingerprint)


def _place(raw: object) -> int:
    """Checks the type: SQLite columns hold values of any type."""
    if not isinstance(raw, int):
        raise ChainStoreDamagedError(f"{type(raw).__name__} where a number is written")
    return raw


def _id(raw: bytes) -> bytes:
    return blake2b(raw)


def _paged(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    left = iter(rows)
    while page := list(islice(left, _PAGE)):
        yield page
