"""Paths to aged roots: what a leader needs of a tree that is gone when its note takes part.

The notes of epoch e are those of the ledger as epoch e-1 began (CON-6). When a block that begins an
epoch is executed, the paths of the notes of watched keys are taken before it, under the root that
the ledger has there.

Spec: docs/protocol/chain-following.md, FOL-16; chain-ledger.md, LED-36.
"""

from collections.abc import Iterable
from typing import Final

from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.types import Head
from logos_crypto.trees import MerklePath

MAX_KEYS: Final = 4096
MAX_NOTES: Final = 1024
"""Of one root, those of the highest values; a path has about a kibibyte."""
MAX_ROOTS: Final = 8


class AgedPaths:
    """Paths by root and note. Roots that the local chain needs are never displaced."""

    def __init__(self, keys: Iterable[bytes] = ()) -> None:
        self._keys: dict[bytes, None] = {}
        self._paths: dict[bytes, dict[bytes, MerklePath]] = {}
        self._held: set[bytes] = set()
        self.watch(keys)

    def watch(self, keys: Iterable[bytes]) -> None:
        """Looks for the notes of these public keys too, 32 bytes each, when an epoch begins next.

        Of more than `MAX_KEYS`, those that were named first are no longer looked for.
        """
        for each in keys:
            self._keys.pop(each, None)
            self._keys[each] = None
        for each in list(self._keys)[: len(self._keys) - MAX_KEYS]:
            del self._keys[each]

    def take(self, ledger: Ledger) -> None:
        """Takes the paths to the ledger's present root; costs a look at every note."""
        if ledger.root in self._paths:
            return
        notes = sorted(ledger.notes_of(self._keys), key=lambda each: -each[1].note.value)
        paths = {each: ledger.note_path(each) for each, _ in notes[:MAX_NOTES]}
        self._paths[ledger.root] = {note: path for note, path in paths.items() if path is not None}
        unheld = [each for each in self._paths if each not in self._held]
        for each in unheld[: max(0, len(self._paths) - MAX_ROOTS)]:
            del self._paths[each]

    def hold(self, head: Head) -> None:
        """Keeps the paths that the local chain's present and next epoch need."""
        self._held = {head.aged_root, head.epoch_root}

    def path(self, root: bytes, note: bytes) -> MerklePath | None:
        """Returns a note's path to an aged root, both 32 bytes; None if it was not taken."""
        return self._paths.get(root, {}).get(note)
