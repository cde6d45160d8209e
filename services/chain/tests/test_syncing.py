"""CNW-9, CNW-11, CNW-12, CNW-13, CNW-14: downloads from honest peers, and from ones that lie."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from random import Random  # noqa: TID251 - a seed repeats a run

import pytest
from chain_ledger import contents
from chain_memory import FailingStore, MemoryStore
from chain_network import NetNode, answers, net_node, network
from chain_world import FALSE, NOON_MS, TWO, World, give, quiet, state_of, until

from logos_chain.core.consensus.follower import FetchAncestors
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.sync.downloading import PeerEnd
from logos_chain.core.consensus.sync.messages import (
    MAX_REQUEST_BYTES,
    BlockResponse,
    DownloadRequest,
    EndResponse,
    FailureResponse,
    TipRequest,
    TipResponse,
    decode_request,
    encode_download,
    encode_tip,
)
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.net_ports import SyncStream
from logos_chain.core.network_errors import AncestorsMissingError
from logos_chain.operations.syncing import MAX_ASKED
from logos_mantle.blocks import Block
from logos_module.errors import ModuleDrainingError

Send = Callable[[SyncStream, DownloadRequest], Awaitable[None]]


def lying(tip: Block | None, send: Send) -> Callable[[SyncStream], Awaitable[None]]:
    """A peer that names a tip, and answers as `send` does."""

    async def answer(stream: SyncStream) -> None:
        raw = await stream.receive(MAX_REQUEST_BYTES)
        assert raw is not None
        request = decode_request(raw)
        if isinstance(request, TipRequest):
            assert tip is not None
            told = TipResponse(BlockId(tip.id), tip.header.slot, 1)
            await stream.send(encode_tip(told))
        else:
            await send(stream, request)
        await stream.end()
        await stream.finish()

    return answer


def sending(*blocks: Block) -> Send:
    async def send(stream: SyncStream, _request: DownloadRequest) -> None:
        for each in blocks:
            await stream.send(encode_download(BlockResponse(each.encode())))
        await stream.send(encode_download(EndResponse()))

    return send


def raw_sending(*messages: bytes) -> Send:
    async def send(stream: SyncStream, _request: DownloadRequest) -> None:
        for each in messages:
            await stream.send(each)

    return send


async def same(one: NetNode, other: NetNode) -> bool:
    return await state_of(one.follow) == await state_of(other.follow)


async def test_a_node_downloads_the_chain_of_another() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 20)

    async with network() as net, net_node(net, "a", world) as a, net_node(net, "b", world) as b:
        await give(a.follow, blocks)
        assert await b.sync.download(["a"])

        assert b.follow.tip.id == blocks[-1].id
        assert await same(a, b)
        progress = b.sync.progress
        assert progress is not None
        assert (progress.blocks, progress.slot, progress.is_over) == (20, blocks[-1].header.slot, 1)
        assert progress.target_slot == blocks[-1].header.slot
        assert b.sync.ends == {PeerEnd.DONE: 1}
        assert a.serving.blocks == 20


async def test_three_nodes_sync_from_one_another_and_agree() -> None:
    world = World()
    common = world.chain(world.root, "common", 3)
    short = world.chain(common[-1], "short", 2, first=3)
    long = world.chain(common[-1], "long", 4, first=3)

    async with (
        network() as net,
        net_node(net, "a", world) as a,
        net_node(net, "b", world) as b,
        net_node(net, "c", world) as c,
    ):
        await give(a.follow, [*common, *short])
        await give(b.follow, [*common, *long])
        assert await c.sync.download(["a", "b"])
        assert await a.sync.download(["b", "c"])
        assert await b.sync.download(["a", "c"])

        for each in (a, b, c):
            assert each.follow.tip.id == long[-1].id
            assert await state_of(each.follow) == contents(world.replayed(long[-1].id))
        assert c.chain.has(BlockId(short[-1].id))


async def test_a_node_that_is_deep_behind_is_served_from_the_store() -> None:
    world = World(TWO)
    blocks = world.chain(world.root, "a", 30)
    store = MemoryStore(keep_slots=3)

    async with (
        network() as net,
        net_node(net, "a", world, store, rule=Rule.ONLINE) as a,
        net_node(net, "b", world) as b,
    ):
        await give(a.follow, blocks)
        await quiet(a.follow)
        assert a.follow._chain.follower.tree.get(BlockId(blocks[3].id)) is None
        assert await b.sync.download(["a"])

        assert b.follow.tip.id == blocks[-1].id


async def test_an_orphan_s_ancestors_come_from_its_source_first() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 6)

    async with (
        network() as net,
        net_node(net, "a", world) as a,
        net_node(net, "b", world) as b,
        net_node(net, "c", world) as c,
    ):
        await give(a.follow, blocks)
        await give(c.follow, blocks)
        assert await b.follow.take(blocks[-1].encode(), "c") is None

        assert b.follow.tip.id == blocks[-1].id
        assert {peer for name, peer in net.opened if name == "b"} == {"c"}


async def test_an_orphan_s_ancestors_come_from_others_where_its_source_has_gone() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 4)

    async with network() as net, net_node(net, "a", world) as a, net_node(net, "b", world) as b:
        await give(a.follow, blocks)
        assert await b.follow.take(blocks[-1].encode(), "gone") is None

        assert b.sync.ends == {PeerEnd.LOST: 1, PeerEnd.DONE: 1}


async def test_an_orphan_whose_ancestors_nobody_has_is_given_up() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 4)

    async with network() as net, net_node(net, "b", world) as b:
        async with net_node(net, "a", world):
            reason = await b.follow.take(blocks[-1].encode(), "a")
            wanted = FetchAncestors(BlockId(blocks[3].id), BlockId(blocks[2].id), "a")
            with pytest.raises(AncestorsMissingError):
                await b.sync.fetch(wanted)

        assert reason == "PARENT_UNKNOWN"
        assert b.follow.pending == 0


async def test_one_block_is_fetched_by_its_id() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 3)

    async with network() as net, net_node(net, "a", world) as a, net_node(net, "b", world) as b:
        await give(a.follow, blocks)
        await give(b.follow, blocks[:2])
        before = a.serving.blocks
        assert await b.sync.fetch_block(BlockId(blocks[2].id))

        assert a.serving.blocks - before == 1
        assert b.follow.tip.id == blocks[2].id
        assert not await b.sync.fetch_block(BlockId(bytes(32)), ["", "a"])


async def test_a_bounded_number_of_peers_is_asked_for_one_block() -> None:
    world = World()

    async with network() as net, net_node(net, "b", world) as b:
        for number in range(20):
            failure = encode_download(FailureResponse("TARGET_UNKNOWN"))
            answers(net, f"p{number}", lying(None, raw_sending(failure)))
        assert not await b.sync.fetch_block(BlockId(bytes(32)), ["p3"])

        asked = [peer for _, peer in net.opened]
        assert asked[0] == "p3"
        assert len(set(asked)) == MAX_ASKED


def faulty(world: World) -> dict[str, tuple[Block | None, Send, PeerEnd]]:
    """Peers that break a rule each, and how the talk with them ends."""
    good = world.chain(world.root, "good", 3)
    false = world.make(world.root, "false", proof=FALSE)
    other = world.make(world.root, "other", [world.spend(5)])
    mismatched = Block(other.header, other.signature, (), (world.spend(6),))
    spent = world.make(world.root, "spent", [world.spend(5), world.spend(5, "again")])
    future = world.make(world.root, "future", gap=10**13)
    skipping = sending(good[0], good[2])
    junk = encode_download(BlockResponse(b"\xff" * (1 << 20)))
    cut = encode_download(BlockResponse(good[0].encode()[:-1]))
    return {
        "a false proof": (false, sending(false), PeerEnd.INVALID_BLOCK),
        "another body": (other, sending(mismatched), PeerEnd.INVALID_BLOCK),
        "a double spend": (spent, sending(spent), PeerEnd.INVALID_BLOCK),
        "the future": (future, sending(future), PeerEnd.REFUSED),
        "no chain": (good[2], skipping, PeerEnd.NOT_A_CHAIN),
        "a megabyte of junk": (good[2], raw_sending(junk), PeerEnd.NOT_A_CHAIN),
        "no message": (good[2], raw_sending(b"\xff" * 1000), PeerEnd.NOT_A_CHAIN),
        "a block cut off": (good[0], raw_sending(cut), PeerEnd.INVALID_BLOCK),
        "too large": (good[2], raw_sending(bytes(3 << 20)), PeerEnd.NOT_A_CHAIN),
        "nothing": (good[2], raw_sending(), PeerEnd.LOST),
        "an end, again and again": (good[2], sending(), PeerEnd.NO_PROGRESS),
    }


@pytest.mark.parametrize("kind", faulty(World()))
async def test_a_peer_that_lies_is_ended_and_another_one_is_followed(kind: str) -> None:
    world = World()
    blocks = world.chain(world.root, "a", 4)
    tip, send, end = faulty(world)[kind]

    async with network() as net, net_node(net, "a", world) as a, net_node(net, "b", world) as b:
        await give(a.follow, blocks)
        answers(net, "liar", lying(tip, send))
        b.sync._shuffle = lambda peers: peers.sort(reverse=True)
        assert await b.sync.download(["liar", "a"])

        assert b.sync.ends[end] == 1, b.sync.ends
        assert b.follow.tip.id == blocks[-1].id
        assert await state_of(b.follow) == contents(world.replayed(blocks[-1].id))
        assert b.follow.pending == 0


async def test_a_chain_that_left_before_the_final_block_is_reported_and_not_merged() -> None:
    world = World(TWO)
    own, other = world.chain(world.root, "own", 6), world.chain(world.root, "other", 9)

    async with (
        network() as net,
        net_node(net, "a", world) as a,
        net_node(net, "b", world, rule=Rule.ONLINE) as b,
    ):
        await give(a.follow, other)
        await give(b.follow, own)
        for _ in range(2):
            assert not await b.sync.download(["a"])

        assert len(b.sync.last_diverged) == 2
        assert b.sync.diverged == 1
        assert b.sync.last_diverged[0].tip == other[-1].id
        assert b.follow.tip.id == own[-1].id
        assert not any(end.is_fault for end in b.sync.ends)


async def test_a_peer_that_stalls_is_left_and_another_one_is_followed() -> None:
    world, now = World(), [NOON_MS]
    blocks = world.chain(world.root, "a", 4)

    async def silent(stream: SyncStream) -> None:
        await stream.receive(MAX_REQUEST_BYTES)
        now[0] += 11_000
        await asyncio.Event().wait()

    async with (
        network() as net,
        net_node(net, "a", world) as a,
        net_node(net, "b", world, clock_ms=lambda: now[0]) as b,
        asyncio.TaskGroup() as tasks,
    ):
        await give(a.follow, blocks)
        net.answers["silent"] = silent
        b.sync._shuffle = lambda peers: peers.sort(reverse=True)
        downloading = tasks.create_task(b.sync.download(["silent", "a"]))
        await until(lambda: now[0] > NOON_MS)
        run = b.sync._first
        assert run is not None
        run._driver.put(run._machine.tick)  # the clock of the event loop does not know of it

        assert await downloading
        assert b.sync.ends == {PeerEnd.STALLED: 1, PeerEnd.DONE: 1}
        net.tasks._tasks  # noqa: B018 -- the silent peer is ended with the network
        for each in list(net.tasks._tasks):
            each.cancel()


async def test_a_disk_that_fails_is_no_fault_of_the_peer() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 3)
    store = FailingStore(fails=frozenset({3}))

    async with (
        network() as net,
        net_node(net, "a", world) as a,
        net_node(net, "b", world, store) as b,
    ):
        await give(a.follow, blocks)
        assert not await b.sync.fetch_block(BlockId(blocks[2].id))

        assert b.sync.ends == {PeerEnd.REFUSED: 1}
        assert await b.sync.fetch_block(BlockId(blocks[2].id))


async def test_a_peer_that_never_ends_its_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_chain.core.consensus.sync.downloading.MAX_BATCH", 10)
    world = World()
    blocks = world.chain(world.root, "a", 30)
    sent = 0

    async def endless(stream: SyncStream, _request: DownloadRequest) -> None:
        nonlocal sent
        for each in blocks:
            await stream.send(encode_download(BlockResponse(each.encode())))
            sent += 1

    async with network() as net, net_node(net, "b", world) as b:
        answers(net, "endless", lying(blocks[-1], endless))
        assert not await b.sync.download(["endless"])

        assert b.sync.ends == {PeerEnd.ENDLESS: 1}
        assert b.follow.tip.id == blocks[9].id
        assert sent <= 12


async def test_a_peer_that_refuses_its_tip_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("logos_chain.core.consensus.sync.downloading.FIRST_PAUSE_MS", 1)
    world = World()
    blocks = world.chain(world.root, "a", 2)
    asked = 0

    async with network() as net, net_node(net, "a", world) as a, net_node(net, "b", world) as b:
        await give(a.follow, blocks)
        good = net.answers["a"]

        async def moody(stream: SyncStream) -> None:
            nonlocal asked
            asked += 1
            if asked > 1:
                await good(stream)
                return
            await stream.receive(MAX_REQUEST_BYTES)
            await stream.send(encode_tip(FailureResponse("not now")))
            await stream.end()
            await stream.finish()

        net.answers["a"] = moody
        assert await b.sync.download(["a"])

        assert b.sync.ends == {PeerEnd.REFUSED: 1, PeerEnd.DONE: 1}
        assert b.follow.tip.id == blocks[-1].id


async def test_without_peers_nothing_is_downloaded() -> None:
    async with network() as net, net_node(net, "b", World()) as b:
        assert b.sync.progress is None
        assert not await b.sync.download([])


async def test_a_node_that_stops_ends_its_downloads() -> None:
    world = World()
    blocks = world.chain(world.root, "a", 3)

    async with network() as net, net_node(net, "a", world) as a:
        await give(a.follow, blocks)
        async with net_node(net, "b", world) as b:
            pass
        with pytest.raises(ModuleDrainingError):
            await b.sync.fetch_block(BlockId(blocks[0].id))


@pytest.mark.parametrize("seed", range(6))
async def test_nodes_with_any_parts_of_any_tree_come_to_agree(seed: int) -> None:
    rng, world = Random(seed), World()  # noqa: S311 - see above
    tree = [world.root]
    for number in range(40):
        parent = rng.choice(tree[-6:])
        tree.append(world.make(parent, f"{seed} {number}", gap=rng.randint(1, 3)))

    async with network() as net, AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(net_node(net, f"n{each}", world)) for each in range(3)
        ]
        for node in nodes:
            own = {world.root.id}
            for block in tree[1:]:
                if block.header.parent in own and rng.random() < 0.7:
                    own.add(block.id)
                    assert await node.follow.take(block.encode(), "") is None
        for _ in range(2):
            for node in nodes:
                others = [each.name for each in nodes if each is not node]
                assert await node.sync.download(others)

        heights = {node.follow.tip.height for node in nodes}
        assert len(heights) == 1
        for node in nodes:
            assert not any(end.is_fault for end in node.sync.ends)
            for other in nodes:
                assert node.chain.has(other.follow.tip.id)
