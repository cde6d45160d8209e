"""The note set and its root, as the document's pseudo-code has them.

Two corrections, which the published circuits force: a node is the compression of two values
and not their sponge hash, and a root is extended from its own height, where the document takes
`len(note_set).bit_length()`, one too many when the length is a power of two.

Source: Proof of leadership, "Ledger Root"; logos-blockchain-circuits `hash_bn/merkle.circom`.
"""

from collections.abc import Callable
from functools import cache

from oracle.poseidon import poseidon
from oracle.poseidon2 import compress

Node = Callable[[int, int], int]


def poseidon_pair(left: int, right: int) -> int:
    return poseidon([left, right])


def insert_new_note(note_set: list[int], note: int) -> int:
    slot = 0
    while slot < len(note_set) and note_set[slot] != 0:
        slot += 1
    if slot < len(note_set):
        note_set[slot] = note
    else:
        note_set.append(note)
    return slot


def delete_note(note_set: list[int], note: int) -> None:
    if note in note_set:
        note_set[note_set.index(note)] = 0


@cache
def empty_tree_root(height: int, node: Node) -> int:
    if height == 0:
        return 0
    below = empty_tree_root(height - 1, node)
    return node(below, below)


def tree_root(leaves: list[int], depth: int, node: Node = compress) -> int:
    nodes, height = leaves or [0], 0
    while len(nodes) > 1:
        if len(nodes) % 2:
            nodes = [*nodes, empty_tree_root(height, node)]
        nodes = [node(*nodes[at : at + 2]) for at in range(0, len(nodes), 2)]
        height += 1
    root = nodes[0]
    for level in range(height, depth):
        root = node(root, empty_tree_root(level, node))
    return root


def path_root(leaf: int, siblings: list[int], selectors: list[bool], node: Node = compress) -> int:
    """As the circuit does: the selector of the leaf's level is the last."""
    reached = leaf
    for sibling, is_left in zip(siblings, reversed(selectors), strict=True):
        reached = node(sibling, reached) if is_left else node(reached, sibling)
    return reached
