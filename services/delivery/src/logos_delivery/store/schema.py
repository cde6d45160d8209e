"""The tables of the module's database, of every part that has some.

A part that needs one adds its class here, and a script to `versions/`.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Index, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from logos_module.database import Schema


class Base(DeclarativeBase):
    """The tables of delivery."""


class MessageRow(Base):
    """A kept message (DST-13, DST-14).

    Topics are bytes: they are another node's, so they may hold what a text of a database must
    not, and their order must be the same everywhere. A page is read from one of the indexes, in
    the order in which it is answered.
    """

    __tablename__ = "message"
    __table_args__ = (
        Index("message_by_time", "timestamp_ns", "hash", "size_bytes"),
        Index("message_by_shard", "pubsub_topic", "timestamp_ns", "hash"),
        Index("message_by_topic", "pubsub_topic", "content_topic", "timestamp_ns", "hash"),
    )

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    timestamp_ns: Mapped[int] = mapped_column(BigInteger)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger)
    pubsub_topic: Mapped[bytes] = mapped_column(LargeBinary)
    content_topic: Mapped[bytes] = mapped_column(LargeBinary)
    meta: Mapped[bytes] = mapped_column(LargeBinary)
    proof: Mapped[bytes] = mapped_column(LargeBinary)
    payload: Mapped[bytes] = mapped_column(LargeBinary)


class EventRow(Base):
    """Something that the applications are told (DEL-20)."""

    __tablename__ = "event"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  declared so by SQLAlchemy

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(String(64))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    pubsub_topic: Mapped[bytes] = mapped_column(LargeBinary)
    content_topic: Mapped[bytes] = mapped_column(LargeBinary)
    message: Mapped[bytes] = mapped_column(LargeBinary)
    """Encoded; empty for what is not RECEIVED."""
    text: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)


class RequestRow(Base):
    """A message of `Send`, and how far it has come (DSN-2)."""

    __tablename__ = "request"

    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str | None] = mapped_column(String(64), unique=True)
    asked: Mapped[bytes] = mapped_column(LargeBinary(32))
    """Digest of what was asked for with that key."""
    pubsub_topic: Mapped[bytes] = mapped_column(LargeBinary)
    message: Mapped[bytes] = mapped_column(LargeBinary)
    """Encoded, with its timestamp and its proof of now."""
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    via_mix: Mapped[bool]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    accepted_ms: Mapped[int] = mapped_column(BigInteger)
    propagated_ms: Mapped[int | None] = mapped_column(BigInteger)
    ended_ms: Mapped[int | None] = mapped_column(BigInteger, index=True)
    error: Mapped[str]


class SubscriptionRow(Base):
    """A content topic that this node subscribes to."""

    __tablename__ = "subscription"

    content_topic: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    pubsub_topic: Mapped[bytes] = mapped_column(LargeBinary)


class NoteRow(Base):
    """A number that is remembered, by its name."""

    __tablename__ = "note"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class ChannelRow(Base):
    """An open channel, and who this node is in it (CHN-1)."""

    __tablename__ = "channel"

    channel_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    content_topic: Mapped[bytes] = mapped_column(LargeBinary)
    sender_id: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    has_parity: Mapped[bool]
    created_ms: Mapped[int] = mapped_column(BigInteger)


class ChannelRecordRow(Base):
    """A record of a channel (CHN-27). Keys hold ids of other nodes, so they are bytes."""

    __tablename__ = "channel_record"

    channel_id: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class ChannelEventRow(Base):
    """Something that the applications are told of a channel (CHN-30)."""

    __tablename__ = "channel_event"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  declared so by SQLAlchemy

    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(16))
    at_ms: Mapped[int] = mapped_column(BigInteger)
    channel_id: Mapped[bytes] = mapped_column(LargeBinary)
    request_id: Mapped[str] = mapped_column(String(64))
    sender_id: Mapped[bytes] = mapped_column(LargeBinary)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    """For HISTORY_LOST the ids, as JSON."""
    text: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)


SCHEMA: Final = Schema(Base.metadata, Path(__file__).parent / "versions")
