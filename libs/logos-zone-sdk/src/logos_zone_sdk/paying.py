"""Messages as transactions: paid for by the node's wallet, signed by the sequencer, given in.

Spec: docs/protocol/zone-sdk.md, ZON-8, ZON-13.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos.chain.v1 import chain_pb2, wallet_pb2
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_base.errors import LogosError
from logos_mantle.channels import ChannelConfig, ChannelInscribe
from logos_mantle.operations import encode_operation
from logos_mantle.proofs import (
    IndexedSignature,
    InscriptionProof,
    OperationProof,
    ThresholdProof,
    ZkSignatureProof,
)
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer
from logos_zone_sdk.core.errors import PaymentForeignError
from logos_zone_sdk.core.paid import HAS_IT, MAY_HAVE_IT, PaidMessages
from logos_zone_sdk.node import CALL_TIMEOUT_S, reason_of

_MEMPOOL_PAGE: Final = 20
_MEMPOOL_PAGES: Final = 100
_MAY_BE_STALE: Final = frozenset(
    {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT}
)


@dataclass(frozen=True, slots=True)
class Turns:
    """Who writes to a channel, and for how long (LED-14)."""

    keys: tuple[bytes, ...]
    """Ed25519, 32 bytes each; the first begins."""
    timeframe_slots: int = 0
    """Of a turn; 0: it does not end."""
    timeout_slots: int = 0
    """Of silence that end a turn; 0: none do."""


class Payments:
    """Makes transactions by a node's wallet, and gives them to the node."""

    def __init__(
        self, key: Ed25519PrivateKey, node: grpc.aio.Channel, now_ms: Callable[[], int]
    ) -> None:
        self._key = key
        self._chain = ChainNodeStub(node)
        self._wallet = WalletStub(node)
        self._now_ms = now_ms
        self._made = PaidMessages()

    async def give(self, message: bytes, operation: ChannelInscribe) -> str:
        """Gives a message to the node; returns why it was not taken, empty: it was.

        Args:
            message: Its id, 32 bytes.
            operation: What it is.
        """
        made = self._made.get(message)
        try:
            if made is None:
                made = await self.transaction(operation)
                self._made.put(message, made, self._now_ms())
            await self.submit(made)
        except grpc.aio.AioRpcError as error:
            reason = reason_of(error)
            if reason in HAS_IT or (reason in MAY_HAVE_IT and await self._waits(operation)):
                return ""
            if error.code() in _MAY_BE_STALE:
                self._made.refused(message, self._now_ms())
            return reason
        except LogosError as error:
            return error.reason
        return ""

    async def transaction(
        self, operation: ChannelInscribe | ChannelConfig, place: int | None = None
    ) -> bytes:
        """Returns a transaction of one operation with all its proofs, encoded.

        Args:
            operation: What it does.
            place: Of the own key among the channel's, for the configuration of a channel that
                there is; None: it needs no signature of the channel's.

        Raises:
            AioRpcError: The wallet does not pay.
            PaymentForeignError: It pays for something else.
        """
        wanted = wallet_pb2.PrepareTransactionRequest.Wanted(
            raw=encode_operation(operation), signatures=0 if place is None else 1
        )
        request = wallet_pb2.PrepareTransactionRequest(operations=[wanted])
        prepared = await self._wallet.PrepareTransaction(request, timeout=CALL_TIMEOUT_S)
        paid = _checked(prepared, operation)
        proof = self._proof(operation, paid.hash, place)
        transfer = ZkSignatureProof(prepared.transfer_proof)
        return SignedTransaction(paid, (proof, transfer)).encoded

    async def submit(self, raw: bytes) -> bytes:
        """Gives a transaction to the node; returns its hash; raises `AioRpcError`."""
        request = chain_pb2.SubmitTransactionRequest(raw=raw)
        answer = await self._chain.SubmitTransaction(request, timeout=CALL_TIMEOUT_S)
        return bytes(answer.hash)

    async def _waits(self, operation: ChannelInscribe) -> bool:
        """Returns whether the message waits in another transaction, e.g. of before a restart."""
        raw, token = encode_operation(operation), ""
        with suppress(grpc.aio.AioRpcError):
            for _ in range(_MEMPOOL_PAGES):
                request = chain_pb2.ListMempoolRequest(page_size=_MEMPOOL_PAGE, page_token=token)
                page = await self._chain.ListMempool(request, timeout=CALL_TIMEOUT_S)
                if any(raw == own.raw for each in page.transactions for own in each.operations):
                    return True
                token = page.next_page_token
                if not token:
                    break
        return False

    def _proof(
        self, operation: ChannelInscribe | ChannelConfig, hash_: bytes, place: int | None
    ) -> OperationProof:
        if isinstance(operation, ChannelInscribe):
            return InscriptionProof(self._key.sign(hash_))
        if place is None:
            return ThresholdProof(())
        return ThresholdProof((IndexedSignature(self._key.sign(hash_), place),))


async def make_channel(channel_id: bytes, turns: Turns, payments: Payments) -> bytes:
    """Makes a channel of several sequencers; returns the hash of the transaction, 32 bytes.

    Nothing is written to it before its configuration is final (ZON-7).

    Raises:
        AioRpcError, PaymentForeignError
    """
    config = ChannelConfig(
        channel_id,
        turns.keys,
        turns.timeframe_slots,
        turns.timeout_slots,
        configuration_threshold=1,
        transfer_threshold=1,
    )
    return await payments.submit(await payments.transaction(config))


def _checked(
    prepared: wallet_pb2.PrepareTransactionResponse, operation: ChannelInscribe | ChannelConfig
) -> Transaction:
    """Decodes what is to be signed; the key signs nothing but what it was meant for."""
    paid = Transaction.decode(prepared.transaction)
    own, *payment = paid.operations or (None,)
    if own != operation or [type(each) for each in payment] != [Transfer]:
        raise PaymentForeignError("the wallet has prepared another transaction")
    return paid
