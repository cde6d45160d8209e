"""Calls of `logos.chain.v1.Wallet`."""

from collections.abc import Sequence
from typing import Final

import grpc

from logos.chain.v1 import wallet_pb2 as pb
from logos.chain.v1 import wallet_pb2_grpc
from logos.chain.v1.transaction_pb2 import Note
from logos_app.nodes.doors import CALL_S
from logos_app.testnet.telling import MARK

HISTORY: Final = 10
MOST_CLAIMS: Final = 16
PROVE_S: Final = 30.0
"""A payment is proved before it is answered; each of 16 claims takes half a second at best."""


def stub(channel: grpc.aio.Channel) -> "wallet_pb2_grpc.WalletAsyncStub":
    """The service behind a front door."""
    return wallet_pb2_grpc.WalletStub(channel)


async def balance(channel: grpc.aio.Channel) -> pb.GetBalanceResponse:
    """All sums of a wallet."""
    return await stub(channel).GetBalance(pb.GetBalanceRequest(), timeout=CALL_S)


async def new_address(channel: grpc.aio.Channel) -> bytes:
    """A public key to be paid to."""
    answer = await stub(channel).NewAddress(pb.NewAddressRequest(), timeout=CALL_S)
    return answer.public_key


async def history(
    channel: grpc.aio.Channel, token: str
) -> tuple[Sequence[pb.ListHistoryResponse.Entry], str]:
    """A page of what came and went, newest first, and the token of the next."""
    request = pb.ListHistoryRequest(page_size=HISTORY, page_token=token)
    answer = await stub(channel).ListHistory(request, timeout=CALL_S)
    return answer.entries, answer.next_page_token


async def vouchers(channel: grpc.aio.Channel) -> pb.ListVouchersResponse:
    """The vouchers of blocks that this wallet's notes have led."""
    return await stub(channel).ListVouchers(pb.ListVouchersRequest(), timeout=CALL_S)


async def send(
    channel: grpc.aio.Channel, note: Note, tip: int, idempotency_key: bytes, session: str
) -> pb.SendResponse:
    """Pays, once for a key; the node tells once a block has it, with the session as its mark."""
    request = pb.SendRequest(outputs=[note], tip=tip, idempotency_key=idempotency_key)
    return await stub(channel).Send(request, timeout=PROVE_S, metadata=[(MARK, session)])


async def faucet(channel: grpc.aio.Channel) -> pb.FaucetResponse:
    """Asks the faucet of the testnet for tokens."""
    return await stub(channel).Faucet(pb.FaucetRequest(), timeout=PROVE_S)


async def claim(channel: grpc.aio.Channel, count: int) -> Sequence[bytes]:
    """Claims rewards; returns the hashes of the transactions."""
    return (await stub(channel).Claim(pb.ClaimRequest(count=count), timeout=PROVE_S)).hashes


async def phrase(channel: grpc.aio.Channel) -> str:
    """The words of the wallet."""
    answer = await stub(channel).ExportPhrase(pb.ExportPhraseRequest(), timeout=CALL_S)
    return answer.phrase
