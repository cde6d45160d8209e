"""Downloads blocks from peers: the first download, the ancestors of orphans, single blocks.

What is asked of whom is decided in core/consensus/sync/downloading.py. What comes is given to
`FollowOperations.take`, which keeps and verifies it as any other block.

Spec: docs/protocol/chain-network.md, CNW-9, CNW-11 to CNW-14; chain-consensus.md, CON-43 to CON-48.
"""

import asyncio
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from logos_chain.core.consensus.follower import FetchAncestors
from logos_chain.core.consensus.sync.downloading import ROUNDS, Diverged, Downloading, PeerEnd
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.net_ports import SyncPeers
from logos_chain.core.network_errors import AncestorsMissingError
from logos_chain.operations.download import Download, DownloadProgress, Take
from logos_chain.operations.served_chain import WholeChain

log = logging.getLogger(__name__)

MAX_ASKED: Final = 4
"""Peers that are asked for one block and its ancestors."""
MAX_FETCHES: Final = 12
"""Downloads of single blocks and of ancestors at once; others wait. As many as orphans, and as
proposals ask for, and one."""
MAX_APART: Final = 1_024
KEPT_DIVERGED: Final = 16
_shuffle: Final = secrets.SystemRandom().shuffle


class SyncOperations:
    """The downloads of one node."""

    def __init__(
        self,
        chain: WholeChain,
        take: Take,
        peers: SyncPeers,
        monotonic_ms: Callable[[], int],
        shuffle: Callable[[list[str]], None] = _shuffle,
    ) -> None:
        """
        Args:
            chain: Of this node.
            take: `FollowOperations.take`.
            peers: That speak the protocol.
            monotonic_ms: A clock that is never set.
            shuffle: Puts peers into an order that they cannot foresee.
        """
        self._chain = chain
        self._take = take
        self._peers = peers
        self._monotonic_ms = monotonic_ms
        self._shuffle = shuffle
        self._room = asyncio.Semaphore(MAX_FETCHES)
        self._first: Download | None = None
        self.ends: Counter[PeerEnd] = Counter()
        """How often talks with peers have ended so."""
        self._apart: set[str] = set()
        self.last_diverged: deque[Diverged] = deque(maxlen=KEPT_DIVERGED)
        """The newest of them (CON-47)."""

    @property
    def diverged(self) -> int:
        """Peers whose chain had left this node's before the final block; at most `MAX_APART`."""
        return len(self._apart)

    @property
    def progress(self) -> DownloadProgress | None:
        """How far the first download is, or was; None: there was none."""
        return None if self._first is None else self._first.progress

    @property
    def has_followed_all(self) -> bool:
        """Whether the last first download has followed every peer to its tip."""
        return self._first is not None and self._first.has_followed_all

    async def download(self, peers: Iterable[str]) -> bool:
        """Follows peers to their tips (CON-43), in an order of chance.

        Returns:
            Whether one of them was followed to its tip.
        """
        order = list(dict.fromkeys(peers))
        self._shuffle(order)
        run = self._first = await self._prepare(order, None, rounds=ROUNDS)
        return await run.finish()

    async def fetch(self, wanted: FetchAncestors) -> None:
        """Downloads what is missing below a block: from its source first, then from others.

        Raises:
            AncestorsMissingError: None of them has it.
            NetworkUnavailableError, NetworkDeniedError, StoreFailedError
        """
        if not await self.fetch_block(wanted.parent, [wanted.source]):
            raise AncestorsMissingError("no peer that was asked has a block's ancestors")

    async def fetch_block(self, block: BlockId, peers: Sequence[str] = ()) -> bool:
        """Downloads a block, with its ancestors where they are missing, and has it taken.

        Args:
            block: Its id.
            peers: That are asked first; empty names are left out. Then others that are connected.

        Returns:
            Whether it is here now.

        Raises:
            NetworkUnavailableError, NetworkDeniedError, StoreFailedError
        """
        async with self._room:
            run = await self._prepare(await self._asked(peers), block, rounds=1)
            return await run.finish() and self._chain.has(block)

    async def _asked(self, first: Sequence[str]) -> list[str]:
        chosen = [each for each in first if each][:MAX_ASKED]
        others = [each for each in await self._peers.connected() if each not in chosen]
        self._shuffle(others)
        return [*chosen, *others][:MAX_ASKED]

    async def _prepare(
        self, peers: Sequence[str], target: BlockId | None, *, rounds: int
    ) -> Download:
        machine = Downloading(await self._chain.for_run(), peers, target, rounds=rounds)
        run = Download(machine, self._take, self._peers, self._monotonic_ms)
        run.diverged, run.ended = self._note_diverged, self._note_end
        return run

    def _note_diverged(self, found: Diverged) -> None:
        if len(self._apart) < MAX_APART:
            self._apart.add(found.peer)
        self.last_diverged.append(found)
        log.warning(
            "a peer follows a chain that left this one before its latest immutable block",
            extra={"peer": found.peer, "tip": found.tip.hex(), "slot": found.slot},
        )

    def _note_end(self, peer: str, reason: PeerEnd) -> None:
        self.ends[reason] += 1
        if reason.is_fault:
            log.info("a peer broke a rule", extra={"peer": peer, "reason": reason.value})
