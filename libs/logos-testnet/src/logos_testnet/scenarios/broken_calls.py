"""Request streams that end before their caller has half-closed, in every way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc

CANCELLED: Final = "cancelled"
OUT_OF_TIME: Final = "out of time"
DISCONNECTED: Final = "disconnected"
WAYS: Final = (CANCELLED, OUT_OF_TIME, DISCONNECTED)

_AT_A_TIME: Final = 20


@dataclass(frozen=True, slots=True)
class Breaking:
    """A method, and the way in which its calls are aborted."""

    open_channel: Callable[[], grpc.aio.Channel]
    begin: Callable[[grpc.aio.Channel, float | None], Any]
    """Begins a call on a channel, with a timeout in seconds."""
    requests: Sequence[Any]
    """Call number n sends the first n modulo len + 1 of them."""
    way: str
    """One of `WAYS`."""

    async def run(self, count: int) -> None:
        """Begins `count` calls, some at a time, and aborts each."""
        async with _opened(self.open_channel()) as shared:
            for first in range(0, count, _AT_A_TIME):
                numbers = range(first, min(first + _AT_A_TIME, count))
                await asyncio.gather(*(self._break_one(shared, number) for number in numbers))

    async def _break_one(self, shared: grpc.aio.Channel, number: int) -> None:
        some = self.requests[: number % (len(self.requests) + 1)]
        if self.way == DISCONNECTED:
            async with _opened(self.open_channel()) as own:
                await _write(self.begin(own, None), some)
                await _pause(number)
            return
        timeout_s = 0.001 * (number % 50) if self.way == OUT_OF_TIME else None
        call = self.begin(shared, timeout_s)
        await _write(call, some)
        if self.way == CANCELLED:
            await _pause(number)
            call.cancel()
        await call.code()


async def _write(call: Any, some: Sequence[Any]) -> None:
    try:
        for request in some:
            await call.write(request)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
        return  # it has already timed out


async def _pause(number: int) -> None:
    """Varies the stage at which the call is aborted: not sent, on its way, being served."""
    await asyncio.sleep((0, 0, 0.001, 0.005)[number % 4])


@asynccontextmanager
async def _opened(channel: grpc.aio.Channel) -> AsyncIterator[grpc.aio.Channel]:
    try:
        yield channel
    finally:
        await channel.close()
