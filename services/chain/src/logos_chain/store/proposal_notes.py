"""`ProposalNotes` in the database: for which slots and notes this node has signed.

Spec: docs/protocol/chain-store.md, CHS-15, CHS-16; chain-leading.md, LEA-8.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.store.advice import Advice
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.schema import ProposalRow
from logos_chain.store.seals import check_seal, seal_of
from logos_mantle import octets
from logos_mantle.octets import HASH_BYTES
from logos_module.database import Database, reading, table_of, writing

PROPOSALS: Final = table_of(ProposalRow)


class SqlProposalNotes:
    """`ProposalNotes`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def slots(self) -> Sequence[int]:
        """Returns the slots that are noted, in their order; raises `ChainStoreDamagedError`."""
        with self._advice.given():
            return [_slot(each) for each in await self._rows()]

    async def note(self, slot: int, note: bytes, *, final_slot: int) -> bool:
        """Notes a slot and a note; False: they are noted already. Drops those up to `final_slot`.

        Raises:
            ValueUnencodableError: A slot has not 64 bits, or the note's id not 32 bytes.
        """
        octets.fixed(note, HASH_BYTES, "note")
        return await self._note(u64(slot), note, u64(final_slot))

    @reading
    async def _rows(self, session: AsyncSession) -> Sequence[Any]:
        return (await session.execute(select(PROPOSALS).order_by(PROPOSALS.c.slot))).all()

    @writing
    async def _note(self, session: AsyncSession, slot: bytes, note: bytes, final: bytes) -> bool:
        is_meant = (PROPOSALS.c.slot == slot) & (PROPOSALS.c.note == note)
        if await session.scalar(select(PROPOSALS.c.slot).where(is_meant)) is not None:
            return False
        await session.execute(delete(PROPOSALS).where(PROPOSALS.c.slot <= final))
        seal = seal_of(PROPOSALS.name, slot, note)
        await session.execute(insert(PROPOSALS).values(slot=slot, note=note, seal=seal))
        return True


def _slot(row: Any) -> int:
    slot, note = whole(row.slot), whole(row.note)
    check_seal(row.seal, PROPOSALS.name, slot, note)
    return read_u64(slot)
