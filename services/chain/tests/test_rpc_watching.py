"""FOL-21, MPL-17: the chain and single transactions are watched, and nobody is left behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from chain_rpc import Served, first, refused, served, told
from chain_world import until

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2
from logos_chain.operations import chain_events, transactions
from logos_mantle.blocks import Block

PENDING = transaction_pb2.TRANSACTION_STAGE_PENDING
INCLUDED = transaction_pb2.TRANSACTION_STAGE_INCLUDED
SAFE = transaction_pb2.TRANSACTION_STAGE_SAFE
FINAL = transaction_pb2.TRANSACTION_STAGE_FINAL
DROPPED = transaction_pb2.TRANSACTION_STAGE_DROPPED


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


def blocks(node: Served, after: bytes = b"") -> Any:
    return node.chain.WatchBlocks(pb.WatchBlocksRequest(after=after))


def transaction(node: Served, identifier: bytes) -> Any:
    return node.chain.WatchTransaction(pb.WatchTransactionRequest(hash=identifier))


def ids(chain: list[Block]) -> list[bytes]:
    return [each.id for each in chain]


def added(move: pb.WatchBlocksResponse) -> list[bytes]:
    return [each.point.id for each in move.added]


async def stages(stream: Any, *expected: int) -> list[Any]:
    """Reads the next stages: 0 for a status that is missing."""
    found = [await first(stream) for _ in expected]
    assert [each.status.stage for each in found] == list(expected)
    return found


async def failed(stream: Any) -> tuple[str, str]:
    async def read() -> None:
        async for _ in stream:
            pass

    return await refused(asyncio.wait_for(read(), 20))


# -- blocks ----------------------------------------------------------------------------------------


async def test_a_watcher_is_told_where_the_chain_is_and_how_it_goes_on(node: Served) -> None:
    chain = node.world.chain(node.world.root, "a", 4)
    stream = blocks(node)
    begun = await first(stream)
    assert (begun.tip.id, begun.tip.height) == (node.world.root.id, 0)
    assert (added(begun), list(begun.removed), begun.final.height) == ([], [], 0)
    for height, each in enumerate(chain, 1):
        await node.take(each)
        move = await first(stream)
        assert (move.tip.id, added(move)) == (each.id, [each.id])
        assert (move.final.height, list(move.removed)) == (max(0, height - 2), [])


async def test_a_watcher_is_told_of_a_reorganisation_also_after_it_was_away(node: Served) -> None:
    common = node.world.chain(node.world.root, "common", 2)
    old = node.world.chain(common[-1], "old", 1, first=2)
    new = node.world.chain(common[-1], "new", 2, first=2)
    await node.take(*common, *old)
    stream = blocks(node)
    begun = await first(stream)
    assert begun.tip.id == old[-1].id

    await node.take(*new)

    move = await first(stream, lambda one: one.tip.id == new[-1].id)
    assert (list(move.removed), added(move)) == (ids(old), ids(new))
    again = await first(blocks(node, begun.tip.id))
    assert (list(again.removed), added(again)) == (ids(old), ids(new))
    assert again.tip.id == new[-1].id
    whole = await first(blocks(node, node.world.root.id))
    assert (list(whole.removed), added(whole)) == ([], ids([*common, *new]))
    assert (await first(blocks(node, new[-1].id))).tip.id == new[-1].id


async def test_a_place_that_is_cut_off_unknown_or_no_id_is_refused(node: Served) -> None:
    gone = node.world.make(node.world.root, "gone", gap=1)
    chain = node.world.chain(node.world.root, "a", 6)
    await node.take(gone, *chain)
    unknown = ("OUT_OF_RANGE", "CURSOR_UNKNOWN")
    assert await failed(blocks(node, gone.id)) == unknown
    assert await failed(blocks(node, bytes(32))) == unknown
    assert await failed(blocks(node, b"short")) == ("INVALID_ARGUMENT", "INVALID_ID")


# -- a transaction ---------------------------------------------------------------------------------


async def test_a_transaction_is_watched_from_before_it_is_known_until_it_is_final(
    node: Served,
) -> None:
    made = node.world.spend(0)
    stream = transaction(node, made.hash)
    [missing] = await stages(stream, 0)
    assert not missing.HasField("status")
    await node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=made.encoded))
    await stages(stream, PENDING)
    block = await node.extend("with it", made)
    [included] = await stages(stream, INCLUDED)
    assert included.status.block == block.id
    for name in ("second", "third"):
        await node.extend(name)
    [final] = await stages(stream, FINAL)
    assert (final.status.block, final.status.height) == (block.id, 1)
    assert await stream.read() is grpc.aio.EOF
    assert not node.rooms.transactions._watching


async def test_a_transaction_waits_again_when_its_block_leaves_the_chain(node: Served) -> None:
    made = node.world.spend(23)
    await node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=made.encoded))
    stream = transaction(node, made.hash)
    await stages(stream, PENDING)
    await node.extend("with it", made)
    await stages(stream, INCLUDED)

    await node.take(*node.world.chain(node.world.root, "other", 2))

    await stages(stream, PENDING)
    block = await node.extend("with it again", made)
    [included] = await stages(stream, INCLUDED)
    assert included.status.block == block.id


async def test_a_transaction_that_can_come_no_more_is_dropped(node: Served) -> None:
    made = node.world.spend(0)
    await node.chain.SubmitTransaction(pb.SubmitTransactionRequest(raw=made.encoded))
    stream = transaction(node, made.hash)
    await stages(stream, PENDING)
    await node.extend("with another", node.world.spend(0, "another"))
    [dropped] = await stages(stream, DROPPED)
    assert dropped.status.reason
    assert await stream.read() is grpc.aio.EOF
    [again] = await stages(transaction(node, made.hash), DROPPED)
    assert again == dropped


async def test_what_is_no_hash_is_not_watched(node: Served) -> None:
    assert await failed(transaction(node, bytes(31))) == ("INVALID_ARGUMENT", "INVALID_ID")


# -- those that listen -----------------------------------------------------------------------------


async def test_a_caller_that_goes_away_leaves_nothing_behind(node: Served) -> None:
    listeners, watching = node.rooms.follow.events._listeners, node.rooms.transactions._watching
    before = list(listeners)
    streams = [*(blocks(node) for _ in range(5)), *(transaction(node, bytes(32)) for _ in range(5))]
    for each in streams:
        await first(each)
    assert (len(listeners), len(watching)) == (len(before) + 5, 5)

    for each in streams:
        each.cancel()

    await until(lambda: listeners == before and not watching)
    await node.extend("goes on")


async def test_no_more_listen_than_a_node_serves(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    listeners = node.rooms.follow.events._listeners
    full = ("RESOURCE_EXHAUSTED", "CHAIN_LISTENERS_FULL")
    monkeypatch.setattr(chain_events, "MAX_LISTENERS", len(listeners) + 1)
    monkeypatch.setattr(transactions, "MAX_LISTENERS", 1)
    streams = [blocks(node), transaction(node, bytes(32))]
    for each in streams:
        await first(each)
    assert await failed(blocks(node)) == full
    assert await failed(transaction(node, bytes(32))) == full
    for each in streams:
        each.cancel()
    await until(lambda: len(listeners) < chain_events.MAX_LISTENERS)
    await first(blocks(node))


async def test_those_that_listen_are_told_that_the_module_stops(node: Served) -> None:
    streams = [blocks(node), transaction(node, bytes(32))]
    for each in streams:
        await first(each)

    node.stopping.set()

    for each in streams:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await first(each)
        assert told(caught.value) == ("UNAVAILABLE", "MODULE_DRAINING")
    assert await node.server.gate.wait_idle(5) == 0
