"""Streams: bounded queues, resync, bye, what is sent to whom, and the form of messages."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_app.live.streams import (
    HEARTBEAT_S,
    MOST_TABS,
    QUEUE,
    STREAMS_A_SESSION,
    Live,
    Message,
    Tab,
    written,
)


def live() -> Live:
    return Live(lambda: "1.2")


async def read(one: Live, tab: Tab) -> list[str]:
    """All that waits for a tab, which then ends."""
    tab.end()
    return [message.decode() async for message in one.messages(tab)]


async def test_a_topic_reaches_those_who_look_at_it() -> None:
    one = live()
    looking, another = one.open("a", ["testnet"]), one.open("a", ["files"])

    one.publish("testnet", "<p>hello</p>")

    assert await read(one, looking) == ["id: 1.2\ndata: <p>hello</p>\n\n"]
    assert await read(one, another) == []


async def test_a_message_may_differ_by_session_and_is_made_once_for_each() -> None:
    one, made = live(), []
    tabs = [one.open("a", ["t"]), one.open("a", ["t"]), one.open("b", ["t"])]

    def text(session: str) -> str:
        made.append(session)
        return session

    one.publish("t", text)

    assert made == ["a", "b"]
    assert [len(tab.queue) for tab in tabs] == [1, 1, 1]


async def test_an_overflow_becomes_a_resync() -> None:
    one = live()
    tab = one.open("a", ["t"])
    for number in range(QUEUE + 1):
        one.publish("t", str(number))

    assert [message.event for message in tab.queue] == ["resync"]
    for number in range(QUEUE * 3):
        one.publish("t", str(number))
    assert len(tab.queue) <= QUEUE


async def test_the_fifth_stream_of_a_session_ends_the_first() -> None:
    one = live()
    tabs = [one.open("a", ["t"]) for _ in range(STREAMS_A_SESSION + 1)]

    assert [tab.is_over for tab in tabs] == [True] + [False] * STREAMS_A_SESSION
    assert json.loads(tabs[0].queue[-1].data) == {"why": "elsewhere"}
    assert tabs[0].queue[-1].event == "bye"
    assert one.count == STREAMS_A_SESSION


async def test_streams_are_bounded_over_all_sessions() -> None:
    one = live()
    for session in range(MOST_TABS + 20):
        one.open(str(session), ["t"])

    assert one.count == MOST_TABS


async def test_a_closed_session_has_no_streams() -> None:
    one = live()
    mine, others = one.open("a", ["t"]), one.open("b", ["t"])

    one.end_session("a")

    assert mine.is_over
    assert not others.is_over


async def test_a_stop_ends_all_streams_without_a_bye() -> None:
    one = live()
    tab = one.open("a", ["t"])

    one.stop()

    assert [message async for message in one.messages(tab)] == []
    assert [message async for message in one.messages(one.open("b", ["t"]))] == []


async def test_a_stream_that_is_left_is_forgotten() -> None:
    one = live()
    tab = one.open("a", ["t"])
    one.publish("t", "x")
    stream = one.messages(tab)
    await anext(stream)

    await stream.aclose()  # type: ignore[attr-defined]  # an async generator

    assert one.count == 0
    assert one.topics == set()


async def test_a_heartbeat_carries_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert HEARTBEAT_S <= 15
    monkeypatch.setattr("logos_app.live.streams.HEARTBEAT_S", 0.01)
    one = live()
    tab = one.open("a", ["t"])

    async with asyncio.timeout(10):
        assert await anext(one.messages(tab)) == b"id: 1.2\n\n"


@given(st.text())
def test_no_data_can_begin_another_field(text: str) -> None:
    lines = written(Message(text, "named", "1")).decode("utf-8", "replace")[:-2].split("\n")

    assert lines[:2] == ["id: 1", "event: named"]
    assert all(line.startswith("data: ") for line in lines[2:])
    assert "\r" not in "".join(lines)


async def test_each_opening_of_a_topic_is_counted() -> None:
    one = live()
    tab = one.open("a", ["t", "u"])
    tab.end()
    one.open("a", ["t"])

    assert (one.openings("t"), one.openings("u"), one.openings("v")) == (2, 1, 0)
