"""Installed versions of modules, their last upgrades, and second processes during these."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "running_version",
        sa.Column("module", sa.String(64), primary_key=True),
        sa.Column("newest", sa.BigInteger, nullable=False),
        sa.Column("installed", sa.String(64), nullable=False),
        sa.Column("beside_pid", sa.Integer),
        sa.Column("beside_start_ticks", sa.BigInteger),
        sa.Column("leaving", sa.Boolean, nullable=False),
    )
    op.create_table(
        "upgrade",
        sa.Column("module", sa.String(64), primary_key=True),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("old", sa.String(64), nullable=False),
        sa.Column("new", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.Column("ended_ms", sa.BigInteger, nullable=False),
        sa.Column("why", sa.String, nullable=False),
    )
    op.create_table(
        "version",
        sa.Column("module", sa.String(64), primary_key=True),
        sa.Column("version", sa.String(64), primary_key=True),
        sa.Column("manifest", sa.String, nullable=False),
        sa.Column("directory", sa.String, nullable=False),
        sa.Column("installed_ms", sa.BigInteger, nullable=False),
    )
