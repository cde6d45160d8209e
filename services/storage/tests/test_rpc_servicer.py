import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from logos.storage.v1 import storage_pb2
from logos_module.errors import reason_of
from logos_storage.core.cid import BLOCK, MANIFEST, TREE, Cid, parse_text
from logos_storage.rpc.servicer import StorageServicer
from streaming import send

CONTENT = hashlib.shake_128(b"rpc").digest(3 * 65536 + 100)
UNKNOWN = str(Cid(MANIFEST, hashlib.sha256(b"nobody has this").digest()))


async def failure_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return failure.value.code(), reason_of(failure.value)


async def test_a_dataset_is_described_whole(net: Any) -> None:
    node = await net.node("one")

    dataset = await node.put(CONTENT, filename="a.bin", mimetype="application/x-test")

    assert (dataset.filename, dataset.mimetype) == ("a.bin", "application/x-test")
    assert (dataset.size_bytes, dataset.block_size_bytes) == (len(CONTENT), 65536)
    assert (dataset.block_count, dataset.blocks_held) == (4, 4)
    assert dataset.stored_at.seconds > 1_700_000_000
    assert parse_text(dataset.tree_cid, TREE)
    stat = await node.stub.Stat(storage_pb2.StatRequest(cid=dataset.cid))
    assert stat.dataset == dataset
    assert (await node.stub.Exists(storage_pb2.ExistsRequest(cid=dataset.cid))).exists
    space = await node.stub.Space(storage_pb2.SpaceRequest())
    assert space.datasets == 1
    assert space.used_bytes == len(CONTENT) + 7 * 32
    assert space.reserved_bytes == 0


@pytest.mark.parametrize(
    ("offset", "length"),
    [(0, 0), (0, 1), (1, 65536), (65535, 2), (65536, 65536), (len(CONTENT) - 1, 0), (5, 10**12)],
)
async def test_any_range_can_be_got(net: Any, offset: int, length: int) -> None:
    node = await net.node("one")
    cid = (await node.put(CONTENT)).cid

    got = await node.get(cid, offset=offset, length=length)

    assert got == CONTENT[offset : offset + length if length else None]


async def test_a_range_may_begin_at_the_end_but_not_behind_it(net: Any) -> None:
    node = await net.node("one")
    cid = (await node.put(CONTENT)).cid

    assert await node.get(cid, offset=len(CONTENT)) == b""
    assert await failure_of(node.get(cid, offset=len(CONTENT) + 1)) == (
        grpc.StatusCode.OUT_OF_RANGE,
        "RANGE_NOT_SATISFIABLE",
    )


async def test_a_range_fetches_its_own_blocks_only(net: Any) -> None:
    one, two = await net.node("one"), await net.node("two")
    cid = (await one.put(CONTENT)).cid
    await net.announced(parse_text(cid, MANIFEST).binary, "one")

    assert await two.get(cid, offset=65536, length=10) == CONTENT[65536:65546]

    stat = await two.stub.Stat(storage_pb2.StatRequest(cid=cid))
    assert stat.dataset.blocks_held == 1
    assert not (await two.stub.Exists(storage_pb2.ExistsRequest(cid=cid))).exists
    assert await failure_of(two.get(cid, local_only=True)) == (
        grpc.StatusCode.NOT_FOUND,
        "INCOMPLETE_LOCAL",
    )
    assert await two.get(cid, offset=65540, length=4, local_only=True) == CONTENT[65540:65544]
    assert await two.get(cid) == CONTENT


@pytest.mark.parametrize(
    ("cid", "reason"),
    [
        ("", "CID_MALFORMED"),
        ("zzz", "CID_MALFORMED"),
        ("z" + "1" * 5000, "CID_MALFORMED"),
        (str(Cid(BLOCK, bytes(32))), "CID_CODEC_UNKNOWN"),
        (str(Cid(TREE, bytes(32))), "CID_CODEC_UNKNOWN"),
    ],
)
async def test_every_method_names_what_is_wrong_with_a_cid(net: Any, cid: str, reason: str) -> None:
    node = await net.node("one")
    expected = (grpc.StatusCode.INVALID_ARGUMENT, reason)

    assert await failure_of(node.get(cid)) == expected
    assert await failure_of(node.stub.Stat(storage_pb2.StatRequest(cid=cid))) == expected
    assert await failure_of(node.stub.Exists(storage_pb2.ExistsRequest(cid=cid))) == expected
    assert await failure_of(node.stub.Delete(storage_pb2.DeleteRequest(cid=cid))) == expected


