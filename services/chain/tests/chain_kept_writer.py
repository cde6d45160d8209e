"""A process that writes what is kept beside a chain until it is killed; takes a file.

Its n-th round notes slot n, saves the transactions of round n, keeps a wallet at height n, indexes
block n of a channel, and has a sequencer publish payload n. Writers tell the rounds that they were
told are durable: `noted N`, `saved N`, `kept N`, `indexed N`, `published N`.
"""

from pathlib import Path

from chain_ledger import named
from chain_store import opened_all
from chain_writers import forked, say

from logos_chain.core.mempool.types import Saved
from logos_chain.core.wallet.ports import KeptEntry
from logos_chain.core.zone_ports import ChannelBlock
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Checkpoint, PendingPayload

TRANSACTIONS = 40
CHANNEL, KEY = named("channel"), named("key")


def transactions(turn: int) -> list[Saved]:
    """Half of them stay from round to round, and one comes before them."""
    stays = [Saved(b"stays %d" % each, each, None) for each in range(TRANSACTIONS)]
    goes = [Saved(b"goes %d %d" % (turn, each), turn, None) for each in range(TRANSACTIONS)]
    return [goes[0], *stays, *goes[1:]]


def block(turn: int) -> bytes:
    return named(f"block {turn}")


def state(turn: int) -> bytes:
    return b"state %d" % turn


def checkpoint(turn: int) -> Checkpoint:
    payload = PendingPayload(turn, state(turn))
    return Checkpoint(CHANNEL, KEY, Point(block(turn), turn, turn), None, turn + 1, (payload,))


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
            await store.channels.add([ChannelBlock(CHANNEL, turn)], turn)
            say(f"indexed {turn}")
            await store.sequencers.publish(checkpoint(turn))
            say(f"published {turn}")
            await store.sequencers.settle(checkpoint(turn))


if __name__ == "__main__":
    forked(write)
