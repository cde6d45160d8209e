"""What rate limits keep in the module's database: ids, announcements, slashes (RLN-26, RLN-30)."""

from collections.abc import AsyncIterator, Callable, Sequence

from sqlalchemy import BigInteger, LargeBinary, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.rln.announcements import MAX_ANNOUNCEMENT_BYTES, Announcement
from logos_mixnet.core.rln.errors import RegistrationClosedError
from logos_mixnet.core.rln.message_ids import Reserved, Save
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.slashing import MAX_SLASH_BYTES, SlashRecord
from logos_mixnet.store.sql import Base, put
from logos_module.database import Database, reading, writing


class RlnReservationRow(Base):
    """Message ids of an epoch that are not handed out again."""

    __tablename__ = "rln_reservation"

    identifier: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    until: Mapped[int]


class RlnFloorRow(Base):
    """The last epoch that may not be used."""

    __tablename__ = "rln_floor"

    identifier: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)


class RlnAnnouncementRow(Base):
    """A member that announced itself."""

    __tablename__ = "rln_announcement"

    peer_id: Mapped[bytes] = mapped_column(LargeBinary(39), primary_key=True)
    record: Mapped[bytes] = mapped_column(LargeBinary(MAX_ANNOUNCEMENT_BYTES))


class RlnEquivocationRow(Base):
    """The second announcement of a peer that has announced two commitments."""

    __tablename__ = "rln_equivocation"

    peer_id: Mapped[bytes] = mapped_column(LargeBinary(39), primary_key=True)
    record: Mapped[bytes] = mapped_column(LargeBinary(MAX_ANNOUNCEMENT_BYTES))


class RlnSlashRow(Base):
    """A member that was slashed."""

    __tablename__ = "rln_slash"

    commitment: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    record: Mapped[bytes] = mapped_column(LargeBinary(MAX_SLASH_BYTES))


class SqlMessageIdStore:
    """`MessageIdStore` of one application."""

    def __init__(self, database: Database, identifier: bytes) -> None:
        self.database = database.raising(StoreError)
        self._identifier = identifier

    @reading
    async def load(self, session: AsyncSession) -> tuple[Sequence[Reserved], int]:
        of_this = RlnReservationRow.identifier == self._identifier
        order = RlnReservationRow.epoch
        rows = await session.scalars(select(RlnReservationRow).where(of_this).order_by(order))
        floor = await session.get(RlnFloorRow, self._identifier)
        reserved = [Reserved(row.epoch, row.until) for row in rows]
        return reserved, -1 if floor is None else floor.epoch

    @writing
    async def save(self, session: AsyncSession, save: Save) -> None:
        key = {"identifier": self._identifier}
        reserved = {"epoch": save.reserved.epoch, "until": save.reserved.until}
        await session.execute(_PUT_RESERVATION, [key | reserved])
        await session.execute(_PUT_FLOOR, [key | {"epoch": save.floor}])
        of_this = RlnReservationRow.identifier == self._identifier
        over = RlnReservationRow.epoch <= save.floor
        await session.execute(delete(RlnReservationRow).where(of_this, over))


class SqlMembers:
    """`MembershipStore` of a network whose members are listed, or announce themselves."""

    def __init__(
        self,
        database: Database,
        *,
        genesis: Sequence[bytes] = (),
        is_open: bool = False,
        first: Callable[[], Sequence[Announcement]] = tuple,
    ) -> None:
        """Announcements of `first` are taken where there are none yet, but may be (RLN-39)."""
        self.database = database.raising(StoreError)
        self._genesis = tuple(genesis)
        self._is_open = is_open
        self._first = first

    async def load(self) -> Registry:
        registry = await self._load()
        first = () if registry.announced or not self._is_open else self._first()
        if not first:
            return registry
        await self._begin(first)
        return await self._load()

    @writing
    async def _begin(self, session: AsyncSession, first: Sequence[Announcement]) -> None:
        rows = [{"peer_id": each.peer_id, "record": each.encode()} for each in first]
        await session.execute(_PUT_ANNOUNCEMENT, rows)  # all or none

    @reading
    async def _load(self, session: AsyncSession) -> Registry:
        first, second = RlnAnnouncementRow, RlnEquivocationRow
        announcements = [
            *await session.scalars(select(first.record).order_by(first.peer_id)),
            *await session.scalars(select(second.record).order_by(second.peer_id)),
        ]
        slashes = list(await session.scalars(select(RlnSlashRow).order_by(RlnSlashRow.commitment)))
        return Registry(
            genesis=self._genesis,
            announced=tuple(Announcement.decode(each, _was_checked) for each in announcements),
            slashed=frozenset(row.commitment for row in slashes),
            is_open=self._is_open,
            records=tuple(SlashRecord.decode(row.record, _was_checked) for row in slashes),
        )

    async def watch(self) -> AsyncIterator[Registry]:
        """Ends at once: there is no other writer."""
        changes: tuple[Registry, ...] = ()
        for change in changes:
            yield change

    async def register(self, commitment: bytes, _limit: int) -> None:
        """Refuses all but those of the list."""
        if commitment not in self._genesis:
            raise RegistrationClosedError("members of this network are those of its genesis list")

    @writing
    async def save_announcement(
        self,
        session: AsyncSession,
        announcement: Announcement,
        displaced: bytes | None = None,
        forgotten: frozenset[bytes] = frozenset(),
    ) -> None:
        for kind in (RlnAnnouncementRow, RlnEquivocationRow):
            await session.execute(delete(kind).where(kind.peer_id == displaced))
        await session.execute(delete(RlnSlashRow).where(RlnSlashRow.commitment.in_(forgotten)))
        kept = await session.get(RlnAnnouncementRow, announcement.peer_id)
        is_other = kept is not None and _commitment(kept) != announcement.commitment
        values = {"peer_id": announcement.peer_id, "record": announcement.encode()}
        await session.execute(_PUT_EQUIVOCATION if is_other else _PUT_ANNOUNCEMENT, [values])

    @writing
    async def save_slash(
        self, session: AsyncSession, record: SlashRecord, commitment: bytes
    ) -> None:
        await session.execute(_PUT_SLASH, [{"commitment": commitment, "record": record.encode()}])


def _commitment(row: RlnAnnouncementRow) -> bytes:
    return Announcement.decode(row.record, _was_checked).commitment


def _was_checked(_peer_id: bytes, _message: bytes, _signature: bytes) -> bool:
    return True  # before it was kept


_PUT_RESERVATION = put(RlnReservationRow, "until")
_PUT_FLOOR = put(RlnFloorRow, "epoch")
_PUT_ANNOUNCEMENT = insert(RlnAnnouncementRow).on_conflict_do_nothing()
_PUT_EQUIVOCATION = insert(RlnEquivocationRow).on_conflict_do_nothing()
_PUT_SLASH = insert(RlnSlashRow).on_conflict_do_nothing()
