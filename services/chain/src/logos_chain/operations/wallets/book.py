"""The machine of one wallet, and what is kept of it on disk.

All that a machine tells is noted here until the disk has it.

Spec: docs/protocol/chain-wallet.md, WAL-16, WAL-22 to WAL-24.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from logos_base.machine import Answer
from logos_chain.core.ports import ChainStore
from logos_chain.core.wallet.beginnings import LOOK_AHEAD
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.errors import (
    KeyUnknownError,
    NoteUnavailableError,
    WalletOtherError,
    WalletScanningError,
    WalletStateDamagedError,
)
from logos_chain.core.wallet.ports import KeptDraft, KeptEntry, WalletStore
from logos_chain.core.wallet.records import (
    Fulfilled,
    Submission,
    decode_draft,
    decode_entry,
    encode_entry,
    encode_fulfilled,
    encode_submission,
)
from logos_chain.core.wallet.selection import Rng
from logos_chain.core.wallet.types import (
    Draft,
    Dropped,
    Effect,
    Excluded,
    Included,
    Recorded,
    Settled,
)
from logos_chain.core.wallet.wallet import Wallet
from logos_chain.operations.wallets.payments import Payments

log = logging.getLogger(__name__)

MAX_FULFILLED: Final = 1024
"""Names of orders that are remembered once they are final."""


class WalletBook:
    """One wallet in memory and on disk. `lock` orders all that waits in between."""

    def __init__(
        self,
        name: str,
        account: Account | None,
        store: WalletStore,
        chain: ChainStore,
        *,
        rng: Rng,
        unix_ms: Callable[[], int],
    ) -> None:
        """
        Args:
            name: Of the wallet in the store.
            account: Of its keys; None: it only watches.
            store: Of the node's wallets.
            chain: Tells which transactions final blocks have.
            rng: Of choices that others see.
            unix_ms: The wall clock.
        """
        self.name = name
        self.account = account
        self.payments = Payments(chain)
        self.store = store
        self.lock = asyncio.Lock()
        self.unix_ms = unix_ms
        self.machine: Wallet | None = None
        """None: the chain is to be scanned."""
        self.submissions: dict[bytes, Submission] = {}
        """What was submitted and is not final, by hash."""
        self.due: dict[bytes, None] = {}
        """Hashes of what is to be submitted again, in order."""
        self.fulfilled: dict[bytes, Fulfilled] = {}
        """Names of orders whose transactions are final, the oldest first."""
        self._unkept: dict[bytes, Fulfilled] = {}
        self._chain = chain
        self._rng = rng
        self._entries: list[Recorded] = []
        self._kept: bytes | None = None
        """The block for which the disk has the newest state."""
        self._gone: set[bytes] = set()
        self._watched: set[bytes] = set()
        self._used: Mapping[Role, int] = {}
        """Below which numbers keys were in use on a chain that was given up; empty: none was."""
        self._is_other = False
        """Whether what is on disk is another phrase's."""

    def require(self) -> Wallet:
        """Returns the machine; raises `WalletScanningError`."""
        if self.machine is None:
            raise WalletScanningError("the wallet looks through the chain; try again later")
        return self.machine

    def fresh(self, *, tip: bytes, height: int) -> Wallet:
        """Returns a machine that has seen nothing, after a block.

        Where a chain was given up it looks for as many keys and vouchers beyond those that were
        used on it as after a checkpoint (CON-52), which blocks for some seconds.
        """
        made = Wallet(self.account, self._rng, tip=tip, height=height)
        if self._used:
            made.keys.begin_after(self._used)
            made.look_ahead(max(self._used.values()) + LOOK_AHEAD)
        self._watch_all(made)
        return made

    # -- taking up -----------------------------------------------------------------------------

    async def load(self, block: bytes) -> bool:
        """Takes up what is kept for a final block; returns whether there is such.

        Raises:
            DiskFullError, StoreFailedError.
        """
        await self._load_watched()
        self._used = await self.store.used_before(self.name)
        raw = await self.store.load(self.name, block)
        if raw is None:
            return False
        try:
            machine = await asyncio.to_thread(self._restored, raw)
        except WalletOtherError:
            log.warning("what is kept of a wallet is another phrase's", extra={"wallet": self.name})
            self._is_other = True
            return False
        except WalletStateDamagedError as error:
            log.warning("the kept state of a wallet is given up", extra={"error": str(error)})
            return False
        self._watch_all(machine)
        await self.take_up(machine)
        self._kept = block
        return True

    def _restored(self, raw: bytes) -> Wallet:
        made = Wallet.restored(self.account, self._rng, raw)
        made.keys.begin_after(self._used)
        return made

    def replace(self, account: Account) -> None:
        """Makes it the wallet of another phrase, which is to be scanned for. Under the lock."""
        self.account, self.machine, self._is_other = account, None, True
        self._used = {}
        for each in (self.submissions, self.due, self.fulfilled, self._unkept, self._gone):
            each.clear()

    async def begin(self, machine: Wallet, entries: Iterable[Recorded]) -> None:
        """Keeps a machine at the genesis; all that was kept of states and history goes.

        What was submitted stays, unless it was another phrase's. Raises as `keep`.
        """
        if self._is_other:
            await self.store.forget(self.name)
            self._is_other = False
        self._entries.clear()
        self._kept = None
        await self.keep(machine, entries)

    async def take_up(self, machine: Wallet) -> None:
        """Makes a machine that is at a final block the wallet's, with what was submitted."""
        machine.voucher_ring.issued_until(await self.store.next_voucher(self.name))
        self.submissions.clear()
        self.fulfilled.clear()
        for kept in await self.store.drafts(self.name):
            await self._resume(machine, kept)
        self.due = dict.fromkeys(self.submissions)
        self.machine = machine

    async def _resume(self, machine: Wallet, kept: KeptDraft) -> None:
        """Takes up one of what was submitted, unless it is of no use any more."""
        try:
            draft = decode_draft(kept.value)
            if isinstance(draft, Fulfilled):
                self.fulfilled[draft.request] = draft
                return
            containing = await self._chain.containing(kept.hash)
            if any(self._chain.is_final(each) for each in containing):
                self._fulfil(draft)
                return
            await _know_keys(machine, draft.draft)
            machine.resume(draft.draft, self.unix_ms())
        except (KeyUnknownError, NoteUnavailableError, WalletStateDamagedError) as error:
            log.warning("a kept transaction is given up", extra={"error": str(error)})
            self._gone.add(kept.hash)
        else:
            self.submissions[kept.hash] = draft

    # -- what becomes of it --------------------------------------------------------------------

    def obey(self, effects: Iterable[Effect]) -> list[Draft]:
        """Notes what a machine tells; returns the drafts that it answers with."""
        drafts: list[Draft] = []
        for effect in effects:
            self.payments.heard(effect)
            match effect:
                case Answer(value=Draft() as draft):
                    drafts.append(draft)
                case Recorded():
                    self._entries.append(effect)
                case Included(transaction):
                    self.due.pop(transaction, None)
                case Excluded(transaction):
                    if transaction in self.submissions:
                        self.due[transaction] = None
                case Settled(transaction) | Dropped(transaction):
                    self.due.pop(transaction, None)
                    submission = self.submissions.pop(transaction, None)
                    if submission is not None and isinstance(effect, Settled):
                        self._fulfil(submission)
                    elif submission is not None:
                        self._gone.add(transaction)
                case _:
                    pass
        return drafts

    def _fulfil(self, submission: Submission) -> None:
        """Notes that a submission is final; of one with a name, that it was fulfilled stays."""
        key = submission.draft.hash
        self._gone.add(key)
        if submission.request:
            self._gone.discard(key)
            made = Fulfilled(submission.request, submission.order, key)
            self.fulfilled[made.request] = self._unkept[key] = made
        for request in list(self.fulfilled)[: max(0, len(self.fulfilled) - MAX_FULFILLED)]:
            self._gone.add(self.fulfilled.pop(request).hash)

    async def keep(self, machine: Wallet, entries: Iterable[Recorded] = ()) -> None:
        """Keeps a machine at its last final block, and its history up to there (WAL-22, WAL-23).

        Raises:
            DiskFullError, StoreFailedError: It is to be kept again.
        """
        self._entries += entries
        block, height = machine.final
        if block != self._kept:  # a second time would take the entries of the block away
            kept = [
                KeptEntry(each.entry.height, each.place, encode_entry(each.entry))
                for each in self._entries
            ]
            await self.store.keep(self.name, block, height, machine.snapshot(), kept)
            self._entries.clear()
            self._kept = block
        await self.drop_gone()

    async def put(self, submission: Submission) -> None:
        """Makes a submission durable; raises DiskFullError, StoreFailedError: drop it then."""
        key = submission.draft.hash
        try:
            await self.store.put_draft(self.name, KeptDraft(key, encode_submission(submission)))
        except BaseException:
            self._gone.add(key)  # it may have been done
            raise
        self.submissions[key] = submission

    async def drop_gone(self) -> None:
        """Drops what was submitted, and is final or given up; raises as `keep`."""
        for key, made in list(self._unkept.items()):
            await self.store.put_draft(self.name, KeptDraft(key, encode_fulfilled(made)))
            self._unkept.pop(key, None)
        gone = sorted(self._gone)
        if gone:
            await self.store.drop_drafts(self.name, gone)
            self._gone -= set(gone)

    async def history(self, before: tuple[int, int] | None, limit: int) -> list[Recorded]:
        """Returns entries before a height and a place, the newest first (WAL-23)."""
        recent = [Recorded(entry, place) for place, entry in self.require().recent()]
        known = [
            each
            for each in (*self._entries, *recent)
            if before is None or (each.entry.height, each.place) < before
        ]
        found = known[::-1][:limit]
        if len(found) == limit:
            return found
        oldest = [(each.entry.height, each.place) for each in (*self._entries, *recent)][:1]
        bound = min([each for each in (before, *oldest) if each is not None], default=None)
        kept = await self.store.entries(self.name, bound, limit - len(found))
        return found + [Recorded(decode_entry(each.value), each.place) for each in kept]

    # -- watched keys --------------------------------------------------------------------------

    async def watch(self, key: bytes) -> None:
        """Watches a key of 32 bytes, durably, from the next block on (WAL-9).

        Raises:
            TooManyWatchedError, DiskFullError, StoreFailedError.
        """
        self.require().keys.watch(key)
        await self.store.watch(self.name, key)
        self._watched.add(key)

    async def _load_watched(self) -> None:
        self._watched = set(await self.store.watched(self.name))

    def _watch_all(self, machine: Wallet) -> None:
        for each in self._watched:
            machine.keys.watch(each)


async def _know_keys(machine: Wallet, draft: Draft) -> None:
    """Makes sure that a kept draft's keys are known; raises `KeyUnknownError`.

    Where the chain was given up, the wallet has not come to the blocks that have used them
    (CON-52): then it looks for as many as after a checkpoint.
    """
    if not all(machine.keys.is_own(each) for each in (*draft.signing_keys, *draft.keys)):
        await asyncio.to_thread(machine.keys.look_ahead, LOOK_AHEAD)
    for each in draft.signing_keys:
        machine.keys.secret_key(each)
