"""What waits to be given to the mempool: bounded in number and in bytes, and for each source.

Spec: docs/protocol/chain-mempool.md, MPL-22.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from logos_chain.core.mempool.mempool import Effect

MAX_INPUTS: Final = 512
MAX_INPUT_BYTES: Final = 16 << 20
MAX_OF_SOURCE: Final = 64


Step = Callable[[int], Sequence[Effect]]
"""A method of the machine with its arguments but the time, in Unix milliseconds."""


@dataclass(frozen=True, slots=True)
class PoolInput:
    """One input of the machine."""

    step: Step
    ended: Callable[[], None] = lambda: None
    """Is told once its effects were performed."""
    gave_up: Callable[[], None] | None = None
    """Is told that the tip does not stand still for it; None: it is done in any case."""
    source: str = ""
    size_bytes: int = 0


class PoolInputs:
    """Outcomes of effects and questions of this node first, then transactions; each in order."""

    def __init__(self) -> None:
        self._first: deque[PoolInput] = deque()
        self._waiting: deque[PoolInput] = deque()
        self._counts: Counter[str] = Counter()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._first) + len(self._waiting)

    def put_first(self, one: PoolInput) -> None:
        """Adds what must not be refused; its number is bounded by who asks for it."""
        self._first.append(one)

    def put(self, one: PoolInput) -> bool:
        """Adds a transaction; False: there is no room, and it is not added."""
        if (
            len(self._waiting) >= MAX_INPUTS
            or self._counts[one.source] >= MAX_OF_SOURCE
            or self._size_bytes + one.size_bytes > MAX_INPUT_BYTES
        ):
            return False
        self._waiting.append(one)
        self._counts[one.source] += 1
        self._size_bytes += one.size_bytes
        return True

    def pop(self) -> PoolInput | None:
        """Removes the next one."""
        if self._first:
            return self._first.popleft()
        if not self._waiting:
            return None
        one = self._waiting.popleft()
        self._counts -= Counter([one.source])
        self._size_bytes -= one.size_bytes
        return one
