"""Reliable channels, their records and their events."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "channel",
        sa.Column("channel_id", sa.LargeBinary, primary_key=True),
        sa.Column("content_topic", sa.LargeBinary, nullable=False),
        sa.Column("sender_id", sa.LargeBinary, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("has_parity", sa.Boolean, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "channel_record",
        sa.Column("channel_id", sa.LargeBinary, primary_key=True),
        sa.Column("key", sa.LargeBinary, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "channel_event",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("channel_id", sa.LargeBinary, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("sender_id", sa.LargeBinary, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
