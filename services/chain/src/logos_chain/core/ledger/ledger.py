"""The ledger after one block, and how it goes to the next, back, and forth again.

One instance follows one chain. To go to another one, the caller undoes blocks down to the one that
both have, and does the other's: those that it has executed before need no second look.

Spec: docs/protocol/chain-ledger.md, LED-1 to LED-5, LED-37 to LED-39.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.ledger.beginning import genesis_state
from logos_chain.core.ledger.context import BlockContext
from logos_chain.core.ledger.epochs import begin_epoch
from logos_chain.core.ledger.errors import Refusal, SupplyBrokenError
from logos_chain.core.ledger.execution import TransactionRefusedError, execute
from logos_chain.core.ledger.obligations import Obligation
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.ledger.rewards import block_reward
from logos_chain.core.ledger.state import Delta, State
from logos_chain.core.ledger.transfers import share
from logos_chain.core.ledger.types import Channel, Declaration, Head, Supply, UnspentNote
from logos_crypto.trees import MerklePath
from logos_mantle.errors import AmountOverflowError
from logos_mantle.fees import checked_u64
from logos_mantle.genesis import Genesis
from logos_mantle.limits import MAX_TRANSACTIONS
from logos_mantle.octets import ZERO
from logos_mantle.transactions import SignedTransaction

OBLIGED: Final = 128
"""Obligations that are told of at once while a block is executed."""

Obliged = Callable[[Sequence[Obligation]], None]
"""Is told of obligations; never waits and never fails."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A block was executed. It stands only if all obligations hold: else it must be undone."""

    delta: Delta
    obligations: tuple[Obligation, ...]
    vouchers: tuple[bytes, ...]
    """Appended to the tree of vouchers by this block, from `delta.before.vouchers` on."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A transaction that a block after this one could hold."""

    obligations: tuple[Obligation, ...]
    tip: int
    """For the leader, 64 bits: what is left of its balance after the fee."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A block or a transaction breaks a rule; nothing has changed."""

    reason: Refusal
    transaction: int | None = None
    """Its place in the block; None: the block as a whole."""
    operation: int | None = None
    """Its place in the transaction; None: the transaction as a whole."""


