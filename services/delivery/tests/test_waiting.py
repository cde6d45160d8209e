"""How streams wait: for news, or for the end of the module."""

import asyncio

import pytest

from logos_delivery.operations.waiting import news_or_end
from logos_module.errors import ModuleDrainingError


async def test_a_wait_ends_with_news() -> None:
    news, stopping = asyncio.Event(), asyncio.Event()

    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(news_or_end(news, stopping))
        await asyncio.sleep(0)
        assert not waiting.done()
        news.set()

    assert asyncio.all_tasks() == {asyncio.current_task()}  # it leaves no task behind


@pytest.mark.parametrize("has_news", [False, True])
async def test_a_wait_ends_with_the_module_also_where_there_is_news(
    *,
    has_news: bool,
) -> None:
    news, stopping = asyncio.Event(), asyncio.Event()
    stopping.set()
    if has_news:
        news.set()

    with pytest.raises(ModuleDrainingError):
        await news_or_end(news, stopping)
    assert asyncio.all_tasks() == {asyncio.current_task()}
