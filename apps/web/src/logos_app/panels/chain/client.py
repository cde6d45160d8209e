"""Calls of `logos.chain.v1.ChainNode`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import grpc

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import chain_pb2_grpc
from logos.chain.v1 import transaction_pb2 as transactions
from logos_app.nodes.doors import CALL_S
from logos_app.shown.problems import reason_of

T = TypeVar("T")

TRANSACTIONS: Final = 50
"""Of a block or of the mempool, on a page."""
ABSENT: Final = frozenset(
    {"BLOCK_UNKNOWN", "TRANSACTION_UNKNOWN", "NOTE_UNKNOWN", "CHANNEL_UNKNOWN"}
)
"""Reasons that say that there is nothing of an id."""


def stub(channel: grpc.aio.Channel) -> "chain_pb2_grpc.ChainNodeAsyncStub":
    """The service behind a front door."""
    return chain_pb2_grpc.ChainNodeStub(channel)


async def info(channel: grpc.aio.Channel) -> pb.GetInfoResponse:
    """Where the chain and a node stand."""
    return await stub(channel).GetInfo(pb.GetInfoRequest(), timeout=CALL_S)


async def supply(channel: grpc.aio.Channel) -> pb.GetSupplyResponse:
    """Where all tokens are."""
    return await stub(channel).GetSupply(pb.GetSupplyRequest(), timeout=CALL_S)


async def blocks(
    channel: grpc.aio.Channel, size: int, token: str = ""
) -> tuple[Sequence[pb.BlockSummary], str]:
    """Blocks of the local chain, newest first, and the token of the next page."""
    request = pb.ListBlocksRequest(page_size=size, page_token=token)
    answer = await stub(channel).ListBlocks(request, timeout=CALL_S)
    return answer.blocks, answer.next_page_token


async def moves(channel: grpc.aio.Channel, after: bytes) -> AsyncIterator[pb.WatchBlocksResponse]:
    """How the chain goes on from a tip, until the stream ends with an `AioRpcError`."""
    call = stub(channel).WatchBlocks(pb.WatchBlocksRequest(after=after))
    try:
        async for move in call:
            yield move
    finally:
        call.cancel()


async def block(channel: grpc.aio.Channel, which: bytes | int) -> pb.GetBlockResponse:
    """A block by its id or its height."""
    if isinstance(which, bytes):
        request = pb.GetBlockRequest(id=which)
    else:
        request = pb.GetBlockRequest(height=which)
    return await stub(channel).GetBlock(request, timeout=CALL_S)


async def transactions_of(
    channel: grpc.aio.Channel, identifier: bytes, token: str
) -> tuple[Sequence[transactions.Transaction], str]:
    """A page of a block's transactions, and the token of the next."""
    request = pb.ListBlockTransactionsRequest(
        id=identifier, page_size=TRANSACTIONS, page_token=token
    )
    answer = await stub(channel).ListBlockTransactions(request, timeout=CALL_S)
    return answer.transactions, answer.next_page_token


async def transaction(channel: grpc.aio.Channel, hash_: bytes) -> pb.GetTransactionResponse:
    """A transaction, and how far it has come."""
    return await stub(channel).GetTransaction(pb.GetTransactionRequest(hash=hash_), timeout=CALL_S)


async def status(channel: grpc.aio.Channel, hash_: bytes) -> transactions.TransactionStatus | None:
    """How far a transaction has come; None if the node does not know it."""
    found = await or_none(transaction(channel, hash_))
    return None if found is None else found.status


async def note(channel: grpc.aio.Channel, identifier: bytes) -> pb.GetNoteResponse:
    """An unspent note."""
    return await stub(channel).GetNote(pb.GetNoteRequest(id=identifier), timeout=CALL_S)


async def channel_state(channel: grpc.aio.Channel, identifier: bytes) -> pb.GetChannelResponse:
    """The state of a channel of the chain."""
    return await stub(channel).GetChannel(pb.GetChannelRequest(id=identifier), timeout=CALL_S)


async def mempool(channel: grpc.aio.Channel, token: str) -> pb.ListMempoolResponse:
    """A page of the transactions that wait."""
    request = pb.ListMempoolRequest(page_size=TRANSACTIONS, page_token=token)
    return await stub(channel).ListMempool(request, timeout=CALL_S)


async def forks(channel: grpc.aio.Channel) -> Sequence[pb.ListForksResponse.Fork]:
    """The ends of all chains that are kept, the local one first."""
    return (await stub(channel).ListForks(pb.ListForksRequest(), timeout=CALL_S)).forks


async def or_none(call: Awaitable[T]) -> T | None:
    """What a call returns; None where it says that there is nothing of that id."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if reason_of(error) in ABSENT:
            return None
        raise


@dataclass(frozen=True, slots=True)
class Known:
    """What a node knows of an id."""

    block: pb.GetBlockResponse | None = None
    transaction: pb.GetTransactionResponse | None = None
    note: pb.GetNoteResponse | None = None
    channel: pb.GetChannelResponse | None = None


async def known(channel: grpc.aio.Channel, identifier: bytes) -> Known:
    """Looks for an id of any kind, in one round; raises `AioRpcError` where that cannot be told."""
    found = await asyncio.gather(
        or_none(block(channel, identifier)),
        or_none(transaction(channel, identifier)),
        or_none(note(channel, identifier)),
        or_none(channel_state(channel, identifier)),
    )
    return Known(*found)
