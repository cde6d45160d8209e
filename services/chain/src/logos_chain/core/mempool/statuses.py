"""What became of transactions that wait no longer. Bounded; the oldest are forgotten.

Spec: docs/protocol/chain-mempool.md, MPL-17 to MPL-19.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from logos_chain.core.consensus.types import BlockId
from logos_chain.core.mempool.errors import Reason
from logos_chain.core.mempool.types import Body, Included, Stage, Status

Change = tuple[bytes, Status]
"""A transaction's hash, and its status from now on."""


@dataclass(slots=True)
class _Block:
    id: BlockId
    hashes: tuple[bytes, ...]
    is_safe: bool = False


class Statuses:
    """Of transactions in blocks of the local chain that are not final, and of settled ones."""

    def __init__(self, limit: int, safe_blocks: int) -> None:
        self._limit = limit
        self._safe_blocks = safe_blocks
        self._chain: deque[_Block] = deque()
        """The newest is last. Empty blocks count as one transaction."""
        self._size = 0
        self._included: dict[bytes, _Block] = {}
        self._settled: dict[bytes, Status] = {}
        """The newest is last."""

    def __len__(self) -> int:
        return len(self._included) + len(self._settled)

    def get(self, identifier: bytes) -> Status | None:
        """Returns the status of a transaction by its hash; None if it was forgotten."""
        block = self._included.get(identifier)
        if block is None:
            return self._settled.get(identifier)
        return Status(Stage.SAFE if block.is_safe else Stage.INCLUDED, block.id)

    def is_in_chain(self, identifier: bytes) -> bool:
        """Returns whether a transaction is known to be in a block of the local chain."""
        settled = self._settled.get(identifier)
        is_final = settled is not None and settled.stage is Stage.FINAL
        return is_final or identifier in self._included

    def drop(self, identifier: bytes, reason: Reason) -> Change:
        """A transaction waits no longer, and is in no block."""
        return self._settle(identifier, Status(Stage.DROPPED, reason=reason))

    def reopen(self, identifier: bytes) -> None:
        """A transaction waits again."""
        self._settled.pop(identifier, None)

    def moved(self, removed: Sequence[BlockId], added: Iterable[Body | Included]) -> list[Change]:
        """The local chain has left blocks, from its tip down, and gone on with others."""
        for block in removed:
            if self._chain and self._chain[-1].id == block:
                self._forget(self._chain.pop())
        changes: list[Change] = []
        for body in added:
            fresh = _Block(body.block, body.hashes)
            self._chain.append(fresh)
            self._size += max(1, len(fresh.hashes))
            for each in fresh.hashes:
                self._included[each] = fresh
                self._settled.pop(each, None)
                changes.append((each, Status(Stage.INCLUDED, fresh.id)))
        changes += self._make_safe()
        while self._size > self._limit:
            self._forget(self._chain.popleft())
        return changes

    def finalised(self, blocks: Iterable[BlockId]) -> list[Change]:
        """Blocks will never be removed."""
        final, changes = set(blocks), list[Change]()
        while self._chain and self._chain[0].id in final:
            block = self._chain.popleft()
            self._forget(block)
            status = Status(Stage.FINAL, block.id)
            changes += [self._settle(each, status) for each in block.hashes]
        return changes

    def _make_safe(self) -> list[Change]:
        changes: list[Change] = []
        for place in range(len(self._chain) - 1 - self._safe_blocks, -1, -1):
            block = self._chain[place]
            if block.is_safe:
                break
            block.is_safe = True
            changes += [(each, Status(Stage.SAFE, block.id)) for each in block.hashes]
        return changes

    def _forget(self, block: _Block) -> None:
        self._size -= max(1, len(block.hashes))
        for each in block.hashes:
            self._included.pop(each, None)

    def _settle(self, identifier: bytes, status: Status) -> Change:
        self._settled.pop(identifier, None)
        self._settled[identifier] = status
        if len(self._settled) > self._limit:
            del self._settled[next(iter(self._settled))]
        return identifier, status