class Ledger:
    """State of one chain at its last block. Not thread-safe; only `apply` looks at rules."""

    def __init__(self, parameters: LedgerParameters, state: State, head: Head) -> None:
        """Takes a state that was kept, which is changed from here on.

        Raises:
            SupplyBrokenError: Its sums do not add up.
            ValueError: Its notes have another root than the head says.
        """
        self._parameters = parameters
        self._state = state
        self._head = head
        if state.notes.root() != head.root:
            raise ValueError("a state of another block than its head")
        self._check_supply()

    @classmethod
    def from_genesis(cls, parameters: LedgerParameters, genesis: Genesis) -> "Ledger":
        """Returns the ledger after a genesis block (LED-37); raises `GenesisInvalidError`."""
        state, head = genesis_state(parameters, genesis)
        return cls(parameters, state, head)

    @property
    def head(self) -> Head:
        return self._head

    @property
    def state(self) -> State:
        """All that grows, to be kept: not to be changed."""
        return self._state

    @property
    def root(self) -> bytes:
        """Root of the tree of notes, 32 bytes."""
        return self._head.root

    @property
    def supply(self) -> Supply:
        """Where all tokens are (LED-39)."""
        return Supply.of(self._state.notes.totals, self._head)

    @property
    def reward_share(self) -> int:
        """What the next claim gets (LED-23)."""
        return share(self._context(self._head, self._head.slot, ZERO))

    def note(self, identifier: bytes) -> UnspentNote | None:
        """Returns an unspent note by its id, 32 bytes."""
        return self._state.notes.get(identifier)

    def notes_of(self, keys: Container[bytes]) -> list[tuple[bytes, UnspentNote]]:
        """Returns the unspent notes of public keys, 32 bytes each, by id; looks at every note."""
        return [
            (each, one) for each, one in self._state.notes.items() if one.note.public_key in keys
        ]

    def note_path(self, identifier: bytes) -> MerklePath | None:
        """Returns an unspent note's path to `root`.

        Its path to the aged root must be taken before the epoch's first block is executed.
        """
        return self._state.notes.path(identifier)

    def channel(self, identifier: bytes) -> Channel | None:
        """Returns a channel by its id, 32 bytes."""
        return self._state.channels.get(identifier)

    def declaration(self, identifier: bytes) -> Declaration | None:
        """Returns a declaration by its id, 32 bytes."""
        return self._state.declarations.get(identifier)

    @property
    def inactivity_epochs(self) -> int:
        """Without activity for more epochs a declared node is left out (LED-31)."""
        return self._parameters.inactivity_epochs

    def is_claimed(self, nullifier: bytes) -> bool:
        """Returns whether a voucher was claimed, by its nullifier, 32 bytes."""
        return nullifier in self._state.nullifiers

    def apply(
        self,
        transactions: Sequence[SignedTransaction],
        *,
        slot: int,
        epoch: EpochState,
        voucher: bytes,
        obliged: Obliged | None = None,
    ) -> Applied | Refused:
        """Executes the block after the last one. Untrusted (LED-1).

        Args:
            transactions: Decoded.
            slot: After the last block's.
            epoch: That of the slot on this chain.
            voucher: The commitment in the block's header, a field value of 32 bytes.
            obliged: Is told of each `OBLIGED` obligations as they are found, in the order of
                `Applied.obligations`; of fewer, those at the end, it is not. They count for
                nothing if the block is refused.

        Raises:
            ValueError: The slot or the epoch lies before the last block's.
            SupplyBrokenError: The state was damaged.
        """
        self._refuse_past(slot, epoch)
        if voucher == ZERO:
            return Refused(Refusal.EMPTY_VOUCHER)
        if len(transactions) > MAX_TRANSACTIONS:
            return Refused(Refusal.TOO_MANY_TRANSACTIONS)
        state, mark = self._state, self._state.mark()
        try:
            return self._apply(transactions, slot, epoch, voucher, obliged)
        except _TransactionAtError as error:
            refused = Refused(error.cause.reason, error.place, error.cause.operation)
        except AmountOverflowError:
            refused = Refused(Refusal.AMOUNT_OVERFLOW)
        state.rollback(mark)
        return refused

    def rehearse(
        self, transactions: Iterable[SignedTransaction], *, slot: int, epoch: EpochState
    ) -> list[Admitted | Refused]:
        """Says which transactions could stand in the next block, in this order. Untrusted.

        Each is executed after those before it that were admitted; then all is taken back. For
        mempools, and for leaders that choose what their block holds.

        Args:
            transactions: Decoded; any number.
            slot: Of that block, after the last one's.
            epoch: That of the slot on this chain.

        Raises:
            ValueError: The slot or the epoch lies before the last block's.
        """
        self._refuse_past(slot, epoch)
        mark = self._state.mark()
        try:
            context = self._begin(slot, epoch)
            return [_admitted(context, place, each) for place, each in enumerate(transactions)]
        finally:
            self._state.rollback(mark)

    def undo(self, delta: Delta) -> None:
        """Takes back the last block; raises `ValueError` if it is not the last (LED-5)."""
        if delta.after != self._head:
            raise ValueError("only the last block can be undone")
        self._state.undo(delta)
        self._state.notes.forget(delta.notes)
        self._head = delta.before

    def redo(self, delta: Delta) -> None:
        """Does a block again; raises `ValueError` if it follows another one (LED-5)."""
        if delta.before != self._head:
            raise ValueError("only a block that follows the last one can be done")
        self._state.redo(delta)
        self._state.notes.remember(delta.notes)
        self._head = delta.after

    def settle(self, delta: Delta) -> None:
        """Forgets which notes a block has spent: it is immutable now (LED-7)."""
        self._state.notes.forget(delta.notes)

    def _refuse_past(self, slot: int, epoch: EpochState) -> None:
        if slot <= self._head.slot or epoch.epoch < self._head.epoch:
            raise ValueError("a block that is not after the last one")

    def _context(self, head: Head, slot: int, nonce: bytes) -> BlockContext:
        return BlockContext(
            parameters=self._parameters,
            state=self._state,
            head=head,
            slot=slot,
            epoch_nonce=nonce,
            pool=head.pool,
        )

    def _begin(self, slot: int, epoch: EpochState) -> BlockContext:
        head = self._head
        if epoch.epoch > head.epoch:
            head = begin_epoch(self._parameters, self._state, head, epoch.epoch)
        return self._context(head, slot, epoch.nonce)

    def _apply(
        self,
        transactions: Sequence[SignedTransaction],
        slot: int,
        epoch: EpochState,
        voucher: bytes,
        obliged: Obliged | None,
    ) -> Applied:
        before, state = self._head, self._state
        context = self._begin(slot, epoch)
        appended = range(before.vouchers, context.head.vouchers)
        obligations: list[Obligation] = []
        told = 0
        for place, signed in enumerate(transactions):
            try:
                obligations += execute(context, signed)[0]
            except TransactionRefusedError as error:
                raise _TransactionAtError(place, error) from error
            while obliged is not None and len(obligations) >= told + OBLIGED:
                obliged(obligations[told : told + OBLIGED])
                told += OBLIGED
        state.vouchers.write(context.head.vouchers + len(state.vouchers), voucher)
        after = self._end(context, epoch.total_stake)
        delta = state.collect(before, after)
        self._head = after
        self._check_supply()
        state.notes.remember(delta.notes)
        held = [delta.vouchers[place][0] for place in appended]
        return Applied(delta, tuple(obligations), tuple([each for each in held if each]))

    def _end(self, context: BlockContext, total_stake: int) -> Head:
        """Returns the head after a block's transactions: rewards and prices (LED-33, LED-34)."""
        head, emission = context.head, self._parameters.emission
        fees = (*head.fees, context.burned)[-emission.window_blocks :]
        services, leaders = block_reward(emission, total_stake, fees)
        return replace(
            head,
            slot=context.slot,
            root=self._state.notes.root(),
            execution=head.execution.after_block(context.gas),
            stored_bytes=head.stored_bytes + context.stored_bytes,
            fees=fees,
            emitted=checked_u64(head.emitted + services + leaders),
            burned=checked_u64(head.burned + context.burned),
            pool=context.pool,
            leaders=checked_u64(head.leaders + leaders + context.tips),
            services=checked_u64(head.services + services),
        )

    def _check_supply(self) -> None:
        if not self.supply.is_conserved:
            raise SupplyBrokenError(
                f"tokens do not add up after slot {self._head.slot}: {self.supply}"
            )


def _admitted(context: BlockContext, place: int, signed: SignedTransaction) -> Admitted | Refused:
    try:
        obligations, tip = execute(context, signed)
    except TransactionRefusedError as error:
        return Refused(error.reason, place, error.operation)
    return Admitted(tuple(obligations), tip)


class _TransactionAtError(Exception):
    def __init__(self, place: int, cause: TransactionRefusedError) -> None:
        super().__init__(place)
        self.place = place
        self.cause = cause
