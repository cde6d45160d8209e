"""Reads the ledger at the tip, or at a block that a request names: the tip alone (HTP-13)."""

from collections.abc import Callable
from typing import TypeVar

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.http.errors import LedgerNotKeptError
from logos_chain.operations.following import AtTip, FollowOperations

R = TypeVar("R")


async def at_tip(
    follow: FollowOperations, wanted: bytes | None, read: Callable[[Ledger], R]
) -> AtTip[R]:
    """Reads the ledger at the tip.

    Args:
        follow: The chain.
        wanted: The block whose ledger is asked for; None: the tip, whichever it is.
        read: As for `FollowOperations.at_tip`.

    Raises:
        LedgerNotKeptError: The block is not the tip.
    """
    if wanted is None:
        return await follow.at_tip(read)
    tip = BlockId(wanted)
    found = await follow.at_this_tip(tip, lambda ledger: AtTip(tip, read(ledger)))
    if found is None:
        raise LedgerNotKeptError("this node has the ledger of its tip alone", field="tip")
    return found
