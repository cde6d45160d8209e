"""The tap of a mix: tells the machine of packets, and writes its lines (MIX-32).

Off unless the setting `tap` says otherwise. Whatever becomes of the file, the mix goes on.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from logos_mixnet.core.errors import StoreError
from logos_mixnet.core.mixing.taps import Tap, TapStore

log = logging.getLogger(__name__)

WRITE_S: Final = 1.0
"""From one append to the next: what a process loses that is killed."""


class MixTap:
    """The tap of one node, and its file."""

    def __init__(self, own_peer_id: str, store: TapStore, now_ns: Callable[[], int]) -> None:
        """`now_ns`: a clock that all nodes of the machine share."""
        self._tap = Tap(own_peer_id, store.size_bytes())
        self._store = store
        self._now_ns = now_ns
        self._thread = ThreadPoolExecutor(1, "mix-tap")  # one, so that lines stay in their order
        self.trouble = ""
        """Why the latest lines could not be written. Empty: they were."""

    @property
    def skipped(self) -> int:
        """Packets that are not in the file."""
        return self._tap.skipped

    def sent(self, peer_id: str, size_bytes: int) -> None:
        """Notes a packet that is about to be written to a peer's stream."""
        self._tap.sent(peer_id, size_bytes, self._now_ns())

    def arrived(self, peer_id: str, size_bytes: int) -> None:
        """Notes a packet that a peer's stream has brought."""
        self._tap.arrived(peer_id, size_bytes, self._now_ns())

    async def run(self) -> None:
        """Writes what it is told, until cancelled. `close` writes what is left then."""
        while True:
            await asyncio.sleep(WRITE_S)
            await self._write()

    async def close(self) -> None:
        """Writes what is left, and ends the thread."""
        await self._write()
        self._thread.shutdown(wait=False)

    async def _write(self) -> None:
        lines = self._tap.take()
        if not lines:
            return
        writing = asyncio.get_running_loop().run_in_executor(
            self._thread, self._store.append, lines
        )
        writing.add_done_callback(partial(self._written, lines))
        with contextlib.suppress(StoreError):
            await asyncio.shield(writing)  # lines that are taken are written, also when cancelled

    def _written(self, lines: bytes, writing: asyncio.Future[None]) -> None:
        error = writing.exception()
        if not isinstance(error, StoreError):
            self.trouble = ""
            return
        if not self.trouble:
            log.warning("the tap's file is not written", extra={"error": str(error)})
        self.trouble = str(error)
        self._tap.lost(lines)
