"""Rate limits: reserved message ids, announced members, slashes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "rln_reservation",
        sa.Column("identifier", sa.LargeBinary(32), primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True),
        sa.Column("until", sa.Integer, nullable=False),
    )
    op.create_table(
        "rln_floor",
        sa.Column("identifier", sa.LargeBinary(32), primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "rln_announcement",
        sa.Column("peer_id", sa.LargeBinary(39), primary_key=True),
        sa.Column("record", sa.LargeBinary(178), nullable=False),
    )
    op.create_table(
        "rln_slash",
        sa.Column("commitment", sa.LargeBinary(32), primary_key=True),
        sa.Column("record", sa.LargeBinary(312), nullable=False),
    )
