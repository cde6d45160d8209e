"""Memberships that one node registers for another: LIP-158's exchange on a stream (RLN-31)."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from logos_base.errors import LogosError
from logos_mixnet.core.ports import Stream
from logos_mixnet.core.rln.allocation import (
    MAX_MESSAGE_BYTES,
    PROTOCOL,
    Allocated,
    AllocationRequest,
    AllocationResponse,
    Authentication,
    authenticated,
    check_authentic,
    framed,
    unframed,
)
from logos_mixnet.core.rln.errors import (
    AllocationMalformedError,
    AllocationRefusedError,
    AuthenticationError,
)
from logos_mixnet.operations.streams import StreamOperations
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 30.0
MAX_ALLOCATING: Final = 16

Allocate = Callable[[bytes, int | None], Coroutine[Any, Any, Allocated]]
"""Registers a commitment with a limit; raises why it cannot."""


async def request_allocation(
    streams: StreamOperations,
    peer_id: str,
    commitment: bytes,
    limit: int,
    by: Authentication,
) -> Allocated:
    """Asks a provider to register a commitment.

    Raises:
        AuthenticationError: It does not accept this node.
        AllocationRefusedError: It did not register it, and says why.
        AllocationMalformedError: Its answer is none.
    """
    request = authenticated(AllocationRequest(secrets.token_hex(16), commitment, limit), by)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            stream = await streams.open(peer_id, PROTOCOL)
            try:
                await stream.write(framed(request.encode()))
                stream.close_write()
                response = AllocationResponse.decode(await _read(stream))
            finally:
                stream.reset()
    except TimeoutError as error:
        raise AllocationRefusedError("the provider does not answer") from error
    if response.request_id != request.request_id:
        raise AllocationMalformedError("the answer is to another request")
    if not response.is_authentic:
        raise AuthenticationError(f"the provider refuses: {response.error or 'no reason'}")
    if response.allocated is None:
        raise AllocationRefusedError(f"the provider refuses: {response.failure or 'no reason'}")
    return response.allocated


class AllocationProvider:
    """A node that registers others."""

    def __init__(
        self,
        streams: StreamOperations,
        known: Mapping[bytes, Authentication],
        allocate: Allocate,
    ) -> None:
        self._streams = streams
        self._known = known
        self._allocate = allocate
        self._room = asyncio.Semaphore(MAX_ALLOCATING)

    async def run(self) -> None:
        """Answers requests until cancelled, or until the module stops."""
        try:
            async with asyncio.TaskGroup() as tasks, self._streams.listen(PROTOCOL) as incoming:
                async for opened in incoming:
                    tasks.create_task(self._serve(self._streams.accept(opened.stream_id)))
        except* ModuleDrainingError:
            log.debug("allocation ends: the module is about to stop")

    async def _serve(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S), self._room:
                request = AllocationRequest.decode(await _read(stream))
                await stream.write(framed((await self._answer(request)).encode()))
                stream.close_write()
                await stream.wait_closed()
        except (LogosError, TimeoutError) as error:
            log.info("allocation not answered", extra={"error": str(error)})
        finally:
            stream.reset()

    async def _answer(self, request: AllocationRequest) -> AllocationResponse:
        """Answers one request. The same one again is answered alike: registering is idempotent."""
        name = request.request_id
        try:
            check_authentic(request, self._known)
        except AuthenticationError as error:
            return AllocationResponse(name, is_authentic=False, error=str(error))
        try:
            done = await self._allocate(request.identity_commitment, request.rate_limit)
        except LogosError as error:
            return AllocationResponse(name, is_authentic=True, failure=f"{error.reason}: {error}")
        return AllocationResponse(name, is_authentic=True, allocated=done)


async def _read(stream: Stream) -> bytes:
    raw = b""
    while (message := unframed(raw)) is None:
        pieces = await stream.read()
        if not pieces or len(raw) > MAX_MESSAGE_BYTES:
            raise AllocationMalformedError("the stream ended within a message")
        raw += b"".join(pieces)
    return message
