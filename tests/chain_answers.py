"""A chain module that has an answer to every call: for tests of commands."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos.chain.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    chain_pb2,
    chain_pb2_grpc,
    transaction_pb2,
    wallet_pb2,
    wallet_pb2_grpc,
    zone_pb2,
    zone_pb2_grpc,
)
from logos_mantle.channels import ChannelConfig, ChannelInscribe, ChannelWithdraw, message_id
from logos_mantle.notes import Note
from logos_mantle.octets import ZERO, Reader
from logos_mantle.operations import encode_operation, read_operation
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer
from logos_zone_sdk.core.governing import Draft
from logos_zone_sdk.core.messages import Point
from logos_zone_sdk.core.places import Cursor

WRITER = bytes(range(32))
"""The private key that writes to `CHANNEL`."""
CHANNEL = "c1" * 32
HASH = "0b" * 32
ADDRESS = "0a" * 32
NOTE = "0e" * 32
DECLARATION = "0d" * 32
PHRASE = " ".join(["abandon"] * 23 + ["art"])
MAX_RAW_BYTES = 2 * 1024 * 1024

_SUMMARY = b"LOGOSCKP\1" + bytes(96) + (7).to_bytes(8, "little") + (140).to_bytes(8, "little")
_HASHED = _SUMMARY + b"\xff"
CHECKPOINT = _HASHED + blake2b(_HASHED, digest_size=32).digest()
"""One without records, of block 7."""
PUBLIC = Ed25519PrivateKey.from_private_bytes(WRITER).public_key().public_bytes_raw()
_MESSAGE = ChannelInscribe(bytes.fromhex(CHANNEL), b"\x1b[2J", ZERO, PUBLIC)
_INCLUDED = transaction_pb2.TRANSACTION_STAGE_INCLUDED
_FINAL = transaction_pb2.TRANSACTION_STAGE_FINAL


class ChainAnswers(chain_pb2_grpc.ChainNodeServicer):
    """Has a final block, and one above it with a message, which becomes final when it is told."""

    final = chain_pb2.BlockPoint(id=bytes([7]) * 32, height=7, slot=140)
    tip = chain_pb2.BlockPoint(id=bytes([8]) * 32, height=8, slot=160)
    block = chain_pb2.BlockSummary(point=tip, parent=final.id, transactions=1, is_on_chain=True)
    declaration = chain_pb2.Declaration(
        id=bytes([13]) * 32,
        service="BLEND_NETWORK",
        state=chain_pb2.DECLARATION_STATE_WITHDRAWN,
        locked_value=5,
        withdrawn_epoch=2,
        unlock_slot=400,
    )
    message = transaction_pb2.Operation(
        kind="CHANNEL_INSCRIBE",
        channel=_MESSAGE.channel,
        inscription=_MESSAGE.inscription,
        raw=encode_operation(_MESSAGE),
    )
    payment = transaction_pb2.Operation(
        kind="TRANSFER",
        inputs=[bytes(32)],
        outputs=[transaction_pb2.Note(value=5, public_key=bytes.fromhex(ADDRESS))],
        output_ids=[bytes.fromhex(NOTE)],
    )
    transaction = transaction_pb2.Transaction(
        hash=bytes.fromhex(HASH), operations=[message, payment], size_bytes=300
    )

    def GetInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.GetInfoResponse(
            chain_id="some",
            slot_ms=1000,
            phase=chain_pb2.PHASE_ONLINE,
            slot=170,
            tip=self.tip,
            final=self.final,
            leading=chain_pb2.GetInfoResponse.Leading(standing="it leads\x1b[2J"),
        )

    def GetBlock(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.GetBlockResponse(summary=self.block, confirmations=1)

    def GetDeclaration(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.GetDeclarationResponse(declaration=self.declaration, block=self.tip.id)

    def ListDeclarations(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.ListDeclarationsResponse(
            declarations=[self.declaration], block=self.tip.id
        )

    def ListBlocks(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.ListBlocksResponse(blocks=[self.block])

    def ListBlockTransactions(self, request: Any, context: Any) -> Any:  # noqa: N802
        is_tip = request.id == self.tip.id
        return chain_pb2.ListBlockTransactionsResponse(
            transactions=[self.transaction] if is_tip else []
        )

    def WatchBlocks(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        added = [] if request.after == self.tip.id else [self.block]
        yield chain_pb2.WatchBlocksResponse(tip=self.tip, added=added, final=self.tip)

    def ListForks(self, request: Any, context: Any) -> Any:  # noqa: N802
        local = chain_pb2.ListForksResponse.Fork(tip=self.tip, common=self.tip)
        return chain_pb2.ListForksResponse(forks=[local])

    def SubmitTransaction(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.SubmitTransactionResponse(hash=self.transaction.hash)

    def GetTransaction(self, request: Any, context: Any) -> Any:  # noqa: N802
        status = transaction_pb2.TransactionStatus(stage=_INCLUDED, height=8, confirmations=1)
        return chain_pb2.GetTransactionResponse(transaction=self.transaction, status=status)

    def WatchTransaction(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield chain_pb2.WatchTransactionResponse()
        for stage in (transaction_pb2.TRANSACTION_STAGE_PENDING, _INCLUDED, _FINAL):
            status = transaction_pb2.TransactionStatus(stage=stage, height=8, confirmations=1)
            yield chain_pb2.WatchTransactionResponse(status=status)

    def ListMempool(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.ListMempoolResponse(transactions=[self.transaction], total=1)

    def GetNote(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.GetNoteResponse(note=self.payment.outputs[0], root=bytes(32))

    def GetChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.id != _MESSAGE.channel:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such channel exists")
        return chain_pb2.GetChannelResponse(
            keys=[PUBLIC],
            tip=message_id(_MESSAGE),
            tip_slot=self.tip.slot,
            configuration_threshold=1,
            transfer_threshold=1,
            block=self.tip.id,
        )

    def GetSupply(self, request: Any, context: Any) -> Any:  # noqa: N802
        return chain_pb2.GetSupplyResponse(free=90, locked=10, genesis=100)


class WalletAnswers(wallet_pb2_grpc.WalletServicer):
    """Has one note."""

    hash = bytes.fromhex(HASH)
    address = bytes.fromhex(ADDRESS)
    note = transaction_pb2.Note(value=90, public_key=address)

    def NewAddress(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.NewAddressResponse(public_key=self.address)

    def GetBalance(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.GetBalanceResponse(confirmed=90, available=90, height=8)

    def ListNotes(self, request: Any, context: Any) -> Any:  # noqa: N802
        one = wallet_pb2.ListNotesResponse.OwnNote(
            id=bytes.fromhex(NOTE), note=self.note, since_height=3
        )
        return wallet_pb2.ListNotesResponse(notes=[one])

    def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.SendResponse(hash=self.hash, fee=7)

    def PrepareTransaction(self, request: Any, context: Any) -> Any:  # noqa: N802
        wanted = [
            read_operation(Reader(one.raw, limit=MAX_RAW_BYTES)) for one in request.operations
        ]
        paid = Transaction((*wanted, Transfer((self.hash,), (Note(1, self.address),))))
        return wallet_pb2.PrepareTransactionResponse(
            hash=paid.hash, transaction=paid.encoded, transfer_proof=bytes(128), fee=7
        )

    def ListHistory(self, request: Any, context: Any) -> Any:  # noqa: N802
        one = wallet_pb2.ListHistoryResponse.Entry(
            transaction=self.hash, height=3, received=90, stage=_FINAL
        )
        return wallet_pb2.ListHistoryResponse(entries=[one])

    def ListVouchers(self, request: Any, context: Any) -> Any:  # noqa: N802
        one = wallet_pb2.ListVouchersResponse.Voucher(commitment=bytes(32), is_claimable=True)
        return wallet_pb2.ListVouchersResponse(vouchers=[one], share=4)

    def Claim(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.ClaimResponse(hashes=[self.hash])

    def Faucet(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.FaucetResponse(hash=self.hash, value=90, public_key=self.address)

    def Watch(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.WatchResponse()

    def ExportPhrase(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.ExportPhraseResponse(phrase=PHRASE)

    def NewWallet(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.NewWalletResponse(phrase=PHRASE)

    def RestorePhrase(self, request: Any, context: Any) -> Any:  # noqa: N802
        return wallet_pb2.RestorePhraseResponse()


class AdminAnswers(admin_pb2_grpc.ChainAdminServicer):
    """Does what it is told."""

    def SetLeading(self, request: Any, context: Any) -> Any:  # noqa: N802
        return admin_pb2.SetLeadingResponse()

    def ForceBootstrap(self, request: Any, context: Any) -> Any:  # noqa: N802
        return admin_pb2.ForceBootstrapResponse()

    def StartOver(self, request: Any, context: Any) -> Any:  # noqa: N802
        return admin_pb2.StartOverResponse()

    def ExportCheckpoint(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        summary = admin_pb2.CheckpointSummary(hash=CHECKPOINT[-32:], size_bytes=len(CHECKPOINT))
        yield admin_pb2.ExportCheckpointResponse(summary=summary)
        for chunk in (CHECKPOINT[:100], CHECKPOINT[100:]):
            yield admin_pb2.ExportCheckpointResponse(chunk=chunk)


class IndexerAnswers(zone_pb2_grpc.ZoneIndexerServicer):
    """Has the message of `CHANNEL`, which is final."""

    message = zone_pb2.ZoneMessage(
        id=message_id(_MESSAGE),
        block=ChainAnswers.tip,
        inscription=zone_pb2.ZoneMessage.Inscription(
            payload=_MESSAGE.inscription, parent=ZERO, signer=PUBLIC
        ),
    )
    cursor = Cursor(message_id(_MESSAGE), Point(bytes([8]) * 32, 8, 160)).encode()

    def Scan(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield zone_pb2.ScanResponse(message=self.message, cursor=self.cursor)
        yield zone_pb2.ScanResponse(cursor=self.cursor)

    def Follow(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        found = zone_pb2.FollowResponse.Found(message=self.message, cursor=self.cursor)
        yield zone_pb2.FollowResponse(found=found)


def _draft(*changes: Any) -> zone_pb2.ChannelDraft:
    paid = Transaction((*changes, Transfer((bytes.fromhex(HASH),), (Note(1, bytes(32)),))))
    return zone_pb2.ChannelDraft(
        hash=paid.hash,
        transaction=paid.encoded,
        transfer_proof=bytes(128),
        fee=7,
        threshold=1,
        keys=[PUBLIC],
    )


_RELEASED = Transaction.decode(
    _draft(ChannelWithdraw(_MESSAGE.channel, (bytes.fromhex(NOTE),))).transaction
)
DRAFT = Draft(_RELEASED, bytes(128), 7, 1, (PUBLIC,)).encode()
"""The file of one that releases `NOTE`."""


class SequencerAnswers(zone_pb2_grpc.ZoneSequencerServicer):
    """Takes one payload, which is final at once."""

    def CreateChannel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return zone_pb2.CreateChannelResponse(hash=bytes.fromhex(HASH))

    def GetCheckpoint(self, request: Any, context: Any) -> Any:  # noqa: N802
        return zone_pb2.GetCheckpointResponse(final=ChainAnswers.tip, next_number=1)

    def Forget(self, request: Any, context: Any) -> Any:  # noqa: N802
        return zone_pb2.ForgetResponse()

    def SetConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        config = ChannelConfig(
            request.channel,
            tuple(request.keys),
            request.posting_timeframe_slots,
            request.posting_timeout_slots,
            request.configuration_threshold,
            request.transfer_threshold,
        )
        return zone_pb2.SetConfigResponse(draft=_draft(config))

    def Withdraw(self, request: Any, context: Any) -> Any:  # noqa: N802
        released = ChannelWithdraw(request.channel, tuple(request.notes))
        return zone_pb2.WithdrawResponse(draft=_draft(released))

    def SubmitSigned(self, request: Any, context: Any) -> Any:  # noqa: N802
        return zone_pb2.SubmitSignedResponse(hash=bytes.fromhex(HASH))

    def Abandon(self, request: Any, context: Any) -> Any:  # noqa: N802
        return zone_pb2.AbandonResponse()

    def Deposit(self, request: Any, context: Any) -> Any:  # noqa: N802
        return zone_pb2.DepositResponse(hash=bytes.fromhex(HASH))

    def Publish(self, request_iterator: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        event = zone_pb2.PublishResponse
        next(request_iterator)
        yield event(challenge=event.Challenge(challenge=bytes(32)))
        next(request_iterator)
        yield event(opened=event.Opened())
        number = next(request_iterator).payload.number
        yield event(pending=event.Pending(number=number))
        final = event.Finalized.Message(
            id=message_id(_MESSAGE), number=number, block=ChainAnswers.tip
        )
        yield event(finalized=event.Finalized(messages=[final]))


def add_to(server: grpc.Server) -> None:
    """Serves all of it."""
    chain_pb2_grpc.add_ChainNodeServicer_to_server(ChainAnswers(), server)
    wallet_pb2_grpc.add_WalletServicer_to_server(WalletAnswers(), server)
    admin_pb2_grpc.add_ChainAdminServicer_to_server(AdminAnswers(), server)
    zone_pb2_grpc.add_ZoneIndexerServicer_to_server(IndexerAnswers(), server)
    zone_pb2_grpc.add_ZoneSequencerServicer_to_server(SequencerAnswers(), server)
