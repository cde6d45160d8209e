"""Messages of the archive."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "message",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("timestamp_ns", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("pubsub_topic", sa.LargeBinary, nullable=False),
        sa.Column("content_topic", sa.LargeBinary, nullable=False),
        sa.Column("meta", sa.LargeBinary, nullable=False),
        sa.Column("proof", sa.LargeBinary, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    for name, columns in (
        ("message_by_time", ["timestamp_ns", "hash", "size_bytes"]),
        ("message_by_shard", ["pubsub_topic", "timestamp_ns", "hash"]),
        ("message_by_topic", ["pubsub_topic", "content_topic", "timestamp_ns", "hash"]),
    ):
        op.create_index(name, "message", columns, if_not_exists=True)
