"""`RegistryStore` in the database: the state of registries of members, by channel.

Spec: docs/protocol/chain-store.md, CHS-15; rln-registry.md, RLC-8.
"""

from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.store.advice import Advice
from logos_chain.store.rows import whole
from logos_chain.store.schema import RegistryStateRow
from logos_chain.store.seals import check_seal, seal_of
from logos_mantle import octets
from logos_mantle.octets import HASH_BYTES
from logos_module.database import Database, reading, table_of, writing

STATES: Final = table_of(RegistryStateRow)


class SqlRegistries:
    """`RegistryStore`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    async def load(self, channel: bytes) -> bytes | None:
        """Returns what was kept for a channel; raises `ChainStoreDamagedError`."""
        row = await self._row(channel)
        if row is None:
            return None
        with self._advice.given():
            value = whole(row.value)
            check_seal(row.seal, STATES.name, channel, value)
            return value

    async def keep(self, channel: bytes, state: bytes) -> None:
        """Keeps a state; raises `ValueUnencodableError` if the id has not 32 bytes."""
        await self._keep(octets.fixed(channel, HASH_BYTES, "channel"), state)

    @reading
    async def _row(self, session: AsyncSession, channel: bytes) -> Any:
        found = await session.execute(select(STATES).where(STATES.c.channel == channel))
        return found.one_or_none()

    @writing
    async def _keep(self, session: AsyncSession, channel: bytes, state: bytes) -> None:
        await session.execute(delete(STATES).where(STATES.c.channel == channel))
        seal = seal_of(STATES.name, channel, state)
        await session.execute(insert(STATES).values(channel=channel, seal=seal, value=state))
