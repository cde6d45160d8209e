"""One wallet of a node: what it has, what it pays, and what it gives to the node's leader.

Spec: docs/protocol/chain-wallet.md, WAL-7 to WAL-30, WAL-33.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from logos_base.errors import StoreFailedError
from logos_chain.core.leadership import OwnNote
from logos_chain.core.wallet.derivation import Account
from logos_chain.core.wallet.errors import KeyUnknownError, OrderInvalidError
from logos_chain.core.wallet.holdings import VoucherState
from logos_chain.core.wallet.ports import WalletStore
from logos_chain.core.wallet.selection import Rng
from logos_chain.core.wallet.types import Balances, Deposit, Draft, Order, OwnedNote, Recorded
from logos_chain.operations.chain_events import EventsLost, Listener
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.leading import Make
from logos_chain.operations.opening import OpenChain
from logos_chain.operations.wallets.book import WalletBook
from logos_chain.operations.wallets.claiming import Claimer
from logos_chain.operations.wallets.keystores import WalletKeystore
from logos_chain.operations.wallets.proving import DraftProver
from logos_chain.operations.wallets.submitting import Prepared, Submit, Submitter
from logos_chain.operations.wallets.tracking import Tracker
from logos_crypto.circuits import CircuitKey
from logos_mantle.channels import ChannelConfig
from logos_mantle.notes import Note
from logos_mantle.octets import HASH_BYTES, is_field
from logos_mantle.transactions import SignedTransaction
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

NODE: Final = "node"
"""The name of the wallet that leads."""
MAX_PAGE: Final = 1000
"""Entries of the history that are returned at once."""
RETRY_S: Final = 5.0
"""After the store has failed."""


@dataclass(frozen=True, slots=True)
class WalletPorts:
    """What a wallet asks of the rest of the node."""

    store: WalletStore
    submit: Submit
    keys: Mapping[str, CircuitKey]
    """Proving keys, by the names of `proving.CIRCUITS`."""
    make: Make
    """`prove` of the node's prover."""


