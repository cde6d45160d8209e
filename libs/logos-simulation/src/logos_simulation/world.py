"""Virtual time and its events."""

import gc
import heapq
import os
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Final

from logos_simulation.chance import Chance

TRACE_LINES: Final = 400
MAX_EVENTS_AT_ONCE: Final = 20_000
"""More at the same time mean a machine that wakes in an endless loop."""
RARE_COLLECTIONS: Final = (100_000, 20, 20)
"""Python's thresholds while a world runs: all its nodes are in use, and few cycles are garbage. By
itself Python would look through them for 7 % of the time of 200 nodes."""
SEED_VARIABLE: Final = "LOGOS_SIMULATION_SEED"


class InvariantError(AssertionError):
    """An invariant is broken. The text has the seed and the last events."""


class World:
    """One run. Time is in milliseconds from 0 and moves only to the next event."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = Chance(seed)
        self.now_ms = 0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._trace: deque[tuple[int, str, tuple[object, ...]]] = deque(maxlen=TRACE_LINES)
        self._invariants: list[Callable[[], str | None]] = []

    def after(self, delay_ms: int, what: Callable[[], None]) -> None:
        """Calls `what` later; events of the same time run in the order of these calls."""
        heapq.heappush(self._events, (self.now_ms + delay_ms, next(self._order), what))

    def run(self, until_ms: int) -> None:
        """Advances time until no event is left, or to `until_ms`.

        Raises:
            InvariantError: With the trace, also for any other exception of an event.
        """
        thresholds = gc.get_threshold()
        gc.set_threshold(*RARE_COLLECTIONS)
        try:
            at_once, events = 0, self._events
            while events and events[0][0] <= until_ms:
                at_ms, _, what = heapq.heappop(events)
                at_once = at_once + 1 if at_ms == self.now_ms else 0
                self.now_ms = at_ms
                what()
                if self._invariants:
                    self._check()
                if at_once >= MAX_EVENTS_AT_ONCE:
                    raise self._broken("time stands still")
            self.now_ms = max(self.now_ms, until_ms) if self._events else self.now_ms
        except InvariantError:
            raise
        except Exception as error:
            raise self._broken(f"{type(error).__name__}: {error}") from error
        finally:
            gc.set_threshold(*thresholds)

    def note(self, who: str, *what: object) -> None:
        """Adds a line to the trace; it is formatted only if it is shown."""
        self._trace.append((self.now_ms, who, what))

    def always(self, holds: Callable[[], str | None]) -> None:
        """Adds an invariant, checked after every event: returns None, or what is wrong."""
        self._invariants.append(holds)

    def require(self, holds: object, what: str) -> None:
        """Raises `InvariantError` with the trace unless `holds` is true."""
        if not holds:
            raise self._broken(what)

    def _check(self) -> None:
        for holds in self._invariants:
            wrong = holds()
            if wrong is not None:
                raise self._broken(wrong)

    def _broken(self, what: str) -> InvariantError:
        lines = [
            f"{at_ms / 1000:10.3f}  {who:12} {' '.join(map(str, words))}"
            for at_ms, who, words in self._trace
        ]
        again = f"{SEED_VARIABLE}={self.seed} repeats it"
        return InvariantError("\n".join([f"{what} (seed {self.seed}; {again})", *lines]))


def seeds(number: int) -> Iterable[int]:
    """Returns the seeds to run: `number` of them, or only that of LOGOS_SIMULATION_SEED."""
    alone = os.environ.get(SEED_VARIABLE)
    return range(number) if alone is None else (int(alone),)
