"""Fetches a manifest: looks for who has it, asks several, believes its hash alone.

Spec: docs/protocol/storage.md, STO-21 and STO-22.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import discovery_pb2
from logos_base.errors import LogosError
from logos_storage.core import manifest as manifests
from logos_storage.core import wire
from logos_storage.core.cid import MANIFEST, Cid, cid_of
from logos_storage.core.errors import (
    BadDataError,
    FrameMalformedError,
    ManifestMalformedError,
    NoProvidersError,
    ProvidersUnreachableError,
)
from logos_storage.net.streams import StreamLostError, opened_stream

if TYPE_CHECKING:  # the stubs of the asynchronous kind exist in the .pyi files alone
    from logos.network.v1.discovery_pb2_grpc import DiscoveryAsyncStub
    from logos.network.v1.streams_pb2_grpc import StreamsAsyncStub


ASK_TIMEOUT_S: Final = 5.0
LOOK_UP_TIMEOUT_S: Final = 15.0
FIRST_PAUSE_S: Final = 0.1
MAX_PAUSE_S: Final = 1.0
ASKED_AT_ONCE: Final = 4


class _Outcome(Enum):
    ABSENT = auto()
    UNREACHABLE = auto()
    FALSE = auto()


class _FoundError(Exception):
    """Not an error: ends the task group of a round with what was looked for."""

    def __init__(self, peer: str, raw: bytes) -> None:
        super().__init__(peer)
        self.peer = peer
        self.raw = raw


async def providers_of(discovery: "DiscoveryAsyncStub", cid: Cid) -> AsyncGenerator[str, None]:
    """Yields who says that it holds a dataset; ends early where the search fails."""
    request = discovery_pb2.LookUpRequest(key=cid.binary)
    try:
        call = discovery.LookUp(request, timeout=LOOK_UP_TIMEOUT_S)
        async for found in call:
            yield found.peer_id
    except grpc.aio.AioRpcError:
        return


class ManifestQuest:
    """The search for one manifest. Use once."""

    def __init__(
        self, streams: "StreamsAsyncStub", discovery: "DiscoveryAsyncStub", cid: Cid
    ) -> None:
        self._streams = streams
        self._discovery = discovery
        self._cid = cid
        self._outcomes: dict[str, _Outcome] = {}
        self._limit = asyncio.Semaphore(ASKED_AT_ONCE)

    async def run(self, patience_ms: int) -> tuple[str, bytes]:
        """Returns a provider and the manifest, verified.

        Raises:
            NoProvidersError, ProvidersUnreachableError, BadDataError
        """
        pause_s = FIRST_PAUSE_S  # an announcement made a moment ago is about to arrive
        try:
            async with asyncio.timeout(patience_ms / 1000):
                while not self._is_hopeless():
                    found = await self._round()
                    if found is not None:
                        return found.peer, found.raw
                    if not self._is_hopeless():
                        await asyncio.sleep(pause_s)
                        pause_s = min(2 * pause_s, MAX_PAUSE_S)
        except TimeoutError:
            pass
        raise self._failure()

    def _is_hopeless(self) -> bool:
        outcomes = self._outcomes.values()
        return bool(outcomes) and all(one is _Outcome.FALSE for one in outcomes)

    def _failure(self) -> LogosError:
        if self._is_hopeless():
            return BadDataError("every provider sent a false manifest")
        if _Outcome.UNREACHABLE in self._outcomes.values():
            return ProvidersUnreachableError("the providers that were found do not answer")
        return NoProvidersError(f"nobody was found who holds {self._cid}")

    async def _round(self) -> _FoundError | None:
        found: _FoundError | None = None
        try:
            async with (
                asyncio.TaskGroup() as tasks,
                aclosing(providers_of(self._discovery, self._cid)) as peers,
            ):
                async for peer in peers:
                    if self._outcomes.get(peer) is not _Outcome.FALSE:
                        tasks.create_task(self._ask(peer))
        except* _FoundError as group:
            first = group.exceptions[0]
            found = first if isinstance(first, _FoundError) else None
        return found

    async def _ask(self, peer: str) -> None:
        async with self._limit:
            # Counts as unreachable already while it has not answered.
            self._outcomes[peer] = _Outcome.UNREACHABLE
            try:
                async with asyncio.timeout(ASK_TIMEOUT_S):
                    raw = await self._ask_for_bytes(peer)
            except (StreamLostError, TimeoutError):
                return
            except FrameMalformedError:
                self._outcomes[peer] = _Outcome.FALSE
                return
            self._judge(peer, raw)

    def _judge(self, peer: str, raw: bytes | None) -> None:
        if raw is None:
            self._outcomes[peer] = _Outcome.ABSENT
            return
        self._outcomes[peer] = _Outcome.FALSE
        if cid_of(MANIFEST, raw) != self._cid:
            return
        try:
            manifests.decode(raw)
        except ManifestMalformedError:
            return
        raise _FoundError(peer, raw)

    async def _ask_for_bytes(self, peer: str) -> bytes | None:
        async with opened_stream(self._streams, peer, wire.MANIFEST_PROTOCOL) as stream:
            await stream.send((wire.encode_manifest_request(self._cid),))
            await stream.end()
            reader = wire.ManifestResponseReader()
            answer: tuple[bool, bytes] | None = None
            while answer is None:
                data = await stream.receive()
                if data is None:
                    raise StreamLostError("the peer ended before it answered")
                answer = reader.feed(data)
            is_there, raw = answer
            return raw if is_there else None
