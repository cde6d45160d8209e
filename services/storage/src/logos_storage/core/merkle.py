"""The Merkle tree over the blocks of a dataset.

Leaves are block digests as they are. A node is the hash of its two children and
of a key byte for its place: bit 0, its children are leaves; bit 1, it has only
one child, and 32 zero bytes take the place of the other. The key comes
last in the hashed bytes, as in the nodes that run; LIP-153 writes it first.

All nodes of a tree are packed into one file of 32-byte entries: the leaves, the
layer above them, and so on; the root is the last one (STO-12).

Spec: docs/protocol/storage.md, STO-5 to STO-7; LIP-153.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_storage.core.errors import ProofRefusedError

NODE_BYTES: Final = 32
MAX_DEPTH: Final = 64
ZERO: Final = bytes(NODE_BYTES)
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of a dataset without blocks (STO-4)."""

_BOTTOM: Final = 1
_ODD: Final = 2
_KEYS: Final = tuple(bytes((key,)) for key in range(4))


def _compress(left: bytes, right: bytes, key: int) -> bytes:
    """Hashes two children of 32 bytes with a key from 0 to 3."""
    return hashlib.sha256(left + right + _KEYS[key]).digest()


def layer_sizes(leaf_count: int) -> list[int]:
    """Returns the number of nodes of every layer, leaves first, root last.

    A single leaf still has a layer above it. No leaves have no layers.
    """
    if leaf_count < 1:
        return []
    sizes = [leaf_count]
    while sizes[-1] > 1 or len(sizes) == 1:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def depth(leaf_count: int) -> int:
    """Returns the number of layers above the leaves: the length of every proof."""
    return max(1, (leaf_count - 1).bit_length()) if leaf_count else 0


def node_count(leaf_count: int) -> int:
    """Returns the number of nodes of the whole tree, and of its packed file."""
    return sum(layer_sizes(leaf_count))


def parents_of(nodes: Sequence[bytes], *, is_bottom: bool) -> list[bytes]:
    """Returns the nodes above neighbours of one layer, from an even index on.

    Only the last node of the layer may lack a partner.
    """
    key = _BOTTOM if is_bottom else 0
    above = [_compress(nodes[at], nodes[at + 1], key) for at in range(0, len(nodes) - 1, 2)]
    if len(nodes) & 1:
        above.append(_compress(nodes[-1], ZERO, key | _ODD))
    return above


@dataclass(frozen=True, slots=True)
class Proof:
    """The siblings from a leaf to the root, bottom up; a missing one is zero."""

    index: int
    leaf_count: int
    path: tuple[bytes, ...]


def prove_run(
    leaves: Sequence[bytes], first: int, leaf_count: int, root: bytes, stored: Mapping[int, bytes]
) -> list[tuple[bytes, ...]]:
    """Checks neighbouring leaves against a root, and returns their paths (`Proof.path`).

    Costs about two hashes a leaf.

    Args:
        leaves: The leaves from index `first` on.
        first: Index of the first.
        leaf_count: Leaves of the whole tree.
        root: The root.
        stored: Nodes of the packed tree by position: all that the proofs need.

    Raises:
        ProofRefusedError: Leaves and stored nodes contradict each other, or do
            not lead to the root.
    """
    layers: list[tuple[int, list[bytes]]] = []
    nodes, index, start = list(leaves), first, 0
    for size in layer_sizes(leaf_count)[:-1]:
        if any(stored.get(start + index + at, node) != node for at, node in enumerate(nodes)):
            raise ProofRefusedError("a stored node is not the hash of its children")
        if index & 1:
            index -= 1
            nodes.insert(0, stored[start + index])
        if len(nodes) & 1 and index + len(nodes) < size:
            nodes.append(stored[start + index + len(nodes)])
        above = parents_of(nodes, is_bottom=start == 0)
        layers.append((index, nodes if len(nodes) % 2 == 0 else [*nodes, ZERO]))
        nodes, index, start = above, index >> 1, start + size
    if nodes != [root]:
        raise ProofRefusedError("the stored nodes do not lead to the root")
    skipped = first - layers[0][0]
    return _paths_through(layers)[skipped : skipped + len(leaves)]


