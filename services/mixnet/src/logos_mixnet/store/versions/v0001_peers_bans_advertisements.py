"""Peers, bans and advertisements. Databases from before there were versions have them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "peer",
        sa.Column("peer_id", sa.String(64), primary_key=True),
        sa.Column("addresses", sa.String, nullable=False),
        sa.Column("wanted", sa.Boolean, nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "ban",
        sa.Column("peer_id", sa.String(64), primary_key=True),
        sa.Column("until_ms", sa.BigInteger),
        sa.Column("reason", sa.String(200), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "advertisement",
        sa.Column("key", sa.LargeBinary(128), primary_key=True),
        sa.Column("expires_ms", sa.BigInteger, nullable=False),
        sa.Column("next_provide_ms", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        if_not_exists=True,
    )
    for column in ("expires_ms", "next_provide_ms"):
        op.create_index(f"ix_advertisement_{column}", "advertisement", [column], if_not_exists=True)
