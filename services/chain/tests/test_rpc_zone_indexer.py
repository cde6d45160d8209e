"""ZON-14 to ZON-17, ZON-19, ZON-20: channels are read by calls, from any cursor on."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from chain_kept import KeptChannels
from chain_ledger import CHANNEL, KEYS, named
from chain_rpc import Served, first, refused, served
from chain_world import until
from chain_zones import empty, messages, payload, write, written

from logos.chain.v1 import zone_pb2 as pb
from logos_chain.operations import chain_events
from logos_chain.operations.zones import indexing, reading
from logos_mantle.channels import ChannelConfig, message_id
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Cursor


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


def follow(node: Served, **wanted: Any) -> Any:
    return node.indexer.Follow(pb.FollowRequest(channel=CHANNEL, **wanted))


async def scan(node: Served, **wanted: Any) -> list[Any]:
    return [each async for each in node.indexer.Scan(pb.ScanRequest(channel=CHANNEL, **wanted))]


async def failed(stream: Any) -> tuple[str, str]:
    async def read() -> None:
        while await stream.read() is not grpc.aio.EOF:
            pass

    return await refused(asyncio.wait_for(read(), 20))


def payloads(responses: list[Any]) -> list[bytes]:
    return [payload(each) for each in responses if each.HasField("message")]


async def found(stream: Any, count: int) -> list[Any]:
    """The next messages of a stream."""
    return [(await first(stream, lambda one: one.HasField("found"))).found for _ in range(count)]


async def indexed(node: Served) -> None:
    """Waits until the index is where the final chain is."""
    follow_ = node.rooms.follow
    await until(lambda: node.node.channels.height == follow_.latest_immutable.height)


# -- what is final ---------------------------------------------------------------------------------


async def test_a_channel_is_scanned_up_to_the_newest_final_block(node: Served) -> None:
    one, two, three, four = messages(4)
    await write(node, "a", 0, one, two)
    await empty(node, "between", 3)
    block = await write(node, "b", 1, three)
    await empty(node, "after", 2)
    await write(node, "c", 2, four)  # not final yet
    await indexed(node)

    responses = await scan(node)

    assert payloads(responses) == [b"0", b"1", b"2"]
    last = responses[-1]
    assert not last.HasField("message")
    assert Cursor.decode(last.cursor).block.height == node.rooms.follow.latest_immutable.height
    told_ = next(each for each in responses if payload(each) == b"2").message
    assert (told_.id, told_.block.id, told_.block.height) == (message_id(three), block.id, 5)
    assert told_.inscription.parent == message_id(two)
    assert told_.inscription.signer == KEYS[0]
    for at, each in enumerate(responses):
        assert payloads(await scan(node, cursor=each.cursor)) == payloads(responses[at + 1 :])


async def test_a_range_is_scanned_by_heights(node: Served) -> None:
    made = messages(4)
    for at, each in enumerate(made):
        await write(node, f"{at}", at, each)
    await empty(node, "after", 3)
    for first_, last, expected in (
        (0, 9, [b"0", b"1", b"2", b"3"]),
        (2, 3, [b"1", b"2"]),
        (4, 4, [b"3"]),
        (40, 50, []),
        (0, 0, []),
    ):
        responses = await scan(node, first_height=first_, last_height=last)
        assert payloads(responses) == expected
        assert Cursor.decode(responses[-1].cursor).block.height <= 5
    assert await failed(
        node.indexer.Scan(pb.ScanRequest(channel=CHANNEL, first_height=3, last_height=2))
    ) == ("INVALID_ARGUMENT", "ZONE_RANGE_INVALID")


async def test_configurations_are_told_as_they_are(node: Served) -> None:
    await write(node, "a", 0, ChannelConfig(CHANNEL, KEYS[:2], 7, 9, 1, 2))
    await empty(node, "after", 2)
    told_ = (await scan(node))[0].message
    assert list(told_.configuration.keys) == list(KEYS[:2])
    configuration = told_.configuration
    assert (configuration.posting_timeframe_slots, configuration.posting_timeout_slots) == (7, 9)
    assert (configuration.configuration_threshold, configuration.transfer_threshold) == (1, 2)


async def test_following_tells_of_messages_once_they_are_final_from_any_cursor(
    node: Served,
) -> None:
    made = messages(6)
    await write(node, "a", 0, *made[:3])
    stream = follow(node, first_height=0)
    await write(node, "b", 1, made[3])
    await write(node, "c", 2, made[4], made[5])
    await empty(node, "after", 2)

    whole = await found(stream, 6)

    assert [payload(each) for each in whole] == [b"%d" % each for each in range(6)]
    for at in range(5):
        [next_] = await found(follow(node, cursor=whole[at].cursor), 1)
        assert next_ == whole[at + 1]
    rest = follow(node, cursor=whole[5].cursor)
    late = follow(node)
    await write(node, "d", 3, *messages(1, message_id(made[5]), "late "))
    await empty(node, "end", 2)
    for each in (rest, late):
        assert payload((await found(each, 1))[0]) == b"late 0"


async def test_cursors_move_on_without_messages(node: Served) -> None:
    stream = follow(node)
    await empty(node, "a", 4)
    passed = await first(stream, lambda one: Cursor.decode(one.passed.cursor).block.height == 2)
    assert passed.WhichOneof("event") == "passed"


# -- what is not -----------------------------------------------------------------------------------


async def test_what_is_not_final_is_found_lost_and_settled(node: Served) -> None:
    """ZON-16: a reorganisation is told of by what it does to the channel."""
    one, two, three = messages(3)
    await write(node, "a", 0, one)
    await empty(node, "final", 2)
    stream = follow(node, first_height=0, with_unfinal=True)
    [settled] = await found(stream, 1)
    assert settled.cursor
    base = node.tip
    await write(node, "b", 1, two)
    [unfinal] = await found(stream, 1)
    assert (payload(unfinal), unfinal.cursor) == (b"1", b"")

    fork = node.world.make(base, "fork")
    again = node.world.make(fork, "again", [written(node, 2, two, three)])
    await node.take(fork, again)

    lost = await first(stream, lambda one: one.HasField("lost"))
    assert lost.lost.id == message_id(two)
    assert [payload(each) for each in await found(stream, 2)] == [b"1", b"2"]
    await empty(node, "end", 2)
    for each in (two, three):
        event = await first(stream, lambda one: one.HasField("settled"))
        assert (event.settled.id, event.settled.block.id) == (message_id(each), again.id)
    assert payloads(await scan(node, cursor=event.settled.cursor)) == []


async def test_a_reader_whose_branch_is_cut_off_is_told_what_it_has_lost(node: Served) -> None:
    """ZON-18: it had read nothing while the chain left its blocks behind for good."""
    one, two = messages(2)
    base = node.tip
    chain = node.rooms.read._chain
    events = node.rooms.read.follow_unfinal(CHANNEL, 0)
    await write(node, "a", 0, one)
    assert (await anext(events)).message.operation == one  # type: ignore[union-attr]

    await node.take(*node.world.chain(base, "other", 5, first=9))
    await write(node, "b", 1, one, two)
    await empty(node, "end", 2)

    kinds = list[str]()
    while kinds.count("Settled") + kinds.count("Found") < 2:
        kinds.append(type(await anext(events)).__name__)
    assert kinds[0] == "Lost"
    assert chain.final.height > 0
    await events.aclose()


# -- where it cannot go on -------------------------------------------------------------------------


async def test_places_that_are_none_are_refused(node: Served) -> None:
    await empty(node, "a", 3)
    unknown = Cursor(named("m"), Point(named("b"), 1, 1)).encode()
    block = node.world.path(node.tip.id)[0]
    elsewhere = Cursor(named("m"), Point(block.id, 2, block.header.slot)).encode()
    lost = ("OUT_OF_RANGE", "ZONE_CURSOR_LOST")
    for each in (
        follow(node, cursor=elsewhere),
        follow(node, cursor=elsewhere, with_unfinal=True),
        node.indexer.Scan(pb.ScanRequest(channel=CHANNEL, cursor=unknown)),
        follow(node, cursor=unknown),
        follow(node, cursor=unknown, with_unfinal=True),
    ):
        assert await failed(each) == lost
    assert await failed(follow(node, cursor=b"?")) == ("INVALID_ARGUMENT", "ZONE_CURSOR_MALFORMED")
    assert await failed(node.indexer.Follow(pb.FollowRequest(channel=b"?"))) == (
        "INVALID_ARGUMENT",
        "INVALID_ID",
    )


async def test_a_node_that_downloads_the_chain_says_so() -> None:
    """ZON-18."""
    async with served(is_online=False, patience_s=30.0) as node:
        unknown = Cursor(named("m"), Point(named("b"), 1, 1)).encode()
        assert await failed(follow(node, cursor=unknown)) == ("UNAVAILABLE", "ZONE_NODE_BEHIND")


async def test_a_gap_in_the_channel_is_seen(node: Served) -> None:
    """ZON-15: an index that has lost a block."""
    made = messages(3)
    for at, each in enumerate(made):
        await write(node, f"{at}", at, each)
    await empty(node, "after", 2)
    await indexed(node)
    node.node.channels.found = {one for one in node.node.channels.found if one.height != 2}
    assert await failed(follow(node, first_height=0)) == ("DATA_LOSS", "ZONE_CHANNEL_BROKEN")


# -- those that read -------------------------------------------------------------------------------


async def test_readers_that_go_away_leave_nothing_behind(node: Served) -> None:
    await write(node, "a", 0, *messages(1))
    await empty(node, "after", 2)
    listeners = node.rooms.follow.events._listeners
    before = list(listeners)
    streams = [follow(node, first_height=0, with_unfinal=at % 2 == 0) for at in range(6)]
    for each in streams:
        await found(each, 1)
    await scan(node)

    for each in streams:
        each.cancel()

    await until(lambda: listeners == before)


async def test_no_more_read_than_a_node_serves(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_events, "MAX_LISTENERS", len(node.rooms.follow.events._listeners))
    full = ("RESOURCE_EXHAUSTED", "CHAIN_LISTENERS_FULL")
    assert await failed(follow(node)) == full
    assert await failed(follow(node, with_unfinal=True)) == full
    assert await failed(node.indexer.Scan(pb.ScanRequest(channel=CHANNEL))) == full


async def test_readers_are_told_that_the_module_stops(node: Served) -> None:
    await empty(node, "a", 3)
    streams = [follow(node, first_height=0), follow(node, first_height=0, with_unfinal=True)]
    for each in streams:
        await first(each)

    node.stopping.set()

    for each in streams:
        assert await failed(each) == ("UNAVAILABLE", "MODULE_DRAINING")
    assert await node.server.gate.wait_idle(5) == 0


async def test_nothing_is_read_before_a_caller_takes_it(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZON-20: one block at a time, however many wait."""
    made = messages(8)
    for at, each in enumerate(made):
        await write(node, f"{at}", at, each)
    await empty(node, "after", 2)
    read = list[int]()
    chain = node.rooms.read._chain
    original = chain.messages

    async def counted(channel: bytes, block: Point) -> Any:
        read.append(block.height)
        return await original(channel, block)

    monkeypatch.setattr(chain, "messages", counted)
    for start in (node.rooms.read.scan(CHANNEL, None, None), node.rooms.read.follow(CHANNEL, 0)):
        read.clear()
        for at in range(3):
            await anext(start)
            assert len(read) == at + 1
        await start.aclose()


