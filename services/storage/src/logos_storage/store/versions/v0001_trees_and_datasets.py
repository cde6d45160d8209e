"""Trees and datasets. Catalogues from before there were versions have them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "tree",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("tree_cid", sa.String(128), nullable=False),
        sa.Column("block_size_bytes", sa.Integer, nullable=False),
        sa.Column("block_count", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("is_complete", sa.Boolean, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_tree_tree_cid", "tree", ["tree_cid"], if_not_exists=True)
    op.create_table(
        "dataset",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("cid", sa.String(128), nullable=False, unique=True),
        sa.Column("tree_name", sa.String(128), sa.ForeignKey("tree.name"), nullable=False),
        sa.Column("manifest", sa.LargeBinary, nullable=False),
        sa.Column("stored_at_us", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_index("ix_dataset_tree_name", "dataset", ["tree_name"], if_not_exists=True)
