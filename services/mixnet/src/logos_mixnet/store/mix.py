"""Keys, tags and profile of the mix in the module's database."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from sqlalchemy import BigInteger, Index, LargeBinary, String, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.mixing.keys import MixKey
from logos_mixnet.store.sql import Base, put
from logos_module.database import Database, reading, writing

BATCH_ROWS: Final = 1_000
_PROFILE: Final = "profile"


class MixKeyRow(Base):
    """A key of the mix."""

    __tablename__ = "mix_key"

    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    private_key: Mapped[bytes] = mapped_column(LargeBinary(32))
    begun_ms: Mapped[int] = mapped_column(BigInteger)


class MixTagsRow(Base):
    """Tags that were made durable together."""

    __tablename__ = "mix_tags"
    __table_args__ = (Index("ix_mix_tags_epoch", "epoch", "number"),)

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    tags: Mapped[bytes]
    """16 bytes each."""


class MixSettingRow(Base):
    """What was set while the mix ran."""

    __tablename__ = "mix_setting"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(64))


class SqlMixStore:
    """`MixStore` over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self.database = database.raising(StoreError)

    @reading
    async def load_keys(self, session: AsyncSession) -> list[MixKey]:
        rows = await session.scalars(select(MixKeyRow).order_by(MixKeyRow.epoch.desc()))
        return [MixKey(row.epoch, row.private_key, row.begun_ms) for row in rows]

    @writing
    async def add_key(self, session: AsyncSession, key: MixKey) -> None:
        row = MixKeyRow(epoch=key.epoch, private_key=key.private_key, begun_ms=key.begun_ms)
        session.add(row)

    @writing
    async def retire(self, session: AsyncSession, epoch: int) -> None:
        await session.execute(text("PRAGMA secure_delete = ON"))  # a key's bytes do not stay
        await session.execute(delete(MixKeyRow).where(MixKeyRow.epoch <= epoch))
        await session.execute(delete(MixTagsRow).where(MixTagsRow.epoch <= epoch))

    async def load_tags(self, epoch: int) -> AsyncIterator[bytes]:
        after = 0
        while rows := await self._load_some(epoch, after):
            for number, tags in rows:
                after = number
                yield tags

    @reading
    async def _load_some(
        self, session: AsyncSession, epoch: int, after: int
    ) -> list[tuple[int, bytes]]:
        query = (
            select(MixTagsRow.number, MixTagsRow.tags)
            .where(MixTagsRow.epoch == epoch, MixTagsRow.number > after)
            .order_by(MixTagsRow.number)
            .limit(BATCH_ROWS)
        )
        return [(number, tags) for number, tags in await session.execute(query)]

    @writing
    async def add_tags(self, session: AsyncSession, epoch: int, tags: Sequence[bytes]) -> None:
        if await session.get(MixKeyRow, epoch) is not None:
            session.add(MixTagsRow(epoch=epoch, tags=b"".join(tags)))

    @reading
    async def load_profile(self, session: AsyncSession) -> str | None:
        row = await session.get(MixSettingRow, _PROFILE)
        return None if row is None else row.value

    @writing
    async def save_profile(self, session: AsyncSession, name: str) -> None:
        await session.execute(_PUT_SETTING, [{"name": _PROFILE, "value": name}])


_PUT_SETTING = put(MixSettingRow, "value")
