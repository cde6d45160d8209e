"""The stores in the module's database. One transaction per call."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import BigInteger, LargeBinary, String, delete, func, inspect, select, update
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_mixnet.core.address_book import Ban, Changes, PeerRecord, SignedCopy
from logos_mixnet.core.advertisements import MAX_EXPIRED, Advertisement, Due, MakeDue
from logos_mixnet.core.capability.offers import Offer
from logos_mixnet.core.confidence import Confidence, Learned
from logos_mixnet.core.errors import StoreError, TooManyKeysError
from logos_module.database import Database, reading, writing

CHUNK: Final = 500
"""Values of one `IN (...)`; SQLite takes more, older ones 999."""

T = TypeVar("T")


class Base(DeclarativeBase):
    """Tables of the module."""


class PeerRow(Base):
    """A peer of the address book."""

    __tablename__ = "peer"

    peer_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    addresses: Mapped[str]  # JSON list, best first
    wanted: Mapped[bool]
    last_seen_ms: Mapped[int] = mapped_column(BigInteger)


class PeerDetailRow(Base):
    """What else is known of a peer of the address book."""

    __tablename__ = "peer_detail"

    peer_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    learned: Mapped[str]  # JSON: by address, confidence, when it was heard and reached
    signed: Mapped[bytes | None] = mapped_column(LargeBinary(1024))
    seq: Mapped[str] = mapped_column(String(20))  # 64 bits, more than SQL's integers hold
    heard_ms: Mapped[int] = mapped_column(BigInteger)  # the signed record


class BanRow(Base):
    """A peer that is refused."""

    __tablename__ = "ban"

    peer_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    until_ms: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(200))


class AdvertisementRow(Base):
    """A key that is being announced."""

    __tablename__ = "advertisement"

    key: Mapped[bytes] = mapped_column(LargeBinary(128), primary_key=True)
    expires_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    next_provide_ms: Mapped[int] = mapped_column(BigInteger, index=True)
    failures: Mapped[int] = mapped_column(default=0)


class OfferRow(Base):
    """A service that a caller has this node offer."""

    __tablename__ = "offer"

    service: Mapped[str] = mapped_column(String(140), primary_key=True)
    data: Mapped[bytes | None] = mapped_column(LargeBinary(33))
    until_ms: Mapped[int] = mapped_column(BigInteger)


class RecordRow(Base):
    """The number of the latest record of this node's own; one row."""

    __tablename__ = "own_record"

    one: Mapped[int] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)


class SqlPeerStore:
    """`PeerStore` over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self.database = database.raising(StoreError)

    @reading
    async def load_peers(self, session: AsyncSession) -> list[PeerRecord]:
        both = select(PeerRow, PeerDetailRow).outerjoin(
            PeerDetailRow, PeerDetailRow.peer_id == PeerRow.peer_id
        )
        rows = await session.execute(both.order_by(PeerRow.peer_id))
        return [_to_record(row, detail) for row, detail in rows]

    @writing
    async def save_peers(self, session: AsyncSession, changes: Changes) -> None:
        for some in chunks(changes.removed):
            for table in (PeerRow, PeerDetailRow):
                await session.execute(delete(table).where(table.peer_id.in_(some)))
        if changes.changed:
            await session.execute(_PUT_PEER, [_record_values(r) for r in changes.changed])
            await session.execute(_PUT_DETAIL, [_detail_values(r) for r in changes.changed])

    @reading
    async def load_bans(self, session: AsyncSession) -> list[Ban]:
        rows = await session.scalars(select(BanRow).order_by(BanRow.peer_id))
        return [Ban(row.peer_id, row.until_ms, row.reason) for row in rows]

    @writing
    async def save_ban(self, session: AsyncSession, ban: Ban) -> None:
        values = {"peer_id": ban.peer_id, "until_ms": ban.until_ms, "reason": ban.reason}
        await session.execute(_PUT_BAN, [values])

    @writing
    async def remove_ban(self, session: AsyncSession, peer_id: str) -> None:
        await session.execute(delete(BanRow).where(BanRow.peer_id == peer_id))


class SqlAdvertisementStore:
    """`AdvertisementStore` over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self.database = database.raising(StoreError)

    @writing
    async def extend(
        self, session: AsyncSession, keys: Sequence[bytes], *, expires_ms: int, limit: int
    ) -> None:
        values = [
            {"key": key, "expires_ms": expires_ms, "next_provide_ms": 0, "failures": 0}
            for key in keys
        ]
        if values:
            await session.execute(_PUT_ADVERTISEMENT, values)
        count = await session.scalar(select(func.count()).select_from(AdvertisementRow)) or 0
        if count > limit:  # which rolls it back
            raise TooManyKeysError(f"this node advertises at most {limit} keys")

    @writing
    async def remove(self, session: AsyncSession, keys: Sequence[bytes]) -> None:
        for some in chunks(keys):
            query = delete(AdvertisementRow).where(AdvertisementRow.key.in_(some))
            await session.execute(query)

    @writing
    async def take_due(
        self, session: AsyncSession, now_ms: int, limit: int, make_due: MakeDue | None
    ) -> Due:
        if make_due is not None:
            which = AdvertisementRow.failures > (0 if make_due == "failed" else -1)
            await session.execute(update(AdvertisementRow).where(which).values(next_provide_ms=0))
        over = (
            select(AdvertisementRow.key)
            .where(AdvertisementRow.expires_ms <= now_ms)
            .order_by(AdvertisementRow.expires_ms)
            .limit(MAX_EXPIRED)
        )
        expired = list(await session.scalars(over))
        await session.execute(delete(AdvertisementRow).where(AdvertisementRow.key.in_(expired)))
        due = (
            select(AdvertisementRow)
            .where(AdvertisementRow.next_provide_ms <= now_ms)
            .order_by(AdvertisementRow.next_provide_ms, AdvertisementRow.key)
            .limit(limit)
        )
        rows = await session.scalars(due)
        soonest = select(
            func.min(AdvertisementRow.next_provide_ms), func.min(AdvertisementRow.expires_ms)
        )
        times = (await session.execute(soonest)).one()
        next_ms = None if None in times else min(times)
        return Due(expired, [_to_advertisement(row) for row in rows], next_ms)

    @writing
    async def reschedule(
        self, session: AsyncSession, advertisements: Sequence[Advertisement]
    ) -> None:
        for each in advertisements:
            values = {"next_provide_ms": each.next_provide_ms, "failures": each.failures}
            where = AdvertisementRow.key == each.key
            await session.execute(update(AdvertisementRow).where(where).values(**values))


