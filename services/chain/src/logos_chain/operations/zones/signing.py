"""Messages as transactions: the node's wallet pays, the caller signs, the mempool takes them.

Spec: docs/protocol/zone-sdk.md, ZON-8, ZON-13, ZON-23.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from logos_base.errors import ErrorKind, LogosError
from logos_chain.core.wallet.types import Order
from logos_chain.core.zone_errors import NotSignedError, SignatureInvalidError
from logos_chain.operations.wallets.submitting import Prepared
from logos_mantle.channels import ChannelConfig
from logos_mantle.operations import Operation
from logos_mantle.proofs import InscriptionProof, ThresholdProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction
from logos_zone_sdk.core.events import Submit
from logos_zone_sdk.core.paid import HAS_IT, MAY_HAVE_IT, PaidMessages
from logos_zone_sdk.core.signatures import is_signature

SIGN_S: Final = 30.0
"""How long a caller has to sign."""
_PAGE: Final = 1000
_MAY_BE_STALE: Final = frozenset({ErrorKind.FAILED_PRECONDITION, ErrorKind.INVALID_ARGUMENT})


@dataclass(frozen=True, slots=True)
class Sign:
    """Asks the caller for a signature."""

    number: int
    """Of the payload."""
    message: bytes
    """Id, 32 bytes."""
    hash: bytes
    """What is to be signed, 32 bytes."""
    transaction: bytes
    """Encoded."""


class Mempool(Protocol):
    """What is asked of the node's mempool."""

    def get(self, identifier: bytes) -> SignedTransaction | None:
        """Returns a waiting transaction by its hash, 32 bytes."""
        ...

    def waiting(self, after: int, limit: int) -> list[SignedTransaction]:
        """Returns a page of what waits."""
        ...


@dataclass(frozen=True, slots=True)
class ZonePorts:
    """What the node does for a sequencer."""

    prepare: Callable[[Order], Awaitable[Prepared]]
    """Of the wallet."""
    give_up: Callable[[bytes], None]
    """Of the wallet: frees the notes of what `prepare` has made, by its hash."""
    adopt: Callable[[SignedTransaction], Awaitable[bool]]
    """Of the wallet: submits what `prepare` has made until it is final; False: it has not."""
    is_submitted: Callable[[bytes], bool]
    """Of the wallet, by the hash: whether it is about to be, or was and is not final."""
    submit: Callable[[bytes], Awaitable[bytes]]
    """Of the mempool; one that waits already is no error."""
    mempool: Mempool


@dataclass(slots=True)
class _Asked:
    message: bytes
    prepared: Prepared
    signature: asyncio.Future[bytes]


class Signing:
    """The transactions of one sequencer, one at a time."""

    def __init__(
        self,
        key: bytes,
        ports: ZonePorts,
        ask: Callable[[Sign], Awaitable[None]],
        unix_ms: Callable[[], int],
    ) -> None:
        """
        Args:
            key: Ed25519 public key, 32 bytes.
            ports: Of the node.
            ask: Asks the caller, who answers by `signed`.
            unix_ms: The wall clock.
        """
        self._key = key
        self._ports = ports
        self._ask = ask
        self._unix_ms = unix_ms
        self._made = PaidMessages()
        self._asked: _Asked | None = None

    async def give(self, wanted: Submit) -> str:
        """Gives a message to the mempool; returns why it was not taken, empty: it was."""
        try:
            raw = self._made.get(wanted.message)
            if raw is None:
                if self._waits(wanted.operation):
                    return ""  # no note is to be spent on it twice
                raw = await self._transaction(wanted)
                self._made.put(wanted.message, raw, self._unix_ms())
            await self._ports.submit(raw)
        except LogosError as error:
            is_there = error.reason in MAY_HAVE_IT and self._waits(wanted.operation)
            if is_there or error.reason in HAS_IT:
                return ""
            if error.kind in _MAY_BE_STALE:
                self._made.refused(wanted.message, self._unix_ms())
            return error.reason
        return ""

    def signed(self, message: bytes, signature: bytes) -> None:
        """Takes a signature; one that is not waited for any more changes nothing.

        Raises:
            SignatureInvalidError: It is not the key's.
        """
        asked = self._asked
        if asked is None or asked.message != message or asked.signature.done():
            return
        check_signature(self._key, asked.prepared.draft.hash, signature)
        asked.signature.set_result(signature)

    def close(self) -> None:
        """Frees the notes of a transaction that was not signed."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._ports.give_up(asked.prepared.draft.hash)

    async def _transaction(self, wanted: Submit) -> bytes:
        asked = self._asked
        if asked is not None and asked.message == wanted.message:
            prepared = asked.prepared  # which was not signed in time: its notes are reserved
        else:
            self.close()
            prepared = await self._ports.prepare(Order(operations=(wanted.operation,)))
        loop = asyncio.get_running_loop()
        asked = self._asked = _Asked(wanted.message, prepared, loop.create_future())
        draft = prepared.draft
        encoded = draft.transaction.encoded
        await self._ask(Sign(wanted.number, wanted.message, draft.hash, encoded))
        try:
            async with asyncio.timeout(SIGN_S):
                signature = await asked.signature
        except TimeoutError:
            raise NotSignedError("the caller has not signed") from None
        self._asked = None
        proofs = (InscriptionProof(signature), ZkSignatureProof(prepared.transfer_proof))
        return SignedTransaction(draft.transaction, proofs).encoded

    def _waits(self, operation: Operation) -> bool:
        """Returns whether the message waits in another transaction, e.g. of before a restart."""
        passed = 0
        while page := self._ports.mempool.waiting(passed, _PAGE):
            if any(operation in each.transaction.operations for each in page):
                return True
            passed += len(page)
        return False


def check_signature(key: bytes, signed: bytes, signature: bytes) -> None:
    """Raises `SignatureInvalidError` unless a signature is that of an Ed25519 key."""
    if not is_signature(key, signed, signature):
        raise SignatureInvalidError("the signature is not that of the key")


async def make_channel(config: ChannelConfig, ports: ZonePorts) -> bytes:
    """Makes a channel by its configuration, which no key signs; returns the transaction's hash.

    Raises:
        LogosError: As of the wallet's `prepare`, and of what takes transactions.
    """
    prepared = await ports.prepare(Order(operations=(config,), signatures=(1,)))
    proofs = (ThresholdProof(()), ZkSignatureProof(prepared.transfer_proof))
    return await ports.submit(SignedTransaction(prepared.draft.transaction, proofs).encoded)
