"""Runs the coroutines of commands: signals cancel them, so that they can clean up."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class InterruptedBySignalError(BaseException):
    """SIGTERM or SIGHUP ended a command. A BaseException, like KeyboardInterrupt."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


def run_interruptibly(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end, in place of `asyncio.run`.

    SIGINT, SIGTERM and SIGHUP cancel it, each time again. A signal that was ignored at the
    start, as SIGHUP under nohup, stays ignored.

    Raises:
        KeyboardInterrupt: SIGINT cancelled it.
        InterruptedBySignalError: SIGTERM or SIGHUP cancelled it.
    """
    caught: list[signal.Signals] = []
    try:
        return asyncio.run(_cancelled_by_signals(work, caught))
    except asyncio.CancelledError:
        if not caught:
            raise
    if caught[0] is signal.SIGINT:
        raise KeyboardInterrupt
    raise InterruptedBySignalError(caught[0])


async def _cancelled_by_signals(work: Coroutine[Any, Any, T], caught: list[signal.Signals]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt(number: signal.Signals) -> None:
        caught.append(number)
        if task is not None:
            task.cancel()

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heeded = [number for number in _SIGNALS if before[number] is not signal.SIG_IGN]
    for number in heeded:
        loop.add_signal_handler(number, interrupt, number)
    try:
        return await work
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])
