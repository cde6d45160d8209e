"""`ChainStore` in memory, which holds its caller to the port's conditions; and one that fails."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain_ledger import copied

from logos_base.errors import StoreFailedError
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.state import Delta
from logos_chain.core.ports import BlockOutline, Imported, KeptBlock, Settled


class MemoryStore:
    def __init__(self, keep_slots: int = 1000) -> None:
        self._keep_slots = keep_slots
        self.final_blocks: list[TreeBlock] = []
        self.kept: dict[BlockId, KeptBlock] = {}
        self.above: dict[BlockId, None] = {}
        self.settles: list[int] = []
        """Blocks that each call has made final."""
        self._settled: Settled | None = None

    def is_final(self, block: BlockId) -> bool:
        return any(each.id == block for each in self.final_blocks)

    async def load(self) -> Settled | None:
        if self._settled is None:
            return None
        root = self.final_blocks[-1]
        oldest = root.slot - self._keep_slots
        below = tuple(each for each in self.final_blocks[:-1] if each.slot >= oldest)
        return Settled(root, below, copied(self._settled.state), self._settled.head)

    async def begin(self, genesis: KeptBlock, settled: Settled) -> None:
        assert self._settled is None
        self.kept[genesis.id] = genesis
        self.final_blocks.append(settled.root)
        self._settled = Settled(settled.root, (), copied(settled.state), settled.head)

    async def imported(self) -> Imported | None:
        return None

    async def add(self, block: KeptBlock) -> None:
        assert block.parent in self.kept
        if block.id not in self.kept:
            self.kept[block.id] = block
            self.above[block.id] = None

    async def settle(
        self, blocks: Sequence[tuple[TreeBlock, Delta]], cut: Sequence[BlockId]
    ) -> None:
        assert self._settled is not None
        self.settles.append(len(blocks))
        state, head = self._settled.state, self._settled.head
        for block, delta in blocks:
            assert block.parent == self.final_blocks[-1].id
            assert delta.before == head
            state.redo(delta)
            head = delta.after
            self.final_blocks.append(block)
            del self.above[block.id]
        assert state.notes.root() == head.root
        self._settled = Settled(self.final_blocks[-1], (), state, head)
        for each in cut:
            if each in self.above:
                del self.above[each], self.kept[each]
        assert all(self.kept[each].parent in self.kept for each in self.above)

    async def unsettled(self, after: int, limit: int) -> Sequence[KeptBlock]:
        return [self.kept[each] for each in list(self.above)[after : after + limit]]

    async def block(self, identifier: BlockId) -> KeptBlock | None:
        return self.kept.get(identifier)

    async def outline(self, identifier: BlockId) -> BlockOutline | None:
        kept = self.kept.get(identifier)
        return None if kept is None else kept.outline

    async def final(self, first: int, limit: int) -> Sequence[BlockId]:
        return [each.id for each in self.final_blocks if each.height >= first][:limit]

    async def containing(self, transaction: bytes) -> Sequence[BlockId]:
        return [each for each, one in self.kept.items() if transaction in one.transactions]


@dataclass
class FailingStore(MemoryStore):
    """Fails at writes of these numbers, before it has done anything or after it has done all."""

    fails: frozenset[int] = frozenset()
    is_done: bool = False
    error: StoreFailedError = field(default_factory=lambda: StoreFailedError("it failed"))
    writes: int = 0
    is_dead: bool = False
    """Every write after the first that failed fails too, as if the process had ended there."""
    has_failed: bool = False
    log: list[str] = field(default_factory=list)
    """The writes, those that failed included."""

    def __post_init__(self) -> None:
        super().__init__()

    async def begin(self, genesis: KeptBlock, settled: Settled) -> None:
        is_bad = self._count("begin")
        if not is_bad or self.is_done:
            await super().begin(genesis, settled)
        self._fail(is_bad=is_bad)

    async def add(self, block: KeptBlock) -> None:
        is_bad = self._count("add")
        if not is_bad or self.is_done:
            await super().add(block)
        self._fail(is_bad=is_bad)

    async def settle(
        self, blocks: Sequence[tuple[TreeBlock, Delta]], cut: Sequence[BlockId]
    ) -> None:
        is_bad = self._count("settle")
        if not is_bad or self.is_done:
            await super().settle(blocks, cut)
        self._fail(is_bad=is_bad)

    def _count(self, write: str) -> bool:
        self.writes += 1
        self.log.append(write)
        if self.is_dead and self.has_failed:
            raise self.error
        return self.writes in self.fails

    def _fail(self, *, is_bad: bool) -> None:
        if is_bad:
            self.has_failed = True
            raise self.error
