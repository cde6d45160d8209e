"""CON-20 to CON-23: both rules on the published cases and on cases of our own."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chain_blocks import (
    GENESIS,
    SMALL,
    candidate,
    chain,
    deliver,
    identified,
    new_follower,
    new_tree,
)

from logos_chain.core.consensus.epochs import BlockState
from logos_chain.core.consensus.fork_choice import Rule, choose, density, divergence
from logos_chain.core.consensus.tree import BlockTree, TreeBlock
from logos_chain.core.consensus.types import BlockId

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/nomos-specs/fork-choice.json").read_text(encoding="utf-8")
)
DEPTHS = VECTORS["prefix_depth"]


def add(tree: BlockTree, name: str, parent: BlockId, slot: int) -> TreeBlock:
    root = tree.root.state
    state = BlockState(slot, root.nonce, root.ledger_root, root.epoch, b"", b"", 0, ())
    return tree.add(identified(name), parent, state, b"")


def grow(tree: BlockTree, name: str, parent: TreeBlock, slots: range) -> TreeBlock:
    for slot in slots:
        parent = add(tree, f"{name} {slot}", parent.id, slot)
    return parent


@pytest.fixture(scope="module")
def published_tree() -> tuple[BlockTree, dict[str, TreeBlock]]:
    tree = new_tree()
    blocks = {"b0": tree.root}
    for name, parent, slot in DEPTHS["blocks"]:
        blocks[name] = add(tree, name, blocks[parent].id, slot)
    return tree, blocks


@pytest.mark.vectors
@pytest.mark.parametrize("case", DEPTHS["depths"], ids=lambda case: f"{case[0]}-{case[1]}")
def test_chains_part_where_published(
    case: list[Any], published_tree: tuple[BlockTree, dict[str, TreeBlock]]
) -> None:
    tree, blocks = published_tree

    got = divergence(tree, blocks[case[0]], blocks[case[1]])

    assert [got.depth_local, got.depth_fork] == case[2:]


@pytest.mark.vectors
@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("case", VECTORS["choices"], ids=lambda case: case["id"])
def test_the_published_choice_is_made(case: dict[str, Any], rule: Rule) -> None:
    tree = new_tree()
    common = grow(tree, "common", tree.root, range(*case["common"]))
    local = grow(tree, "local", common, range(*case["local"]))
    fork = grow(tree, "fork", common, range(*case["fork"]))
    fork = grow(tree, "fork", fork, range(*case["further"]))

    got = choose(tree, local, [fork], rule=rule, security_blocks=case["k"], window_slots=50)

    wanted = case[rule.value.lower()]
    assert got == {"local": local, "fork": fork}[wanted]


@pytest.mark.vectors
def test_the_published_short_chain_keeps_its_genesis() -> None:
    case = VECTORS["short_chain"]
    follower = new_follower(replace(SMALL, security_blocks=case["k"]), Rule.ONLINE)
    heights = []

    for block in chain("b", GENESIS, range(1, case["blocks"] + 1)):
        deliver(follower, block)
        heights.append(follower.latest_immutable.height)

    assert heights[9] == case["immutable_after_ten"]
    assert heights[10] == case["immutable_after_eleven"]


@pytest.mark.parametrize("rule", list(Rule))
def test_the_chain_that_was_seen_first_wins_a_tie(rule: Rule) -> None:
    tree = new_tree()
    local = grow(tree, "local", tree.root, range(1, 4))
    fork = grow(tree, "fork", tree.root, range(1, 4))

    for first, second in ((local, fork), (fork, local)):
        assert choose(tree, first, [second], rule=rule, security_blocks=5, window_slots=3) == first


@pytest.mark.parametrize("rule", list(Rule))
def test_a_fork_of_k_blocks_is_still_judged_by_its_length(rule: Rule) -> None:
    tree = new_tree()
    local = grow(tree, "local", tree.root, range(1, 4))
    fork = grow(tree, "fork", tree.root, range(10, 14))

    assert choose(tree, local, [fork], rule=rule, security_blocks=3, window_slots=3) == fork
    assert choose(tree, local, [fork], rule=rule, security_blocks=2, window_slots=3) == local


def test_the_density_counts_the_last_slot_of_the_window() -> None:
    tree = new_tree()
    tip = grow(tree, "local", tree.root, range(1, 10))

    assert [density(tree, tip, tree.root, window) for window in (0, 1, 3, 100)] == [0, 1, 3, 9]


def test_the_best_of_several_forks_is_taken_and_the_first_of_equals() -> None:
    tree = new_tree()
    tips = [grow(tree, name, tree.root, range(1, end)) for name, end in (("a", 3), ("b", 5))]
    tips.append(grow(tree, "c", tree.root, range(11, 15)))
    local = grow(tree, "local", tree.root, range(20, 22))

    got = choose(tree, local, tips, rule=Rule.ONLINE, security_blocks=9, window_slots=3)

    assert got == tips[1]


def test_candidates_name_their_parents() -> None:
    assert candidate("x", GENESIS, 1).header.parent == GENESIS
