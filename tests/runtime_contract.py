"""What every runtime that starts modules does (KER-23; kernel.md 14.40).

Subclass it with a fixture `rig`: a runtime with three modules, and the same anew, as the next
kernel has it.

    speaks    prints "one" and "two", and exits with 3
    stays     prints "here", and ends by SIGTERM
    stubborn  prints "here", and ignores SIGTERM
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, cast

from logos_kernel.core.effects import Signal
from logos_kernel.core.ports import Runtime
from logos_kernel.core.types import Exit, ProcessId, Usage

SCRIPTS = {
    "speaks": "echo one; echo two; exit 3",
    "stays": "echo here; exec sleep 9999",
    "stubborn": "trap '' TERM; echo here; while :; do sleep 0.05; done",
}
"""The modules, for a shell."""

IN_2100_MS: Final = 4_102_444_800_000


@dataclass
class Ends:
    """The ends that a runtime has reported."""

    queue: "asyncio.Queue[tuple[ProcessId, Exit]]" = field(default_factory=asyncio.Queue)

    def __call__(self, process: ProcessId, exit_: Exit) -> None:
        self.queue.put_nowait((process, exit_))

    async def next(self) -> tuple[ProcessId, Exit]:
        async with asyncio.timeout(60):
            return await self.queue.get()


class Rig(Protocol):
    """A runtime under test."""

    runtime: Runtime
    renew: Callable[[], Runtime]
    """Closes the runtime, and makes the one of the next kernel."""


async def until_logged(runtime: Runtime, module: str, line: bytes) -> None:
    """Waits until a module has printed a line."""
    lines = cast("AsyncIterator[bytes]", runtime.lines(module, tail=100, follow=True))
    async with asyncio.timeout(60), aclosing(lines):  # type: ignore[type-var]
        async for one in lines:
            if one == line:
                return


async def until_used(runtime: Runtime, process: ProcessId) -> Usage:
    """Waits until a process holds memory: it has none while it begins another program."""
    async with asyncio.timeout(60):
        while True:
            used = await runtime.usage(process)
            if used is not None and used.rss_bytes > 0:
                return used
            await asyncio.sleep(0.01)


class RuntimeContract:
    """One suite for all runtimes."""

    async def test_an_exit_is_reported_once_with_its_code_and_last_lines(self, rig: Rig) -> None:
        ends = Ends()
        process = await rig.runtime.start("speaks", 1, ends)

        ended, exit_ = await ends.next()

        assert ended == process
        assert (exit_.code, exit_.lines[-2:]) == (3, ("one", "two"))
        assert not rig.runtime.is_alive(process)
        assert ends.queue.empty()

    async def test_a_process_ends_by_the_signal_that_it_is_sent(self, rig: Rig) -> None:
        ends = Ends()
        process = await rig.runtime.start("stays", 1, ends)
        await until_logged(rig.runtime, "stays", b"here")
        assert rig.runtime.is_alive(process)

        rig.runtime.end(process, Signal.TERM)

        assert (await ends.next())[1].code == -signal.SIGTERM

    async def test_one_that_ignores_it_is_killed(self, rig: Rig) -> None:
        ends = Ends()
        process = await rig.runtime.start("stubborn", 1, ends)
        await until_logged(rig.runtime, "stubborn", b"here")
        rig.runtime.end(process, Signal.TERM)
        assert rig.runtime.is_alive(process)

        rig.runtime.end(process, Signal.KILL)

        assert (await ends.next())[1].code == -signal.SIGKILL

    async def test_one_that_is_killed_unasked_ends_by_that_and_starts_again(self, rig: Rig) -> None:
        """KER-45."""
        ends = Ends()
        first = await rig.runtime.start("stays", 1, ends)
        await until_logged(rig.runtime, "stays", b"here")

        rig.runtime.end(first, Signal.KILL)

        ended, exit_ = await ends.next()
        assert (ended, exit_.code) == (first, -signal.SIGKILL)
        assert not exit_.is_oom
        second = await rig.runtime.start("stays", 2, ends)
        assert second != first
        assert rig.runtime.is_alive(second)
        rig.runtime.end(second, Signal.KILL)
        await ends.next()

    async def test_a_signal_to_one_that_has_ended_is_no_error(self, rig: Rig) -> None:
        ends = Ends()
        process = await rig.runtime.start("speaks", 1, ends)
        await ends.next()

        rig.runtime.end(process, Signal.KILL)

    async def test_the_next_kernel_watches_what_runs(self, rig: Rig) -> None:
        process = await rig.runtime.start("stays", 1, Ends())
        runtime, ends = rig.renew(), Ends()
        assert runtime.is_alive(process)
        runtime.watch("stays", process, ends)

        runtime.end(process, Signal.KILL)

        ended, exit_ = await ends.next()
        assert ended == process
        assert exit_.code in {-signal.SIGKILL, None}

    async def test_the_next_kernel_learns_of_an_end_before_it(self, rig: Rig) -> None:
        first = Ends()
        process = await rig.runtime.start("speaks", 1, first)
        await first.next()
        runtime, ends = rig.renew(), Ends()

        runtime.watch("speaks", process, ends)

        ended, exit_ = await ends.next()
        assert ended == process
        assert exit_.code in {3, None}

    async def test_another_start_is_not_taken_for_the_one_that_was(self, rig: Rig) -> None:
        process = await rig.runtime.start("stays", 1, Ends())
        other = replace(process, start_ticks=process.start_ticks - 1)
        runtime, ends, others = rig.renew(), Ends(), Ends()
        runtime.watch("stays", process, ends)

        runtime.watch("stays", other, others)

        assert (await others.next())[0] == other
        runtime.end(other, Signal.KILL)
        assert runtime.is_alive(process)
        runtime.end(process, Signal.KILL)
        assert (await ends.next())[0] == process

    async def test_a_module_is_started_again(self, rig: Rig) -> None:
        ends = Ends()
        first = await rig.runtime.start("speaks", 1, ends)
        await ends.next()

        second = await rig.runtime.start("speaks", 2, ends)

        assert (await ends.next())[0] == second != first

    async def test_a_log_is_read_from_its_end(self, rig: Rig) -> None:
        ends = Ends()
        await rig.runtime.start("speaks", 1, ends)
        await ends.next()

        async def read(**asked: Any) -> list[bytes]:
            return [line async for line in rig.runtime.lines("speaks", follow=False, **asked)]

        assert await read(tail=1) == [b"two"]
        assert (await read(tail=0))[-2:] == [b"one", b"two"]
        assert await read(tail=0, since_ms=IN_2100_MS) == []

    async def test_a_log_is_followed_over_a_restart(self, rig: Rig) -> None:
        ends = Ends()
        following = cast("Any", rig.runtime.lines("speaks", tail=100, follow=True))
        async with asyncio.timeout(60), aclosing(following) as lines:
            for epoch in (1, 2):
                await rig.runtime.start("speaks", epoch, ends)
                assert [await anext(lines), await anext(lines)] == [b"one", b"two"]
                await ends.next()

    async def test_usage_is_that_of_a_living_process(self, rig: Rig) -> None:
        ends = Ends()
        process = await rig.runtime.start("stays", 1, ends)
        await until_logged(rig.runtime, "stays", b"here")

        used = await until_used(rig.runtime, process)

        assert used.cpu_s >= 0
        assert used.pss_bytes > 0
        rig.runtime.end(process, Signal.KILL)
        await ends.next()
        assert await rig.runtime.usage(process) is None

    async def test_closing_ends_nothing(self, rig: Rig) -> None:
        process = await rig.runtime.start("stays", 1, Ends())

        runtime = rig.renew()

        assert runtime.is_alive(process)
        ends = Ends()
        runtime.watch("stays", process, ends)
        runtime.end(process, Signal.KILL)
        await ends.next()
