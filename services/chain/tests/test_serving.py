"""CNW-2, CNW-3, CNW-4, CNW-5, CNW-7, CNW-8: what peers are answered, and until when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from chain_memory import MemoryStore
from chain_network import MemoryPeers, NetNode, Network, net_node, network
from chain_world import World, give, until

from logos_base.errors import RemoteFaultError, StoreFailedError, StreamLostError
from logos_chain.core.consensus.errors import SyncMalformedError, SyncTooLargeError
from logos_chain.core.consensus.sync.messages import (
    MAX_RESPONSE_BYTES,
    BlockResponse,
    DownloadRequest,
    EndResponse,
    FailureResponse,
    TipRequest,
    TipResponse,
    decode_download,
    decode_tip,
    encode_request,
)
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.net_ports import SyncStream
from logos_chain.core.ports import KeptBlock
from logos_chain.operations.serving import MAX_OF_ONE_PEER, ServingTimes
from logos_mantle.blocks import Block

SHORT = ServingTimes(request=0.05, block=0.05, answer=60.0, end=0.05)


def asking(target: bytes, known: bytes) -> bytes:
    return encode_request(DownloadRequest(BlockId(target), BlockId(known), BlockId(known)))


class Store(MemoryStore):
    """Counts the blocks that are read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.missing: set[bytes] = set()
        self.failure: Exception | None = None

    async def block(self, identifier: BlockId) -> KeptBlock | None:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        return None if identifier in self.missing else await super().block(identifier)


@asynccontextmanager
async def served(
    net: Network,
    count: int = 5,
    times: ServingTimes = ServingTimes(),  # noqa: B008
) -> AsyncIterator[tuple[NetNode, list[Block], Store]]:
    world, store = World(), Store()
    blocks = [world.root, *world.chain(world.root, "a", count)]
    async with net_node(net, "a", world, store, times=times) as a:
        await give(a.follow, blocks[1:])
        store.reads = 0
        yield a, blocks, store


def requester(net: Network, name: str = "b") -> MemoryPeers:
    return net.peers(name)


async def read(stream: SyncStream) -> BlockResponse | EndResponse | FailureResponse:
    raw = await stream.receive(MAX_RESPONSE_BYTES)
    assert raw is not None
    return decode_download(raw)


async def test_the_tip_and_the_blocks_up_to_it() -> None:
    async with network() as net, served(net) as (a, blocks, _):
        async with requester(net).open("a") as stream:
            await stream.send(encode_request(TipRequest()))
            raw = await stream.receive(1000)
            assert raw is not None
            tip = TipResponse(BlockId(blocks[-1].id), blocks[-1].header.slot, 5)
            assert decode_tip(raw) == tip
            assert await stream.receive(1000) is None
            await stream.end()
        async with requester(net).open("a") as stream:
            await stream.send(asking(blocks[-1].id, blocks[1].id))
            answered = [await read(stream) for _ in range(5)]
            await stream.end()
        await until(lambda: a.serving.streams == 0)

        assert answered == [*(BlockResponse(each.encode()) for each in blocks[2:]), EndResponse()]
        assert a.serving.blocks == 4
        assert net.refused == []


async def test_a_target_that_is_not_here_is_a_failure() -> None:
    async with network() as net, served(net) as (_, blocks, _store):
        for target, known, reason in (
            (bytes(32), blocks[0].id, "TARGET_UNKNOWN"),
            (blocks[1].id, bytes(32), "NOTHING_IN_COMMON"),
        ):
            async with requester(net).open("a") as stream:
                await stream.send(asking(target, known))
                assert await read(stream) == FailureResponse(reason)
                await stream.end()


async def test_no_more_blocks_are_read_than_a_peer_takes() -> None:
    async with (
        network() as net,
        served(net, 20) as (_, blocks, store),
        requester(net).open("a") as stream,
    ):
        await stream.send(asking(blocks[-1].id, blocks[0].id))
        for taken in range(1, 6):
            assert isinstance(await read(stream), BlockResponse)
            await asyncio.sleep(0.005)
            assert store.reads <= taken + 2


