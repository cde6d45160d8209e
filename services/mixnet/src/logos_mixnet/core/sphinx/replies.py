"""Answers that this node waits for: the keys of its reply blocks, until they are used or old.

A request brings one block or several: for redundancy, or for an answer in fragments. The
caller says when the answer is whole, and the request's other keys are forgotten.

Spec: docs/protocol/mix.md, MIX-14. Source: LIP-99 §8.7.2 step 4, §8.7.5.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NewType

from logos_mixnet.core.sphinx.errors import (
    PayloadDamagedError,
    RepliesFullError,
    ReplyUnknownError,
)
from logos_mixnet.core.sphinx.packet import Reply
from logos_mixnet.core.sphinx.surb import ReplyKeys

MAX_WAITING: Final = 16_384
"""Reply blocks of all requests together; some 700 bytes each, for 5 hops."""

RequestId = NewType("RequestId", int)
"""Identifies a request. Never reused."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """Effect: an answer, or a part of one, to a request."""

    request: RequestId
    message: bytes
    """Padded (MIX-10). Untrusted."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Effect: the time for an answer is over; `blocks` of its reply blocks were not used."""

    request: RequestId
    blocks: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """Effect: an answer was dropped."""

    error: PayloadDamagedError | ReplyUnknownError


Effect = Recovered | Unanswered | Dropped


@dataclass(slots=True)
class _Request:
    due_ms: int
    surb_ids: set[bytes] = field(default_factory=set)


class Replies:
    """The machine that keeps reply keys (MIX-14)."""

    def __init__(self, wait_ms: int, limit: int = MAX_WAITING) -> None:
        """`wait_ms`: at most the time between two rotations of the mixes' keys."""
        self._wait_ms = wait_ms
        self._limit = limit
        self._keys: dict[bytes, tuple[RequestId, ReplyKeys]] = {}
        self._requests: OrderedDict[RequestId, _Request] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many reply blocks may still be answered."""
        return len(self._keys)

    def expect(self, request: RequestId, keys: Sequence[ReplyKeys], now_ms: int) -> list[Effect]:
        """Keeps the keys of a request's blocks, before the request is sent.

        Raises:
            RepliesFullError: Too many are waited for. Nothing was kept.
        """
        if len(self._keys) + len(keys) > self._limit:
            raise RepliesFullError(
                f"{len(self._keys)} reply blocks are waited for, and {self._limit} may be",
                retry_after_ms=self._wait_ms,
            )
        self._requests[request] = _Request(now_ms + self._wait_ms, {k.surb_id for k in keys})
        self._keys.update({one.surb_id: (request, one) for one in keys})
        return self.tick(now_ms)

    def arrived(self, reply: Reply, now_ms: int) -> list[Effect]:
        """Takes what came back. Its keys are gone with it, whole or damaged."""
        effects = self.tick(now_ms)
        kept = self._keys.pop(reply.surb_id, None)
        if kept is None:
            return [*effects, Dropped(ReplyUnknownError("an answer that is not waited for"))]
        request, keys = kept
        self._requests[request].surb_ids.discard(reply.surb_id)
        try:
            return [*effects, Recovered(request, keys.recover(reply.payload))]
        except PayloadDamagedError as error:
            return [*effects, Dropped(error)]

    def forget(self, request: RequestId, now_ms: int) -> list[Effect]:
        """Forgets the keys of a request that has its answer, or was given up. Idempotent."""
        found = self._requests.pop(request, None)
        for surb_id in found.surb_ids if found is not None else ():
            del self._keys[surb_id]
        return self.tick(now_ms)

    def tick(self, now_ms: int) -> list[Effect]:
        """Gives up the requests whose time is over."""
        effects: list[Effect] = []
        while self._requests and next(iter(self._requests.values())).due_ms <= now_ms:
            request, waited = self._requests.popitem(last=False)
            for surb_id in waited.surb_ids:
                del self._keys[surb_id]
            effects.append(Unanswered(request, len(waited.surb_ids)))
        return effects

    def next_wake_ms(self) -> int | None:
        """Returns when the first request is given up; None: there is none."""
        return next(iter(self._requests.values())).due_ms if self._requests else None
