"""DEL-20 to DEL-23: events, requests, subscriptions and notes outlive the process."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from logos_delivery.core import applications as core
from logos_delivery.core.applications import Asked, EventFilter, Received, Saved
from logos_delivery.core.message import Message, message_hash
from logos_delivery.core.sending.request import Outgoing, Request, RequestState
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.opening import open_store

SHARD = "/waku/2/rs/66/1"
TOPIC = "/app/1/chat/proto"
ALL = EventFilter()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlApplications]:
    async with open_store(tmp_path / "delivery.db") as opened:
        yield SqlApplications(opened.database)


def received(number: int, topic: str = TOPIC) -> Received:
    message = Message(number.to_bytes(4, "big"), topic, timestamp_ns=number, proof=b"proof")
    return Received(message_hash(SHARD, message), SHARD, message)


def request(name: str, at_ms: int = 1) -> Request:
    return Outgoing(SHARD, Message(b"x", TOPIC)).request(name, at_ms * 1_000_000, at_ms)


async def test_events_come_in_order_with_their_messages_whole(store: SqlApplications) -> None:
    await store.receive([received(1), received(2)], 10)
    await store.tell("connection", "Connected", 11)
    page = await store.events(0, ALL)
    assert [event.position for event in page.events] == [1, 2, 3]
    assert [event.message for event in page.events] == [
        received(1).message,
        received(2).message,
        None,
    ]
    assert (page.events[2].kind, page.events[2].text) == ("connection", "Connected")
    assert (page.position, page.has_gap) == (3, False)
    assert (await store.events(3, ALL)).events == []
    assert await store.newest_position() == 3


async def test_only_wanted_events_come_and_the_position_goes_on(store: SqlApplications) -> None:
    await store.receive([received(1, "/a/1/b/c"), received(2)], 10)
    await store.save([Saved(replace(request("r"), state=RequestState.PROPAGATED))], 10)
    sent = replace(request("r"), state=RequestState.SENT, ended_ms=12)
    await store.save([Saved(sent, sent.event)], 12)
    topics = await store.events(0, EventFilter(content_topics=frozenset({"/a/1/b/c"})))
    kinds = await store.events(0, EventFilter(kinds=frozenset({"sent"})))
    requests = await store.events(0, EventFilter(request_ids=frozenset({"other"})))
    assert [event.position for event in topics.events] == [1]
    assert [event.request_id for event in kinds.events] == ["r"]
    assert requests.events == []
    assert {topics.position, kinds.position, requests.position} == {3}


async def test_pages_are_bounded(store: SqlApplications, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.receive([received(number) for number in range(250)], 10)
    first = await store.events(0, ALL)
    assert len(first.events) == core.PAGE_EVENTS
    assert first.position == core.PAGE_EVENTS
    monkeypatch.setattr("logos_delivery.store.event_log.PAGE_BYTES", 1)
    assert len((await store.events(first.position, ALL)).events) == 1


async def test_the_oldest_events_go_and_a_late_reader_learns_of_a_gap(
    store: SqlApplications, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_delivery.store.event_log.KEPT_EVENTS", 10)
    await store.receive([received(number) for number in range(25)], 10)
    await store.trim(20)
    page = await store.events(3, ALL)
    assert [event.position for event in page.events] == list(range(16, 26))
    assert page.has_gap
    assert not (await store.events(15, ALL)).has_gap
    monkeypatch.setattr("logos_delivery.store.event_log.KEPT_EVENT_BYTES", 0)
    await store.trim(20)
    assert await store.newest_position() == 25
    assert [event.position for event in (await store.events(0, ALL)).events] == [25]


async def test_a_request_and_its_event_are_stored_together(store: SqlApplications) -> None:
    accepted = request("r")
    await store.save([Saved(accepted, asked=Asked("key", b"d" * 32))], 1)
    propagated = replace(
        accepted,
        state=RequestState.PROPAGATED,
        message=replace(accepted.message, proof=b"p"),
        attempts=2,
        propagated_ms=7,
        error="once",
        via_mix=True,
    )
    await store.save([Saved(propagated, propagated.event)], 7)
    assert await store.request("r") == propagated
    assert await store.request_of("key") == (propagated, b"d" * 32)
    assert await store.request_of("other") is None
    assert await store.pending() == [propagated]
    [event] = (await store.events(0, ALL)).events
    assert (event.kind, event.request_id, event.at_ms) == ("propagated", "r", 7)


async def test_requests_are_stored_together_and_their_events_in_order(
    store: SqlApplications,
) -> None:
    await store.save([Saved(request("old"), asked=Asked("key", b"d" * 32))], 1)
    propagated, sent = (
        replace(request(name, 2), state=state, ended_ms=9)
        for name, state in (("old", RequestState.PROPAGATED), ("new", RequestState.SENT))
    )
    again = replace(propagated, state=RequestState.SENT)
    await store.save(
        [
            Saved(propagated, propagated.event),
            Saved(sent, sent.event, Asked("other", b"e" * 32)),
            Saved(request("third", 3)),
            Saved(again, again.event),
        ],
        9,
    )
    assert await store.request_of("key") == (again, b"d" * 32)
    assert await store.request_of("other") == (sent, b"e" * 32)
    assert await store.pending() == [request("third", 3)]
    events = (await store.events(0, ALL)).events
    assert [(one.request_id, one.kind) for one in events] == [
        ("old", "propagated"),
        ("new", "sent"),
        ("old", "sent"),
    ]


async def test_requests_that_ended_are_forgotten_after_an_hour(store: SqlApplications) -> None:
    ended = replace(request("old"), state=RequestState.SENT, ended_ms=1_000)
    await store.save([Saved(ended, ended.event)], 1_000)
    await store.save([Saved(request("new", 2))], 2)
    await store.trim(1_000 + core.KEPT_REQUEST_MS)
    assert await store.request("old") == ended
    await store.trim(1_001 + core.KEPT_REQUEST_MS)
    assert await store.request("old") is None
    assert [one.request_id for one in await store.pending()] == ["new"]


async def test_subscriptions_and_notes(store: SqlApplications) -> None:
    await store.subscribe([(TOPIC, SHARD), ("/a/1/b/c", SHARD)])
    await store.subscribe([(TOPIC, SHARD)])
    assert await store.subscriptions() == [("/a/1/b/c", SHARD), (TOPIC, SHARD)]
    await store.unsubscribe(["/a/1/b/c", "/none/1/b/c"])
    assert await store.subscriptions() == [(TOPIC, SHARD)]
    assert await store.noted("complete_ms") is None
    await store.note("complete_ms", 5)
    await store.note("complete_ms", 7)
    assert await store.noted("complete_ms") == 7


async def test_the_newest_hashes_are_those_of_received_messages(store: SqlApplications) -> None:
    await store.receive([received(number) for number in range(5)], 10)
    await store.tell("connection", "Connected", 11)
    assert await store.newest_hashes(3) == [received(n).message_hash for n in (2, 3, 4)]


async def test_positions_are_never_given_twice(tmp_path: Path) -> None:
    async with open_store(tmp_path / "delivery.db") as opened:
        await SqlApplications(opened.database).receive([received(1)], 10)
    async with open_store(tmp_path / "delivery.db") as opened:
        store = SqlApplications(opened.database)
        await store.receive([received(2)], 11)
        assert [event.position for event in (await store.events(0, ALL)).events] == [1, 2]