async def test_a_peer_that_does_not_read_loses_its_stream_and_its_place() -> None:
    async with (
        network() as net,
        served(net, 20, SHORT) as (a, blocks, store),
        requester(net).open("a") as stream,
    ):
        await stream.send(asking(blocks[-1].id, blocks[0].id))
        await until(lambda: a.serving.streams == 1)
        await until(lambda: a.serving.streams == 0)
        assert store.reads == 2
        await read(stream)  # what was under way
        with pytest.raises(StreamLostError):
            await read(stream)


async def test_a_peer_that_asks_nothing_loses_its_place() -> None:
    async with network() as net, served(net, 1, SHORT) as (a, _, _store):
        async with requester(net).open("a") as stream:
            await until(lambda: a.serving.streams == 1)
            await until(lambda: a.serving.streams == 0)
            with pytest.raises(StreamLostError):
                await stream.receive(100)
        async with requester(net).open("a") as stream:
            await stream.end()
            with pytest.raises(StreamLostError):
                await stream.receive(100)


async def test_a_peer_that_never_ends_its_side_loses_its_place() -> None:
    async with (
        network() as net,
        served(net, 1, SHORT) as (a, _, _store),
        requester(net).open("a") as stream,
    ):
        await stream.send(encode_request(TipRequest()))
        assert await stream.receive(100) is not None
        await until(lambda: a.serving.streams == 0)


async def test_an_answer_that_takes_too_long_is_ended_in_order() -> None:
    times = ServingTimes(answer=0.0)
    async with network() as net, served(net, 5, times) as (a, blocks, _):
        async with requester(net).open("a") as stream:
            await stream.send(asking(blocks[-1].id, blocks[0].id))
            assert await read(stream) == EndResponse()
            await stream.end()
        assert a.serving.blocks == 0


async def test_a_block_that_has_gone_meanwhile_ends_the_answer() -> None:
    async with network() as net, served(net) as (_, blocks, store):
        store.missing = {blocks[3].id}
        async with requester(net).open("a") as stream:
            await stream.send(asking(blocks[-1].id, blocks[1].id))
            assert await read(stream) == BlockResponse(blocks[2].encode())
            assert await read(stream) == EndResponse()
            await stream.end()


async def test_a_store_that_fails_ends_the_stream() -> None:
    async with network() as net, served(net) as (a, blocks, store):
        store.failure = StoreFailedError("it failed")
        async with requester(net).open("a") as stream:
            await stream.send(asking(blocks[-1].id, blocks[1].id))
            with pytest.raises(StreamLostError):
                await read(stream)
        assert a.serving.streams == 0


async def test_a_peer_has_two_streams_and_others_have_theirs() -> None:
    async with network() as net, served(net) as (a, _, _store):
        peers = requester(net)
        async with peers.open("a"), peers.open("a"):
            await until(lambda: a.serving.streams == MAX_OF_ONE_PEER)
            async with peers.open("a") as third:
                with pytest.raises(StreamLostError):
                    await third.receive(100)
            async with requester(net, "c").open("a") as stream:
                await stream.send(encode_request(TipRequest()))
                assert await stream.receive(100) is not None
                await stream.end()
        await until(lambda: a.serving.streams == 0)


async def test_a_request_that_is_cut_off_or_too_long_ends_the_stream() -> None:
    request = asking(bytes(32), bytes(32))
    async with network() as net, served(net) as (a, _, _store):
        for wrong in (*(request[:size] for size in range(len(request))), request + b"\0"):
            async with requester(net).open("a") as stream:
                await stream.send(wrong)
                with pytest.raises(StreamLostError):
                    await stream.receive(100)
            error = net.refused.pop()
            assert isinstance(error, SyncMalformedError), wrong
        async with requester(net).open("a") as stream:
            await stream.send(bytes(1 << 20))
            with pytest.raises(StreamLostError):
                await stream.receive(100)
        error = net.refused.pop()
        assert isinstance(error, SyncTooLargeError)
        assert isinstance(error, RemoteFaultError)
        assert a.serving.streams == 0