async def test_what_nobody_has_is_not_found(net: Any) -> None:
    node = await net.node("one", fetch_timeout_ms=300)

    expected = (grpc.StatusCode.NOT_FOUND, "NO_PROVIDERS")
    assert await failure_of(node.get(UNKNOWN)) == expected
    assert await failure_of(node.get(UNKNOWN, local_only=True)) == (
        grpc.StatusCode.NOT_FOUND,
        "INCOMPLETE_LOCAL",
    )
    assert await failure_of(node.stub.Stat(storage_pb2.StatRequest(cid=UNKNOWN))) == (
        grpc.StatusCode.NOT_FOUND,
        "DATASET_UNKNOWN",
    )
    assert not (await node.stub.Exists(storage_pb2.ExistsRequest(cid=UNKNOWN))).exists


@pytest.mark.parametrize(
    ("remaining_s", "patience_ms"),
    [(None, 20_000), (3600, 20_000), (1.5, 1350), (0.0, 1), (-1.0, 1)],
)
def test_patience_ends_before_the_callers_deadline(
    remaining_s: float | None, patience_ms: int
) -> None:
    nothing: Any = None
    servicer = StorageServicer(
        nothing, put=nothing, get=nothing, keep=nothing, delete=nothing, fetch_timeout_ms=20_000
    )

    class Context:
        def time_remaining(self) -> float | None:
            return remaining_s

    assert servicer._patience_ms(Context()) == patience_ms


async def test_providers_that_cannot_be_dialled_are_unreachable(net: Any) -> None:
    node = await net.node("one", fetch_timeout_ms=1000)
    net.hub.providers[parse_text(UNKNOWN, MANIFEST).binary] = ["gone"]

    assert await failure_of(node.get(UNKNOWN)) == (
        grpc.StatusCode.UNAVAILABLE,
        "PROVIDERS_UNREACHABLE",
    )


async def test_deleting_frees_withdraws_and_is_idempotent(net: Any) -> None:
    node = await net.node("one")
    cid = (await node.put(CONTENT)).cid
    key = parse_text(cid, MANIFEST).binary
    await net.announced(key, "one")

    freed = await node.stub.Delete(storage_pb2.DeleteRequest(cid=cid))
    again = await node.stub.Delete(storage_pb2.DeleteRequest(cid=cid))

    assert freed.freed_bytes == len(CONTENT) + 7 * 32
    assert again.freed_bytes == 0
    async with net.hub.changed:
        await net.hub.changed.wait_for(lambda: not net.hub.providers[key])


async def test_what_is_being_read_is_not_deleted(net: Any) -> None:
    node = await net.node("one")
    content = bytes(40 << 20)
    cid = (await node.put(content)).cid
    call = node.stub.Get(storage_pb2.GetRequest(cid=cid))
    await call.read()

    delete = node.stub.Delete(storage_pb2.DeleteRequest(cid=cid))
    assert await failure_of(delete) == (grpc.StatusCode.FAILED_PRECONDITION, "DATASET_BUSY")

    call.cancel()
    while (await node.stub.Space(storage_pb2.SpaceRequest())).datasets:
        try:
            await node.stub.Delete(storage_pb2.DeleteRequest(cid=cid))
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)


async def test_pages_through_the_list(net: Any) -> None:
    node = await net.node("one")
    cids = [(await node.put(bytes((number,)))).cid for number in range(5)]
    seen, token = [], ""

    while True:
        page = await node.stub.List(storage_pb2.ListRequest(page_size=2, page_token=token))
        seen += [dataset.cid for dataset in page.datasets]
        token = page.next_page_token
        if not token:
            break

    assert seen == cids[::-1]


