"""The context of a served call, which distinguishes half-closed calls from broken ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import grpc

from logos_base.capabilities import Subject


class ServedCall:
    """A servicer context that distinguishes the end of a stream from the end of a call.

    gRPC (1.85) returns the same EOF whether the caller half-closed the stream, or the call was
    cancelled, timed out or lost its connection. In the latter cases it cancels the task that
    serves the call a moment later. Here EOF means that the caller half-closed the stream.

    To be made in the task in which gRPC runs the handler. All other attributes are the
    context's.
    """

    def __init__(self, context: Any) -> None:
        serving = asyncio.current_task()
        if serving is None:
            raise RuntimeError("a ServedCall must be made in the task that serves the call")
        self._context = context
        self._serving = serving
        self.caller: Subject | None = None
        """Who calls, where the server knows."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """Returns the next request, or `grpc.aio.EOF` once the caller has half-closed.

        Raises:
            MalformedRequestError: The next request cannot be decoded.
            asyncio.CancelledError: The call has ended; the stream is incomplete.
        """
        request = await self._context.read()
        if request is grpc.aio.EOF:
            # A read after the end completes after the cancellation of the task, never
            # before: both go through the queue of the call, in this order.
            await self._context.read()
            if self._serving.cancelling():
                raise asyncio.CancelledError
        return request

    async def requests(self) -> AsyncIterator[Any]:
        """Yields what `read` returns, until the caller has half-closed."""
        while (request := await self.read()) is not grpc.aio.EOF:
            yield request

    async def write(self, response: Any) -> None:
        """Sends a response.

        Raises:
            asyncio.CancelledError: The call has ended; as do the methods below.
        """
        await _sent(self._context.write(response))

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Sends the initial metadata."""
        await _sent(self._context.send_initial_metadata(metadata))

    async def abort(self, *status: Any) -> None:
        """Ends the call with a code, details and trailing metadata; raises."""
        await _sent(self._context.abort(*status))

    async def abort_with_status(self, status: Any) -> None:
        """Ends the call with a rich status; raises."""
        await _sent(self._context.abort_with_status(status))


async def _sent(sending: Awaitable[None]) -> None:
    try:
        await sending
    except grpc.aio.InternalError:  # raised by gRPC once the call has ended
        raise asyncio.CancelledError from None
