"""How far the addresses of peers are believed, and the records that peers have signed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "peer_detail",
        sa.Column("peer_id", sa.String(64), primary_key=True),
        sa.Column("learned", sa.String, nullable=False),
        sa.Column("signed", sa.LargeBinary(1024)),
        sa.Column("seq", sa.String(20), nullable=False),
        sa.Column("heard_ms", sa.BigInteger, nullable=False),
    )
