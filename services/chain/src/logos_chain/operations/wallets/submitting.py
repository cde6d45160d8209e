"""Makes transactions of orders, and submits them until a final block has them.

Each is on disk before it is first submitted, so none is made twice, and none is forgotten. What
others cannot take now is submitted again when the chain has moved; what they refuse is dropped.

Spec: docs/protocol/chain-wallet.md, WAL-12, WAL-16, WAL-24, WAL-25, WAL-33.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from logos_base.errors import ErrorKind, LogosError, StoreFailedError
from logos_base.machine import Ticket
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.wallet.errors import (
    OrderInvalidError,
    RequestReusedError,
    WalletScanningError,
)
from logos_chain.core.wallet.records import MAX_REQUEST_BYTES, Submission
from logos_chain.core.wallet.types import Draft, Effect, Order, Prices
from logos_chain.core.wallet.wallet import Wallet
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.wallets.book import WalletBook
from logos_chain.operations.wallets.proving import (
    DraftProver,
    DraftWitnesses,
    is_provable,
    transfer_witness,
    witnesses,
)
from logos_crypto.trees import MerklePath
from logos_mantle.channels import ChannelDeposit
from logos_mantle.derivations import blake2b
from logos_mantle.octets import ZERO
from logos_mantle.operations import encode_operation
from logos_mantle.transactions import SignedTransaction
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

MAX_REQUESTS: Final = 1024
"""Names of orders that are remembered beyond those of the book."""

TICKET: Final = Ticket(0)
"""Of all questions: they are answered at once."""
AGAIN_BLOCKS: Final = 10
"""After so many blocks all that waits is submitted again."""
SUBMIT_S: Final = 30.0
"""What has taken no transaction by then is asked again later."""
MAX_U64: Final = (1 << 64) - 1

_LATER: Final = frozenset(
    {
        ErrorKind.UNAVAILABLE,
        ErrorKind.RESOURCE_EXHAUSTED,
        ErrorKind.DEADLINE_EXCEEDED,
        ErrorKind.ABORTED,
        ErrorKind.INTERNAL,
    }
)
"""Kinds of errors that say nothing about the transaction."""

Submit = Callable[[bytes], Awaitable[bytes]]
"""Gives an encoded transaction to the node's mempool, and returns its hash. Errors of `LogosError`:
of those that say something about the transaction, `ALREADY_EXISTS` is none."""

Start = Callable[[Coroutine[Any, Any, None]], object]
"""Starts work that goes on though its caller is cancelled."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a machine has answered to a question for a transaction."""

    effects: Sequence[Effect]
    path: MerklePath | None = None
    """Of the voucher, for a claim."""


Ask = Callable[[Wallet, int], Asked]
"""Asks a machine for one draft, at a time; errors of `LogosError`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transaction that lacks the proofs of its callers' operations."""

    draft: Draft
    transfer_proof: bytes
    """Of its last operation, 128 bytes."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What the caller of an order has said besides it."""

    request: bytes = b""
    digest: bytes = ZERO
    """Of the order."""
    mark: str | None = None
    """Of its caller, which the payment is told with (WAL-33); None: it is not told of."""


@dataclass(frozen=True, slots=True)
class _Request:
    order: bytes
    outcome: asyncio.Future[bytes]


