"""Every limit that a comment of `storage.proto` states: kept at it, refused beyond."""

import hashlib
from typing import Any

import grpc
import pytest

from logos.storage.v1 import storage_pb2
from logos_module.errors import reason_of
from streaming import send

MIB = 1 << 20
BLOCK_SIZES = [4096 << step for step in range(8)]

Request = storage_pb2.PutRequest


async def put(node: Any, *data: bytes, **header: Any) -> storage_pb2.Dataset:
    header_first = [Request(header=Request.Header(**header))]
    requests = [*header_first, *(Request(data=piece) for piece in data)]
    return (await (await send(node.stub.Put(), requests))).dataset


async def refusal_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), reason_of(caught.value)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        ((b"x" * 4 * MIB,), {}),
        ((b"x" * 4 * MIB, b"", b"y" * 4 * MIB), {}),
        ((b"x",), {"block_size_bytes": 4096}),
        ((b"x",), {"block_size_bytes": 524288}),
        ((b"x",), {"filename": "x" * 255}),
        ((b"x",), {"filename": "é" * 127}),
        ((b"x",), {"mimetype": "a/" + "x" * 125}),
    ],
)
async def test_what_reaches_a_limit_is_stored(
    net: Any, data: tuple[bytes, ...], header: dict[str, Any]
) -> None:
    node = await net.node("one")

    dataset = await put(node, *data, **header)

    assert await node.get(dataset.cid) == b"".join(data)
    assert (dataset.filename, dataset.mimetype) == (
        header.get("filename", ""),
        header.get("mimetype", ""),
    )


@pytest.mark.parametrize(
    ("data", "header", "reason"),
    [
        ((b"x" * (4 * MIB + 1),), {}, "FRAME_TOO_LARGE"),
        ((b"x" * 5 * MIB,), {}, "FRAME_TOO_LARGE"),
        ((b"x", b"x" * (4 * MIB + 1)), {}, "FRAME_TOO_LARGE"),
        ((b"x",), {"block_size_bytes": 2048}, "INVALID_BLOCK_SIZE"),
        ((b"x",), {"block_size_bytes": 4095}, "INVALID_BLOCK_SIZE"),
        ((b"x",), {"block_size_bytes": 4097}, "INVALID_BLOCK_SIZE"),
        ((b"x",), {"block_size_bytes": 524289}, "INVALID_BLOCK_SIZE"),
        ((b"x",), {"block_size_bytes": MIB}, "INVALID_BLOCK_SIZE"),
        ((b"x",), {"filename": "x" * 256}, "INVALID_FILENAME"),
        ((b"x",), {"filename": "é" * 128}, "INVALID_FILENAME"),
        ((b"x",), {"filename": "a\x1f"}, "INVALID_FILENAME"),
        ((b"x",), {"mimetype": "a/" + "x" * 126}, "INVALID_MIMETYPE"),
    ],
)
async def test_what_passes_a_limit_is_refused_and_nothing_is_stored(
    net: Any, data: tuple[bytes, ...], header: dict[str, Any], reason: str
) -> None:
    node = await net.node("one")

    refusal = await refusal_of(put(node, *data, **header))

    assert refusal == (grpc.StatusCode.INVALID_ARGUMENT, reason)
    space = await node.datasets.space()
    assert (space.datasets, space.used_bytes, space.reserved_bytes) == (0, 0, 0)
    assert [*(node.folder / "uploads").iterdir(), *(node.folder / "trees").iterdir()] == []


@pytest.mark.parametrize("block_size", BLOCK_SIZES)
async def test_responses_carry_at_most_1_mib(net: Any, block_size: int) -> None:
    node = await net.node("one")
    content = hashlib.shake_128(b"frames").digest(3 * MIB + 1)
    cid = (await put(node, content[: 2 * MIB], content[2 * MIB :], block_size_bytes=block_size)).cid

    for offset in (0, block_size - 1):
        call = node.stub.Get(storage_pb2.GetRequest(cid=cid, offset=offset))
        first, *frames = [response async for response in call]
        assert first.HasField("dataset")
        sizes = [len(frame.data) for frame in frames]
        assert max(sizes) <= MIB
        assert sum(sizes) == len(content) - offset
        assert len(sizes) <= 5  # and not in crumbs


@pytest.mark.parametrize("size", [127, 128, 4 * MIB])
async def test_a_long_text_is_no_cid(net: Any, size: int) -> None:
    node = await net.node("one")

    refusal = await refusal_of(node.stub.Stat(storage_pb2.StatRequest(cid="z" + "1" * size)))

    assert refusal == (grpc.StatusCode.INVALID_ARGUMENT, "CID_MALFORMED")