class WalletOperations:
    """A wallet: a `LeaderWallet`. `open` it before the chain runs, then enter `running`."""

    def __init__(
        self,
        follow: FollowOperations,
        chain: OpenChain,
        account: Account | None,
        *,
        ports: WalletPorts,
        unix_ms: Callable[[], int],
        name: str = NODE,
        rng: Rng | None = None,
        claim_delay_slots: int = 0,
    ) -> None:
        """
        Args:
            follow: The chain, which does not run yet.
            chain: What `follow` was made of.
            account: Of the wallet's keys; None: it only watches.
            ports: Of the node.
            unix_ms: The wall clock.
            name: Of the wallet.
            rng: Of choices that others see; None: the system's.
            claim_delay_slots: The mean time before a voucher is claimed by itself; 0: none is.
        """
        self._follow = follow
        self._tasks: asyncio.TaskGroup | None = None
        self._heard: Listener | None = None
        self._book = WalletBook(
            name,
            account,
            ports.store,
            chain.store,
            rng=rng or secrets.SystemRandom(),
            unix_ms=unix_ms,
        )
        self.payments = self._book.payments
        self._tracker = Tracker(self._book, follow, chain.store, chain.network)
        self._submitter = Submitter(
            self._book, follow, DraftProver(ports.keys, ports.make), ports.submit, self._start
        )
        self._claimer = Claimer(
            self._book,
            follow,
            self._tracker,
            self._submitter,
            mean_ms=claim_delay_slots * chain.network.parameters.slot_ms,
            rng=secrets.SystemRandom() if rng is None else rng,
            unix_ms=unix_ms,
        )
        self.changed: list[Callable[[], None]] = []
        """Are told that the wallet has other notes, and no block has changed them; never fail."""
        self.begin_after: Callable[[], Awaitable[object]] | None = None
        """Is waited for before the chain is looked through, and anything is submitted (CON-52)."""

    async def open(self) -> None:
        """Takes up what is kept; raises DiskFullError, StoreFailedError."""
        await self._tracker.open()
        self._follow.preparing(self._tracker.prepare)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the chain while the context is open; raises `ChainListenersFullError`."""
        failure: Exception | None = None
        with self._follow.events.listen() as heard:
            self._heard = heard
            async with self._claimer.running(), asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                work = {tasks.create_task(self._run(heard))}
                self._started = work
                try:
                    yield
                except Exception as error:  # noqa: BLE001 -- raised again, not in a group
                    failure = error
                finally:
                    self._tasks = None
                    self._submitter.close()
                    for each in work:
                        each.cancel()
        if failure:
            raise failure

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()
            raise ModuleDrainingError("the module is about to stop")
        task = self._tasks.create_task(work)
        self._started.add(task)
        task.add_done_callback(self._started.discard)

    async def _run(self, heard: Listener) -> None:
        if self.begin_after is not None:
            await self.begin_after()
        while True:
            try:
                await self._advance(heard)
            except StoreFailedError as error:
                log.warning("a wallet waits for the disk", extra={"error": str(error)})
                await asyncio.sleep(RETRY_S)
                continue
            await heard.next()

    async def _advance(self, heard: Listener) -> None:
        while self._book.machine is None:
            await self._tracker.scan(heard)
            for each in self.changed:
                each()
        await self._tracker.catch_up()
        if self._tracker.is_at_tip:
            await self.payments.at_tip(self._book.require())
            await self._submitter.submit_due()
            self._claimer.look()

    # -- what there is -------------------------------------------------------------------------

    @property
    def scanned(self) -> int | None:
        """The height up to which the chain was looked through; None: that is not going on."""
        return self._tracker.scanned

    @property
    def height(self) -> int:
        """Of the last block that the wallet has followed; raises `WalletScanningError`."""
        return self._book.require().height

    def balances(self) -> Balances:
        """Returns all sums (WAL-11); raises `WalletScanningError`."""
        return self._book.require().balances()

    def notes(self) -> dict[bytes, OwnedNote]:
        """Returns all unspent notes by id; raises `WalletScanningError`."""
        return self._book.require().notes()

    def reserved(self) -> frozenset[bytes]:
        """Returns ids of the notes that waiting transactions use; raises `WalletScanningError`."""
        return self._book.require().reserved()

    def vouchers(self) -> list[VoucherState]:
        """Returns the vouchers that blocks of the chain have; raises `WalletScanningError`."""
        return self._book.require().vouchers()

    def waiting(self) -> list[Draft]:
        """Returns the transactions that are not final; raises `WalletScanningError`."""
        return self._book.require().waiting()

    def unincluded(self) -> list[Draft]:
        """Returns the transactions that are in no block, oldest first; errors as `waiting`."""
        machine = self._book.require()
        missing = frozenset(machine.unincluded())
        return [each for each in machine.waiting() if each.hash in missing]

    async def history(
        self, before: tuple[int, int] | None = None, limit: int = MAX_PAGE
    ) -> list[Recorded]:
        """Returns entries of the history, the newest first (WAL-17).

        Args:
            before: Height and place of the last that was returned; None: from the newest on.
            limit: At most 1,000.

        Raises:
            WalletScanningError, DiskFullError, StoreFailedError.
        """
        async with self._book.lock:
            return await self._book.history(before, max(0, min(limit, MAX_PAGE)))

    # -- uses ----------------------------------------------------------------------------------

    async def address(self) -> bytes:
        """Returns a public key to be paid to, 32 bytes: another one each time (WAL-8).

        Raises:
            WalletScanningError, KeyUnknownError.
        """
        async with self._book.lock:
            return self._book.require().keys.receive_key()

    async def watch(self, key: bytes) -> None:
        """Watches a public key, 32 bytes, from the next block on; durable (WAL-9).

        Raises:
            OrderInvalidError: It is no public key.
            WalletScanningError, TooManyWatchedError, DiskFullError, StoreFailedError.
        """
        if len(key) != HASH_BYTES or not is_field(key):
            raise OrderInvalidError("no public key of 32 bytes", field="key")
        async with self._book.lock:
            await self._book.watch(key)

    async def send(
        self,
        outputs: Sequence[Note],
        *,
        tip: int = 0,
        request: bytes = b"",
        mark: str | None = None,
    ) -> bytes:
        """Pays notes to others; returns the transaction's hash once it is submitted.

        Args:
            outputs: 1 to 255.
            tip: For the leader, over the fee.
            request: The caller's name for it.
            mark: Of its event; errors and more: `Submitter.send`.
        """
        return await self._submitter.send(Order(tuple(outputs), tip=tip), request, mark)

    async def fulfil(self, order: Order, request: bytes = b"") -> bytes:
        """Pays notes and deposits; arguments, errors and more: `Submitter.send`."""
        return await self._submitter.send(order, request)

    async def deposit(
        self, deposit: Deposit, begin: Sequence[ChannelConfig] = (), *, request: bytes = b""
    ) -> bytes:
        """Gives a value to a channel (WAL-32); returns the transaction's hash once it is submitted.

        Args:
            deposit: What, and to which channel.
            begin: The configuration that makes the channel, where there is none yet.
            request: The caller's name for it, with or without `begin`; errors and more:
                `Submitter.send`.
        """
        order = Order(operations=tuple(begin), signatures=(0,) * len(begin), deposits=(deposit,))
        return await self._submitter.send(order, request)

    async def prepare(self, order: Order) -> Prepared:
        """Pays for operations of the caller's; errors and more: `Submitter.prepare`."""
        if not order.operations:
            raise OrderInvalidError("no operation", field="operations")
        return await self._submitter.prepare(order)

    async def adopt(self, signed: SignedTransaction) -> bool:
        """Submits what `prepare` has made; errors and more: `Submitter.adopt`."""
        return await self._submitter.adopt(signed)

    def is_submitted(self, transaction: bytes) -> bool:
        """Whether it was submitted and is not final, by its hash; or is about to be."""
        return self._submitter.is_submitted(transaction)

    def give_up(self, transaction: bytes) -> None:
        """Frees the notes of what `prepare` has made, by its hash, if it is not to be submitted."""
        self._submitter.give_up(transaction)

    async def claim(self, count: int = 1) -> list[bytes]:
        """Claims at most so many vouchers; arguments and errors as `Claimer.claim` (WAL-15)."""
        return await self._claimer.claim(count)

    # -- a leader's ----------------------------------------------------------------------------

    def leader_notes(self) -> Sequence[OwnNote]:
        """Returns the notes that may lead (WAL-21); none while the chain is scanned. Secret."""
        machine = self._book.machine
        return [] if machine is None else machine.leader_notes()

    async def issue_voucher(self) -> bytes:
        """Returns the commitment of another voucher each time, 32 bytes (WAL-7).

        Raises:
            WalletScanningError, KeyUnknownError, DiskFullError, StoreFailedError.
        """
        book = self._book
        async with book.lock:
            machine = book.require()
            if book.account is None:
                raise KeyUnknownError("a wallet that only watches issues no vouchers")
            number = machine.voucher_ring.next_number + 1
            await book.store.issue_until(book.name, number)
            return machine.issue_voucher().commitment

    # -- its phrase ----------------------------------------------------------------------------

    async def restore(self, keystore: WalletKeystore, phrase: str, passphrase: str) -> None:
        """Makes it the wallet of another phrase, and looks through the chain for it (WAL-27).

        Errors: as `WalletKeystore.replace`; it is the wallet that it was.
        """
        async with self._book.lock:
            account = await asyncio.to_thread(keystore.replace, phrase, passphrase)
            self._book.replace(account)
            self._submitter.forget()
        if self._heard is not None:
            self._heard.put(EventsLost())
