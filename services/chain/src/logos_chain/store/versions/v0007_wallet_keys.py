"""How far keys of wallets were used on a chain that was given up: none has been yet."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_SEAL = 8
_U64 = 8


def upgrade() -> None:
    op.create_table(
        "wallet_keys",
        sa.Column("wallet", sa.String, primary_key=True),
        sa.Column("receive", sa.LargeBinary(_U64), nullable=False),
        sa.Column("change", sa.LargeBinary(_U64), nullable=False),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
