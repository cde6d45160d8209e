"""Blocks, the newest final one, and the ledger's state at it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_LEDGER = (
    "notes",
    "channels",
    "configurations",
    "declarations",
    "identities",
    "activities",
    "nullifiers",
    "vouchers",
)


def upgrade() -> None:
    op.create_table(
        "block",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("parent", sa.LargeBinary(32), nullable=False),
        sa.Column("height", sa.LargeBinary(8), nullable=False),
        sa.Column("slot", sa.LargeBinary(8), nullable=False),
        sa.Column("is_final", sa.Boolean, nullable=False),
        sa.Column("transactions", sa.LargeBinary, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    for name, columns in (
        ("block_by_height", ["is_final", "height", "id"]),
        ("block_by_arrival", ["is_final", "number"]),
    ):
        op.create_index(name, "block", columns, if_not_exists=True)
    op.create_table(
        "block_transaction",
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("block", sa.Integer, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "settled",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
        sa.Column("ledger_sum", sa.LargeBinary(16), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "snapshots",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "ancestor",
        sa.Column("slot", sa.LargeBinary(8), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    for name in _LEDGER:
        op.create_table(
            f"ledger_{name}",
            sa.Column("key", sa.LargeBinary, primary_key=True),
            sa.Column("value", sa.LargeBinary, nullable=False),
            sqlite_with_rowid=False,
            if_not_exists=True,
        )
