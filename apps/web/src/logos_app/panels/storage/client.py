"""Calls of `logos.storage.v1`."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import grpc

from logos.storage.v1 import storage_pb2 as pb
from logos.storage.v1 import storage_pb2_grpc
from logos_app.nodes.doors import CALL_S
from logos_app.panels.storage.words import Holding, mark_of, matches
from logos_app.shown.problems import reason_of
from logos_app.testnet.telling import MARK
from logos_client.channels import write

PAGE: Final = 50
SEARCHED: Final = 10_000
HOLDER_S: Final = 0.5
CHUNK_BYTES: Final = 512 * 1024
FETCHES: Final = 50
PATIENCE_S: Final = 3600


def stub(channel: grpc.aio.Channel) -> "storage_pb2_grpc.StorageAsyncStub":
    """The service behind a front door."""
    return storage_pb2_grpc.StorageStub(channel)


async def page_of(
    channel: grpc.aio.Channel, token: str, query: str
) -> tuple[list[pb.Dataset], str, bool]:
    """A page of the list, the token of the next, and whether the search came to its end.

    `List` has no filter: a search reads up to 10,000 names.
    """
    if not query:
        answer = await stub(channel).List(
            pb.ListRequest(page_size=PAGE, page_token=token), timeout=CALL_S
        )
        return list(answer.datasets), answer.next_page_token, True
    found: list[pb.Dataset] = []
    seen, next_token = 0, ""
    while len(found) < PAGE and seen < SEARCHED:
        request = pb.ListRequest(page_size=1000, page_token=next_token)
        answer = await stub(channel).List(request, timeout=CALL_S)
        found += [each for each in answer.datasets if matches(each, query)]
        seen += len(answer.datasets)
        next_token = answer.next_page_token
        if not next_token:
            return found[:PAGE], "", len(found) <= PAGE
    return found[:PAGE], "", False


async def stat(channel: grpc.aio.Channel, cid: str) -> pb.Dataset | None:
    """What a node holds of a file; None if nothing."""
    try:
        answer = await stub(channel).Stat(pb.StatRequest(cid=cid), timeout=CALL_S)
    except grpc.aio.AioRpcError as error:
        if reason_of(error) == "DATASET_UNKNOWN":
            return None
        raise
    return answer.dataset


async def known(channel: grpc.aio.Channel, cid: str) -> pb.Dataset:
    """A file's description, which is fetched where the node does not have it."""
    here = await stat(channel, cid)
    if here is not None:
        return here
    call = stub(channel).Get(pb.GetRequest(cid=cid, length=1))
    try:
        first = await call.read()
    finally:
        call.cancel()
    if isinstance(first, pb.GetResponse):
        return first.dataset
    raise await _failure(call)


async def _failure(call: grpc.aio.UnaryStreamCall[pb.GetRequest, pb.GetResponse]) -> Exception:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(await call.code(), nothing, nothing, await call.details())


async def holding(channels: Mapping[str, grpc.aio.Channel | None], cid: str) -> Holding:
    """Asks every node at once; one that does not answer in half a second is unknown."""
    marks = await asyncio.gather(*(_mark(channel, cid) for channel in channels.values()))
    return Holding(tuple(marks), tuple(channels))


async def _mark(channel: grpc.aio.Channel | None, cid: str) -> float | str:
    if channel is None:
        return "unknown"
    try:
        async with asyncio.timeout(HOLDER_S):
            return mark_of(await stat(channel, cid))
    except (TimeoutError, grpc.aio.AioRpcError):
        return "unknown"


async def put(
    channel: grpc.aio.Channel,
    header: pb.PutRequest.Header,
    content: AsyncIterator[bytes],
    session: str,
) -> pb.Dataset:
    """Stores content as it comes; cancelled, or if the content breaks off, nothing is stored."""
    call = stub(channel).Put(metadata=[(MARK, session)])
    try:
        is_open = await write(call, pb.PutRequest(header=header))
        async for chunk in content:
            for at in range(0, len(chunk), CHUNK_BYTES):
                if is_open:
                    is_open = await write(call, pb.PutRequest(data=chunk[at : at + CHUNK_BYTES]))
            if not is_open:
                break
        if is_open:
            await call.done_writing()
        answer = await call
    except BaseException:
        call.cancel()
        raise
    return answer.dataset


async def read(
    channel: grpc.aio.Channel, cid: str, offset: int, length: int
) -> AsyncIterator[bytes]:
    """Bytes of a file. Raises `AioRpcError` before the first, or in between."""
    call = stub(channel).Get(pb.GetRequest(cid=cid, offset=offset, length=length))
    try:
        async for response in call:
            if response.data:
                yield response.data
    finally:
        call.cancel()


async def fetches(channel: grpc.aio.Channel) -> Sequence[pb.FetchProgress]:
    """The newest transfers to a node."""
    answer = await stub(channel).ListFetches(
        pb.ListFetchesRequest(page_size=FETCHES), timeout=CALL_S
    )
    return answer.fetches


async def fetch(channel: grpc.aio.Channel, cid: str, session: str) -> pb.FetchProgress:
    """Begins to fetch a file to a node."""
    request = pb.FetchRequest(cid=cid)
    request.patience.seconds = PATIENCE_S
    call = stub(channel).Fetch(request, timeout=CALL_S, metadata=[(MARK, session)])
    return (await call).progress


async def delete(channel: grpc.aio.Channel, cid: str, session: str) -> None:
    """Deletes a file from a node."""
    request = pb.DeleteRequest(cid=cid)
    await stub(channel).Delete(request, timeout=CALL_S, metadata=[(MARK, session)])
