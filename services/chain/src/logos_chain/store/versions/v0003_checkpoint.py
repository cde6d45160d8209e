"""The checkpoint that a chain was begun with."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("genesis", sa.LargeBinary(32), nullable=False),
        sa.Column("height", sa.LargeBinary(8), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("seal", sa.LargeBinary(8), nullable=False),
        if_not_exists=True,
    )
