"""What a node keeps for zones: blocks by channel, and sequencers with what they have to write."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SEAL = 8


def upgrade() -> None:
    op.create_table(
        "channel_block",
        sa.Column("channel", sa.LargeBinary(32), primary_key=True),
        sa.Column("height", sa.LargeBinary(8), primary_key=True),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "channel_index",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("height", sa.LargeBinary(8), nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "zone_writer",
        sa.Column("channel", sa.LargeBinary(32), primary_key=True),
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "zone_payload",
        sa.Column("channel", sa.LargeBinary(32), primary_key=True),
        sa.Column("key", sa.LargeBinary(32), primary_key=True),
        sa.Column("number", sa.LargeBinary(8), primary_key=True),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
