"""Providers that lie, stall or overwhelm, against the real network rooms."""

import asyncio
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest

from logos_module.errors import reason_of
from logos_storage.core import manifest as manifests
from logos_storage.core import wire
from logos_storage.core.cid import MANIFEST, parse_text
from logos_storage.core.wire import ServedBlock
from reference_tree import ReferenceTree

CONTENT = hashlib.shake_128(b"hostile").digest(40 * 65536 + 77)
COUNT = 41


class Honest:
    """The dataset, as its blocks go over the wire."""

    def __init__(self) -> None:
        padded = CONTENT.ljust(COUNT * 65536, b"\0")
        self.blocks = [padded[at : at + 65536] for at in range(0, len(padded), 65536)]
        self.digests = [hashlib.sha256(block).digest() for block in self.blocks]
        self.tree = ReferenceTree(self.digests)

    def served(self, index: int) -> ServedBlock:
        path = self.tree.proof(index).path
        return ServedBlock(index, self.digests[index], self.blocks[index], path)


HONEST = Honest()


def answer(request: wire.WantBlocks, blocks: list[ServedBlock], leaf_count: int = COUNT) -> bytes:
    response = wire.encode_response(request.request_id, request.tree_cid, leaf_count, blocks)
    return b"".join(response)


def wanted(request: wire.WantBlocks) -> list[int]:
    return [index for one in request.ranges for index in range(one.start, one.end)]


def corrupted(request: wire.WantBlocks) -> bytes:
    blocks = [HONEST.served(index) for index in wanted(request)]
    data = bytes(blocks[-1].data)
    wrong = data[:1000] + bytes((data[1000] ^ 1,)) + data[1001:]
    digest = hashlib.sha256(wrong).digest()
    blocks[-1] = ServedBlock(blocks[-1].index, digest, wrong, blocks[-1].path)
    return answer(request, blocks)


def with_another_blocks_proof(request: wire.WantBlocks) -> bytes:
    blocks = []
    for index in wanted(request):
        true, other = HONEST.served(index), HONEST.served((index + 3) % COUNT)
        blocks.append(ServedBlock(index, other.digest, other.data, true.path))
    return answer(request, blocks)


def out_of_range(request: wire.WantBlocks) -> bytes:
    true = HONEST.served(0)
    return answer(request, [ServedBlock(COUNT + 5, true.digest, true.data, true.path)])


def oversize(request: wire.WantBlocks) -> bytes:
    return struct.pack("<IB", 1 << 31, wire.TYPE_RESPONSE) + bytes(1000)


def unasked(request: wire.WantBlocks) -> bytes:
    return answer(wire.WantBlocks(999, request.tree_cid, request.ranges), [])


def garbage(request: wire.WantBlocks) -> bytes:
    return struct.pack("<IB", 41, wire.TYPE_RESPONSE) + bytes(40)


LIES: list[Callable[[wire.WantBlocks], bytes]] = [
    corrupted,
    with_another_blocks_proof,
    out_of_range,
    oversize,
    unasked,
    garbage,
]


class Liar:
    """A peer that has the manifest and tells lies about the blocks."""

    def __init__(self, net: Any, raw_manifest: bytes, lie: Callable[..., bytes | None]) -> None:
        self.asked = 0
        self._raw_manifest = raw_manifest
        self._lie = lie
        net.hub.scripts["liar", wire.MANIFEST_PROTOCOL] = self.say_manifest
        net.hub.scripts["liar", wire.EXCHANGE_PROTOCOL] = self.say_blocks

    async def say_manifest(self, stream: Any) -> None:
        await stream.receive()
        await stream.send(wire.encode_manifest_response(self._raw_manifest))
        await stream.end()

    async def say_blocks(self, stream: Any) -> None:
        reader = wire.FrameReader(wire.TYPE_REQUEST, wire.MAX_REQUEST_BYTES)
        while (data := await stream.receive()) is not None:
            for body in reader.feed(data):
                self.asked += 1
                said = self._lie(wire.decode_request(body))
                if said is not None:
                    await stream.send(said)


async def liar_and_cid(net: Any, lie: Callable[..., bytes | None]) -> tuple[Liar, str]:
    """Announces a liar for a dataset that a node called `one` holds."""
    one = await net.node("one")
    cid: str = (await one.put(CONTENT)).cid
    key = parse_text(cid, MANIFEST)
    await net.announced(key.binary, "one")
    raw = await one.datasets.manifest(key)
    net.hub.providers[key.binary].insert(0, "liar")
    return Liar(net, raw, lie), cid


def alone(net: Any, cid: str) -> None:
    net.hub.providers[parse_text(cid, MANIFEST).binary] = ["liar"]


