"""Streams of requests to calls that the callee may end first."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from logos_client.channels import write


async def send(call: Any, requests: Iterable[Any]) -> Any:
    """Writes requests and half-closes, as far as the call lets it; returns the call.

    An iterator given to grpc.aio (1.85) would replace the status of a call that ends during a
    write by INTERNAL.
    """
    for request in requests:
        if not await write(call, request):
            return call
    with suppress(asyncio.InvalidStateError):  # it has ended since
        await call.done_writing()
    return call
