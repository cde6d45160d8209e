"""Looks at waiting transactions again, against the ledger of a new tip.

Spec: docs/protocol/chain-mempool.md, MPL-15.
"""

from collections.abc import Iterable, Iterator

from logos_chain.core.ledger.ledger import Admitted, Refused
from logos_chain.core.mempool.types import BlockLimits, Entry, Rehearse, Worth
from logos_chain.core.mempool.waiting import Waiting

_LIMITS = BlockLimits()


def look_again(
    waiting: Waiting, entries: Iterable[Entry], rehearse: Rehearse, now_ms: int
) -> Iterator[tuple[Entry, Admitted | Refused]]:
    """Yields entries and what the ledger says of them after all that they follow.

    They are executed together as long as a block could hold them. An entry that follows more than
    a block could hold is left out: nothing can be said of it yet. What is refused must be removed
    from what waits, before the next is asked for.

    Args:
        waiting: Has the entries.
        entries: In order.
        rehearse: The ledger's.
        now_ms: For the slot of the rehearsed block.
    """
    batch: dict[bytes, Entry] = {}
    wanted: dict[bytes, Entry] = {}
    held = Worth()
    for entry in entries:
        package = _package(waiting, entry, batch)
        if batch and not _fits(held, package):
            yield from _rehearsed(batch, wanted, rehearse, now_ms)
            batch, wanted, held = {}, {}, Worth()
            package = _package(waiting, entry, batch)
        if _fits(held, package):
            batch.update({each.hash: each for each in package})
            wanted[entry.hash] = entry
            held = sum((each.worth for each in package), held)
    yield from _rehearsed(batch, wanted, rehearse, now_ms)


def _package(waiting: Waiting, entry: Entry, batch: dict[bytes, Entry]) -> list[Entry]:
    if entry.hash in batch:
        return []
    return [*(waiting.before(entry, without=batch) or ()), entry]


def _fits(held: Worth, package: list[Entry]) -> bool:
    after = sum((each.worth for each in package), held)
    return after.size_bytes <= _LIMITS.size_bytes and after.gas <= _LIMITS.gas


def _rehearsed(
    batch: dict[bytes, Entry], wanted: dict[bytes, Entry], rehearse: Rehearse, now_ms: int
) -> Iterator[tuple[Entry, Admitted | Refused]]:
    if not batch:
        return
    verdicts = rehearse([each.signed for each in batch.values()], now_ms)
    for each, verdict in zip(batch.values(), verdicts, strict=True):
        if each.hash in wanted:
            yield each, verdict
