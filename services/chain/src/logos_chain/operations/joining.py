"""The first download of a node: from the configured peers, or from those that are connected.

Spec: docs/protocol/chain-consensus.md, CON-28, CON-51; chain-network.md, CNW-23.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import OpenChain
from logos_chain.operations.syncing import SyncOperations

log = logging.getLogger(__name__)

PATIENCE_S: Final = 5.0
"""For the first peer that speaks the protocol, if none is configured."""
LOOK_S: Final = 0.25
MAX_PEERS: Final = 4
"""Connected peers that are followed."""
AGAIN_S: Final = 10.0
"""After a download that has not brought the chain of others in place of one that was given up."""
RECENT_BLOCKS: Final = 20
"""Mean times between blocks: a chain of others whose tip is older is not all of it. So long a pause
comes once in 2^28 blocks."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """How far a chain is that is downloaded in place of one that was given up."""

    tip: bytes
    has_blocks: bool
    """Beyond the genesis, or the checkpoint that it was begun with."""
    is_recent: bool
    """The tip's slot is near the clock."""
    has_followed_all: bool
    """Each peer that was asked last was followed to its tip."""


def arrival_of(
    chain: OpenChain, follow: FollowOperations, sync: SyncOperations, unix_ms: Callable[[], int]
) -> Callable[[], Arrival]:
    """Returns how a node's chain is looked at that replaces one that was given up."""
    network = chain.network

    def look() -> Arrival:
        tip, now = follow.tip, network.clock.slot_at(unix_ms())
        return Arrival(
            tip.id,
            has_blocks=tip.height > chain.first_height,
            is_recent=(now - tip.slot) * network.parameters.activation <= RECENT_BLOCKS,
            has_followed_all=sync.has_followed_all,
        )

    return look


class Joining:
    """Downloads up to the tips of some peers, once."""

    def __init__(
        self,
        configured: Sequence[str],
        connected: Callable[[], Awaitable[Sequence[str]]],
        download: Callable[[Sequence[str]], Awaitable[bool]],
        *,
        arrival: Callable[[], Arrival] | None = None,
    ) -> None:
        """
        Args:
            configured: Peer ids; if there are any, one of them must be followed to its tip.
            connected: Returns peers that speak the protocol.
            download: `SyncOperations.download`.
            arrival: The chain was given up: how far the one of others is. None: it was not.
        """
        self._configured = configured
        self._connected = connected
        self._download = download
        self._arrival = arrival

    async def join(self) -> bool:
        """Downloads; returns whether the node may go on (CON-28)."""
        if self._arrival is not None:
            return await self._join_anew(self._arrival)
        peers = self._configured or (await self._found())[:MAX_PEERS]
        return await self._follow(peers) or not self._configured

    async def _join_anew(self, arrival: Callable[[], Arrival]) -> bool:
        """Downloads from all peers until their chain is here (CON-51); False: none was followed.

        Where no tip is recent, the chain is here once nothing more has come in a second round: a
        peer that is itself at the start, or behind, says nothing of what others have.
        """
        tip: bytes | None = None
        while await self._follow(list(dict.fromkeys([*self._configured, *await self._found()]))):
            seen = arrival()
            is_still = seen.has_followed_all and seen.tip == tip
            if seen.has_blocks and (seen.is_recent or is_still):
                return True
            tip = seen.tip
            log.warning("the chain of the other nodes is not here yet: peers are asked again")
            await asyncio.sleep(AGAIN_S)
        return False

    async def _follow(self, peers: Sequence[str]) -> bool:
        try:
            return bool(peers) and await self._download(peers)
        except LogosError as error:
            log.warning("the first download has failed", extra={"error": str(error)})
            return False

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
                return peers
            await asyncio.sleep(LOOK_S)
        return ()
