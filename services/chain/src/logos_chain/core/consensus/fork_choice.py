"""Which of several chains a node follows.

Two rules. While a node finds its way in, a fork that left long ago is judged by how dense it was
right after it left (Ouroboros Genesis), which a chain made in private cannot imitate. A node that
is online does not look at such forks at all (Ouroboros Praos). Forks that left within the last k
blocks are judged by length under both, and the chain that was seen first wins a tie.

Spec: docs/protocol/chain-consensus.md, CON-20 to CON-23. Source: LIP-147.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from logos_chain.core.consensus.tree import BlockTree, TreeBlock


class Rule(StrEnum):
    """The rules of fork choice."""

    BOOTSTRAP = "BOOTSTRAP"
    """maxvalid-bg."""
    ONLINE = "ONLINE"
    """maxvalid-mc."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """How two chains part."""

    common: TreeBlock
    depth_local: int
    """Blocks of the local chain after the common one."""
    depth_fork: int


def divergence(tree: BlockTree, local: TreeBlock, fork: TreeBlock) -> Divergence:
    """Finds where two chains part."""
    common = tree.common_ancestor(local, fork)
    return Divergence(common, local.height - common.height, fork.height - common.height)


def density(tree: BlockTree, tip: TreeBlock, common: TreeBlock, window_slots: int) -> int:
    """Counts a chain's blocks in the slots after a block of it, the last one included (CON-22).

    Uncles do not count.
    """
    last = tree.last_until(tip, common.slot + window_slots)
    return last.height - common.height if last is not None else 0


def choose(
    tree: BlockTree,
    local: TreeBlock,
    forks: Iterable[TreeBlock],
    *,
    rule: Rule,
    security_blocks: int,
    window_slots: int,
) -> TreeBlock:
    """Returns the tip to follow.

    Args:
        tree: Holds all of them.
        local: The tip that is followed now.
        forks: Other tips, in the order in which they were seen.
        rule: Which rule is in force.
        security_blocks: k.
        window_slots: s_gen; the online rule does not use it.
    """
    best = local
    for fork in forks:
        parted = divergence(tree, best, fork)
        if parted.depth_local <= security_blocks:
            is_better = parted.depth_fork > parted.depth_local
        elif rule is Rule.BOOTSTRAP:
            common = parted.common
            is_better = density(tree, fork, common, window_slots) > density(
                tree, best, common, window_slots
            )
        else:
            is_better = False
        if is_better:
            best = fork
    return best
