"""The native trees and hashes against their twins in plain Python."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import poseidon as circom
from oracle import poseidon2 as zkhash
from oracle import trees as oracle

from logos_crypto import hashes, refusals
from logos_crypto.trees import FrontierTree, LedgerTree, RlnTree, SortedTree

P = hashes.MODULUS


def raw(value: int) -> bytes:
    return value.to_bytes(32, "little")


def number(value: bytes) -> int:
    return int.from_bytes(value, "little")


values = st.integers(0, P - 1)
leaves = st.integers(1, 40)
"""Few, so that removals meet insertions."""


@pytest.mark.property
@settings(max_examples=25)
@given(st.lists(values, min_size=1, max_size=5))
def test_hashes_are_those_of_the_twins(inputs: list[int]) -> None:
    encoded = [raw(value) for value in inputs]

    assert number(hashes.poseidon2_hash(encoded)) == zkhash.hash(inputs)
    assert number(hashes.poseidon_hash(encoded)) == circom.poseidon(inputs)
    compressed = hashes.poseidon2_compress(encoded[0], encoded[-1])
    assert number(compressed) == zkhash.compress(inputs[0], inputs[-1])


@pytest.mark.property
@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), leaves), max_size=12))
def test_a_ledger_follows_the_documents_pseudo_code(steps: list[tuple[bool, int]]) -> None:
    tree, notes = LedgerTree(history=4), list[int]()
    for removes, leaf in steps:
        if removes and leaf in notes:
            tree.remove(raw(leaf))
            oracle.delete_note(notes, leaf)
        elif not removes and leaf not in notes:
            assert tree.insert(raw(leaf)) == oracle.insert_new_note(notes, leaf)
    root = raw(oracle.tree_root(notes, 32))

    assert tree.root == root
    assert len(tree) == sum(leaf != 0 for leaf in notes)
    assert LedgerTree.restore(tree.snapshot()).root == root
    for slot, leaf in enumerate(notes):
        if leaf:
            path = tree.path(raw(leaf))
            assert path.index == slot == tree.slot_of(raw(leaf))
            assert LedgerTree.verify(raw(leaf), path, root)
            assert not LedgerTree.verify(raw(leaf + 1), path, root)


def test_a_batch_is_the_same_as_its_steps() -> None:
    one, batch = LedgerTree(), LedgerTree()
    for leaf in range(1, 8):
        one.insert(raw(leaf))
    one.remove(raw(3))
    batch.update(inserted=[raw(leaf) for leaf in range(1, 8)])
    batch.update(removed=[raw(3)])

    assert one.root == batch.root == raw(oracle.tree_root([1, 2, 0, 4, 5, 6, 7], 32))
    assert batch.update(inserted=[raw(9)]) == [2]


def test_roots_of_the_window_are_known_and_older_ones_are_not() -> None:
    tree = LedgerTree(history=2)
    roots = [tree.root]
    for leaf in range(1, 4):
        tree.insert(raw(leaf))
        roots.append(tree.root)

    assert [tree.contains_root(root) for root in roots[-3:]] == [False, True, True]


@pytest.mark.property
@settings(max_examples=15)
@given(st.lists(st.integers(1, P - 1), max_size=9))
def test_a_frontier_has_the_root_of_the_whole_tree(appended: list[int]) -> None:
    tree = FrontierTree()
    tree.append_many([raw(value) for value in appended[:4]])
    for value in appended[4:]:
        tree.append(raw(value))

    assert tree.root == raw(oracle.tree_root(appended, 32))
    assert FrontierTree.restore(tree.snapshot()).root == tree.root


def test_a_sorted_tree_holds_the_values_in_order() -> None:
    tree = SortedTree([raw(value) for value in (30, 10, 20)])

    assert tree.root == raw(oracle.tree_root([10, 20, 30], 20))
    path = tree.path(raw(20))
    assert path.index == 1
    assert SortedTree.verify(raw(20), path, tree.root)


def test_an_rln_tree_is_empty_as_published_and_then_as_the_twin_says() -> None:
    tree = RlnTree(history=3)
    empty = 0x2134E76AC5D21AAB186C2BE1DD8F84EE880A1E46EAF712F9D371B6DF22191F3E
    assert tree.root == raw(empty)  # zerokit, depth 20

    tree.set_range(0, [raw(5), raw(6)])
    tree.set(3, raw(7))
    tree.remove(0)

    assert tree.root == raw(oracle.tree_root([0, 6, 0, 7], 20, oracle.poseidon_pair))
    assert RlnTree.verify(raw(7), tree.path(3), tree.root)
    assert RlnTree.restore(tree.snapshot()).root == tree.root
    assert tree.contains_root(tree.root)


Refused = Callable[[LedgerTree], Any]


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda tree: tree.insert(raw(P)), refusals.FieldValueError),
        (lambda tree: tree.insert(raw(1)[:31]), refusals.FieldLengthError),
        (lambda tree: tree.insert(raw(0)), refusals.LeafEmptyError),
        (lambda tree: tree.insert(raw(1)), refusals.LeafDuplicateError),
        (lambda tree: tree.remove(raw(2)), refusals.LeafUnknownError),
        (lambda _: LedgerTree.restore(b""), refusals.SnapshotError),
        (lambda tree: LedgerTree.restore(tree.snapshot() + b"x"), refusals.SnapshotTrailingError),
        (lambda tree: LedgerTree.restore(tree.snapshot()[:-1]), refusals.SnapshotTruncatedError),
        (lambda _: LedgerTree.restore(FrontierTree().snapshot()), refusals.SnapshotKindError),
        (lambda _: LedgerTree(history=0), refusals.HistorySizeError),
    ],
)
def test_what_is_refused_has_a_reason_and_changes_nothing(
    ask: Refused, error: type[refusals.RefusedError]
) -> None:
    tree = LedgerTree()
    tree.insert(raw(1))
    before = tree.root

    with pytest.raises(error) as refused:
        ask(tree)

    assert refused.value.reason
    assert tree.root == before


def test_hash_inputs_are_bounded() -> None:
    with pytest.raises(refusals.HashInputsError):
        hashes.poseidon_hash([])
    with pytest.raises(refusals.HashInputsError):
        hashes.poseidon_hash([raw(1)] * 9)
    with pytest.raises(refusals.FieldValueError):
        hashes.poseidon2_compress(raw(1), raw(P))
