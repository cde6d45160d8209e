"""Events, requests, subscriptions and notes: what applications rely on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("pubsub_topic", sa.LargeBinary, nullable=False),
        sa.Column("content_topic", sa.LargeBinary, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_table(
        "request",
        sa.Column("request_id", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(64), nullable=True, unique=True),
        sa.Column("asked", sa.LargeBinary(32), nullable=False),
        sa.Column("pubsub_topic", sa.LargeBinary, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("via_mix", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("accepted_ms", sa.BigInteger, nullable=False),
        sa.Column("propagated_ms", sa.BigInteger, nullable=True),
        sa.Column("ended_ms", sa.BigInteger, nullable=True),
        sa.Column("error", sa.String, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_request_ended_ms", "request", ["ended_ms"], if_not_exists=True)
    op.create_table(
        "subscription",
        sa.Column("content_topic", sa.LargeBinary, primary_key=True),
        sa.Column("pubsub_topic", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "note",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
