"""`AgedPathStore` in the database: paths to aged roots, for starts in the middle of an epoch.

Spec: docs/protocol/chain-store.md, CHS-15; chain-leading.md, LEA-7.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.store.advice import Advice
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.schema import AgedPathRow
from logos_chain.store.seals import check_seal, seal_of
from logos_crypto.refusals import RefusedError
from logos_crypto.trees import MerklePath, merkle_path
from logos_mantle import octets
from logos_mantle.octets import HASH_BYTES
from logos_module.database import Database, reading, table_of, writing

PATHS: Final = table_of(AgedPathRow)
_INDEX_BYTES: Final = 8


class SqlAgedPaths:
    """`AgedPathStore`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def load(self, root: bytes) -> Mapping[bytes, MerklePath]:
        """Returns the paths to a root by note id; raises `ChainStoreDamagedError`."""
        with self._advice.given():
            return dict(_path(each) for each in await self._rows(root))

    async def keep(self, root: bytes, paths: Mapping[bytes, MerklePath]) -> None:
        """Adds paths to a root; those that are kept already are replaced."""
        if paths:
            await self._keep(root, [_row(root, note, path) for note, path in paths.items()])

    @writing
    async def drop_others(self, session: AsyncSession, roots: Iterable[bytes]) -> None:
        """Drops the paths to all other roots."""
        await session.execute(delete(PATHS).where(PATHS.c.root.not_in(list(roots))))

    @reading
    async def _rows(self, session: AsyncSession, root: bytes) -> Sequence[Any]:
        return (await session.execute(select(PATHS).where(PATHS.c.root == root))).all()

    @writing
    async def _keep(
        self, session: AsyncSession, root: bytes, values: Sequence[Mapping[str, bytes]]
    ) -> None:
        is_old = (PATHS.c.root == root) & (PATHS.c.note == bindparam("of"))
        await session.execute(
            delete(PATHS).where(is_old), [{"of": each["note"]} for each in values]
        )
        await session.execute(insert(PATHS), values)


def _row(root: bytes, note: bytes, path: MerklePath) -> Mapping[str, bytes]:
    octets.fixed(root, HASH_BYTES, "root")
    octets.fixed(note, HASH_BYTES, "note")
    value = u64(path.index) + b"".join(path.siblings)
    return {
        "root": root,
        "note": note,
        "value": value,
        "seal": seal_of(PATHS.name, root, note, value),
    }


def _path(row: Any) -> tuple[bytes, MerklePath]:
    root, note, value = whole(row.root), whole(row.note), whole(row.value)
    check_seal(row.seal, PATHS.name, root, note, value)
    siblings = value[_INDEX_BYTES:]
    places = range(0, len(siblings), HASH_BYTES)
    try:
        path = merkle_path(
            read_u64(value[:_INDEX_BYTES]), [siblings[at : at + HASH_BYTES] for at in places]
        )
    except RefusedError as error:
        raise ChainStoreDamagedError(f"a path of {PATHS.name} is none: {error}") from error
    return note, path