async def reason_for(node: Any, cid: str, **options: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await node.get(cid, **options)
    return failure.value.code(), reason_of(failure.value)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_a_fetch_survives_a_liar_beside_an_honest_provider(
    net: Any, lie: Callable[..., bytes]
) -> None:
    liar, cid = await liar_and_cid(net, lie)
    two = await net.node("two")

    assert await two.get(cid) == CONTENT

    assert two.data_on_disk() == CONTENT
    assert liar.asked <= 2, "asked no more than what was under way when it lied"
    opened = [peer for peer, protocol in net.hub.opened if protocol == wire.EXCHANGE_PROTOCOL]
    assert opened.count("liar") <= 1


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
async def test_with_liars_alone_a_fetch_ends_in_data_loss_and_keeps_nothing(
    net: Any, lie: Callable[..., bytes]
) -> None:
    liar, cid = await liar_and_cid(net, lie)
    alone(net, cid)
    two = await net.node("two")

    assert await reason_for(two, cid) == (grpc.StatusCode.DATA_LOSS, "BAD_DATA")

    assert liar.asked
    assert two.data_on_disk() == b""
    assert (await two.datasets.space()).used_bytes == 0
    assert (await two.datasets.space()).datasets == 0


def silent(request: wire.WantBlocks) -> None:
    return None


def one_byte_of(request: wire.WantBlocks) -> bytes:
    return corrupted(request)[:1]


@pytest.mark.parametrize("lie", [silent, one_byte_of], ids=lambda lie: lie.__name__)
async def test_a_staller_is_dropped_and_what_it_owes_comes_from_another(
    net: Any, lie: Callable[..., bytes | None]
) -> None:
    liar, cid = await liar_and_cid(net, lie)
    two = await net.node("two", stall_ms=300)

    assert await two.get(cid) == CONTENT
    assert liar.asked


async def test_a_staller_alone_is_unreachable_and_leaves_nothing(net: Any) -> None:
    _, cid = await liar_and_cid(net, silent)
    alone(net, cid)
    two = await net.node("two", stall_ms=200, fetch_timeout_ms=1000)

    code, reason = await reason_for(two, cid)

    assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "PROVIDERS_UNREACHABLE")
    assert two.data_on_disk() == b""


async def test_a_wrong_manifest_is_not_believed(net: Any) -> None:
    liar, cid = await liar_and_cid(net, silent)
    true = manifests.decode(liar._raw_manifest)
    liar._raw_manifest = manifests.encode(replace(true, size_bytes=1))
    alone(net, cid)
    two = await net.node("two")

    assert await reason_for(two, cid) == (grpc.StatusCode.DATA_LOSS, "BAD_DATA")
    assert (await two.datasets.space()).datasets == 0

    net.hub.providers[parse_text(cid, MANIFEST).binary].append("one")
    assert await two.get(cid) == CONTENT


async def test_an_endless_manifest_is_cut_off(net: Any) -> None:
    liar, cid = await liar_and_cid(net, silent)
    liar._raw_manifest = bytes(70_000)
    alone(net, cid)
    two = await net.node("two")

    assert await reason_for(two, cid) == (grpc.StatusCode.DATA_LOSS, "BAD_DATA")


async def test_a_provider_that_goes_away_is_replaced(net: Any) -> None:
    left = asyncio.Event()

    def truth(request: wire.WantBlocks) -> bytes:
        return answer(request, [HONEST.served(index) for index in wanted(request)])

    _, cid = await liar_and_cid(net, truth)
    alone(net, cid)
    two = await net.node("two")

    async def leaving(stream: Any) -> None:
        reader = wire.FrameReader(wire.TYPE_REQUEST, wire.MAX_REQUEST_BYTES)
        (body,) = reader.feed(await stream.receive())
        await stream.send(truth(wire.decode_request(body)))
        stream.reset()
        left.set()

    net.hub.scripts["liar", wire.EXCHANGE_PROTOCOL] = leaving
    async with asyncio.TaskGroup() as tasks:
        fetching = tasks.create_task(two.get(cid))
        await left.wait()
        del net.hub.scripts["liar", wire.EXCHANGE_PROTOCOL]
        net.hub.providers[parse_text(cid, MANIFEST).binary].append("one")

    assert fetching.result() == CONTENT


async def test_a_peer_that_floods_the_server_is_cut_off(net: Any) -> None:
    one = await net.node("one")
    dataset = await one.put(CONTENT)
    tree_cid = (await one.datasets.find(parse_text(dataset.cid, MANIFEST))).manifest.tree_cid
    greedy = wire.WantBlocks(1, tree_cid, (wire.BlockRange(0, wire.MAX_BATCH_BLOCKS),))

    for nonsense in (
        struct.pack("<IB", 1 << 30, wire.TYPE_REQUEST),
        struct.pack("<IB", 10, wire.TYPE_RESPONSE),
        wire.encode_request(greedy),
    ):
        stream = await net.hub.connect("one", wire.EXCHANGE_PROTOCOL)
        await stream.send(nonsense)
        with pytest.raises(Exception, match="reset"):
            await stream.receive()

    stream = await net.hub.connect("one", wire.EXCHANGE_PROTOCOL)
    small = wire.WantBlocks(7, tree_cid, (wire.BlockRange(40, 2), wire.BlockRange(3, 1)))
    await stream.send(struct.pack("<IB", 4, 0) + b"abc" + wire.encode_request(small))
    reader, frames = wire.FrameReader(wire.TYPE_RESPONSE, 1 << 20), []
    while not frames:
        frames = list(reader.feed(await stream.receive()))
    blocks = wire.decode_response(frames[0]).blocks
    assert [block.index for block in blocks] == [3, 40], "what is past the end is left out"
    assert blocks[0].data == HONEST.blocks[3]
