"""Work goes on where its caller is cancelled, and is waited for."""

import asyncio
import logging

import pytest

from logos_base.errors import ConfigError
from logos_module.shielded import Shielded


async def test_a_caller_gets_the_result_or_the_error() -> None:
    async def answer() -> int:
        return 42

    async def fail() -> int:
        raise ValueError("no")

    async with Shielded() as shielded:
        assert await shielded.run(answer()) == 42
        with pytest.raises(ValueError, match="no"):
            await shielded.run(fail())


async def test_work_is_waited_for_where_its_caller_and_its_owner_are_cancelled() -> None:
    go_on, done = asyncio.Event(), []

    async def work() -> None:
        await go_on.wait()
        done.append("work")

    async def own() -> None:
        async with Shielded() as shielded:
            await shielded.run(work())

    async with asyncio.TaskGroup() as tasks:
        owner = tasks.create_task(own())
        for _ in range(3):
            await asyncio.sleep(0)
            owner.cancel()
        await asyncio.sleep(0)
        assert not owner.done()
        go_on.set()
        await asyncio.wait((owner,))

    assert owner.cancelled()
    assert done == ["work"]


async def test_what_the_work_of_a_cancelled_caller_raises_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    go_on = asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        raise ValueError("nobody hears me")

    async with Shielded() as shielded, asyncio.TaskGroup() as tasks:
        caller = tasks.create_task(shielded.run(work()))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait((caller,))
        go_on.set()

    with caplog.at_level(logging.WARNING):
        await shielded.close()
    assert "nobody hears me" in caplog.text


async def test_an_expected_error_of_a_cancelled_caller_is_logged_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shielded, go_on = Shielded(), asyncio.Event()

    async def refused() -> None:
        await go_on.wait()
        raise ConfigError(["it is not so"])

    async with asyncio.TaskGroup() as tasks:
        caller = tasks.create_task(shielded.run(refused()))
        await asyncio.sleep(0)
        caller.cancel()
    go_on.set()
    await shielded.close()
    await asyncio.sleep(0)

    (record,) = caplog.records
    assert (record.exc_info, "it is not so" in record.__dict__["why"]) == (None, True)
