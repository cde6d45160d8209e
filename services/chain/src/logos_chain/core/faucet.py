"""The faucet of a test network: what is asked and answered.

Spec: docs/protocol/chain-faucet.md, FAU-2, FAU-3.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Protocol

from logos_base.errors import ErrorKind, LogosError, RemoteFaultError

PROTOCOL: Final = "/logos/chain/faucet/1.0.0"
REQUEST_BYTES: Final = 64
MAX_ANSWER_BYTES: Final = 1 + 4 + 64

_PAID: Final = b"\0"
_REFUSED: Final = b"\1"
_PAID_BYTES: Final = 1 + 32 + 8
_MAX_WAIT_MS: Final = (1 << 32) - 1


class NoFaucetError(LogosError):
    """No node of the network that could be reached has a faucet (FAU-5)."""

    kind = ErrorKind.NOT_FOUND
    reason = "NO_FAUCET"


class FaucetWaitsError(LogosError):
    """What the faucet has left waits for its block (FAU-4)."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "FAUCET_WAITS"


class FaucetEmptyError(LogosError):
    """The faucet has too little left (FAU-4)."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "FAUCET_EMPTY"


class FaucetAnswerError(RemoteFaultError):
    """A peer's answer is none of FAU-3, or names a reason of its own."""

    kind = ErrorKind.UNAVAILABLE
    reason = "FAUCET_FAILED"


@dataclass(frozen=True, slots=True)
class FaucetPayment:
    """The faucet has paid."""

    hash: bytes
    """Of its transaction, 32 bytes."""
    value: int
    """64 bits."""


class FaucetPeers(Protocol):
    """The nodes that may have a faucet."""

    async def find(self, limit: int) -> list[str]:
        """Returns peers that speak the protocol, connected ones first, at most so many."""
        ...

    def ask(self, peer: str, request: bytes) -> Awaitable[bytes]:
        """Asks one, and returns its answer; PeerFailedError, NetworkDeniedError."""
        ...


def encode_request(genesis: bytes, public_key: bytes) -> bytes:
    """Returns 64 bytes; takes two of 32."""
    return genesis + public_key


def decode_request(raw: bytes, genesis: bytes) -> bytes | None:
    """Returns the public key to pay, 32 bytes; None: it is no request of this chain. Untrusted."""
    if len(raw) != REQUEST_BYTES or raw[:32] != genesis:
        return None
    return raw[32:]


def encode_payment(payment: FaucetPayment) -> bytes:
    """Returns the answer of a faucet that has paid, 41 bytes."""
    return _PAID + payment.hash + payment.value.to_bytes(8, "little")


def encode_refusal(error: LogosError) -> bytes:
    """Returns the answer of one that has not."""
    wait_ms = min(max(error.retry_after_ms or 0, 0), _MAX_WAIT_MS)
    return _REFUSED + wait_ms.to_bytes(4, "little") + error.reason.encode("ascii")[:64]


def decode_answer(raw: bytes) -> FaucetPayment:
    """Reads an answer. Untrusted.

    Raises:
        FaucetWaitsError, FaucetEmptyError: The faucet says so.
        FaucetAnswerError: Anything else.
    """
    if raw[:1] == _PAID and len(raw) == _PAID_BYTES:
        return FaucetPayment(raw[1:33], int.from_bytes(raw[33:], "little"))
    if raw[:1] != _REFUSED or not 5 <= len(raw) <= MAX_ANSWER_BYTES:
        raise FaucetAnswerError("a faucet's answer makes no sense")
    wait_ms, reason = int.from_bytes(raw[1:5], "little"), raw[5:].decode("ascii", "replace")
    if reason == FaucetWaitsError.reason:
        raise FaucetWaitsError("the faucet's change waits for a block", retry_after_ms=wait_ms)
    if reason == FaucetEmptyError.reason:
        raise FaucetEmptyError("the faucet has too little left")
    raise FaucetAnswerError("the faucet did not pay")
