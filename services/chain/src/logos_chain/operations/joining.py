"""The first download of a node: from the configured peers, or from those that are connected.

Spec: docs/protocol/chain-consensus.md, CON-28, CON-51; chain-network.md, CNW-23.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from logos_base.errors import LogosError

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""For the first peer that speaks the protocol, if none is configured."""
LOOK_S: Final = 0.25
MAX_PEERS: Final = 4
"""Connected peers that are followed."""


class Joining:
    """Downloads up to the tips of some peers, once."""

    def __init__(
        self,
        configured: Sequence[str],
        connected: Callable[[], Awaitable[Sequence[str]]],
        download: Callable[[Sequence[str]], Awaitable[bool]],
        *,
        is_anew: bool = False,
    ) -> None:
        """
        Args:
            configured: Peer ids; if there are any, one of them must be followed to its tip.
            connected: Returns peers that speak the protocol.
            download: `SyncOperations.download`.
            is_anew: The chain was given up: one peer must be followed, whichever it is.
        """
        self._configured = configured
        self._connected = connected
        self._download = download
        self._is_anew = is_anew

    async def join(self) -> bool:
        """Downloads; returns whether the node may go on (CON-28)."""
        peers = self._configured or await self._found()
        try:
            is_done = bool(peers) and await self._download(peers)
        except LogosError as error:
            log.warning("the first download has failed", extra={"error": str(error)})
            is_done = False
        return is_done or not (self._configured or self._is_anew)

    async def _found(self) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S
        while loop.time() < end:
            try:
                peers = await self._connected()
            except LogosError as error:
                log.info("peers are not known", extra={"reason": error.reason})
                peers = ()
            if peers:
                return peers[:MAX_PEERS]
            await asyncio.sleep(LOOK_S)
        return ()
