"""Watched keys of wallets in rows of their own; they were the state of a wallet `NAME/watched`."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

from logos_chain.core.ports import ChainStoreDamagedError
from logos_chain.store.seals import check_seal, seal_of

revision = "0006"
down_revision = "0005"

_SEAL = 8
_KEY = 32
_SUFFIX = "/watched"
_NO_BLOCK = bytes(32)


def upgrade() -> None:
    op.create_table(
        "wallet_watched",
        sa.Column("wallet", sa.String, primary_key=True),
        sa.Column("key", sa.LargeBinary(_KEY), primary_key=True),
        sa.Column("seal", sa.LargeBinary(_SEAL), nullable=False),
        sqlite_with_rowid=False,
        if_not_exists=True,
    )
    names = ("wallet", "block", "height", "seal", "value")
    states = sa.table("wallet_state", *map(sa.column, names))
    is_meant = states.c.wallet.like(f"%{_SUFFIX}") & (states.c.block == _NO_BLOCK)
    connection = op.get_bind()
    found = connection.execute(sa.select(states).where(is_meant)).all()
    watched = sa.table("wallet_watched", *map(sa.column, ("wallet", "key", "seal")))
    for row in [new for old in found for new in _rows(old)]:
        connection.execute(sa.insert(watched).values(**row))
    connection.execute(sa.delete(states).where(is_meant))


def _rows(old: Any) -> Iterator[dict[str, Any]]:
    """Returns a row for each key; with empty seals if the old one is damaged: reading says so."""
    wallet, value = old.wallet.removesuffix(_SUFFIX), old.value
    try:
        check_seal(old.seal, "wallet_state", old.wallet.encode(), old.block, old.height, value)
    except (ChainStoreDamagedError, AttributeError, TypeError):  # no bytes in place of bytes
        yield {"wallet": wallet, "key": _NO_BLOCK, "seal": b""}
        return
    for at in range(0, len(value), _KEY):
        key = value[at : at + _KEY]
        seal = seal_of("wallet_watched", wallet.encode(), key)
        yield {"wallet": wallet, "key": key, "seal": seal}
