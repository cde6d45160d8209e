"""Peer exchange: telling of other nodes, and asking for some.

Spec: docs/protocol/delivery-light.md, DLC-20 to DLC-23, DLC-39 to DLC-42.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_base.errors import LogosError
from logos_delivery.core.enr.fields import addresses, read
from logos_delivery.core.enr.record import Record
from logos_delivery.core.errors import LightPeerBusyError, LightPeerMissingError, PeerFailedError
from logos_delivery.core.light import peer_exchange as wire
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.peer_exchange import (
    FoundNodes,
    PeerExchangeStatus,
    PeerPool,
    PeersRequest,
)
from logos_delivery.core.light.rates import PeerLimits, RateLimit, ServiceLimits
from logos_delivery.core.ports import NamesPeers, Requests, Services
from logos_delivery.operations.own_record import OwnRecord

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
MAX_ASKED: Final = 10
"""Nodes of one round."""
MAX_AT_ONCE: Final = 4
MAX_TRIED: Final = 3
"""Nodes that are tried for one caller."""
OF_PEER: Final = RateLimit(30, 60_000)
"""Whatever the settings say: a response is 2,000 times as long as its request (DLC-42)."""
SEED_BYTES: Final = 16


class PeerExchangeAnswers:
    """`ports.Answering`: tells other nodes of nodes."""

    def __init__(
        self,
        pool: PeerPool,
        own: OwnRecord,
        limits: ServiceLimits,
        monotonic_ms: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._own = own
        self._limits = limits
        self._of_peer = PeerLimits(OF_PEER)
        self._monotonic_ms = monotonic_ms

    async def __call__(self, peer: str, raw: bytes) -> bytes | None:
        now_ms = self._monotonic_ms()
        if not (self._of_peer.allow(peer, now_ms) and self._limits.allow(peer, now_ms)):
            return wire.encode_response(wire.refused(PeerExchangeStatus.TOO_MANY_REQUESTS))
        try:
            request = wire.decode_request(raw)
        except LightMessageMalformedError as error:
            refused = wire.refused(PeerExchangeStatus.BAD_REQUEST, str(error))
            return wire.encode_response(refused)
        seed = secrets.token_bytes(SEED_BYTES)
        return wire.encode_response(self._pool.answer(request, seed, self._own.record))


@dataclass(frozen=True, slots=True)
class Told:
    """What a service node has told of."""

    peer: str
    records: tuple[Record, ...]
    """Verified."""
    new: int
    """Nodes of which the network module had not heard."""


class PeerExchangeClient:
    """Asks other nodes for nodes."""

    def __init__(
        self,
        requests: Requests,
        services: Services,
        names: NamesPeers,
        own: OwnRecord,
        monotonic_ms: Callable[[], int],
        *,
        cluster: int,
        peers: Sequence[str] = (),
        given: Sequence[Record] = (),
    ) -> None:
        """`peers` are asked before others; `given` are records of the settings."""
        self._requests = requests
        self._services = services
        self._names = names
        self._own = own
        self._monotonic_ms = monotonic_ms
        self._cluster = cluster
        self._peers = peers
        self._given = given
        self._found = FoundNodes(given)
        self.pool = PeerPool(cluster)

    async def run(self) -> None:
        """Asks again and again, until cancelled (DLC-40)."""
        await self._begin()
        rounds = 0
        while True:
            try:
                await self.look()
            except LogosError as error:
                log.info("no nodes are found", extra={"error": str(error)})
            await asyncio.sleep(wire.pause_ms(rounds) / 1_000)
            rounds += 1

    async def look(self) -> None:
        """Asks nodes that discovery finds, and others where there are few of these."""
        found = await self._services.looked_up(wire.PROTOCOL, MAX_ASKED)
        others = await self._services.connected(wire.PROTOCOL)
        asked = list(dict.fromkeys((*self._peers, *found, *others)))[:MAX_ASKED]
        turns = asyncio.Semaphore(MAX_AT_ONCE)

        async def ask(peer: str) -> None:
            async with turns:
                try:
                    told = await self._ask(peer, wire.MAX_PEERS)
                except LogosError as error:
                    log.info("no nodes are told of", extra={"peer": peer, "error": str(error)})
                    return
            for record in told.records:
                if peer in found and record.peer_id == peer:
                    self._found.take(record, self._monotonic_ms())

        async with asyncio.TaskGroup() as tasks:
            for peer in asked:
                tasks.create_task(ask(peer))
        self._refresh()

    async def get(self, count: int, peer: str = "") -> Told:
        """Asks one service node; another one where it does not answer and none is named.

        Raises:
            LightPeerMissingError: No service node is known.
            PeerFailedError: Those that were asked do not answer, or not as they must.
            LightPeerBusyError: It was asked too often.
            NetworkUnavailableError, NetworkDeniedError
        """
        peers = [peer] if peer else [*self._peers, *await self._services.find(wire.PROTOCOL)]
        failure: LogosError = LightPeerMissingError("no node is known that serves peer exchange")
        for each in list(dict.fromkeys(peers))[:MAX_TRIED]:
            try:
                return await self._ask(each, count)
            except (PeerFailedError, LightPeerBusyError) as error:
                failure = error
        raise failure

    async def _begin(self) -> None:
        """Takes the nodes of the settings."""
        self._refresh()
        try:
            await self._name("", self._given)
        except LogosError as error:
            log.warning("nodes of the settings are not known", extra={"error": str(error)})

    def _refresh(self) -> None:
        fresh = self._found.fresh(self._monotonic_ms())
        self.pool.refresh(fresh, secrets.token_bytes(SEED_BYTES))

    async def _ask(self, peer: str, count: int) -> Told:
        request = wire.encode_request(PeersRequest(min(count, wire.MAX_PEERS)))
        raw = await self._requests.ask(peer, wire.PROTOCOL, request, timeout_s=TIMEOUT_S)
        try:
            response = wire.decode_response(raw)
        except LightMessageMalformedError as error:
            raise PeerFailedError(f"{peer} answers peer exchange with garbage: {error}") from error
        if response.status is PeerExchangeStatus.TOO_MANY_REQUESTS:
            raise LightPeerBusyError(f"{peer} was asked too often")
        if response.status is not PeerExchangeStatus.OK:
            why = f"{response.status.name} {response.description or ''}".rstrip()
            raise PeerFailedError(f"{peer} refuses peer exchange: {why}")
        own = "" if self._own.record is None else self._own.record.peer_id
        judged = wire.judge(response.records, cluster=self._cluster, but=own)
        if judged.refused:
            extra = {"peer": peer, "refused": judged.refused}
            log.info("records were told that do not verify", extra=extra)
        return Told(peer, judged.records, await self._name(peer, judged.records))

    async def _name(self, source: str, records: Sequence[Record]) -> int:
        """Tells the network module where nodes are; returns of how many it had not heard."""
        named = {one.peer_id: addresses(read(one)) for one in records}
        reached = {peer: where for peer, where in named.items() if where}
        return await self._names.name(source, reached) if reached else 0
