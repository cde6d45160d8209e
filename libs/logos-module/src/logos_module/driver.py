"""Runs a protocol machine (`logos_base.machine`) on an event loop.

Inputs are processed one at a time, in order, each followed by its effects, in order. Where
performing an effect returns a coroutine, everything else waits for it: for what must be durable
first. `start` is for work that may take long. An error that is not reported as an input is a
bug: `run` raises it. Errors of effects go to `failed` instead, if it is given; after an error of
the machine itself its state, and the effects that it has lost, cannot be relied on.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar, TypeVarTuple

from logos_base.machine import Answer, Machine, Refuse, Ticket
from logos_module.errors import ModuleDrainingError

MAX_SLEEP_MS: Final = 60_000  # a wall clock may be set: no timer rests on it for longer
Effect = TypeVar("Effect")
Args = TypeVarTuple("Args")
Effects = Sequence[Effect | Answer | Refuse]
_Input = tuple[Callable[..., Any], tuple[Any, ...]]  # a method, its arguments but the time


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
        self._inputs: deque[_Input] = deque()
        self._outcomes: deque[_Input] = deque()
        self._effects: Iterator[Effect | Answer | Refuse] = iter(())
        self._tickets = map(Ticket, itertools.count(1))
        self._asked: dict[Ticket, asyncio.Future[Any]] = {}
        self._tasks = asyncio.TaskGroup()
        self._awaited: Coroutine[Any, Any, None] | None = None
        self._is_busy = True  # until `run`
        self._is_over = False
        self._fault: Exception | None = None
        self._news = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ms = float("inf")

    def put(self, step: Callable[[*Args, int], Effects[Effect]], *args: *Args) -> None:
        """Gives the machine an input: a method of it, and its arguments but the time."""
        self._inputs.append((step, args))
        self._work()

    def report(self, step: Callable[[*Args, int], Effects[Effect]], *args: *Args) -> None:
        """Gives the machine the outcome of an effect, ahead of the inputs that wait."""
        self._outcomes.append((step, args))
        self._work()

    async def ask(self, step: Callable[[Ticket, *Args, int], Effects[Effect]], *args: *Args) -> Any:
        """Puts a question; returns its answer, or raises the error that refused it."""
        if self._is_over:
            raise ModuleDrainingError("the module is about to stop")
        ticket = next(self._tickets)
        outcome = self._asked[ticket] = asyncio.get_running_loop().create_future()

        def question(now_ms: int) -> Effects[Effect]:
            try:
                return () if outcome.done() else step(ticket, *args, now_ms)
            except Exception as error:  # noqa: BLE001 -- raised by `ask`
                return (Refuse(ticket, error),)

        self.put(question)
        try:
            return await outcome
        finally:
            del self._asked[ticket]

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Starts work that an effect asks for; it is cancelled when the driver ends."""
        try:
            return self._tasks.create_task(work)
        except RuntimeError:  # the driver is ending
            work.close()
            raise

    async def run(self) -> None:
        """Runs until `stop`, or until cancelled; all work that was started has ended then."""
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
            for ticket in self._asked:
                self._settle(Refuse(ticket, ModuleDrainingError("the module is about to stop")))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs for as long as the context is open."""
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
        """Ends `run` and the work that was started; `run` raises the first fault. Idempotent."""
        self._fault = self._fault or fault
        self._is_over = True
        self._news.set()

    def _work(self) -> None:
        """Works until no input is left, or an effect must be waited for."""
        if self._is_busy:
            return
        self._is_busy, now_ms = True, self._now_ms()
        while not self._is_over:
            try:
                self._perform_effects()
            except Exception as error:  # noqa: BLE001 -- `failed` decides, not the giver of the input
                self._failed(error)
                continue
            if self._awaited is not None:
                self._news.set()
                return
            waiting = self._outcomes or self._inputs
            if not waiting:
                break
            step, args = waiting.popleft()
            try:
                self._effects = iter(step(*args, now_ms))
            except Exception as error:  # noqa: BLE001 -- raised by `run`
                self.stop(error)
        self._is_busy = False
        self._arm(now_ms)

    def _perform_effects(self) -> None:
        for effect in self._effects:
            if isinstance(effect, (Answer, Refuse)):
                self._settle(effect)
            else:
                self._awaited = self._perform(effect)
            if self._awaited is not None or self._is_over:
                return

    def _settle(self, effect: Answer | Refuse) -> None:
        outcome = self._asked.get(effect.ticket)
        if outcome and not outcome.done():
            if isinstance(effect, Answer):
                outcome.set_result(effect.value)
            else:
                outcome.set_exception(effect.error)

    def _arm(self, now_ms: int) -> None:
        wake_ms = None if self._is_over else self._machine.next_wake_ms()
        if wake_ms is None or now_ms < self._timer_ms <= wake_ms:
            return  # a timer that fires too early is set again
        if self._timer:
            self._timer.cancel()
        delay_ms = min(max(0, wake_ms - now_ms), MAX_SLEEP_MS)
        self._timer_ms = wake_ms
        self._timer = asyncio.get_running_loop().call_later(delay_ms / 1000, self._wake)

    def _wake(self) -> None:
        self._timer, self._timer_ms = None, float("inf")
        now_ms, wake_ms = self._now_ms(), self._machine.next_wake_ms()
        if wake_ms is None or wake_ms > now_ms:
            self._arm(now_ms)
        else:
            self.put(self._machine.tick)
