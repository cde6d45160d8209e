"""The tree: ancestors, common blocks, cutting and bounds, against plain walks."""

from itertools import pairwise
from typing import Any

from chain_blocks import GENESIS, field, identified, new_tree
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus import tree as trees
from logos_chain.core.consensus.epochs import BlockState
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId

shapes = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 3)), max_size=60)
"""Of each block: the number of its parent, from the newest down, and the slots between them."""


def state(tree: BlockTree, slot: int) -> BlockState:
    root = tree.root.state
    return BlockState(slot, root.nonce, root.ledger_root, root.epoch, b"", b"", 0, ())


def grow(tree: BlockTree, shape: list[tuple[int, int]]) -> list[TreeBlock]:
    blocks = [tree.root]
    for number, (back, gap) in enumerate(shape):
        parent = blocks[-1 - min(back, len(blocks) - 1)]
        name = identified(f"block {number}")
        blocks.append(tree.add(name, parent.id, state(tree, parent.slot + gap), field("key")))
    return blocks


def line(blocks: list[TreeBlock], last: TreeBlock) -> list[TreeBlock]:
    """A chain by plain steps, the genesis first."""
    by_id = {each.id: each for each in blocks}
    found = [last]
    while found[-1].id != GENESIS:
        found.append(by_id[found[-1].parent])
    return found[::-1]


def pair(data: Any, blocks: list[TreeBlock]) -> tuple[TreeBlock, TreeBlock]:
    return data.draw(st.sampled_from(blocks)), data.draw(st.sampled_from(blocks))


@given(shapes, st.data())
def test_ancestors_and_common_blocks_are_those_of_a_plain_walk(
    shape: list[tuple[int, int]], data: Any
) -> None:
    tree = new_tree()
    blocks = grow(tree, shape)
    one, other = pair(data, blocks)
    ours, theirs = line(blocks, one), line(blocks, other)
    height, slot = data.draw(st.integers(0, 60)), data.draw(st.integers(0, 180))

    shared = [left for left, right in zip(ours, theirs, strict=False) if left.id == right.id]

    assert tree.common_ancestor(one, other) == shared[-1]
    assert tree.path(shared[-1], one) == ours[len(shared) :]
    assert tree.is_ancestor(one, other) == (one in theirs)
    assert tree.ancestor(one, height) == (ours[height] if height <= one.height else one)
    assert tree.last_until(one, slot) == [each for each in ours if each.slot <= slot][-1]


@given(shapes)
def test_tips_are_the_blocks_without_children_first_seen_first(
    shape: list[tuple[int, int]],
) -> None:
    tree = new_tree()
    blocks = grow(tree, shape)
    parents = {each.parent for each in blocks if each.id != GENESIS}

    assert tree.tips() == [each for each in blocks if each.id not in parents]


@given(shapes, st.data(), st.integers(0, 6))
def test_a_new_root_cuts_what_does_not_descend_from_it(
    shape: list[tuple[int, int]], data: Any, keep: int
) -> None:
    tree = BlockTree(new_tree().root, keep_slots=keep)
    blocks = grow(tree, shape)
    tip = data.draw(st.sampled_from(blocks))
    roots = sorted({data.draw(st.sampled_from(line(blocks, tip))).height for _ in range(2)})
    kept, gone, passed = blocks, set[BlockId](), set[BlockId]()

    for height in roots:
        root = line(blocks, tip)[height]
        gone |= {each.id for each in tree.advance_root(root)}
        passed = {each.id for each in line(blocks, root)[:-1]}
        kept = [each for each in kept if root in line(blocks, each)]

    assert {each.id for each in kept} == {each.id for each in blocks if each.id in tree}
    assert gone == {each.id for each in blocks} - {each.id for each in kept} - passed
    assert len(tree) == len(kept)
    parents = {each.parent for each in kept if each.id != GENESIS}
    assert tree.tips() == [each for each in kept if each.id not in parents]
    for each in line(blocks, tree.root)[:-1]:
        assert tree.is_below(each.id) == (each.slot >= tree.root.slot - keep)
        assert (tree.get(each.id) is not None) == tree.is_below(each.id)
    fresh = tree.add(identified("after"), tip.id, state(tree, tip.slot + 1), b"")
    assert tree.is_ancestor(tree.root, fresh)


@given(shapes, st.integers(0, 5))
def test_side_blocks_stay_within_their_bound(shape: list[tuple[int, int]], bound: int) -> None:
    tree = new_tree(max_side_blocks=bound)
    tip = tree.root
    blocks = [tip]
    for number, (back, gap) in enumerate(shape):
        alive = [each for each in blocks if each.id in tree]
        parent = alive[-1 - min(back, len(alive) - 1)]
        name = identified(f"block {number}")
        blocks.append(tree.add(name, parent.id, state(tree, parent.slot + gap), b""))
        if blocks[-1].height > tip.height:
            tip = blocks[-1]
        tree.shrink(tip)

        assert len(tree) - tip.height - 1 <= bound
        assert all(each.id in tree for each in line(blocks, tip))
        parents = {each.parent for each in blocks[1:] if each.id in tree}
        assert tree.tips() == [
            each for each in blocks if each.id in tree and each.id not in parents
        ]


def test_tips_are_bounded() -> None:
    tree = new_tree()
    first = tree.add(identified("first"), GENESIS, state(tree, 1), b"")
    for number in range(trees.MAX_TIPS + 20):
        tree.add(identified(f"tip {number}"), GENESIS, state(tree, 1), b"")
        tree.shrink(first)

    assert len(tree.tips()) == trees.MAX_TIPS
    assert first.id in tree


def test_a_long_chain_is_searched_in_few_steps(monkeypatch: Any) -> None:
    tree = new_tree()
    blocks = grow(tree, [(0, 1)] * 5_000)
    fork = grow_on(tree, blocks[10], 4_000)
    steps = 0
    skip = tree._skip

    def counted(block: TreeBlock) -> TreeBlock | None:
        nonlocal steps
        steps += 1
        return skip(block)

    monkeypatch.setattr(tree, "_skip", counted)

    assert tree.common_ancestor(blocks[-1], fork) == blocks[10]
    assert steps < 400


def grow_on(tree: BlockTree, parent: TreeBlock, number: int) -> TreeBlock:
    for each in range(number):
        parent = tree.add(identified(f"fork {each}"), parent.id, state(tree, parent.slot + 2), b"")
    return parent


def test_ancestors_are_in_order() -> None:
    tree = new_tree()
    blocks = grow(tree, [(0, 1)] * 100)

    assert all(newer.parent == older.id for older, newer in pairwise(blocks))


@given(shapes, st.integers(0, 20), st.data())
def test_the_oldest_block_is_the_lowest_that_is_kept(
    shape: list[tuple[int, int]], keep_slots: int, data: Any
) -> None:
    tree = BlockTree(new_tree().root, keep_slots=keep_slots)
    blocks = grow(tree, shape)
    tree.advance_root(data.draw(st.sampled_from(blocks)))

    kept = [each for each in line(blocks, tree.root) if tree.get(each.id) is not None]
    assert tree.oldest == kept[0]
