"""Reply blocks that came with messages, until they are used: a token stands for them (MIX-27)."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.mixing.errors import ReplyTokenUnknownError
from logos_mixnet.core.sphinx.primitives import RandomBytes, draw
from logos_mixnet.core.sphinx.surb import Surb

TOKEN_BYTES: Final = 16
MAX_BLOCKS: Final = 16_384
"""Of all tokens together: 12 MiB. Beyond, the oldest tokens make room."""


@dataclass(frozen=True, slots=True)
class _Held:
    due_ms: int
    blocks: Sequence[Surb]


class ReplyTokens:
    """Blocks by token, the oldest first."""

    def __init__(self, wait_ms: int, random_bytes: RandomBytes) -> None:
        """`wait_ms`: how long blocks may be used; the keys of their mixes rotate."""
        self._wait_ms = wait_ms
        self._random_bytes = random_bytes
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return len(self._held)

    def add(self, blocks: Sequence[Surb], now_ms: int) -> bytes:
        """Keeps the blocks of one message, at least one; returns their token."""
        self.expire(now_ms)
        token = draw(self._random_bytes, TOKEN_BYTES)
        self._held[token] = _Held(now_ms + self._wait_ms, blocks)
        self._count += len(blocks)
        while self._count > MAX_BLOCKS:
            self._pop()
        return token

    def take(self, token: bytes, now_ms: int) -> Sequence[Surb]:
        """Returns the blocks of a token, once; raises `ReplyTokenUnknownError`."""
        self.expire(now_ms)
        held = self._held.pop(token, None)
        if held is None:
            raise ReplyTokenUnknownError("this token was used, or is too old")
        self._count -= len(held.blocks)
        return held.blocks

    def expire(self, now_ms: int) -> None:
        """Forgets the blocks that are too old."""
        while self._held and next(iter(self._held.values())).due_ms <= now_ms:
            self._pop()

    def _pop(self) -> None:
        self._count -= len(self._held.popitem(last=False)[1].blocks)
