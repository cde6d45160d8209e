"""Keys, tags and settings of the mix."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "mix_key",
        sa.Column("epoch", sa.BigInteger, primary_key=True),
        sa.Column("private_key", sa.LargeBinary(32), nullable=False),
        sa.Column("begun_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "mix_tags",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("tags", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_mix_tags_epoch", "mix_tags", ["epoch", "number"])
    op.create_table(
        "mix_setting",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.String(64), nullable=False),
    )
