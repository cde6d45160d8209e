"""KER-33: what a call hands on to the calls that are made while it is served."""

import asyncio

import pytest

from logos_module.hops import MAX_HOPS, MAX_TRACE, Carrying, HopLimitError, arrive

TRACE = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


class Nobody:
    def metadata(self, _method: str) -> tuple[tuple[str, str], ...]:
        return (("who", "nobody"),)


async def handed_on(*metadata: tuple[str, str | bytes]) -> list[tuple[str, str | bytes]]:
    """Returns what a call carries that is made while one with this metadata is served."""

    async def serve() -> list[tuple[str, str | bytes]]:
        arrive(metadata)
        return list(Carrying(Nobody()).metadata("a.B/C"))

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(serve())
    return task.result()


async def test_each_call_is_one_hop_more_and_of_the_same_trace() -> None:
    state = ("tracestate", "a=b")

    assert await handed_on() == [("who", "nobody"), ("logos-hops", "1")]
    carried = await handed_on(("logos-hops", "7"), TRACE, ("other", "x"), state)
    assert carried == [("who", "nobody"), ("logos-hops", "8"), TRACE, state]


async def test_calls_that_serve_nothing_hand_nothing_on() -> None:
    await handed_on(("logos-hops", "7"), TRACE)

    assert Carrying(Nobody()).metadata("a.B/C") == (("who", "nobody"), ("logos-hops", "1"))


def test_sixteen_hops_are_enough() -> None:
    arrive([("logos-hops", str(MAX_HOPS))])

    with pytest.raises(HopLimitError):
        arrive([("logos-hops", str(MAX_HOPS + 1))])


@pytest.mark.parametrize("wrong", ["", "-1", "one", "٣", "1e1", b"1", "1" * 400])
def test_a_count_that_is_none_goes_no_further(wrong: str | bytes) -> None:
    with pytest.raises(HopLimitError):
        arrive([("logos-hops", wrong)])


async def test_a_trace_that_is_too_long_is_left_out() -> None:
    long = ("tracestate", "x" * (MAX_TRACE + 1))

    assert await handed_on(long) == [("who", "nobody"), ("logos-hops", "1")]
