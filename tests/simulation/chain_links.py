"""What the nodes of a simulated chain share, and what they do with the bodies of blocks."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from chain_claims import Oracle, Parcel
from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_mantle.transactions import SignedTransaction
from logos_simulation.links import Links
from logos_simulation.world import World

if TYPE_CHECKING:
    from chain_nodes import ChainNode

GENESIS_MS: Final = 10_000
"""Slot 0 begins when all nodes are up."""


class Bodies(Protocol):
    """What a node does with the transactions of blocks."""

    def execute(self, parcel: Parcel, epoch: EpochState) -> bytes | None:
        """Returns the ledger root after a block; None: its body is not valid."""

    def moved(self, removed: Sequence[BlockId], added: Sequence[BlockId], now_ms: int) -> None:
        """The local chain has another tip."""

    def settled(self, final: Sequence[BlockId], now_ms: int) -> None:
        """Blocks are final."""

    def forget(self, cut: Sequence[BlockId]) -> None:
        """Blocks are gone."""

    def choose(self, parent: BlockId, slot: int, now_ms: int) -> Sequence[SignedTransaction]:
        """Returns the body of a block on the tip."""


class EmptyBodies:
    """All blocks are empty, so the notes stay those of the genesis."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def execute(self, parcel: Parcel, epoch: EpochState) -> bytes | None:
        return None if parcel.transactions else self._root

    def moved(self, removed: Sequence[BlockId], added: Sequence[BlockId], now_ms: int) -> None:
        pass

    def settled(self, final: Sequence[BlockId], now_ms: int) -> None:
        pass

    def forget(self, cut: Sequence[BlockId]) -> None:
        pass

    def choose(self, parent: BlockId, slot: int, now_ms: int) -> Sequence[SignedTransaction]:
        return ()


class Network:
    """What all nodes agree on, who they are, and what they have made final."""

    def __init__(
        self,
        world: World,
        links: Links,
        parameters: Parameters,
        genesis: TreeBlock,
        notes: Sequence[LeaderNote],
        *,
        copies_percent: float = 0.0,
    ) -> None:
        self.world = world
        self.links = links
        self.parameters = parameters
        self.genesis = genesis
        self.notes = notes
        self.clock = SlotClock(GENESIS_MS, parameters.slot_ms)
        self.oracle = Oracle(parameters.activation, notes)
        self.oracle.learn(genesis.state.ledger_root, [each.note_id for each in notes])
        self.copies_percent = copies_percent
        """Of gossiped blocks that arrive twice."""
        self.nodes: dict[str, ChainNode] = {}
        self.is_one_chain = True
        """Whether it is an error if two nodes have conflicting final blocks."""
        self.finals: dict[int, BlockId] = {0: genesis.id}
        """By height: what was made final first."""
        self.conflicts: list[tuple[str, int]] = []
        """Nodes, and heights at which they have made another block final than others had."""
        self.moves: Counter[int] = Counter()
        """How often a tip moved, by the number of blocks that were given up."""

    def join(self, degree: int) -> None:
        """Gives each node at least so many neighbours, and makes one network of all."""
        nodes, chance = list(self.nodes.values()), self.world.chance
        for place, each in enumerate(nodes):
            others = [nodes[place - 1]] if place else []
            while len(others) + len(each.neighbours) < min(degree, len(nodes) - 1):
                other = chance.pick(nodes)
                if other is not each and other not in others and other not in each.neighbours:
                    others.append(other)
            for other in others:
                if other not in each.neighbours:
                    each.neighbours.append(other)
                    other.neighbours.append(each)

    def finalised(self, node: "ChainNode", blocks: Iterable[BlockId]) -> None:
        """No two honest nodes may differ in this, as long as `is_one_chain`."""
        for block in blocks if node.is_honest else ():
            height = node.kept.height_of(block)
            if height is None or self.finals.setdefault(height, block) == block:
                continue
            self.conflicts.append((node.name, height))
            self.world.require(
                not self.is_one_chain, f"{node.name} has another final block at {height}"
            )

    def tips(self) -> set[BlockId]:
        """Returns the tips of all nodes that are up."""
        return {each.follower.tip.id for each in self.up()}

    def height(self) -> int:
        """Returns the height of the highest tip; 0 while nobody is up."""
        return max((each.follower.tip.height for each in self.up()), default=0)

    def up(self) -> "list[ChainNode]":
        """Returns the honest nodes that are up."""
        return [each for each in self.nodes.values() if each.is_honest and each.node.is_up]
