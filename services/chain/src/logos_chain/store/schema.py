"""The tables of the chain's database (CHS-1, CHS-14, CHS-15).

Numbers of 64 bits are 8 bytes, most significant first: no database has unsigned integers, and
both compare bytes in the order of these numbers (CHS-6).
"""

from pathlib import Path
from types import MappingProxyType
from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_chain.store.rows import KINDS
from logos_chain.store.seals import SEAL_BYTES
from logos_module.database import Schema

_SMALL_ROWS: Final = {"sqlite_with_rowid": False}
"""SQLite then keeps a row beside its key, and no number of its own."""


class Base(DeclarativeBase):
    """The tables of the chain."""


class BlockRow(Base):
    """A kept block. Both indexes hold all that is read of many blocks at a time."""

    __tablename__ = "block"
    __table_args__ = (
        Index("block_by_height", "is_final", "height", "id"),
        Index("block_by_arrival", "is_final", "number"),
    )

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    """Its place in the order of arrivals."""
    id: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    parent: Mapped[bytes] = mapped_column(LargeBinary(32))
    height: Mapped[bytes] = mapped_column(LargeBinary(8))
    slot: Mapped[bytes] = mapped_column(LargeBinary(8))
    is_final: Mapped[bool]
    transactions: Mapped[bytes] = mapped_column(LargeBinary)
    """Their hashes in their order, 32 bytes each."""
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class BlockTransactionRow(Base):
    """A transaction of a kept block."""

    __tablename__ = "block_transaction"
    __table_args__ = _SMALL_ROWS

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    block: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its number."""


class SettledRow(Base):
    """The newest final block: one row."""

    __tablename__ = "settled"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    head: Mapped[bytes] = mapped_column(LargeBinary)
    ledger_sum: Mapped[bytes] = mapped_column(LargeBinary(16))
    """Of all rows of the ledger (CHS-9)."""


class SnapshotsRow(Base):
    """The snapshots of the head: one row, apart because it is large and seldom changes."""

    __tablename__ = "snapshots"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class AncestorRow(Base):
    """An ancestor of the newest final block that a tree still wants."""

    __tablename__ = "ancestor"
    __table_args__ = _SMALL_ROWS

    slot: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class CheckpointRow(Base):
    """The checkpoint that the chain was begun with: one row, or none (CKP-8)."""

    __tablename__ = "checkpoint"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    genesis: Mapped[bytes] = mapped_column(LargeBinary(32))
    height: Mapped[bytes] = mapped_column(LargeBinary(8))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


# -- beside the chain (CHS-15) ---------------------------------------------------------------------


class ProposalRow(Base):
    """A slot and a note that this node has signed a block for."""

    __tablename__ = "proposal"
    __table_args__ = _SMALL_ROWS

    slot: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    note: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class AgedPathRow(Base):
    """A note's path to an aged root."""

    __tablename__ = "aged_path"

    root: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    note: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class NodeMarkRow(Base):
    """A number by its name."""

    __tablename__ = "node_mark"
    __table_args__ = _SMALL_ROWS

    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[bytes] = mapped_column(LargeBinary(8))
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class WaitingRow(Base):
    """A transaction that waited in the mempool when it was last saved.

    Its bytes come last: what is before them is read without them.
    """

    __tablename__ = "waiting"

    id: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    """A hash of all its bytes, proofs included."""
    place: Mapped[int] = mapped_column(BigInteger)
    """In the order in which they can be executed; below zero too."""
    since_ms: Mapped[bytes] = mapped_column(LargeBinary(8))
    fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class WalletStateRow(Base):
    """A wallet's state after a block."""

    __tablename__ = "wallet_state"

    wallet: Mapped[str] = mapped_column(primary_key=True)
    block: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    height: Mapped[bytes] = mapped_column(LargeBinary(8))
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))
    value: Mapped[bytes] = mapped_column(LargeBinary)


class WalletEntryRow(Base):
    """An entry of a wallet's history."""

    __tablename__ = "wallet_entry"
    __table_args__ = _SMALL_ROWS

    wallet: Mapped[str] = mapped_column(primary_key=True)
    height: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    place: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class WalletDraftRow(Base):
    """A wallet's transaction that was submitted and is not final."""

    __tablename__ = "wallet_draft"

    wallet: Mapped[str] = mapped_column(primary_key=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    """Its place in the order in which they were added."""
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))
    value: Mapped[bytes] = mapped_column(LargeBinary)


class WalletVoucherRow(Base):
    """Below which number a wallet's vouchers may have been issued."""

    __tablename__ = "wallet_voucher"
    __table_args__ = _SMALL_ROWS

    wallet: Mapped[str] = mapped_column(primary_key=True)
    next: Mapped[bytes] = mapped_column(LargeBinary(8))
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class WalletWatchedRow(Base):
    """A public key that a wallet watches."""

    __tablename__ = "wallet_watched"
    __table_args__ = _SMALL_ROWS

    wallet: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class WalletKeysRow(Base):
    """Below which numbers a wallet's keys were in use on a chain that was given up."""

    __tablename__ = "wallet_keys"
    __table_args__ = _SMALL_ROWS

    wallet: Mapped[str] = mapped_column(primary_key=True)
    receive: Mapped[bytes] = mapped_column(LargeBinary(8))
    change: Mapped[bytes] = mapped_column(LargeBinary(8))
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class RegistryStateRow(Base):
    """The members of a registry after a final block."""

    __tablename__ = "registry_state"

    channel: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))
    value: Mapped[bytes] = mapped_column(LargeBinary)


class ChannelBlockRow(Base):
    """A final block that has messages of a channel."""

    __tablename__ = "channel_block"
    __table_args__ = _SMALL_ROWS

    channel: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    height: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class ChannelIndexRow(Base):
    """Up to which height the final blocks were looked at for channels: one row."""

    __tablename__ = "channel_index"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    height: Mapped[bytes] = mapped_column(LargeBinary(8))
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))


class ZoneWriterRow(Base):
    """A sequencer of a channel, by its key."""

    __tablename__ = "zone_writer"

    channel: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    """Its place in the order in which they were added."""
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))
    checkpoint: Mapped[bytes] = mapped_column(LargeBinary)
    """Without payloads (ZON-12)."""


class ZonePayloadRow(Base):
    """What a sequencer has taken, and is not final on the channel."""

    __tablename__ = "zone_payload"

    channel: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    number: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    seal: Mapped[bytes] = mapped_column(LargeBinary(SEAL_BYTES))
    payload: Mapped[bytes] = mapped_column(LargeBinary)


# -- the ledger ------------------------------------------------------------------------------------


def _ledger_table(name: str) -> Table:
    return Table(
        f"ledger_{name}",
        Base.metadata,
        Column("key", LargeBinary, primary_key=True),
        Column("value", LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


LEDGER: Final = MappingProxyType({kind.name: _ledger_table(kind.name) for kind in KINDS})
"""The ledger's tables by their names in `State`."""

SCHEMA: Final = Schema(Base.metadata, Path(__file__).parent / "versions")
