"""Requests that are made again are done once: by id, for ten minutes (KER-51)."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from logos_kernel.core.errors import InvalidRequestIdError

KEPT_S: Final = 600
MAX_KEPT: Final = 1024
"""The oldest are forgotten first."""
MAX_REQUEST_ID_BYTES: Final = 64


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Done:
    request: bytes
    answer: "asyncio.Future[Any]"
    until_s: int


class Once:
    """Answers by who asked and with which id. An error is an answer, too."""

    def __init__(self, now_s: Callable[[], int]) -> None:
        self._now_s = now_s
        self._done: OrderedDict[tuple[str, str], _Done] = OrderedDict()

    async def run(
        self, actor: str, request_id: str, request: bytes, work: Callable[[], Awaitable[T]]
    ) -> T:
        """Returns what `work` does, or did for the same request.

        Raises:
            InvalidRequestIdError: The id is too long, or another request had it.
        """
        if not request_id:
            return await work()
        if len(request_id.encode()) > MAX_REQUEST_ID_BYTES:
            limit = f"at most {MAX_REQUEST_ID_BYTES} bytes"
            raise InvalidRequestIdError(f"request_id: must be {limit}", field="request_id")
        key, now_s = (actor, request_id), self._now_s()
        known = self._done.get(key)
        if known is not None and known.until_s > now_s:
            if known.request != request:
                raise InvalidRequestIdError(
                    "request_id: was used for another request", field="request_id"
                )
            answer: T = await asyncio.shield(known.answer)
            return answer
        made = asyncio.get_running_loop().create_task(_as_coroutine(work))
        made.add_done_callback(_retrieve)
        self._done.pop(key, None)
        self._done[key] = _Done(request, made, now_s + KEPT_S)
        while len(self._done) > MAX_KEPT:
            self._done.popitem(last=False)
        return await asyncio.shield(made)


async def _as_coroutine(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _retrieve(done: "asyncio.Future[Any]") -> None:
    """Has asyncio not complain of an error that its caller did not wait for."""
    if not done.cancelled():
        done.exception()
