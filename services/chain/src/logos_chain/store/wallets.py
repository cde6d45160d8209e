"""`WalletStore` in the database: the wallets of one node, by name.

Spec: docs/protocol/chain-store.md, CHS-15, CHS-18; chain-wallet.md, WAL-7, WAL-9, WAL-16, WAL-17.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Table, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from logos_chain.core.wallet.derivation import Role
from logos_chain.core.wallet.errors import WalletStateDamagedError
from logos_chain.core.wallet.ports import KeptDraft, KeptEntry
from logos_chain.core.wallet.records import FULFILLED
from logos_chain.core.wallet.state import WalletState
from logos_chain.store.advice import Advice
from logos_chain.store.rows import read_u64, u64, whole
from logos_chain.store.schema import (
    WalletDraftRow,
    WalletEntryRow,
    WalletKeysRow,
    WalletStateRow,
    WalletVoucherRow,
    WalletWatchedRow,
)
from logos_chain.store.seals import check_seal, seal_of
from logos_mantle import octets
from logos_mantle.octets import HASH_BYTES
from logos_module.database import Database, reading, table_of, writing

log = logging.getLogger(__name__)

STATES: Final = table_of(WalletStateRow)
ENTRIES: Final = table_of(WalletEntryRow)
DRAFTS: Final = table_of(WalletDraftRow)
VOUCHERS: Final = table_of(WalletVoucherRow)
KEYS: Final = table_of(WalletKeysRow)
WATCHED: Final = table_of(WalletWatchedRow)
_FORGOTTEN: Final = (STATES, ENTRIES, DRAFTS, VOUCHERS, KEYS)
"""With a wallet's phrase; what it watches has nothing to do with that."""
_PAGE: Final = 200
"""Entries that are written by one statement: databases limit its parameters."""


