"""Files: stored on one node, fetched from another, byte for byte."""
# ruff: noqa: S101 - a scenario is a test

import hashlib
from collections.abc import AsyncIterator

from logos.storage.v1 import storage_pb2, storage_pb2_grpc
from logos_testnet.testnet import Testnet, front_door

FRAME_BYTES = 1024 * 1024
SIZES = (0, 1, 65_536, 65_537, 5 * 1024 * 1024 + 3)
"""Nothing, a byte, a block, a block and a byte, many blocks."""
CALL_TIMEOUT_S = 60.0


def sample(size: int, salt: str = "") -> bytes:
    """Returns pseudo-random bytes, the same every time."""
    return hashlib.shake_256(f"{salt}/{size}".encode()).digest(size)


async def put(testnet: Testnet, node: str, content: bytes) -> str:
    """Stores content on a node and returns its CID."""

    async def requests() -> AsyncIterator[storage_pb2.PutRequest]:
        yield storage_pb2.PutRequest(header=storage_pb2.PutRequest.Header())
        for start in range(0, len(content), FRAME_BYTES):
            yield storage_pb2.PutRequest(data=content[start : start + FRAME_BYTES])

    async with front_door(testnet, node) as channel:
        stub = storage_pb2_grpc.StorageStub(channel)
        response = await stub.Put(requests(), timeout=CALL_TIMEOUT_S)
        return str(response.dataset.cid)


async def get(testnet: Testnet, node: str, cid: str, *, local_only: bool = False) -> bytes:
    """Fetches content through a node."""
    received = bytearray()
    async with front_door(testnet, node) as channel:
        stub = storage_pb2_grpc.StorageStub(channel)
        request = storage_pb2.GetRequest(cid=cid, local_only=local_only)
        async for response in stub.Get(request, timeout=CALL_TIMEOUT_S):
            received += response.data
    return bytes(received)


async def a_file_of_any_size_crosses_the_network(testnet: Testnet) -> None:
    """Stored on the first node, fetched from the last but one."""
    first, other = testnet.plan.nodes[0].name, testnet.plan.nodes[-2].name
    for size in SIZES:
        content = sample(size, "cross")
        cid = await put(testnet, first, content)
        fetched = await get(testnet, other, cid)
        assert fetched == content, f"{size} bytes came back changed"
        assert await get(testnet, other, cid, local_only=True) == content
