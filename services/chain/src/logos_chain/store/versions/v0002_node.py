"""What a node keeps beside its chain: proposals, paths, marks, transactions and wallets."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_SEAL = 8


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("slot", sa.LargeBinary(8), primary_key=True),
        sa.Column("note", sa.LargeBinary(32), primary_key=True),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "aged_path",
        sa.Column("root", sa.LargeBinary(32), primary_key=True),
        sa.Column("note", sa.LargeBinary(32), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "node_mark",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("number", sa.LargeBinary(8), nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "waiting",
        sa.Column("id", sa.LargeBinary(32), primary_key=True),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("since_ms", sa.LargeBinary(8), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=True),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "wallet_state",
        sa.Column("wallet", sa.String, primary_key=True),
        sa.Column("block", sa.LargeBinary(32), primary_key=True),
        sa.Column("height", sa.LargeBinary(8), nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "wallet_entry",
        sa.Column("wallet", sa.String, primary_key=True),
        sa.Column("height", sa.LargeBinary(8), primary_key=True),
        sa.Column("place", sa.LargeBinary(8), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    op.create_table(
        "wallet_draft",
        sa.Column("wallet", sa.String, primary_key=True),
        sa.Column("hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "wallet_voucher",
        sa.Column("wallet", sa.String, primary_key=True),
        sa.Column("next", sa.LargeBinary(8), nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
