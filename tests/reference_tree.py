"""The Merkle tree of storage by the letter of LIP-153 with the key last, all in memory: an oracle.

Written apart from `logos_storage.core.merkle`, which never holds a whole tree.
"""

import hashlib
from collections.abc import Iterable

from logos_storage.core.merkle import Proof

_KEYS = {"even bottom": 1, "odd bottom": 3, "even": 0, "odd": 2}


class ReferenceTree:
    """A whole tree over at least one leaf."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self.layers = [list(leaves)]
        while len(self.layers[-1]) > 1 or len(self.layers) == 1:
            self.layers.append(self._above(self.layers[-1], is_bottom=len(self.layers) == 1))
        self.nodes = [node for layer in self.layers for node in layer]
        self.root = self.nodes[-1]

    @staticmethod
    def _above(below: list[bytes], *, is_bottom: bool) -> list[bytes]:
        above = []
        for start in range(0, len(below), 2):
            pair = below[start : start + 2]
            kind = ("even" if len(pair) == 2 else "odd") + (" bottom" if is_bottom else "")
            joined = b"".join(pair).ljust(64, b"\0") + bytes((_KEYS[kind],))
            above.append(hashlib.sha256(joined).digest())
        return above

    def proof(self, index: int) -> Proof:
        """The siblings of a leaf and of all above it; zeros where there is none."""
        path = []
        for layer, nodes in enumerate(self.layers[:-1]):
            sibling = index >> layer ^ 1
            path.append(nodes[sibling] if sibling < len(nodes) else bytes(32))
        return Proof(index, len(self.layers[0]), tuple(path))
