"""A process that writes what is kept beside a chain until it is killed; takes a file.

Its n-th round notes slot n, saves the transactions of round n, and keeps a wallet at height n.
Writers tell the rounds that they were told are durable: `noted N`, `saved N`, `kept N`.
"""

from pathlib import Path

from chain_ledger import named
from chain_store import opened_all
from chain_writers import forked, say

from logos_chain.core.mempool.types import Saved
from logos_chain.core.wallet.ports import KeptEntry

TRANSACTIONS = 40


def transactions(turn: int) -> list[Saved]:
    """Half of them stay from round to round, and one comes before them."""
    stays = [Saved(b"stays %d" % each, each, None) for each in range(TRANSACTIONS)]
    goes = [Saved(b"goes %d %d" % (turn, each), turn, None) for each in range(TRANSACTIONS)]
    return [goes[0], *stays, *goes[1:]]


def block(turn: int) -> bytes:
    return named(f"block {turn}")


def state(turn: int) -> bytes:
    return b"state %d" % turn


async def write(place: Path) -> None:
    async with opened_all(place) as store:
        turn = max(await store.proposals.slots(), default=0)
        while True:
            turn += 1
            assert await store.proposals.note(turn, block(turn), final_slot=max(0, turn - 3))
            say(f"noted {turn}")
            await store.transactions.save(transactions(turn))
            say(f"saved {turn}")
            entries = [KeptEntry(turn, each, b"") for each in range(2)]
            await store.wallets.keep("main", block(turn), turn, state(turn), entries)
            say(f"kept {turn}")


if __name__ == "__main__":
    forked(write)
