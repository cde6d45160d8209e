"""Services that callers have this node offer, and the number of its latest record."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "offer",
        sa.Column("service", sa.String(140), primary_key=True),
        sa.Column("data", sa.LargeBinary(33)),
        sa.Column("until_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "own_record",
        sa.Column("one", sa.Integer, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
