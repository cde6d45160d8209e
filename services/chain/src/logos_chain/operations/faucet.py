"""Pays from the faucet's wallet where this node has it, and asks other nodes where it has not.

Spec: docs/protocol/chain-faucet.md, FAU-1 to FAU-5.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from logos_base.errors import LogosError
from logos_chain.core.faucet import (
    FaucetEmptyError,
    FaucetPayment,
    FaucetPeers,
    FaucetWaitsError,
    NoFaucetError,
    decode_answer,
    decode_request,
    encode_payment,
    encode_refusal,
    encode_request,
)
from logos_chain.core.wallet.errors import FundsInsufficientError, NotesTooSmallError

log = logging.getLogger(__name__)

MAX_PEERS: Final = 8

Pay = Callable[[bytes, int], Awaitable[bytes]]
"""Pays a public key a value from the faucet's wallet; returns the transaction's hash."""


class OwnFaucet:
    """The faucet of this node."""

    def __init__(self, pay: Pay, reserved: Callable[[], int], *, value: int, block_ms: int) -> None:
        """
        Args:
            pay: From the faucet's wallet.
            reserved: What waiting transactions of that wallet spend.
            value: Of each payment.
            block_ms: Between two blocks, as wanted.
        """
        self._pay = pay
        self._reserved = reserved
        self._value = value
        self._block_ms = block_ms

    async def pay(self, public_key: bytes) -> FaucetPayment:
        """Pays a public key, 32 bytes; raises `FaucetWaitsError`, `FaucetEmptyError` (FAU-4)."""
        try:
            return FaucetPayment(await self._pay(public_key, self._value), self._value)
        except (FundsInsufficientError, NotesTooSmallError) as error:
            if self._reserved():
                text = "the faucet's change waits for a block: try again in a moment"
                raise FaucetWaitsError(text, retry_after_ms=self._block_ms) from error
            raise FaucetEmptyError("the faucet has too little left") from error


class FaucetOperations:
    """Pays from this node's faucet, or asks the faucets of other nodes."""

    def __init__(self, own: OwnFaucet | None, peers: FaucetPeers, genesis: bytes) -> None:
        """
        Args:
            own: None: this node has none.
            peers: Others that may have one.
            genesis: Id of the genesis block, 32 bytes.
        """
        self._own = own
        self._peers = peers
        self._genesis = genesis

    @property
    def is_here(self) -> bool:
        """Whether this node has the faucet."""
        return self._own is not None

    async def pay(self, public_key: bytes) -> FaucetPayment:
        """Has a public key paid, 32 bytes (FAU-5).

        Raises:
            NoFaucetError, FaucetWaitsError, FaucetEmptyError, FaucetAnswerError: None has paid.
            SubmissionRefusedError: The mempool does not take the payment.
        """
        if self._own is not None:
            return await self._own.pay(public_key)
        request, last = encode_request(self._genesis, public_key), None
        for peer in await self._peers.find(MAX_PEERS):
            try:
                return decode_answer(await self._peers.ask(peer, request))
            except LogosError as error:
                log.info("a faucet did not pay", extra={"peer": peer, "reason": error.reason})
                last = error
        raise last or NoFaucetError("no node that could be reached has a faucet")

    async def answer(self, raw: bytes) -> bytes | None:
        """Returns the answer to a peer's request; None: it is none of this chain. Untrusted."""
        public_key = decode_request(raw, self._genesis)
        if public_key is None or self._own is None:
            return None
        try:
            return encode_payment(await self._own.pay(public_key))
        except LogosError as error:
            return encode_refusal(error)
