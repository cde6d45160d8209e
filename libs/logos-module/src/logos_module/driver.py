"""Runs a protocol machine (`logos_base.machine`) on an event loop.

Inputs are worked on one at a time, in order; the effects of one are performed in order before
the next is looked at. Where performing an effect returns a coroutine, all else waits for it:
what must be durable first is. What may take its time is begun with `start`. An error that
nothing has turned into an input is a fault of ours, and `run` raises it. Those of effects are
given to `failed` instead, if there is one; after one of the machine itself, its state and the
effects that it has lost cannot be relied on.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar, TypeVarTuple

from logos_base.machine import Answer, Machine, Refuse, Ticket
from logos_module.errors import ModuleDrainingError

MAX_SLEEP_MS: Final = 60_000  # a wall clock may be set: no timer rests on it for longer
Effect = TypeVar("Effect")
Args = TypeVarTuple("Args")
Effects = Sequence[Effect | Answer | Refuse]


class _StopError(Exception): ...


class Driver(Generic[Effect]):
    """One machine and its loop. Not thread-safe; inputs wait until `run` begins."""

    def __init__(
        self,
        machine: Machine[Effect],
        perform: Callable[[Effect], Coroutine[Any, Any, None] | None],
        now_ms: Callable[[], int],
        *,
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        self._machine = machine
        self._perform = perform
        self._now_ms = now_ms
        self._failed = failed or self.stop
        self._inputs: deque[tuple[asyncio.Future[Any] | None, Any]] = deque()
        self._outcomes = self._inputs.copy()
        self._effects: deque[Effect | Answer | Refuse] = deque()
        self._tickets = map(Ticket, itertools.count(1))
        self._asked: dict[Ticket, asyncio.Future[Any]] = {}
        self._tasks = asyncio.TaskGroup()
        self._awaited: Coroutine[Any, Any, None] | None = None
        self._is_busy = True  # until `run`
        self._is_over = False
        self._fault: Exception | None = None
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = 0.0

    def put(self, step: Callable[[*Args, int], Effects[Effect]], *args: *Args) -> None:
        """Gives the machine an input: a method of it, and its arguments but the time."""
        self._inputs.append((None, lambda now_ms: step(*args, now_ms)))
        self._work()

    def report(self, step: Callable[[*Args, int], Effects[Effect]], *args: *Args) -> None:
        """Tells what became of an effect, ahead of the inputs that wait."""
        self._outcomes.append((None, lambda now_ms: step(*args, now_ms)))
        self._work()

    async def ask(self, step: Callable[[Ticket, *Args, int], Effects[Effect]], *args: *Args) -> Any:
        """Puts a question; returns its answer, or raises what refused it."""
        if self._is_over:
            raise ModuleDrainingError("it has ended")
        ticket = next(self._tickets)
        outcome = self._asked[ticket] = asyncio.get_running_loop().create_future()
        self._inputs.append((outcome, lambda now_ms: step(ticket, *args, now_ms)))
        self._work()
        try:
            return await outcome
        finally:
            del self._asked[ticket]

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begins work that an effect asks for; it ends with the driver at the latest."""
        return self._tasks.create_task(work)

    async def run(self) -> None:
        """Works until `stop`, or until cancelled; nothing that was begun is left then."""
        try:
            async with self._tasks:
                self._is_busy = False
                self._work()
                while not self._is_over:
                    await self._news.wait()
                    self._news.clear()
                    try:
                        if self._awaited is not None:
                            await self._awaited
                    except Exception as error:  # noqa: BLE001 -- `failed` decides
                        self._failed(error)
                    self._awaited, self._is_busy = None, False
                    self._work()
                raise self._fault or _StopError
        except* _StopError:
            pass
        finally:
            self._is_over = True
            if self._timer:
                self._timer.cancel()
            if self._awaited:
                self._awaited.close()  # cancelled before it began
            for outcome in self._asked.values():
                if not outcome.done():
                    outcome.set_exception(ModuleDrainingError("it has ended"))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs as long as this is open."""
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.run())
            try:
                yield
            except Exception as error:  # noqa: BLE001 -- raised again, not in a group
                failure = error
            self.stop()
        if failure:
            raise failure

    def stop(self, fault: Exception | None = None) -> None:
        """Ends `run`, and all that was begun; `run` raises the first fault. Idempotent."""
        self._fault = self._fault or fault
        self._is_over = True
        self._news.set()

    def _work(self) -> None:
        """Works until no input is left, or an effect must be waited for."""
        if self._is_busy:
            return
        self._is_busy = True
        while self._awaited is None and self._take():
            try:
                self._awaited = self._do(self._effects.popleft()) if self._effects else None
            except Exception as error:  # noqa: BLE001 -- `failed` decides, not the giver of the input
                self._failed(error)
        if self._awaited is not None:
            self._news.set()
            return
        self._is_busy = False
        self._arm()

    def _take(self) -> bool:
        """Works on the next input if no effect is left; returns False if there is nothing."""
        waiting = self._outcomes or self._inputs
        if self._is_over or self._effects or not waiting:
            return bool(self._effects) and not self._is_over
        outcome, step = waiting.popleft()
        if outcome is not None and outcome.done():
            return True
        try:
            self._effects.extend(step(self._now_ms()))
        except Exception as error:  # noqa: BLE001 -- the asker's, or what `run` raises
            if outcome is None:
                self.stop(error)
            else:
                outcome.set_exception(error)
        return True

    def _do(self, effect: Effect | Answer | Refuse) -> Coroutine[Any, Any, None] | None:
        if not isinstance(effect, (Answer, Refuse)):
            return self._perform(effect)
        outcome = self._asked.get(effect.ticket)
        if outcome and not outcome.done():
            if isinstance(effect, Answer):
                outcome.set_result(effect.value)
            else:
                outcome.set_exception(effect.error)
        return None

    def _arm(self) -> None:
        wake_ms = None if self._is_over else self._machine.next_wake_ms()
        if wake_ms is None:
            return  # a timer that is set comes for nothing
        loop = asyncio.get_running_loop()
        due_s = loop.time() + max(0, min(wake_ms - self._now_ms(), MAX_SLEEP_MS)) / 1000
        if self._timer is None or self._timer_s > due_s + 0.001:  # else it is set again then
            if self._timer:
                self._timer.cancel()
            self._timer_s, self._timer = due_s, loop.call_at(due_s, self._wake)

    def _wake(self) -> None:
        self._timer, wake_ms = None, self._machine.next_wake_ms()
        if wake_ms is None or wake_ms > self._now_ms():
            self._arm()
        else:
            self.put(self._machine.tick)
