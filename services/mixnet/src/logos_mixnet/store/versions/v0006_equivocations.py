"""Rate limits: second announcements of peers that have announced two commitments."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "rln_equivocation",
        sa.Column("peer_id", sa.LargeBinary(39), primary_key=True),
        sa.Column("record", sa.LargeBinary(178), nullable=False),
    )
