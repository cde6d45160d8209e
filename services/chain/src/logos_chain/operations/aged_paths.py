"""Paths of the wallet's notes to aged roots, kept beyond a restart.

The chain takes a path when its epoch begins, and after that the ledger has other roots. What was
taken is stored here as soon as it is seen, so a node that is started in the middle of an epoch
still leads in it.

Spec: docs/protocol/chain-leading.md, LEA-7; chain-following.md, FOL-16.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable

from logos_base.errors import StoreFailedError
from logos_chain.core.leader_ports import AgedPathStore
from logos_crypto.trees import MerklePath

log = logging.getLogger(__name__)

Find = Callable[[bytes, Iterable[bytes]], Awaitable[dict[bytes, MerklePath]]]
"""`FollowOperations.aged_paths`."""


class AgedPathKeeper:
    """The paths to the roots that were asked for last. Memory: a kibibyte a note and root."""

    def __init__(self, find: Find, store: AgedPathStore) -> None:
        self._find = find
        self._store = store
        self._paths: dict[bytes, dict[bytes, MerklePath]] = {}

    def path(self, root: bytes, note: bytes) -> MerklePath | None:
        """Returns a note's path that was seen before, both 32 bytes."""
        return self._paths.get(root, {}).get(note)

    async def aged(
        self, roots: Iterable[bytes], notes: Iterable[bytes]
    ) -> dict[bytes, frozenset[bytes]]:
        """Returns by root which of the notes have a path to it; forgets all other roots."""
        wanted, asked = tuple(roots), tuple(notes)
        await self._forget(wanted)
        return {each: await self._aged(each, asked) for each in wanted}

    async def _aged(self, root: bytes, notes: tuple[bytes, ...]) -> frozenset[bytes]:
        if root not in self._paths:
            self._paths[root] = await self._loaded(root)
        known = self._paths[root]
        missing = [each for each in notes if each not in known]
        found = await self._find(root, missing) if missing else {}
        if found:
            known.update(found)
            try:
                await self._store.keep(root, found)
            except StoreFailedError as error:  # it leads on, until it is started again
                log.warning("paths of notes were not stored", extra={"error": str(error)})
        return frozenset(each for each in notes if each in known)

    async def _loaded(self, root: bytes) -> dict[bytes, MerklePath]:
        try:
            return dict(await self._store.load(root))
        except StoreFailedError as error:
            log.warning("paths of notes were not loaded", extra={"error": str(error)})
            return {}

    async def _forget(self, wanted: tuple[bytes, ...]) -> None:
        if not self._paths.keys() - set(wanted):
            return
        self._paths = {each: one for each, one in self._paths.items() if each in wanted}
        try:
            await self._store.drop_others(wanted)
        except StoreFailedError as error:
            log.info("paths of old roots were not dropped", extra={"error": str(error)})
