"""Events of the node: the log, keys of batches, queue groups and dead letters."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        *_event_columns(),
        sa.Column("size", sa.Integer, nullable=False),
    )
    op.create_index("event_of_topic", "event", ["topic", "sequence"], unique=True)
    op.create_table(
        "event_removed",
        sa.Column("topic", sa.String(129), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "event_key",
        sa.Column("publisher", sa.String(64), primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("topic", sa.String(129), nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("last", sa.BigInteger, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "event_group",
        sa.Column("name", sa.String(129), primary_key=True),
        sa.Column("topics", sa.String, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("used_at_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("group_name", sa.String(129), nullable=False),
        sa.Column("refusals", sa.Integer, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        *_event_columns(),
    )


def _event_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("topic", sa.String(129), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.String, nullable=False),
    ]