@pytest.mark.parametrize(
    "page",
    [
        {"page_size": -1},
        {"page_token": "x"},
        {"page_token": "00"},
        {"page_token": "ff" * 8},
    ],
)
async def test_refuses_pages_that_are_not_ours(net: Any, page: dict[str, Any]) -> None:
    node = await net.node("one")

    assert await failure_of(node.stub.List(storage_pb2.ListRequest(**page))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_PAGE",
    )


Header = storage_pb2.PutRequest.Header


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ([], "HEADER_EXPECTED"),
        ([storage_pb2.PutRequest(data=b"x")], "HEADER_EXPECTED"),
        ([storage_pb2.PutRequest()], "HEADER_EXPECTED"),
        ([storage_pb2.PutRequest(header=Header())] * 2, "HEADER_EXPECTED"),
        ([storage_pb2.PutRequest(header=Header(block_size_bytes=1000))], "INVALID_BLOCK_SIZE"),
        ([storage_pb2.PutRequest(header=Header(filename="a/b"))], "INVALID_FILENAME"),
        ([storage_pb2.PutRequest(header=Header(mimetype="x"))], "INVALID_MIMETYPE"),
    ],
)
async def test_refuses_puts_that_break_the_rules(
    net: Any, requests: list[Any], reason: str
) -> None:
    node = await net.node("one")

    expected = (grpc.StatusCode.INVALID_ARGUMENT, reason)
    assert await failure_of(await send(node.stub.Put(), requests)) == expected
    assert (await node.datasets.space()).datasets == 0


async def test_a_put_over_the_quota_says_so(net: Any) -> None:
    node = await net.node("one", quota_bytes=1 << 20)

    expected = (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert await failure_of(node.put(bytes(2 << 20))) == expected
    assert await failure_of(node.put(b"", size_hint_bytes=2 << 20)) == expected


async def test_a_fetch_over_the_quota_says_so_and_keeps_nothing(net: Any) -> None:
    one, two = await net.node("one"), await net.node("two", quota_bytes=150_000)
    cid = (await one.put(CONTENT)).cid
    await net.announced(parse_text(cid, MANIFEST).binary, "one")

    expected = (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert await failure_of(two.get(cid)) == expected
    assert (await two.datasets.space()).used_bytes == 0


@pytest.mark.parametrize("attempt", range(5))
async def test_a_put_that_is_cancelled_stores_nothing(net: Any, attempt: int) -> None:
    """The end of a cancelled call must not pass for the end of the content."""
    node = await net.node("one")
    waiting = asyncio.Event()

    async def requests() -> AsyncIterator[Any]:
        yield storage_pb2.PutRequest(header=Header())
        for _ in range(attempt):
            yield storage_pb2.PutRequest(data=CONTENT)
        waiting.set()
        await asyncio.Event().wait()

    call = node.stub.Put(requests())
    await waiting.wait()
    while not any((node.folder / "uploads").iterdir()):  # noqa: ASYNC110  a folder tells nobody
        await asyncio.sleep(0.01)
    call.cancel()
    while any((node.folder / "uploads").iterdir()):  # noqa: ASYNC110  a folder tells nobody
        await asyncio.sleep(0.01)

    await node.put(b"another")
    space = await node.datasets.space()
    assert (space.datasets, space.reserved_bytes) == (1, 0)


async def test_several_readers_share_one_fetch(net: Any) -> None:
    one, two = await net.node("one"), await net.node("two")
    content = hashlib.shake_128(b"shared").digest(12 << 20)
    cid = (await one.put(content)).cid
    await net.announced(parse_text(cid, MANIFEST).binary, "one")

    got = await asyncio.gather(
        two.get(cid), two.get(cid, offset=5 << 20), two.get(cid, length=1 << 20)
    )

    assert got == [content, content[5 << 20 :], content[: 1 << 20]]
    assert (await two.datasets.space()).reserved_bytes == 0