def _paths_through(layers: Sequence[tuple[int, list[bytes]]]) -> list[tuple[bytes, ...]]:
    """Returns the paths of all nodes of the lowest layer.

    Args:
        layers: From the leaves up without the root, each an even index and the pairs
            of nodes from there on.
    """
    paths: list[tuple[bytes, ...]] = [()]
    low_above = 0
    for low, nodes in reversed(layers):
        paths = [(nodes[at ^ 1], *paths[(low + at >> 1) - low_above]) for at in range(len(nodes))]
        low_above = low
    return paths


class Verifier:
    """Checks proofs against one root, and remembers the nodes it has proven.

    Parity and layers follow from the index and the number of leaves, never from
    the proof. A later proof ends at the first node that is known, so a run of
    neighbours costs about two hashes each. Memory grows by about 100 bytes a
    node: make one per batch. Not thread-safe.
    """

    def __init__(self, root: bytes, leaf_count: int) -> None:
        if leaf_count < 1:
            raise ValueError("a tree has at least one leaf")
        self._leaf_count = leaf_count
        self._depth = depth(leaf_count)
        self.proven: dict[int, bytes] = {node_count(leaf_count) - 1: root}
        """Every node proven so far, by its position in the packed tree."""
        self._rests: dict[int, tuple[bytes, ...]] = {}
        """The proven path from a proven node to the root, by the node's position."""

    def verify(self, leaf: bytes, proof: Proof) -> None:
        """Checks that `leaf` stands at `proof.index` of the tree.

        Raises:
            ProofRefusedError: It does not, or the proof is not of this tree (STO-7).
        """
        self._check_shape(proof)
        index, start, size = proof.index, 0, self._leaf_count
        node, key, layer = leaf, _BOTTOM, 0
        found: dict[int, bytes] = {}
        for sibling in proof.path:
            if start + index in self.proven:
                break
            found[start + index] = node
            if index & 1:
                found[start + index - 1] = sibling
                node = _compress(sibling, node, key)
            elif index == size - 1:
                if sibling != ZERO:
                    raise ProofRefusedError("the sibling of a single child is not zero")
                node = _compress(node, ZERO, key | _ODD)
            else:
                found[start + index + 1] = sibling
                node = _compress(node, sibling, key)
            start, size, index, key = start + size, (size + 1) // 2, index >> 1, 0
            layer += 1
        if node != self.proven.get(start + index):
            raise ProofRefusedError("the proof does not lead to the root")
        if proof.path[layer:] != self._rest(start, size, index):
            raise ProofRefusedError("the proof contradicts a proven node")
        self.proven.update(found)

    def _check_shape(self, proof: Proof) -> None:
        if proof.leaf_count != self._leaf_count:
            raise ProofRefusedError("the proof is of a tree with another number of leaves")
        if not 0 <= proof.index < self._leaf_count:
            raise ProofRefusedError("the proof is of a leaf past the end")
        if len(proof.path) != self._depth:
            raise ProofRefusedError("the proof is not as long as the tree is deep")
        if any(len(node) != NODE_BYTES for node in proof.path):
            raise ProofRefusedError("the proof has a node that is not of 32 bytes")

    def _rest(self, start: int, size: int, index: int) -> tuple[bytes, ...]:
        """Returns the siblings above a proven node, all proven too, up to the root.

        Args:
            start: Position in the packed tree where the node's layer begins.
            size: How many nodes the layer has.
            index: Of the node in its layer.
        """
        if size == 1 and start:
            return ()
        rest = self._rests.get(start + index)
        if rest is None:
            sibling = index ^ 1
            nearest = self.proven[start + sibling] if sibling < size else ZERO
            rest = (nearest, *self._rest(start + size, (size + 1) // 2, index >> 1))
            self._rests[start + index] = rest
        return rest
