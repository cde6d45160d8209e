"""A node that serves `ChainNode` and `Wallet` for one channel, with the oracle's chain."""

# ruff: noqa: N802 - gRPC's names

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2, wallet_pb2
from logos.chain.v1.chain_pb2_grpc import (
    ChainNodeServicer,
    add_ChainNodeServicer_to_server,
)
from logos.chain.v1.wallet_pb2_grpc import WalletServicer, add_WalletServicer_to_server
from logos_client.channels import channel_to
from logos_mantle.channels import ChannelInscribe, message_id
from logos_mantle.notes import Note
from logos_mantle.octets import Reader
from logos_mantle.operations import encode_operation, read_operation
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer
from logos_zone_sdk.core.messages import Point
from zone_chain import CHANNEL, Block, Chain, Message, key_of

SLOT_MS = 1000


async def refuse(context: Any, code: str, reason: str) -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="logos"))
    status = status_pb2.Status(code=code_pb2.Code.Value(code), message=reason, details=[detail])
    await context.abort_with_status(rpc_status.to_status(status))


@dataclass
class FakeNode(ChainNodeServicer, WalletServicer):
    """Blocks come by `step`; `refusal` is what becomes of all that is submitted."""

    chain: Chain = field(default_factory=Chain)
    channel: bytes = CHANNEL
    refusal: str = ""
    is_swindler: bool = False
    is_poor: bool = False
    phase: "pb.Phase.ValueType" = pb.PHASE_ONLINE
    is_forgetful: bool = False
    """Whether it takes transactions and forgets them."""
    prepared: int = 0
    submitted: list[bytes] = field(default_factory=list)
    watchers: int = 0
    cut: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.news = asyncio.Condition()
        self.page = 1

    async def step(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def grow(self, count: int = 1, **wanted: Any) -> None:
        self.chain.grow(count, **wanted)
        await self.step()

    async def drop_connections(self) -> None:
        self.cut.set()
        await self.step()
        while self.watchers:  # noqa: ASYNC110 - they end in other tasks
            await asyncio.sleep(0.001)
        self.cut.clear()

    # -- ChainNode -----------------------------------------------------------------------------

    async def GetInfo(self, request: Any, context: Any) -> pb.GetInfoResponse:
        return pb.GetInfoResponse(
            slot_ms=SLOT_MS,
            phase=self.phase,
            tip=point(self.chain.tip.point),
            final=point(self.chain.final.point),
        )

    async def GetBlock(self, request: pb.GetBlockRequest, context: Any) -> pb.GetBlockResponse:
        found = self.chain.tip.path()[request.height]
        return pb.GetBlockResponse(summary=summary(found))

    async def ListBlockTransactions(
        self, request: pb.ListBlockTransactionsRequest, context: Any
    ) -> pb.ListBlockTransactionsResponse:
        found, start = self.chain.blocks[request.id].messages, int(request.page_token or 0)
        end = start + self.page
        return pb.ListBlockTransactionsResponse(
            transactions=[transaction(each) for each in found[start:end]],
            next_page_token=str(end) if end < len(found) else "",
        )

    async def WatchBlocks(
        self, request: pb.WatchBlocksRequest, context: Any
    ) -> AsyncIterator[pb.WatchBlocksResponse]:
        place, final = request.after, b""
        if place not in self.chain.blocks:
            await refuse(context, "OUT_OF_RANGE", "CURSOR_UNKNOWN")
        self.watchers += 1
        try:
            while not self.cut.is_set():
                if place != self.chain.tip.point.id or final != self.chain.final.point.id:
                    for move in list(self.chain.moves(place, most=100))[:1]:
                        added = [self.chain.blocks[each.point.id] for each in move.added]
                        tip = added[-1] if added else self.chain.tip
                        place, final = tip.point.id, move.final.id
                        yield pb.WatchBlocksResponse(
                            tip=point(tip.point),
                            removed=move.removed,
                            added=[summary(each) for each in added],
                            final=point(move.final),
                        )
                    continue
                async with self.news:
                    await self.news.wait()
            await refuse(context, "UNAVAILABLE", "MODULE_DRAINING")
        finally:
            self.watchers -= 1

    async def GetChannel(
        self, request: pb.GetChannelRequest, context: Any
    ) -> pb.GetChannelResponse:
        state = self.chain.tip.state
        if not state.keys or request.id != self.channel:
            await refuse(context, "NOT_FOUND", "CHANNEL_UNKNOWN")
        return pb.GetChannelResponse(
            keys=state.keys,
            tip=state.tip,
            tip_slot=state.tip_slot,
            sequencer=state.sequencer,
            sequencer_since_slot=state.since,
            posting_timeframe_slots=state.timeframe,
            posting_timeout_slots=state.timeout,
            block=self.chain.tip.point.id,
        )

    async def SubmitTransaction(
        self, request: pb.SubmitTransactionRequest, context: Any
    ) -> pb.SubmitTransactionResponse:
        signed = SignedTransaction.decode(request.raw)
        operation, proof = signed.transaction.operations[0], signed.proofs[0]
        if isinstance(operation, ChannelInscribe):
            try:
                key = Ed25519PublicKey.from_public_bytes(operation.signer)
                key.verify(proof.signature, signed.hash)  # type: ignore[union-attr]
            except InvalidSignature:
                await refuse(context, "INVALID_ARGUMENT", "INVALID_PROOF")
        self.submitted.append(request.raw)
        has_it = message_id(operation) in self.chain.mempool  # type: ignore[arg-type]
        if self.refusal or has_it:
            await refuse(context, "FAILED_PRECONDITION", self.refusal or "CONFLICT")
        if not self.is_forgetful:
            self.chain.submit(operation)  # type: ignore[arg-type]
        return pb.SubmitTransactionResponse(hash=signed.hash)

    async def ListMempool(
        self, request: pb.ListMempoolRequest, context: Any
    ) -> pb.ListMempoolResponse:
        waiting, start = list(self.chain.mempool.values()), int(request.page_token or 0)
        end = start + self.page
        return pb.ListMempoolResponse(
            transactions=[transaction(each) for each in waiting[start:end]],
            next_page_token=str(end) if end < len(waiting) else "",
        )

    # -- Wallet --------------------------------------------------------------------------------

    async def PrepareTransaction(
        self, request: wallet_pb2.PrepareTransactionRequest, context: Any
    ) -> wallet_pb2.PrepareTransactionResponse:
        if self.is_poor:
            await refuse(context, "FAILED_PRECONDITION", "WALLET_FUNDS_INSUFFICIENT")
        self.prepared += 1
        wanted = [read_operation(Reader(each.raw, limit=2**21)) for each in request.operations]
        note = (b"%d" % self.prepared).ljust(32, b"\0")
        payment = Transfer((note,), (Note(1, note),))
        operations = (*wanted, payment, payment) if self.is_swindler else (*wanted, payment)
        made = Transaction(operations)
        return wallet_pb2.PrepareTransactionResponse(
            hash=made.hash, transaction=made.encoded, transfer_proof=bytes(128), fee=7
        )


def point(found: Point) -> pb.BlockPoint:
    return pb.BlockPoint(id=found.id, height=found.height, slot=found.slot)


def summary(block: Block) -> pb.BlockSummary:
    return pb.BlockSummary(
        point=point(block.point),
        parent=block.parent.point.id if block.parent else bytes(32),
        transactions=len(block.messages),
        size_bytes=2**21 if block.messages else 300,
    )


def transaction(message: Message) -> transaction_pb2.Transaction:
    operation = transaction_pb2.Operation(
        kind=message.opcode.name, channel=message.channel, raw=encode_operation(message)
    )
    other = transaction_pb2.Operation(kind="TRANSFER", raw=b"\0\0\0")
    foreign = transaction_pb2.Operation(kind="CHANNEL_INSCRIBE", channel=key_of("x"), raw=b"?")
    return transaction_pb2.Transaction(
        hash=message_id(message), operations=[other, foreign, operation]
    )


def server_of(node: FakeNode) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server()
    add_ChainNodeServicer_to_server(node, server)
    add_WalletServicer_to_server(node, server)
    return server, server.add_insecure_port("127.0.0.1:0")


@asynccontextmanager
async def serving(node: FakeNode) -> AsyncIterator[grpc.aio.Channel]:
    server, port = server_of(node)
    await server.start()
    try:
        async with channel_to(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)