class SqlWallets:
    """`WalletStore`. One transaction a call."""

    def __init__(self, database: Database, advice: Advice) -> None:
        """Takes an open database with the tables of `SCHEMA`."""
        self.database = database
        self._advice = advice

    # -- state and history ---------------------------------------------------------------------

    async def load(self, wallet: str, block: bytes) -> bytes | None:
        """Returns the state after a block; None: it has none there.

        Raises:
            ChainStoreDamagedError: It is not what was written.
        """
        is_meant = (STATES.c.wallet == wallet) & (STATES.c.block == block)
        with self._advice.given():
            found = await self._rows(STATES, is_meant)
            return _state(found[0]) if found else None

    async def keep(
        self, wallet: str, block: bytes, height: int, state: bytes, entries: Sequence[KeptEntry]
    ) -> None:
        """Keeps the state after a block, and beside it the newest one below (CHS-18).

        Raises:
            ValueUnencodableError: A height or place has not 64 bits, or the id not 32 bytes.
        """
        octets.fixed(block, HASH_BYTES, "block")
        rows = [_entry_row(wallet, each) for each in entries]
        await self._keep(wallet, block, u64(height), state, entries=rows)

    async def entries(
        self, wallet: str, before: tuple[int, int] | None, limit: int
    ) -> Sequence[KeptEntry]:
        """Returns entries before a height and place, the newest first.

        Raises:
            ChainStoreDamagedError: One is not what was written.
        """
        is_meant = ENTRIES.c.wallet == wallet
        if before is not None:
            height, place = u64(before[0]), u64(before[1])
            is_at = (ENTRIES.c.height == height) & (ENTRIES.c.place < place)
            is_meant = is_meant & or_(ENTRIES.c.height < height, is_at)
        newest = (ENTRIES.c.height.desc(), ENTRIES.c.place.desc())
        with self._advice.given():
            return [
                _entry(each) for each in await self._rows(ENTRIES, is_meant, *newest, limit=limit)
            ]

    @writing
    async def _keep(
        self,
        session: AsyncSession,
        wallet: str,
        block: bytes,
        height: bytes,
        state: bytes,
        *,
        entries: Sequence[dict[str, Any]],
    ) -> None:
        is_own = STATES.c.wallet == wallet
        older = select(STATES.c.height).where(is_own, STATES.c.height < height)
        below = await session.scalar(older.order_by(STATES.c.height.desc()).limit(1))
        is_stale = is_own if below is None else is_own & (STATES.c.height != below)
        await session.execute(delete(STATES).where(is_stale | is_own & (STATES.c.block == block)))
        seal = seal_of(STATES.name, wallet.encode(), block, height, state)
        row = {"wallet": wallet, "block": block, "height": height, "seal": seal, "value": state}
        await session.execute(insert(STATES).values(**row))
        await _forget_above(session, wallet, below)
        await _write_entries(session, entries)

    # -- drafts --------------------------------------------------------------------------------

    async def put_draft(self, wallet: str, draft: KeptDraft) -> None:
        """Adds a draft, or replaces it in its place.

        Raises:
            ValueUnencodableError: Its hash has not 32 bytes.
        """
        octets.fixed(draft.hash, HASH_BYTES, "hash")
        await self._put_draft(wallet, draft)

    @writing
    async def drop_drafts(
        self, session: AsyncSession, wallet: str, hashes: Sequence[bytes]
    ) -> None:
        """Drops drafts; those that are not there change nothing."""
        is_meant = (DRAFTS.c.wallet == wallet) & (DRAFTS.c.hash == bindparam("of"))
        if gone := [{"of": each} for each in hashes]:
            await session.execute(delete(DRAFTS).where(is_meant), gone)

    async def drafts(self, wallet: str) -> Sequence[KeptDraft]:
        """Returns the drafts in the order in which they were added.

        Raises:
            ChainStoreDamagedError: One is not what was written.
        """
        with self._advice.given():
            found = await self._rows(DRAFTS, DRAFTS.c.wallet == wallet, DRAFTS.c.number)
            return [_draft(each) for each in found]

    @writing
    async def _put_draft(self, session: AsyncSession, wallet: str, draft: KeptDraft) -> None:
        is_own = DRAFTS.c.wallet == wallet
        is_meant = is_own & (DRAFTS.c.hash == draft.hash)
        written = {
            "value": draft.value,
            "seal": seal_of(DRAFTS.name, wallet.encode(), draft.hash, draft.value),
        }
        if await session.scalar(select(DRAFTS.c.hash).where(is_meant)) is not None:
            await session.execute(update(DRAFTS).where(is_meant).values(**written))
            return
        last = await session.scalar(select(func.max(DRAFTS.c.number)).where(is_own))
        row = {"wallet": wallet, "hash": draft.hash, "number": (last or 0) + 1, **written}
        await session.execute(insert(DRAFTS).values(**row))

    # -- vouchers ------------------------------------------------------------------------------

    async def next_voucher(self, wallet: str) -> int:
        """Returns the number below which all vouchers may have been issued; 0 at first.

        Raises:
            ChainStoreDamagedError: It is not what was written.
        """
        with self._advice.given():
            found = await self._rows(VOUCHERS, VOUCHERS.c.wallet == wallet)
            return _voucher(found[0]) if found else 0

    async def issue_until(self, wallet: str, number: int) -> None:
        """Notes that all below a number may have been issued; a lower one changes nothing.

        Raises:
            ChainStoreDamagedError: The last number is not what was written.
            ValueUnencodableError: It has not 64 bits.
        """
        with self._advice.given():
            await self._issue_until(wallet, u64(number))

    @writing
    async def _issue_until(self, session: AsyncSession, wallet: str, number: bytes) -> None:
        await _issue_until(session, wallet, number)

    # -- keys ----------------------------------------------------------------------------------

    async def used_before(self, wallet: str) -> Mapping[Role, int]:
        """Returns below which numbers keys were in use on a chain that was given up.

        Raises:
            ChainStoreDamagedError: They are not what was written.
        """
        with self._advice.given():
            found = await self._rows(KEYS, KEYS.c.wallet == wallet)
            return _used(found[0]) if found else {}

    # -- watched keys --------------------------------------------------------------------------

    async def watch(self, wallet: str, key: bytes) -> None:
        """Adds a key to those that a wallet watches; one that is there changes nothing.

        Raises:
            ValueUnencodableError: It has not 32 bytes.
        """
        await self._watch(wallet, octets.fixed(key, HASH_BYTES, "key"))

    async def watched(self, wallet: str) -> Sequence[bytes]:
        """Returns the keys that a wallet watches, in their order as bytes.

        Raises:
            ChainStoreDamagedError: One is not what was written.
        """
        with self._advice.given():
            found = await self._rows(WATCHED, WATCHED.c.wallet == wallet, WATCHED.c.key)
            return [_watched(each) for each in found]

    @writing
    async def _watch(self, session: AsyncSession, wallet: str, key: bytes) -> None:
        is_meant = (WATCHED.c.wallet == wallet) & (WATCHED.c.key == key)
        await session.execute(delete(WATCHED).where(is_meant))
        seal = seal_of(WATCHED.name, wallet.encode(), key)
        await session.execute(insert(WATCHED).values(wallet=wallet, key=key, seal=seal))

    # -- all of them ---------------------------------------------------------------------------

    @writing
    async def forget(self, session: AsyncSession, wallet: str) -> None:
        """Drops all of a wallet but the keys that it watches."""
        for each in _FORGOTTEN:
            await session.execute(delete(each).where(each.c.wallet == wallet))

    @reading
    async def _rows(
        self,
        session: AsyncSession,
        table: Table,
        is_meant: Any,
        *order: Any,
        limit: int | None = None,
    ) -> Sequence[Any]:
        wanted = select(table).where(is_meant).order_by(*order).limit(limit)
        return (await session.execute(wanted)).all()


