"""The machine of one wallet: follows the chain, makes transactions, waits for them.

It makes no proofs and submits nothing: it answers with drafts, whose notes and vouchers nobody else
gets while they wait.

Spec: docs/protocol/chain-wallet.md, WAL-8 to WAL-18.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from logos_base.machine import Answer, Ticket
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.leadership import OwnNote
from logos_chain.core.wallet.beginnings import Beginning
from logos_chain.core.wallet.claims import plan_claim
from logos_chain.core.wallet.derivation import Account
from logos_chain.core.wallet.errors import (
    KeyUnknownError,
    NoteUnavailableError,
    VoucherUnavailableError,
    WalletOtherError,
)
from logos_chain.core.wallet.holdings import FinalHoldings, Holdings, Step, VoucherState
from logos_chain.core.wallet.ring import KeyRing, Voucher, VoucherRing
from logos_chain.core.wallet.selection import Rng, plan
from logos_chain.core.wallet.state import KeptVoucher, WalletState
from logos_chain.core.wallet.types import (
    Balances,
    BlockChanges,
    Draft,
    DropReason,
    Effect,
    Entry,
    Excluded,
    Included,
    Moved,
    Order,
    OwnedNote,
    Prices,
    Recorded,
    Settled,
    Unmoved,
)
from logos_chain.core.wallet.waiting import Waiting, uses
from logos_crypto.trees import MerklePath
from logos_mantle.octets import ZERO

MAX_HISTORY: Final = 10_000
"""Entries of final blocks that are kept; a store keeps them all, by `Moved`."""


@dataclass(frozen=True, slots=True)
class WalletParameters:
    """Figures of a wallet."""

    safe_blocks: int = 6
    """So many blocks a note has been as it is, to count as safe."""
    draft_ms: int = 600_000
    """A draft that is not submitted for so long is dropped."""


class Wallet:
    """Not thread-safe. Inputs about blocks come in the order of the chain."""

    def __init__(
        self,
        account: Account | None,
        rng: Rng,
        *,
        tip: bytes,
        height: int = 0,
        parameters: WalletParameters | None = None,
    ) -> None:
        """Begins after a block, usually the genesis' parent, with nothing.

        Args:
            account: Of the keys; None: the wallet only watches.
            rng: Of choices that others see.
            tip: Id of the block before the first that it follows, 32 bytes; it is final.
            height: Of that block.
            parameters: Other figures than the usual.
        """
        self._parameters = parameters or WalletParameters()
        self._rng = rng
        self.keys = KeyRing(account)
        self.voucher_ring = VoucherRing(account)
        self._holdings = Holdings(self.keys, self.voucher_ring, tip=tip, height=height)
        self._waiting = Waiting()
        self._history: deque[Entry] = deque(maxlen=MAX_HISTORY)

    @classmethod
    def restored(
        cls,
        account: Account | None,
        rng: Rng,
        raw: bytes,
        *,
        parameters: WalletParameters | None = None,
    ) -> Self:
        """Goes on from where a wallet of the same account was (WAL-22).

        Takes about a millisecond for ten keys that were used.

        Args:
            account: Of the keys.
            rng: Of choices that others see.
            raw: What `snapshot` has returned.
            parameters: Other figures than the usual.

        Raises:
            WalletStateDamagedError: The bytes are no state of a wallet.
            WalletOtherError: They are another account's.
        """
        state = WalletState.decode(raw)
        made = cls(account, rng, tip=state.block, height=state.height, parameters=parameters)
        if state.owner != made.keys.owner:
            raise WalletOtherError("the kept state is that of a wallet of another phrase")
        made.keys.take_up(state)
        ring = made.voucher_ring
        ring.issued_until(state.next_voucher)
        vouchers = [
            VoucherState(ring.by_number(each.number), each.place, each.is_claimed)
            for each in state.vouchers
        ]
        made._holdings.take_up(FinalHoldings(state.notes, vouchers, state.tree))
        return made

    def look_ahead(self, count: int) -> None:
        """Looks for so many keys of each role, and vouchers, before `begin_within`; blocks."""
        self.keys.look_ahead(count)
        self.voucher_ring.look_ahead(count)

    def begin_within(self, found: Beginning, height: int, now_ms: int) -> list[Effect]:
        """Takes what there is for it after a final block, instead of all blocks before (WAL-31).

        Args:
            found: For its keys and vouchers.
            height: Of the block.
            now_ms: The time.
        """
        changes = found.changes
        self._holdings.begin_within(
            changes.parent, height - 1, tree=found.tree, issued=found.issued
        )
        for each in changes.nullifiers:
            voucher = self.voucher_ring.by_nullifier(each)
            if voucher is not None:
                self.voucher_ring.issued_until(voucher.number + 1)
        self.keys.use_all_before(
            each.note.public_key for _, each in changes.notes.values() if each is not None
        )
        return [*self.applied(changes, now_ms), *self.finalised(changes.block, now_ms)]

    def snapshot(self) -> bytes:
        """Returns all that it is after the newest final block, for `restored` (WAL-22).

        Without history, and without what waits.
        """
        final = self._holdings.at_final()
        block, height = self._holdings.root
        state = WalletState(
            owner=self.keys.owner,
            block=block,
            height=height,
            next_voucher=self.voucher_ring.next_number,
            next_receive=self.keys.next_receive,
            keys=self.keys.kept(final.undone),
            watched=tuple(sorted(self.keys.watched)),
            notes=final.notes,
            vouchers=tuple(
                [
                    KeptVoucher(each.voucher.number, each.place, each.is_claimed)
                    for each in final.vouchers
                ]
            ),
            tree=final.tree,
        )
        return state.encode()

    @property
    def final(self) -> tuple[bytes, int]:
        """Id and height of the last final block that it was told of."""
        return self._holdings.root

    def is_followed(self, block: bytes) -> bool:
        """Returns whether it has followed a block: the last final one, or one after it."""
        return self._holdings.has(block)

    def since(self, block: bytes) -> list[bytes]:
        """Returns the blocks after one that it has followed, the newest first."""
        return self._holdings.since(block)

    @property
    def tip(self) -> bytes:
        """Id of the last block that it has followed, 32 bytes."""
        return self._holdings.tip

    @property
    def height(self) -> int:
        return self._holdings.height

    def balances(self) -> Balances:
        """Returns all sums (WAL-11); takes time with the number of notes."""
        holdings, reserved = self._holdings, self._waiting.notes
        safe_height = holdings.height + 1 - self._parameters.safe_blocks
        sums = dict.fromkeys(Balances.__dataclass_fields__, 0)
        for identifier, each in holdings.notes():
            value = each.note.value
            if not each.is_free:
                sums[_kind(each)] += value
                continue
            sums["confirmed"] += value
            sums["safe"] += value if each.since_height <= safe_height else 0
            sums["final"] += value if each.since_height <= holdings.final_height else 0
            sums["reserved"] += value if identifier in reserved else 0
        sums["pending"] = self._waiting.incoming(self.keys)
        return Balances(**sums)

    def notes(self) -> dict[bytes, OwnedNote]:
        """Returns all unspent notes by id, those of watched keys too."""
        return dict(self._holdings.notes())

    def leader_notes(self) -> list[OwnNote]:
        """Returns what can lead: own notes, free or not, whose origin is known (WAL-21). Secret."""
        return [
            OwnNote(
                LeaderNote(key, self.keys.secret_key(each.note.public_key), each.note.value),
                each.note.public_key,
                each.operation_id,
                each.output_index,
            )
            for key, each in self._holdings.notes()
            if each.operation_id is not None and not each.is_watched
        ]

    def owners(self, notes: Sequence[bytes]) -> list[bytes]:
        """Returns the public keys of unspent notes by their ids, in turn.

        Raises:
            NoteUnavailableError: The wallet knows no such note.
        """
        found = [self._holdings.note(each) for each in notes]
        owners = [each.note.public_key for each in found if each is not None]
        if len(owners) < len(found):
            raise NoteUnavailableError("the wallet has no such note")
        return owners

    def reserved(self) -> frozenset[bytes]:
        """Returns ids of the notes that waiting transactions use."""
        return frozenset(self._waiting.notes)

    def vouchers(self) -> list[VoucherState]:
        """Returns the vouchers that blocks of this chain have, by number."""
        return self._holdings.vouchers()

    def recent(self) -> list[tuple[int, Entry]]:
        """Returns the entries of blocks that are not final, with their places, oldest first."""
        return [pair for step in self._holdings.steps for pair in enumerate(step.entries)]

    def unincluded(self) -> list[bytes]:
        """Returns hashes of the transactions that are in no block, oldest first."""
        return self._waiting.unincluded()

    @property
    def claimable(self) -> int:
        """How many vouchers can be claimed that are not being claimed."""
        return len(self._claimable())

    def voucher_path(self, number: int) -> MerklePath | None:
        """Returns a voucher's path to the root of this epoch; None: it cannot be claimed."""
        return self._holdings.voucher_path(self.voucher_ring.by_number(number))

    def waiting(self) -> list[Draft]:
        """Returns the transactions that are not final, in the order in which they were made."""
        return self._waiting.drafts()

    def history(self) -> list[Entry]:
        """Returns the last entries, oldest first (WAL-17)."""
        recent = [entry for step in self._holdings.steps for entry in step.entries]
        return [*self._history, *recent]

    def issue_voucher(self) -> Voucher:
        """Returns the voucher of the next block; raises `KeyUnknownError` (WAL-7)."""
        return self.voucher_ring.issue()

    def prepare(self, ticket: Ticket, order: Order, prices: Prices, now_ms: int) -> list[Effect]:
        """Answers with the `Draft` of an order, and reserves what it uses (WAL-12 to WAL-14).

        Raises:
            OrderInvalidError, FundsInsufficientError, NotesTooSmallError: As `plan`.
            FeeTooHighError: As `plan`.
            NoteUnavailableError: A note of the order cannot be used.
            TooManyPendingError: Too many transactions wait.
            KeyUnknownError: The wallet only watches, or a key of the order is not its own.
        """
        fixed = [each for operation in order.operations for each in uses(operation)]
        free = self._free()
        for each in [*order.inputs, *fixed]:
            is_foreign = each in fixed and self._holdings.note(each) is None
            if each not in free and (not is_foreign or each in self._waiting.notes):
                raise NoteUnavailableError("a note is not there, locked, watched, or reserved")
        self._check_keys(order)
        chosen = order.inputs or [
            each for each in free if each not in fixed and self._may_pay(order, each)
        ]
        if set(order.inputs) & set(fixed):
            raise NoteUnavailableError("an input is a note of another operation")
        wanted = int(order.change_key is None) + int(bool(order.deposits))
        fresh = self.keys.change_keys(wanted, self._waiting.keys) if wanted else []
        deposit_keys = fresh[-1:] if order.deposits else []
        change_key = fresh[0] if order.change_key is None else order.change_key
        made = plan(
            order,
            {each: free[each] for each in chosen},
            prices=prices,
            change_key=change_key,
            rng=self._rng,
            deposit_key=deposit_keys[0] if deposit_keys else ZERO,
        )
        draft = Draft(
            transaction=made.transaction,
            fee=made.fee,
            tip=made.tip,
            signing_keys=self._keys_of(made.inputs),
            change=made.change,
            keys=(
                *(fresh[:1] if made.change is not None and change_key in fresh else ()),
                *deposit_keys,
            ),
        )
        return self._drafted(ticket, draft, now_ms)

    def claim(
        self, ticket: Ticket, *, root: bytes, share: int, prices: Prices, now_ms: int
    ) -> list[Effect]:
        """Answers with the `Draft` that claims one voucher, and reserves it (WAL-15).

        Args:
            ticket: Of the question.
            root: Of the tree of vouchers in this epoch, 32 bytes.
            share: What a claim gets now (LED-23).
            prices: Of the next block.
            now_ms: The time.

        Raises:
            VoucherUnavailableError, RewardTooSmallError, TooManyPendingError, KeyUnknownError: No
                claim can be made.
        """
        found = self._claimable()
        if not found:
            raise VoucherUnavailableError("no voucher can be claimed that is not being claimed")
        voucher = found[self._rng.randrange(len(found))]
        keys = self.keys.change_keys(2, self._waiting.keys)
        draft = plan_claim(voucher, root=root, share=share, prices=prices, keys=keys)
        return self._drafted(ticket, draft, now_ms)

    def submitted(self, transaction: bytes, now_ms: int) -> list[Effect]:
        """A draft has its proofs and was given to others: it expires no more.

        Raises:
            TransactionUnknownError: It is none that waits.
        """
        self._waiting.submit(transaction)
        return []

    def resume(self, draft: Draft, now_ms: int) -> list[Effect]:
        """Takes a transaction that had been submitted before a restart (WAL-16).

        Raises:
            NoteUnavailableError: Another one uses its notes or its voucher.
        """
        self._waiting.add(draft, expires_ms=None)
        return []

    def dropped(self, transaction: bytes, now_ms: int) -> list[Effect]:
        """A transaction will not come: refused, or given up. One in a block stays (WAL-16)."""
        return self._waiting.drop([transaction], DropReason.GIVEN_UP)

    def applied(self, changes: BlockChanges, now_ms: int) -> list[Effect]:
        """The chain has grown by a block; raises `ValueError` unless it follows the last one."""
        step = self._holdings.apply(changes)
        effects: list[Effect] = [Moved(each) for each in step.entries]
        hashes = [each.hash for each in changes.transactions]
        effects += [
            Included(each, changes.block)
            for each in hashes
            if self._waiting.include(each, changes.block)
        ]
        return effects

    def undone(self, block: bytes, now_ms: int) -> list[Effect]:
        """The last block was undone; raises `ValueError` if it is another one, or final."""
        step = self._holdings.undo(block)
        effects: list[Effect] = [Unmoved(each) for each in reversed(step.entries)]
        return effects + [Excluded(e) for e in step.transactions if self._waiting.exclude(e)]

    def finalised(self, block: bytes, now_ms: int) -> list[Effect]:
        """All blocks up to this one are final. Unknown: it was so before."""
        effects: list[Effect] = []
        for step in self._holdings.finalise(block):
            self._history.extend(step.entries)
            effects += [Recorded(each, place) for place, each in enumerate(step.entries)]
            effects += [Settled(e) for e in step.transactions if self._waiting.settle(e)]
            effects += self._drop_conflicts(step)
        return effects

    def tick(self, now_ms: int) -> list[Effect]:
        """Drops drafts that were not submitted in time."""
        return self._waiting.drop(self._waiting.expired(now_ms), DropReason.EXPIRED)

    def next_wake_ms(self) -> int | None:
        """Returns when the next draft expires."""
        return self._waiting.next_expiry_ms()

    def _claimable(self) -> list[Voucher]:
        reserved = self._waiting.nullifiers
        return [
            each.voucher
            for each in self._holdings.vouchers()
            if each.is_claimable and each.voucher.nullifier not in reserved
        ]

    def _free(self) -> dict[bytes, int]:
        """Returns the values of the notes that can be spent now, by id."""
        return {
            identifier: each.note.value
            for identifier, each in self._holdings.notes()
            if each.is_free and identifier not in self._waiting.notes
        }

    def _check_keys(self, order: Order) -> None:
        named = set(order.payers)
        if order.change_key is not None:
            named.add(order.change_key)
        if not all(map(self.keys.is_own, named)):
            raise KeyUnknownError("a key of the order is not the wallet's")

    def _may_pay(self, order: Order, identifier: bytes) -> bool:
        if not order.payers:
            return True
        found = self._holdings.note(identifier)
        return found is not None and found.note.public_key in order.payers

    def _keys_of(self, inputs: tuple[bytes, ...]) -> tuple[bytes, ...]:
        found = [self._holdings.note(each) for each in inputs]
        return tuple([each.note.public_key for each in found if each is not None])

    def _drafted(self, ticket: Ticket, draft: Draft, now_ms: int) -> list[Effect]:
        self._waiting.add(draft, expires_ms=now_ms + self._parameters.draft_ms)
        return [Answer(ticket, draft)]

    def _drop_conflicts(self, step: Step) -> list[Effect]:
        """Drops what needs a note or a voucher that a final block has used otherwise."""
        lost = self._waiting.using(set(step.spent), step.nullifiers)
        return self._waiting.drop(lost, DropReason.CONFLICT)


def _kind(note: OwnedNote) -> str:
    if note.is_watched:
        return "watched"
    return "in_channels" if note.channel is not None else "locked"
