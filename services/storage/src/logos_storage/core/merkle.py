"""The Merkle tree over the blocks of a dataset.

Leaves are block digests as they are. A node is the hash of its two children and
of a key byte that says where it stands: bit 0, its children are leaves; bit 1,
it has one child only, and 32 zero bytes stand in for the other. The key comes
last in the hashed bytes; that is the form in use. LIP-153 puts it first, and
`KeyPosition.PREFIX` follows its text.

All nodes of a tree are packed into one file of 32-byte entries: the leaves, the
layer above them, and so on; the root is the last one (STO-12).

Spec: docs/protocol/storage.md, STO-5 to STO-7; LIP-153.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
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


class KeyPosition(Enum):
    """Where the key byte stands among the hashed bytes."""

    SUFFIX = "suffix"
    PREFIX = "prefix"


def compress(
    left: bytes, right: bytes, key: int, position: KeyPosition = KeyPosition.SUFFIX
) -> bytes:
    """Hashes two children of 32 bytes with a key from 0 to 3."""
    if position is KeyPosition.SUFFIX:
        return hashlib.sha256(left + right + _KEYS[key]).digest()
    return hashlib.sha256(_KEYS[key] + left + right).digest()


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


class LayerBuilder:
    """Makes the layer above from a layer that comes in pieces.

    Memory: one node. Pieces may have any number of whole nodes.
    """

    def __init__(self, *, is_bottom: bool, position: KeyPosition = KeyPosition.SUFFIX) -> None:
        self._key = _BOTTOM if is_bottom else 0
        self._position = position
        self._left = b""

    def add(self, nodes: bytes) -> bytes:
        """Takes the next nodes of the layer, returns the next ones of the layer above."""
        if len(nodes) % NODE_BYTES:
            raise ValueError("a layer has whole nodes")
        nodes = self._left + nodes
        paired = len(nodes) - len(nodes) % (2 * NODE_BYTES)
        self._left = nodes[paired:]
        return b"".join(
            compress(
                nodes[start : start + NODE_BYTES],
                nodes[start + NODE_BYTES : start + 2 * NODE_BYTES],
                self._key,
                self._position,
            )
            for start in range(0, paired, 2 * NODE_BYTES)
        )

    def end(self) -> bytes:
        """Returns the node over a last child without a partner, if there is one."""
        if not self._left:
            return b""
        return compress(self._left, ZERO, self._key | _ODD, self._position)


class RootBuilder:
    """Computes a root from leaves that come one by one. Memory: two nodes a layer."""

    def __init__(self, position: KeyPosition = KeyPosition.SUFFIX) -> None:
        self._position = position
        self._count = 0
        self._waiting: list[bytes] = []
        """For every layer from the leaves up: the left child without a partner, or b""."""

    def add(self, leaf: bytes) -> None:
        """Takes the next leaf, 32 bytes."""
        self._count += 1
        self._carry(leaf, 0)

    def _carry(self, node: bytes, layer: int) -> None:
        while True:
            if layer == len(self._waiting):
                self._waiting.append(b"")
            if not self._waiting[layer]:
                self._waiting[layer] = node
                return
            key = 0 if layer else _BOTTOM
            node = compress(self._waiting[layer], node, key, self._position)
            self._waiting[layer] = b""
            layer += 1

    def root(self) -> bytes:
        """Returns the root; call it once, at the end.

        Raises:
            ValueError: There was no leaf.
        """
        if not self._count:
            raise ValueError("a tree has at least one leaf")
        for layer in range(depth(self._count)):
            if layer < len(self._waiting) and self._waiting[layer]:
                key = _ODD if layer else _ODD | _BOTTOM
                node = compress(self._waiting[layer], ZERO, key, self._position)
                self._waiting[layer] = b""
                self._carry(node, layer + 1)
        return self._waiting[-1]


def root_of(leaves: Iterable[bytes], position: KeyPosition = KeyPosition.SUFFIX) -> bytes:
    """Returns the root over leaves of 32 bytes; ValueError where there are none."""
    builder = RootBuilder(position)
    for leaf in leaves:
        builder.add(leaf)
    return builder.root()


def pack(leaves: bytes) -> bytes:
    """Returns the packed tree over joined leaves, all in memory."""
    layers = [leaves]
    while len(layers[-1]) > NODE_BYTES or len(layers) == 1:
        builder = LayerBuilder(is_bottom=len(layers) == 1)
        layers.append(builder.add(layers[-1]) + builder.end())
    return b"".join(layers)


@dataclass(frozen=True, slots=True)
class Proof:
    """The siblings from a leaf to the root, bottom up; a missing one is zero."""

    index: int
    leaf_count: int
    path: tuple[bytes, ...]


def sibling_positions(index: int, leaf_count: int) -> list[int | None]:
    """Returns where in the packed tree a proof's nodes stand; None for a missing one."""
    positions: list[int | None] = []
    start, size = 0, leaf_count
    for _ in range(depth(leaf_count)):
        sibling = index ^ 1
        positions.append(start + sibling if sibling < size else None)
        start += size
        size = (size + 1) // 2
        index >>= 1
    return positions


def prove(index: int, leaf_count: int, node_at: Callable[[int], bytes]) -> Proof:
    """Makes the proof of a leaf from a packed tree's nodes."""
    if not 0 <= index < leaf_count:
        raise ValueError("no such leaf")
    positions = sibling_positions(index, leaf_count)
    path = tuple(ZERO if position is None else node_at(position) for position in positions)
    return Proof(index, leaf_count, path)


def prove_run(
    leaves: Sequence[bytes], first: int, leaf_count: int, root: bytes, stored: Mapping[int, bytes]
) -> list[Proof]:
    """Checks neighbouring leaves against a root, and makes their proofs.

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
    nodes, index, start, key = list(leaves), first, 0, _BOTTOM
    for size in layer_sizes(leaf_count)[:-1]:
        if any(stored.get(start + index + at, node) != node for at, node in enumerate(nodes)):
            raise ProofRefusedError("a stored node is not what its children say")
        if index & 1:
            index -= 1
            nodes.insert(0, stored[start + index])
        if len(nodes) & 1 and index + len(nodes) < size:
            nodes.append(stored[start + index + len(nodes)])
        above = [compress(nodes[at], nodes[at + 1], key) for at in range(0, len(nodes) - 1, 2)]
        if len(nodes) & 1:
            above.append(compress(nodes[-1], ZERO, key | _ODD))
            nodes.append(ZERO)
        layers.append((index, nodes))
        nodes, index, start, key = above, index >> 1, start + size, 0
    if nodes != [root]:
        raise ProofRefusedError("the stored nodes do not lead to the root")
    paths = _paths_through(layers)[first - layers[0][0] :]
    return [
        Proof(first + number, leaf_count, path) for number, path in enumerate(paths[: len(leaves)])
    ]


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

    def __init__(
        self, root: bytes, leaf_count: int, position: KeyPosition = KeyPosition.SUFFIX
    ) -> None:
        if leaf_count < 1:
            raise ValueError("a tree has at least one leaf")
        self._leaf_count = leaf_count
        self._depth = depth(leaf_count)
        self._key_position = position
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
                node = compress(sibling, node, key, self._key_position)
            elif index == size - 1:
                if sibling != ZERO:
                    raise ProofRefusedError("the partner of a single child is not zero")
                node = compress(node, ZERO, key | _ODD, self._key_position)
            else:
                found[start + index + 1] = sibling
                node = compress(node, sibling, key, self._key_position)
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
        if any(map(NODE_BYTES.__ne__, map(len, proof.path))):
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
