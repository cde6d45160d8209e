"""KER-51: requests that are made again."""

import asyncio

import pytest

from logos_kernel.core.errors import InvalidRequestIdError, UpgradeRefusedError
from logos_kernel.operations.once import KEPT_S, MAX_KEPT, Once


class Rig:
    """Work that counts how often it is done, and a clock."""

    def __init__(self) -> None:
        self.now_s = 0
        self.done = 0
        self.go = asyncio.Event()
        self.go.set()
        self.once = Once(lambda: self.now_s)

    async def ask(self, request_id: str, request: bytes = b"x", actor: str = "ada") -> int:
        return await self.once.run(actor, request_id, request, self._work)

    async def fail(self, request_id: str) -> int:
        return await self.once.run("ada", request_id, b"x", self._failing)

    async def _work(self) -> int:
        await self.go.wait()
        self.done += 1
        return self.done

    async def _failing(self) -> int:
        self.done += 1
        raise UpgradeRefusedError(f"for the {self.done}. time")


async def test_the_same_request_gets_the_same_answer() -> None:
    rig = Rig()
    assert [await rig.ask("a"), await rig.ask("a"), await rig.ask("b")] == [1, 1, 2]
    assert await rig.ask("a", actor="bob") == 3, "ids are each caller's own"
    assert [await rig.ask(""), await rig.ask("")] == [4, 5], "without one each is another"


async def test_an_error_is_an_answer_too() -> None:
    rig = Rig()
    for _ in range(2):
        with pytest.raises(UpgradeRefusedError, match=r"for the 1\. time"):
            await rig.fail("a")


async def test_one_that_comes_while_the_first_is_worked_on_waits_for_it() -> None:
    rig = Rig()
    rig.go.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(rig.ask("a"))
        second = tasks.create_task(rig.ask("a"))
        await asyncio.sleep(0)
        first.cancel()  # its caller has gone: the work goes on
        rig.go.set()
    assert second.result() == 1
    assert rig.done == 1


async def test_an_id_is_for_one_request() -> None:
    rig = Rig()
    await rig.ask("a")
    with pytest.raises(InvalidRequestIdError, match="was used for another request"):
        await rig.ask("a", b"y")
    with pytest.raises(InvalidRequestIdError, match="at most 64 bytes"):
        await rig.ask("ä" * 33)


async def test_answers_are_kept_for_ten_minutes_and_so_many() -> None:
    rig = Rig()
    await rig.ask("a")
    rig.now_s = KEPT_S - 1
    assert await rig.ask("a") == 1
    rig.now_s = KEPT_S
    assert await rig.ask("a") == 2
    for number in range(MAX_KEPT):
        await rig.ask(f"n{number}")
    before = rig.done
    assert await rig.ask("n0") != before + 1
    assert await rig.ask("a") == before + 1, "the oldest was forgotten"
