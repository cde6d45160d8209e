"""The driver of machines: order, waiting, questions, time, errors and the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from logos_base.machine import Answer, Refuse, Ticket
from logos_module.driver import Driver
from logos_module.errors import ModuleDrainingError

Effects = Sequence[str | Answer | Refuse]


class Recorder:
    """A machine that does what its inputs say, and remembers them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.wake_ms: int | None = None

    def say(self, *effects: str) -> Callable[[str, int], Effects]:
        def step(name: str, now_ms: int) -> Effects:
            self.seen.append(name)
            return list(effects)

        return step

    def question(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        self.seen.append(name)
        match name:
            case "bad":
                raise ValueError(name)
            case "refused":
                return ["before", Refuse(ticket, LookupError(name))]
            case "later":
                self.later = ticket
                return []
        return ["before", Answer(ticket, name), "after"]

    def answer_later(self, now_ms: int) -> Effects:
        return [Answer(self.later, "late")]

    def tick(self, now_ms: int) -> Effects:
        self.seen.append(f"tick at {now_ms}")
        self.wake_ms = None
        return ["woken"]

    def next_wake_ms(self) -> int | None:
        return self.wake_ms


class Rig:
    def __init__(self, *, failed: Callable[[Exception], None] | None = None) -> None:
        self.machine = Recorder()
        self.performed: list[str] = []
        self.waits: dict[str, asyncio.Event] = {}
        self.now_ms = 0
        self.happened = asyncio.Event()
        self.driver: Driver[str] = Driver(
            self.machine, self.perform, lambda: self.now_ms, failed=failed
        )

    def perform(self, effect: str) -> Coroutine[Any, Any, None] | None:
        self.performed.append(effect)
        self.happened.set()
        if effect == "broken":
            raise RuntimeError(effect)
        return self._wait(effect) if effect in self.waits else None

    async def _wait(self, effect: str) -> None:
        await self.waits[effect].wait()
        self.performed.append(f"{effect} done")
        if effect.startswith("reports"):
            self.driver.report(self.machine.say("reported"), "outcome")

    async def until(self, effect: str) -> None:
        async with asyncio.timeout(60):
            while effect not in self.performed:
                self.happened.clear()
                await self.happened.wait()


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    async with rig.driver.running():
        await asyncio.sleep(0)
        yield rig


async def test_inputs_before_run_wait_for_it_in_order() -> None:
    rig = Rig()
    rig.driver.put(rig.machine.say("a", "b"), "first")
    rig.driver.put(rig.machine.say("c"), "second")
    assert not rig.machine.seen

    async with running(rig):
        assert rig.machine.seen == ["first", "second"]
        assert rig.performed == ["a", "b", "c"]


async def test_an_input_is_worked_on_at_once_where_nothing_is_waited_for() -> None:
    async with running(Rig()) as rig:
        rig.driver.put(rig.machine.say("a"), "first")

        assert rig.performed == ["a"]


async def test_an_input_from_within_an_effect_comes_after_the_effects_before_it() -> None:
    rig = Rig()

    def perform(effect: str) -> None:
        rig.performed.append(effect)
        if effect == "a":
            rig.driver.put(rig.machine.say("inner"), "second")

    rig.driver = Driver(rig.machine, perform, lambda: 0)
    async with running(rig):
        rig.driver.put(rig.machine.say("a", "b"), "first")

        assert rig.performed == ["a", "b", "inner"]


async def test_nothing_happens_while_an_effect_is_waited_for() -> None:
    rig = Rig()
    gate = rig.waits["durable"] = asyncio.Event()
    async with running(rig):
        rig.driver.put(rig.machine.say("durable", "next"), "first")
        rig.driver.put(rig.machine.say("other"), "second")
        await asyncio.sleep(0)
        assert rig.machine.seen == ["first"]
        assert rig.performed == ["durable"]

        gate.set()
        await rig.until("other")

    assert rig.performed == ["durable", "durable done", "next", "other"]


async def test_the_outcome_of_an_effect_comes_before_inputs_that_wait() -> None:
    rig = Rig()
    gate = rig.waits["reports"] = asyncio.Event()
    async with running(rig):
        rig.driver.put(rig.machine.say("reports", "next"), "first")
        rig.driver.put(rig.machine.say("other"), "second")
        gate.set()
        await rig.until("other")

    assert rig.machine.seen == ["first", "outcome", "second"]
    assert rig.performed == ["reports", "reports done", "next", "reported", "other"]


async def test_a_question_is_answered_in_the_order_of_the_effects() -> None:
    async with running(Rig()) as rig:
        assert await rig.driver.ask(rig.machine.question, "name") == "name"

        assert rig.performed == ["before", "after"]


async def test_a_question_may_be_answered_by_a_later_input() -> None:
    async with running(Rig()) as rig, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(rig.driver.ask(rig.machine.question, "later"))
        await asyncio.sleep(0)
        assert not asked.done()

        rig.driver.put(rig.machine.answer_later)

        assert await asked == "late"


async def test_a_question_is_refused_by_an_effect_or_by_what_it_raises() -> None:
    async with running(Rig()) as rig:
        with pytest.raises(LookupError, match="refused"):
            await rig.driver.ask(rig.machine.question, "refused")
        with pytest.raises(ValueError, match="bad"):
            await rig.driver.ask(rig.machine.question, "bad")

        assert await rig.driver.ask(rig.machine.question, "name") == "name"


async def test_a_question_whose_asker_has_gone_is_not_put() -> None:
    rig = Rig()
    gate = rig.waits["durable"] = asyncio.Event()
    async with running(rig), asyncio.TaskGroup() as tasks:
        rig.driver.put(rig.machine.say("durable"), "first")
        gone = tasks.create_task(rig.driver.ask(rig.machine.question, "gone"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait((gone,))
        gate.set()

        assert await rig.driver.ask(rig.machine.question, "name") == "name"
        assert rig.machine.seen == ["first", "name"]


async def test_an_answer_without_a_waiting_caller_is_dropped() -> None:
    async with running(Rig()) as rig, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(rig.driver.ask(rig.machine.question, "later"))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait((asked,))

        rig.driver.put(rig.machine.answer_later)

        assert await rig.driver.ask(rig.machine.question, "name") == "name"


async def test_the_machine_is_woken_when_it_wants_to_be() -> None:
    async with running(Rig()) as rig:
        rig.machine.wake_ms = 5
        rig.driver.put(rig.machine.say(), "first")
        rig.now_ms = 7

        await rig.until("woken")

        assert rig.machine.seen == ["first", "tick at 7"]


async def test_an_earlier_wake_replaces_a_later_one() -> None:
    async with running(Rig()) as rig:
        rig.machine.wake_ms = 1_000_000
        rig.driver.put(rig.machine.say(), "first")
        rig.machine.wake_ms = 1
        rig.driver.put(rig.machine.say(), "second")
        rig.now_ms = 1

        await rig.until("woken")


@pytest.mark.parametrize("wake_ms", [None, 1_000_000])
async def test_a_wake_that_is_no_longer_wanted_does_not_come(wake_ms: int | None) -> None:
    async with running(Rig()) as rig:
        rig.machine.wake_ms = 1
        rig.driver.put(rig.machine.say(), "first")
        rig.machine.wake_ms = wake_ms
        rig.driver.put(rig.machine.say(), "second")
        rig.now_ms = 1

        await asyncio.sleep(0.05)  # a wake at 1 ms would have come

        assert rig.machine.seen == ["first", "second"]


async def test_an_effect_that_fails_ends_the_driver() -> None:
    rig = Rig()

    rig.driver.put(rig.machine.say("broken", "next"), "first")
    rig.driver.put(rig.machine.say("other"), "second")

    with pytest.raises(ExceptionGroup) as raised:
        await rig.driver.run()

    assert raised.group_contains(RuntimeError, match="broken")
    assert rig.performed == ["broken"]


async def test_an_input_that_raises_ends_the_driver() -> None:
    rig = Rig()

    def step(now_ms: int) -> Effects:
        raise RuntimeError("bug")

    rig.driver.put(step)

    with pytest.raises(ExceptionGroup) as raised:
        await rig.driver.run()

    assert raised.group_contains(RuntimeError, match="bug")


async def test_an_input_that_raises_ends_the_driver_where_failures_are_taken_too() -> None:
    failures: list[Exception] = []
    rig = Rig(failed=failures.append)
    ticks: list[int] = []

    def tick(now_ms: int) -> Effects:
        ticks.append(now_ms)
        raise RuntimeError("always")

    rig.machine.tick = tick  # type: ignore[method-assign]
    rig.machine.wake_ms = 0

    with pytest.raises(ExceptionGroup) as raised:
        await rig.driver.run()

    assert raised.group_contains(RuntimeError, match="always")
    assert (len(ticks), failures) == (1, [])


async def test_where_failures_are_taken_the_rest_goes_on() -> None:
    failures: list[Exception] = []
    rig = Rig(failed=failures.append)
    async with running(rig):
        rig.driver.put(rig.machine.say("broken", "next"), "first")
        rig.driver.put(rig.machine.say("other"), "second")
        await rig.until("other")

    assert rig.performed == ["broken", "next", "other"]
    assert [str(error) for error in failures] == ["broken"]


async def test_the_end_cancels_what_was_begun_and_refuses_who_waits() -> None:
    rig = Rig()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def ask(name: str) -> None:
        with pytest.raises(ModuleDrainingError):
            await rig.driver.ask(rig.machine.question, name)

    async with asyncio.TaskGroup() as tasks:
        async with running(rig):
            rig.driver.start(work())
            tasks.create_task(ask("later"))
            await asyncio.sleep(0)
        assert ended.is_set()

    await ask("name")
    assert rig.machine.seen == ["later"]


async def test_a_driver_that_is_cancelled_before_an_effect_begins_leaves_no_coroutine() -> None:
    rig = Rig()
    rig.waits["durable"] = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        run = tasks.create_task(rig.driver.run())
        await asyncio.sleep(0)
        rig.driver.put(rig.machine.say("durable"), "first")
        run.cancel()

    assert rig.performed == ["durable"]


async def test_what_the_body_raises_comes_out_of_running_as_it_is() -> None:
    rig = Rig()

    with pytest.raises(LookupError):
        async with rig.driver.running():
            await rig.driver.ask(rig.machine.question, "refused")


async def test_no_wake_comes_after_the_end() -> None:
    rig = Rig()
    async with running(rig):
        rig.machine.wake_ms = rig.now_ms = 1
        rig.driver.put(rig.machine.say(), "first")

    await asyncio.sleep(0.05)  # a wake at 1 ms would have come

    assert rig.machine.seen == ["first"]


def test_the_loop_that_modules_run_on_sets_timers_too() -> None:
    """uvloop, whose handle of a wake that is due at once is of another kind."""

    async def wake_often() -> None:
        async with running(Rig()) as rig:
            for wake_ms in (0, 1_000_000, 0, 5, 0):
                rig.machine.wake_ms = wake_ms
                rig.driver.put(rig.machine.say(), "input")
            await rig.until("woken")
            assert rig.machine.seen[-1] == "tick at 0"

    uvloop.run(wake_often())


async def test_a_clock_that_has_passed_the_wake_is_noticed_with_the_next_input() -> None:
    async with running(Rig()) as rig:
        rig.machine.wake_ms = 50_000
        rig.driver.put(rig.machine.say(), "first")
        rig.now_ms = 50_000
        rig.driver.put(rig.machine.say(), "second")

        await rig.until("woken")

        assert rig.machine.seen == ["first", "second", "tick at 50000"]
