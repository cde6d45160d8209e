"""CHN-27, CHN-30: channels, their records and their events outlive the process."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from full_disk import filled, small_disk
from logos_base.errors import DiskFullError
from logos_delivery.core.channels.channel_types import (
    Delivered,
    DeliveryFailed,
    Event,
    HistoryLost,
    Received,
    SendFailed,
    Sent,
)
from logos_delivery.core.channels.errors import ChannelIdInvalidError, ChannelStateError
from logos_delivery.core.channels.keeping import ChannelEventFilter, Membership
from logos_delivery.store.channels import SqlChannels
from logos_delivery.store.opening import open_store
from logos_delivery.store.schema import ChannelRow

ALL = ChannelEventFilter()
CHANNEL = Membership("c", "/app/1/chat/proto", "ann", bytes(32), has_parity=True, created_ms=5)
STATE_KEY = b"k" * 32
STRANGE = "\0\n'\"ä😀"
EVENTS: list[Event] = [
    Received(STRANGE, b"\0\xff"),
    Sent("r1"),
    Delivered("r1"),
    SendFailed("r2", "no way"),
    DeliveryFailed("r3", "no answer"),
    HistoryLost((STRANGE, "m2")),
]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlChannels]:
    async with open_store(tmp_path / "delivery.db") as opened:
        yield SqlChannels(opened.database, STATE_KEY)


async def test_channels_come_back_in_order_after_a_restart(tmp_path: Path) -> None:
    other = Membership(STRANGE, "/a/1/b/c", STRANGE)
    async with open_store(tmp_path / "delivery.db") as opened:
        store = SqlChannels(opened.database, STATE_KEY)
        await store.add(CHANNEL)
        await store.add(other)
        await store.commit("c", {STRANGE: b"\0", "b": b"2"}, EVENTS, 7)
    async with open_store(tmp_path / "delivery.db") as opened:
        store = SqlChannels(opened.database, STATE_KEY)
        assert await store.channels() == [other, CHANNEL]
        assert await store.records("c") == {STRANGE: b"\0", "b": b"2"}
        assert await store.newest_position() == len(EVENTS)


async def test_a_key_is_kept_encrypted_and_under_the_nodes_own(tmp_path: Path) -> None:
    """CHN-29."""
    secret = Membership("c", "/a/1/b/c", "ann", b"a secret of thirty-two bytes....")
    async with open_store(tmp_path / "delivery.db") as opened:
        await SqlChannels(opened.database, STATE_KEY).add(secret)
        kept = await opened.database.read(lambda session: session.scalar(select(ChannelRow.key)))
    assert len(kept) == 12 + 32 + 16
    assert secret.key not in kept
    async with open_store(tmp_path / "delivery.db") as opened:
        assert await SqlChannels(opened.database, STATE_KEY).channels() == [secret]
        with pytest.raises(ChannelStateError, match="another master key"):
            await SqlChannels(opened.database, bytes(32)).channels()


async def test_events_come_back_whole(store: SqlChannels) -> None:
    await store.commit("c", {}, EVENTS, 7)
    page = await store.events(0, ALL)
    assert [event.position for event in page.events] == [1, 2, 3, 4, 5, 6]
    assert [event.kind.value for event in page.events] == [
        "received",
        "sent",
        "delivered",
        "send-error",
        "delivery-error",
        "history-lost",
    ]
    received, _, delivered, failed, _, lost = page.events
    assert (received.sender, received.payload, received.at_ms) == (STRANGE, b"\0\xff", 7)
    assert (delivered.request_id, delivered.channel_id) == ("r1", "c")
    assert (failed.request_id, failed.text) == ("r2", "no way")
    assert (lost.lost, lost.payload) == ((STRANGE, "m2"), b"")
    assert (page.position, page.has_gap) == (6, False)


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        (ChannelEventFilter(kinds=frozenset({"sent", "delivered"})), [2, 3]),
        (ChannelEventFilter(request_ids=frozenset({"r3"})), [5]),
        (ChannelEventFilter(channel_ids=frozenset({"d"})), [7]),
        (ChannelEventFilter(kinds=frozenset({""})), []),
    ],
)
async def test_only_wanted_events_come_and_the_position_goes_on(
    store: SqlChannels, wanted: ChannelEventFilter, positions: list[int]
) -> None:
    await store.commit("c", {}, EVENTS, 7)
    await store.commit("d", {}, [Received("bob", b"x")], 8)
    page = await store.events(0, wanted)
    assert [event.position for event in page.events] == positions
    assert page.position == 7


async def test_a_page_ends_before_it_is_too_large_but_has_one_event(
    store: SqlChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit("c", {}, [Received("bob", bytes(1000))] * 3, 7)
    monkeypatch.setattr("logos_delivery.store.event_log.PAGE_BYTES", 2_500)
    first = await store.events(0, ALL)
    assert [event.position for event in first.events] == [1, 2]
    assert first.position == 2
    monkeypatch.setattr("logos_delivery.store.event_log.PAGE_BYTES", 1)
    assert [event.position for event in (await store.events(2, ALL)).events] == [3]


async def test_the_oldest_events_go_and_a_late_reader_learns_of_a_gap(
    store: SqlChannels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_delivery.store.event_log.KEPT_EVENTS", 2)
    await store.commit("c", {}, EVENTS, 7)
    await store.trim()
    page = await store.events(1, ALL)
    assert [event.position for event in page.events] == [5, 6]
    assert page.has_gap
    monkeypatch.setattr("logos_delivery.store.event_log.KEPT_EVENT_BYTES", 1)
    await store.trim()
    assert [event.position for event in (await store.events(0, ALL)).events] == [6]
    await store.commit("c", {}, [Sent("r4")], 8)
    assert await store.newest_position() == 7


async def test_a_removed_channel_leaves_its_events(store: SqlChannels) -> None:
    await store.add(CHANNEL)
    await store.commit("c", {"k": b"v"}, [Sent("r1")], 7)
    await store.commit("d", {"k": b"w"}, [], 7)
    await store.remove("c")
    assert await store.channels() == []
    assert await store.records("c") == {}
    assert await store.records("d") == {"k": b"w"}
    assert len((await store.events(0, ALL)).events) == 1


async def test_records_and_events_are_one_transaction(store: SqlChannels) -> None:
    broken = Received("bob", None)  # type: ignore[arg-type]  # fails in the last statement
    with pytest.raises((IntegrityError, TypeError)):
        await store.commit("c", {"k": b"v"}, [Sent("r1"), broken], 7)
    assert await store.records("c") == {}
    assert await store.newest_position() == 0


async def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", mebibytes=2) as disk:
        async with open_store(disk / "delivery.db") as opened:
            store = SqlChannels(opened.database, STATE_KEY)
            await store.commit("c", {"k": b"v"}, [], 7)
            with filled(disk), pytest.raises(DiskFullError):
                await store.commit("c", {"k": bytes(200_000), "l": b""}, [Sent("r")], 8)
            assert await store.records("c") == {"k": b"v"}
            assert await store.newest_position() == 0


async def test_records_are_those_of_all_commits(store: SqlChannels) -> None:
    many = {f"k{number}": b"%d" % number for number in range(1_200)}
    await store.commit("c", many, [], 1)
    await store.commit("c", {"k3": b"new", "k4": None, "k9": b"", "absent": None}, [], 2)
    await store.commit("c", dict.fromkeys(list(many)[10:]), [], 3)
    kept = {key: many[key] for key in list(many)[:10] if key != "k4"}
    assert await store.records("c") == kept | {"k3": b"new", "k9": b""}


@pytest.mark.parametrize("name", ["", "ä" * 129])
def test_ids_have_1_to_256_bytes(name: str) -> None:
    with pytest.raises(ChannelIdInvalidError):
        Membership(name, "/a/1/b/c", "s").check()
    with pytest.raises(ChannelIdInvalidError):
        Membership("c", "/a/1/b/c", name).check()
    Membership("ä" * 128, "/a/1/b/c", "s").check()