async def drop_fulfilled(session: AsyncSession) -> None:
    """Drops the names of orders that are final: with the chain that has them (CON-52)."""
    is_meant = func.substr(DRAFTS.c.value, 1, len(FULFILLED)) == FULFILLED
    await session.execute(delete(DRAFTS).where(is_meant))


async def keep_numbers(session: AsyncSession) -> None:
    """Notes how far keys and vouchers were used, before the states that tell it go (CON-52).

    Raises:
        ChainStoreDamagedError: A row is not what was written.
    """
    for row in (await session.execute(select(STATES))).all():
        try:
            state = WalletState.decode(_state(row))
        except WalletStateDamagedError as error:
            log.warning("the kept state of a wallet is given up", extra={"error": str(error)})
            continue
        await _issue_until(session, row.wallet, u64(state.next_voucher))
        await _use_until(session, row.wallet, state)


async def _issue_until(session: AsyncSession, wallet: str, number: bytes) -> None:
    is_own = VOUCHERS.c.wallet == wallet
    row = (await session.execute(select(VOUCHERS).where(is_own))).one_or_none()
    if row is not None and _voucher(row) >= read_u64(number):
        return
    await session.execute(delete(VOUCHERS).where(is_own))
    seal = seal_of(VOUCHERS.name, wallet.encode(), number)
    await session.execute(insert(VOUCHERS).values(wallet=wallet, next=number, seal=seal))


async def _use_until(session: AsyncSession, wallet: str, state: WalletState) -> None:
    is_own = KEYS.c.wallet == wallet
    row = (await session.execute(select(KEYS).where(is_own))).one_or_none()
    before = {} if row is None else _used(row)
    used = {
        role: max(before.get(role, 0), max((*kept.used, *kept.seen), default=-1) + 1)
        for role, kept in state.keys.items()
    }
    receive = u64(max(used[Role.RECEIVE], state.next_receive))
    change = u64(used[Role.CHANGE])
    await session.execute(delete(KEYS).where(is_own))
    seal = seal_of(KEYS.name, wallet.encode(), receive, change)
    new = insert(KEYS).values(wallet=wallet, receive=receive, change=change, seal=seal)
    await session.execute(new)


async def _forget_above(session: AsyncSession, wallet: str, height: bytes | None) -> None:
    """Drops entries above a height; None: all."""
    is_stale = ENTRIES.c.wallet == wallet
    if height is not None:
        is_stale = is_stale & (ENTRIES.c.height > height)
    await session.execute(delete(ENTRIES).where(is_stale))


async def _write_entries(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    is_old = and_(
        ENTRIES.c.wallet == bindparam("of"),
        ENTRIES.c.height == bindparam("at_height"),
        ENTRIES.c.place == bindparam("at_place"),
    )
    left = iter(rows)
    while page := list(islice(left, _PAGE)):
        old = [
            {"of": each["wallet"], "at_height": each["height"], "at_place": each["place"]}
            for each in page
        ]
        await session.execute(delete(ENTRIES).where(is_old), old)
        await session.execute(insert(ENTRIES), page)


def _entry_row(wallet: str, entry: KeptEntry) -> dict[str, Any]:
    height, place = u64(entry.height), u64(entry.place)
    return {
        "wallet": wallet,
        "height": height,
        "place": place,
        "value": entry.value,
        "seal": seal_of(ENTRIES.name, wallet.encode(), height, place, entry.value),
    }


def _state(row: Any) -> bytes:
    height, value = whole(row.height), whole(row.value)
    check_seal(row.seal, STATES.name, row.wallet.encode(), whole(row.block), height, value)
    return value


def _entry(row: Any) -> KeptEntry:
    height, place, value = whole(row.height), whole(row.place), whole(row.value)
    check_seal(row.seal, ENTRIES.name, row.wallet.encode(), height, place, value)
    return KeptEntry(read_u64(height), read_u64(place), value)


def _draft(row: Any) -> KeptDraft:
    hash_, value = whole(row.hash), whole(row.value)
    check_seal(row.seal, DRAFTS.name, row.wallet.encode(), hash_, value)
    return KeptDraft(hash_, value)


def _voucher(row: Any) -> int:
    number = whole(row.next)
    check_seal(row.seal, VOUCHERS.name, row.wallet.encode(), number)
    return read_u64(number)


def _used(row: Any) -> dict[Role, int]:
    receive, change = whole(row.receive), whole(row.change)
    check_seal(row.seal, KEYS.name, row.wallet.encode(), receive, change)
    return {Role.RECEIVE: read_u64(receive), Role.CHANGE: read_u64(change)}


def _watched(row: Any) -> bytes:
    key = whole(row.key)
    check_seal(row.seal, WATCHED.name, row.wallet.encode(), key)
    return key