class Submitter:
    """The transactions of one wallet on their way."""

    def __init__(
        self,
        book: WalletBook,
        follow: FollowOperations,
        prover: DraftProver,
        submit: Submit,
        start: Start,
    ) -> None:
        self._book = book
        self._follow = follow
        self._prover = prover
        self._port = submit
        self._start = start
        self._requests: dict[bytes, _Request] = {}
        self._open: set[asyncio.Future[bytes]] = set()
        self._adopting: set[bytes] = set()
        self._again_height = 0

    async def send(self, order: Order, request: bytes = b"", mark: str | None = None) -> bytes:
        """Fulfils an order; returns the hash of its transaction, 32 bytes, once it is submitted.

        The work goes on if the caller is cancelled.

        Args:
            order: Its operations are deposits of the wallet's own notes, if it has any.
            request: The caller's name for it, at most 64 bytes: an order of a name is fulfilled
                once (WAL-25). Empty: it has none.
            mark: Of the caller, which the payment is told with (WAL-33); None: it is not told of.

        Raises:
            RequestReusedError: Another order has this name.
            WalletScanningError, and what `Wallet.prepare` raises: Nothing was made.
            DiskFullError, StoreFailedError: It is not submitted, unless that becomes known at the
                next start.
            LogosError: The prover failed, or the transaction was refused; it is dropped.
        """
        if len(request) > MAX_REQUEST_BYTES:
            raise OrderInvalidError(f"at most {MAX_REQUEST_BYTES} bytes", field="request")
        if not 0 <= order.tip <= MAX_U64:
            raise OrderInvalidError("no tip of 64 bits", field="tip")
        if not all(map(is_provable, order.operations)):
            raise OrderInvalidError("an operation that others sign", field="operations")
        digest = _digest(order)
        self._book.require()
        known = self._known(request) if request else None
        if known is None:
            known = _Request(digest, asyncio.get_running_loop().create_future())
            if request:
                self._remember(request, known)
            named = _Named(request, digest, mark)
            self._begin(self._ordered(order, named), known, request)
        elif known.order != digest:
            raise RequestReusedError("another order had this name", field="request")
        return await asyncio.shield(known.outcome)

    async def make(self, ask: Ask) -> bytes:
        """Has a transaction made that has no name; returns its hash once it is submitted.

        Raises:
            WalletScanningError, and what `ask` raises: Nothing was made.
            LogosError: As `send`.
        """
        made = _Request(ZERO, asyncio.get_running_loop().create_future())
        self._begin(self._fulfil(ask, _Named()), made, b"")
        return await asyncio.shield(made.outcome)

    async def prepare(self, order: Order) -> Prepared:
        """Makes a transaction of operations that others sign, with the proof of what it pays.

        Its notes are reserved until it is final, or as long as a draft that is not submitted.

        Args:
            order: With operations.

        Raises:
            WalletScanningError, and what `Wallet.prepare` raises: Nothing was made.
            LogosError: The prover failed.
        """
        prices, book = (await self._follow.at_tip(prices_of)).value, self._book
        async with book.lock:
            machine, now_ms = book.require(), book.unix_ms()
            book.obey(machine.tick(now_ms))
            [draft] = book.obey(machine.prepare(TICKET, order, prices, now_ms))
        try:
            return Prepared(draft, await self._prover.proof(transfer_witness(machine, draft)))
        except BaseException:
            self.give_up(draft.hash)
            raise

    async def adopt(self, signed: SignedTransaction) -> bool:
        """Submits what `prepare` has made, with all proofs, until a final block has it.

        Returns:
            False: it is none of the wallet's, or not reserved any more. It is not submitted.

        Raises:
            LogosError: The disk failed, or it was refused; it is dropped.
        """
        key, book = signed.hash, self._book
        self._adopting.add(key)
        try:
            async with book.lock:
                machine = book.machine
                drafts = [] if machine is None else machine.waiting()
                draft = next((each for each in drafts if each.hash == key), None)
                if machine is None or draft is None:
                    return False
                if key not in book.submissions:
                    await self._put(machine, Submission(draft, signed))
            await self._submit(key)
        finally:
            self._adopting.discard(key)
        return True

    def is_submitted(self, key: bytes) -> bool:
        """Whether a transaction, by its hash, was submitted and is not final, or is about to be."""
        return key in self._adopting or key in self._book.submissions

    def give_up(self, key: bytes) -> None:
        """Frees the notes of a transaction by its hash; of one that does not wait, none."""
        book = self._book
        if book.machine is not None:
            book.obey(book.machine.dropped(key, book.unix_ms()))

    async def submit_due(self) -> None:
        """Submits again what is due; what is refused is dropped (WAL-28).

        Every 10 blocks that is all that waits: what took it may have forgotten it, and claims of
        another share or epoch are refused then.
        """
        machine = self._book.require()
        if machine.height >= self._again_height:
            self._again_height = machine.height + AGAIN_BLOCKS
            waiting = [each for each in machine.unincluded() if each in self._book.submissions]
            self._book.due |= dict.fromkeys(waiting)
        for each in [each for each in self._book.due if each in self._book.submissions]:
            try:
                await self._submit(each)
            except LogosError as error:
                log.warning("a transaction is given up", extra={"error": str(error)})

    def forget(self) -> None:
        """Forgets all names and marks: it is another wallet."""
        self._requests.clear()
        self._book.payments.forget()

    def close(self) -> None:
        """Ends the waiting of all callers: the module stops."""
        for each in self._open:
            if not each.done():
                each.set_exception(ModuleDrainingError("the module is about to stop"))
                each.exception()

    # -- requests ------------------------------------------------------------------------------

    def _known(self, request: bytes) -> _Request | None:
        known = self._requests.get(request)
        if known is not None:
            return known
        for submission in self._book.submissions.values():
            if submission.request == request:
                return _done(submission.order, submission.draft.hash)
        fulfilled = self._book.fulfilled.get(request)
        return None if fulfilled is None else _done(fulfilled.order, fulfilled.hash)

    def _remember(self, request: bytes, made: _Request) -> None:
        self._requests[request] = made
        done = [key for key, each in self._requests.items() if each.outcome.done()]
        for key in done[: max(0, len(self._requests) - MAX_REQUESTS)]:
            del self._requests[key]

    def _begin(self, work: Coroutine[Any, Any, bytes], made: _Request, request: bytes) -> None:
        self._open.add(made.outcome)
        made.outcome.add_done_callback(self._open.discard)
        try:
            self._start(self._settle(work, made, request))
        except BaseException:
            work.close()
            made.outcome.cancel()
            raise

    async def _settle(
        self, work: Coroutine[Any, Any, bytes], made: _Request, request: bytes
    ) -> None:
        outcome = made.outcome
        try:
            found = await work
        except LogosError as error:
            if self._requests.get(request) is made:
                del self._requests[request]  # it may be asked for again
            if not outcome.done():
                outcome.set_exception(error)
                outcome.exception()  # it may be that no caller waits
        else:
            if not outcome.done():
                outcome.set_result(found)

    # -- work ----------------------------------------------------------------------------------

    async def _ordered(self, order: Order, named: _Named) -> bytes:
        prices = (await self._follow.at_tip(prices_of)).value

        def ask(machine: Wallet, now_ms: int) -> Asked:
            return Asked(machine.prepare(TICKET, order, prices, now_ms))

        return await self._fulfil(ask, named)

    async def _fulfil(self, ask: Ask, named: _Named) -> bytes:
        book = self._book
        async with book.lock:
            machine, now_ms = book.require(), book.unix_ms()
            book.obey(machine.tick(now_ms))
            asked = ask(machine, now_ms)
            [draft] = book.obey(asked.effects)
            try:
                wanted = witnesses(machine, draft, asked.path)
            except BaseException:
                self.give_up(draft.hash)
                raise
        return await self._finish(machine, wanted, named)

    async def _finish(self, machine: Wallet, wanted: DraftWitnesses, named: _Named) -> bytes:
        draft, book = wanted.draft, self._book
        try:
            signed = await self._prover.signed(wanted)
            async with book.lock:
                if book.machine is not machine:
                    raise WalletScanningError("the wallet has become another one")
                await self._put(machine, Submission(draft, signed, named.request, named.digest))
                if named.mark is not None:
                    book.payments.expect(draft.hash, named.mark)
        except BaseException:
            self.give_up(draft.hash)
            raise
        await self._submit(draft.hash)
        return draft.hash

    async def _put(self, machine: Wallet, submission: Submission) -> None:
        key = submission.draft.hash
        machine.submitted(key, self._book.unix_ms())
        try:
            await self._book.put(submission)
        except BaseException:
            self.give_up(key)
            raise

    async def _submit(self, key: bytes) -> None:
        book = self._book
        submission = book.submissions.get(key)
        if submission is None:
            return
        book.due.pop(key, None)
        try:
            async with asyncio.timeout(SUBMIT_S):
                await self._port(submission.signed.encoded)
        except TimeoutError:
            book.due[key] = None
        except LogosError as error:
            if error.kind is ErrorKind.ALREADY_EXISTS:
                return
            if error.kind in _LATER:
                book.due[key] = None
                log.info("a transaction is submitted again later", extra={"error": str(error)})
                return
            self.give_up(key)
            await self._drop_gone()
            raise

    async def _drop_gone(self) -> None:
        try:
            async with self._book.lock:
                await self._book.drop_gone()
        except StoreFailedError as error:  # it is dropped with the next that is
            log.info("a dropped transaction is still on disk", extra={"error": str(error)})


def _done(order: bytes, transaction: bytes) -> _Request:
    outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    outcome.set_result(transaction)
    return _Request(order, outcome)


def prices_of(ledger: Ledger) -> Prices:
    """Returns the prices of the next block."""
    return Prices(ledger.head.execution.price, ledger.head.storage.price)


def _digest(order: Order) -> bytes:
    """Tells orders of one name apart. Those of notes alone keep the digests of earlier releases.

    The configuration of a new channel is left out: whether there is one depends on the chain.
    """
    deposits = [each for each in order.operations if isinstance(each, ChannelDeposit)]
    parts = [order.tip.to_bytes(8, "little"), *[each.encode() for each in order.outputs]]
    if deposits or order.deposits or order.payers or order.change_key is not None:
        lists = (order.outputs, deposits, order.payers, order.deposits)
        parts += [len(each).to_bytes(8, "little") for each in lists]
        parts += [encode_operation(each) for each in deposits]
        parts += [*sorted(order.payers), order.change_key or b""]
        parts += [
            blake2b(each.channel, each.value.to_bytes(8, "little"), each.metadata)
            for each in order.deposits
        ]
    return blake2b(*parts)
