"""Modules and starts of the kernel. Databases from before there were versions have them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "module",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("desired", sa.String(16), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("restart_count", sa.Integer, nullable=False),
        sa.Column("pid", sa.Integer),
        sa.Column("start_ticks", sa.BigInteger),
        sa.Column("endpoint", sa.String, nullable=False),
        sa.Column("instance_id", sa.LargeBinary(16), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "kernel",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