class SqlOfferStore:
    """`OfferStore` over SQLAlchemy."""

    def __init__(self, database: Database) -> None:
        self.database = database.raising(StoreError)

    @reading
    async def load_offers(self, session: AsyncSession) -> tuple[list[Offer], int]:
        rows = await session.scalars(select(OfferRow).order_by(OfferRow.service))
        seq = await session.scalar(select(func.max(RecordRow.seq))) or 0
        return [Offer(row.service, row.data, row.until_ms) for row in rows], seq

    @writing
    async def save_offers(self, session: AsyncSession, offers: Sequence[Offer], seq: int) -> None:
        await session.execute(delete(OfferRow))
        session.add_all(
            OfferRow(service=each.service, data=each.data, until_ms=each.until_ms)
            for each in offers
        )
        await session.execute(_PUT_RECORD, [{"one": 1, "seq": seq}])


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cuts a sequence into pieces that one statement can name."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def put(table: type[Base], *changed: str) -> Insert:
    """Returns the statement that adds a row, or changes columns of the one with its key."""
    new = insert(table)
    values = {name: new.excluded[name] for name in changed}
    return new.on_conflict_do_update(index_elements=inspect(table).primary_key, set_=values)


def _record_values(record: PeerRecord) -> dict[str, Any]:
    return {
        "peer_id": record.peer_id,
        "addresses": json.dumps(record.addresses),
        "wanted": record.wanted,
        "last_seen_ms": record.last_seen_ms,
    }


def _detail_values(record: PeerRecord) -> dict[str, Any]:
    signed = record.signed
    learned = {
        address: (each.confidence, each.heard_ms, each.reached_ms)
        for address, each in zip(record.addresses, record.learned, strict=False)
    }
    return {
        "peer_id": record.peer_id,
        "learned": json.dumps(learned),
        "signed": None if signed is None else signed.encoded,
        "seq": str(0 if signed is None else signed.seq),
        "heard_ms": 0 if signed is None else signed.heard_ms,
    }


def _to_record(row: PeerRow, detail: PeerDetailRow | None) -> PeerRecord:
    addresses = tuple(json.loads(row.addresses))
    learned: tuple[Learned, ...] = ()
    signed = None
    if detail is not None:  # else it was written down before there was confidence
        learned = tuple(_learned(json.loads(detail.learned), addresses))
        if detail.signed is not None:
            signed = SignedCopy(detail.signed, int(detail.seq), detail.heard_ms)
    return PeerRecord(row.peer_id, addresses, row.wanted, row.last_seen_ms, learned, signed)


def _learned(known: dict[str, list[int]], addresses: Sequence[str]) -> Iterator[Learned]:
    for address in addresses if known else ():
        confidence, heard_ms, reached_ms = known.get(address, (Confidence.LOW, 0, 0))
        yield Learned(Confidence(confidence), heard_ms, reached_ms)


def _to_advertisement(row: AdvertisementRow) -> Advertisement:
    return Advertisement(row.key, row.expires_ms, row.next_provide_ms, row.failures)


_PUT_PEER = put(PeerRow, "addresses", "wanted", "last_seen_ms")
_PUT_BAN = put(BanRow, "until_ms", "reason")
_PUT_ADVERTISEMENT = put(AdvertisementRow, "expires_ms")
_PUT_RECORD = put(RecordRow, "seq")
_PUT_DETAIL = put(PeerDetailRow, "learned", "signed", "seq", "heard_ms")