# -- the index -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_an_index_changes_nothing_but_what_is_read(
    monkeypatch: pytest.MonkeyPatch, *, is_indexed: bool
) -> None:
    """ZON-19."""
    monkeypatch.setattr(indexing, "BATCH_BLOCKS", 3)
    monkeypatch.setattr(indexing, "RETRY_S", 0.01)
    monkeypatch.setattr(reading, "PART_BLOCKS", 2)
    async with served(channels=KeptChannels(fails=not is_indexed)) as node:
        made = messages(7)
        await write(node, "a", 0, *made[:2])
        await empty(node, "one", 3)
        await write(node, "b", 1, made[2])
        await node.extend("other", node.world.spend(9))
        for at, each in enumerate(made[3:], 3):
            await write(node, f"c {at}", at, each)
        await empty(node, "two", 3)
        if is_indexed:
            await indexed(node)
            kept = await node.node.channels.page(CHANNEL, 0, 99)
            assert kept.heights == (1, 5, 7, 8, 9, 10)
        responses = await scan(node)
        assert payloads(responses) == [b"%d" % each for each in range(7)]
        assert Cursor.decode(responses[-1].cursor).block.height == 11
        if not is_indexed:
            assert await node.node.channels.end() == -1
            node.node.channels.fails = False
            await indexed(node)
            assert payloads(await scan(node)) == payloads(responses)


async def test_an_index_goes_on_after_a_restart(node: Served) -> None:
    await write(node, "a", 0, *messages(1))
    await empty(node, "one", 3)
    await indexed(node)
    kept = node.node.channels
    again = indexing.IndexOperations(node.rooms.follow, node.rooms.explore, kept)
    assert not await again.batch()
    height = kept.height
    await empty(node, "two", 2)
    await indexed(node)
    assert kept.height == height + 2
    assert {each.channel for each in kept.found} == {CHANNEL, bytes(32)}  # and the genesis'
