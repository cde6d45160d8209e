"""Ranges, as a player or a preview asks for them (STO-40)."""

import hashlib
from typing import Any

import grpc
import pytest

from logos.storage.v1 import storage_pb2 as pb
from logos_storage.core.cid import MANIFEST, parse_text

BLOCK = 4096
COUNT = 300
CONTENT = hashlib.shake_128(b"film").digest(COUNT * BLOCK - 7)
SIZE = len(CONTENT)


async def two_nodes(net: Any) -> tuple[Any, str]:
    """A node, and a CID that another one provides."""
    one, two = await net.node("one"), await net.node("two")
    cid = str((await one.put(CONTENT, block_size_bytes=BLOCK)).cid)
    await net.announced(parse_text(cid, MANIFEST).binary, "one")
    return two, cid


async def blocks_held(node: Any, cid: str) -> set[int]:
    """The numbers of the blocks that a node holds."""
    record = await node.datasets.find(parse_text(cid, MANIFEST))
    if record is None:
        return set()
    async with node.datasets.open(record) as tree:
        return {index for index in range(COUNT) if index in tree.bitfield}


@pytest.mark.parametrize(
    ("offset", "length", "blocks"),
    [
        (0, 1, {0}),
        (0, BLOCK, {0}),
        (0, BLOCK + 1, {0, 1}),
        (BLOCK - 1, 2, {0, 1}),
        (100 * BLOCK, 3 * BLOCK, {100, 101, 102}),
        (100 * BLOCK + 1, 3 * BLOCK, {100, 101, 102, 103}),
        (SIZE - 1, 1, {COUNT - 1}),
        (SIZE - 1, 0, {COUNT - 1}),
        (SIZE - BLOCK, 10**15, {COUNT - 2, COUNT - 1}),
        (SIZE, 5, set()),
    ],
)
async def test_a_range_costs_the_blocks_that_it_touches(
    net: Any, offset: int, length: int, blocks: set[int]
) -> None:
    two, cid = await two_nodes(net)

    got = await two.get(cid, offset=offset, length=length)

    assert got == CONTENT[offset : offset + length if length else None]
    assert await blocks_held(two, cid) == blocks
    assert (await two.datasets.space()).reserved_bytes == 0


async def test_a_film_that_is_sought_through_costs_what_is_played(net: Any) -> None:
    two, cid = await two_nodes(net)
    played = 10_000
    starts = [int(SIZE * part) for part in (0.9, 0.1, 0.5, 0.55, 0.0)]

    for start in starts:
        assert await two.get(cid, offset=start, length=played) == CONTENT[start : start + played]

    whole = -(-played // BLOCK)
    assert len(await blocks_held(two, cid)) <= len(starts) * (whole + 1)
    for start in starts:  # and back again, without another node
        again = await two.get(cid, offset=start, length=played, local_only=True)
        assert again == CONTENT[start : start + played]


async def test_a_range_may_be_read_while_others_of_the_same_file_are(net: Any) -> None:
    two, cid = await two_nodes(net)
    call = two.stub.Get(pb.GetRequest(cid=cid, offset=200 * BLOCK))
    assert (await call.read()).HasField("dataset")

    assert await two.get(cid, offset=5, length=9) == CONTENT[5:14]

    received = b""
    while (response := await call.read()) is not grpc.aio.EOF:
        received += response.data
    assert received == CONTENT[200 * BLOCK :]
    assert await blocks_held(two, cid) == {0, *range(200, COUNT)}


async def test_a_range_past_the_end_leaves_nothing_of_the_file(net: Any) -> None:
    two, cid = await two_nodes(net)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await two.get(cid, offset=SIZE + 1)

    assert refused.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert (await two.datasets.space()).datasets == 0
