"""What a node keeps of the registry of members (RLC-8)."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_SEAL = 8


def upgrade() -> None:
    op.create_table(
        "registry_state",
        sa.Column("channel", sa.LargeBinary(32), primary_key=True),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        if_not_exists=True,
    )
