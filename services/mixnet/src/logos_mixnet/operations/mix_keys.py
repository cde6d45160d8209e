"""Keys of the mix: the stored ones are loaded with their tags, new ones made when it is time.

The rules are in docs/protocol/mix.md, MIX-15.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.mixing.keys import SERVED, MixKey, MixStore, ends_ms, next_key
from logos_mixnet.core.mixing.relay import KeyEpoch
from logos_mixnet.core.mixing.tags import TagTable
from logos_mixnet.core.sphinx.primitives import RandomBytes

log = logging.getLogger(__name__)

RETRY_S: Final = 5.0
"""After which a key that could not be stored is tried to be stored again."""
LONGEST_SLEEP_S: Final = 60.0


class MixKeys:
    """The keys of one mix, the newest first."""

    def __init__(
        self,
        store: MixStore,
        length_ms: int,
        now_ms: Callable[[], int],
        random_bytes: RandomBytes,
    ) -> None:
        self._store = store
        self._length_ms = length_ms
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._keys: list[MixKey] = []

    @property
    def newest(self) -> MixKey:
        """The key that is advertised."""
        return self._keys[0]

    @property
    def ends_ms(self) -> int:
        """When the next key takes its place, in Unix time."""
        return ends_ms(self.newest, self._length_ms, self._now_ms())

    async def load(self) -> list[KeyEpoch]:
        """Loads the keys with their tags, and makes the first one."""
        self._keys = (await self._store.load_keys())[:SERVED]
        if not self._keys:
            await self._make()
        return [KeyEpoch(key.epoch, key.private_key, await self._tags(key)) for key in self._keys]

    async def run(self, rotated: Callable[[KeyEpoch], None]) -> None:
        """Makes a key each time that one ends, until cancelled."""
        while True:
            left_s = (self.ends_ms - self._now_ms()) / 1000
            if left_s > 0:
                await asyncio.sleep(min(left_s, LONGEST_SLEEP_S))
                continue
            try:
                await self._make()
            except StoreError as error:  # e.g. a full disk: the key of before goes on
                log.warning("key not stored", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
                continue
            log.info("a new key is advertised", extra={"epoch": self.newest.epoch})
            rotated(KeyEpoch(self.newest.epoch, self.newest.private_key))

    async def _make(self) -> None:
        key = next_key(self._keys, self._random_bytes, self._now_ms())
        await self._store.add_key(key)  # before it is advertised
        self._keys = [key, *self._keys][:SERVED]

    async def _tags(self, key: MixKey) -> TagTable:
        table = TagTable()
        async for tags in self._store.load_tags(key.epoch):
            table.add_all(tags)
        return table
