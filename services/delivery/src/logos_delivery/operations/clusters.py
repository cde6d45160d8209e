"""Keeps to peers of this node's cluster: two nodes tell each other theirs (DLC-24 to DLC-26)."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from logos_base.errors import LogosError
from logos_delivery.core.errors import PeerFailedError
from logos_delivery.core.light import metadata as wire
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.metadata import Metadata
from logos_delivery.core.ports import Requests

log = logging.getLogger(__name__)

LOOK_S: Final = 2.0
TIMEOUT_S: Final = 10.0
MAX_KNOWN: Final = 4_096


class Peers(Protocol):
    """The connected peers."""

    async def connected(self, service: str) -> Sequence[str]:
        """Returns those that speak a protocol. NetworkUnavailableError."""
        ...

    async def disconnect(self, peer: str) -> None:
        """Ends the connections to a peer. NetworkUnavailableError."""
        ...


class ClusterOperations:
    """What is known of peers' clusters and shards."""

    def __init__(
        self,
        requests: Requests,
        peers: Peers,
        shards: Callable[[], Sequence[int]],
        *,
        cluster: int,
    ) -> None:
        """`shards` returns those that this node follows now."""
        self._requests = requests
        self._peers = peers
        self._shards = shards
        self._cluster = cluster
        self._asked: dict[str, None] = {}
        """Connected peers that were asked."""
        self.known: dict[str, Metadata] = {}
        """What peers said last."""
        self.refused = 0
        """Peers that were disconnected for their cluster."""

    async def answer(self, peer: str, raw: bytes) -> bytes | None:
        """`ports.Answering`: takes a peer's metadata, and gives this node's."""
        try:
            self._note(peer, wire.decode(raw))
        except LightMessageMalformedError as error:
            log.info("metadata was refused", extra={"error": str(error)})
            return None
        return self._own()

    async def run(self) -> None:
        """Asks each peer that connects, until cancelled."""
        while True:
            try:
                await self._look()
            except LogosError as error:
                log.debug("peers are not known", extra={"error": str(error)})
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        there = await self._peers.connected(wire.PROTOCOL)
        for gone in self._asked.keys() - set(there):
            del self._asked[gone]
        for peer in there:
            if peer not in self._asked:
                self._asked[peer] = None
                await self._ask(peer)

    async def _ask(self, peer: str) -> None:
        try:
            raw = await self._requests.ask(peer, wire.PROTOCOL, self._own(), timeout_s=TIMEOUT_S)
            found = wire.decode(raw)
        except (PeerFailedError, LightMessageMalformedError):
            return  # it is asked again at its next connection
        self._note(peer, found)
        why = wire.refusal(found, self._cluster)
        if why is not None:
            self.refused += 1
            log.info("a peer is disconnected", extra={"peer": peer, "why": why})
            await self._peers.disconnect(peer)

    def _note(self, peer: str, found: Metadata) -> None:
        self.known.pop(peer, None)
        self.known[peer] = found
        if len(self.known) > MAX_KNOWN:
            del self.known[next(iter(self.known))]

    def _own(self) -> bytes:
        return wire.encode(Metadata(self._cluster, tuple(self._shards())))
