"""The wallet's notes and vouchers along the chain, with what each block did to them.

Spec: docs/protocol/chain-wallet.md, WAL-10, WAL-11, WAL-17, WAL-18.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from logos_chain.core.ledger.types import UnspentNote
from logos_chain.core.wallet.movements import movements
from logos_chain.core.wallet.origins import Origin, origins
from logos_chain.core.wallet.ring import KeyRing, Voucher, VoucherRing
from logos_chain.core.wallet.types import BlockChanges, Entry, OwnedNote
from logos_chain.core.wallet.voucher_tree import VoucherTree
from logos_crypto.trees import MerklePath
from logos_mantle.channels import ChannelDeposit, ChannelTransfer
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim, Transfer


@dataclass(frozen=True, slots=True)
class VoucherState:
    """Where a voucher of the wallet stands on this chain (WAL-15)."""

    voucher: Voucher
    place: int | None = None
    """In the tree; None: its epoch has not ended."""
    is_claimed: bool = False

    @property
    def is_claimable(self) -> bool:
        return self.place is not None and not self.is_claimed


@dataclass(slots=True)
class Step:
    """What a block did to the wallet, to take it back. It has nothing of what others did."""

    block: bytes
    height: int
    nullifiers: frozenset[bytes] = frozenset()
    """Of own vouchers that it claims."""
    spent: list[bytes] = field(default_factory=list)
    """Ids of own notes."""
    notes: list[tuple[bytes, OwnedNote | None]] = field(default_factory=list)
    """Ids that it changed, and what they were before."""
    vouchers: list[tuple[bytes, VoucherState | None]] = field(default_factory=list)
    """By commitment."""
    entries: list[Entry] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    """That it was the first to use."""
    tree: VoucherTree | None = None
    """That of the vouchers before it, if it has begun an epoch."""

    @property
    def transactions(self) -> list[bytes]:
        """Hashes of the transactions that touch the wallet; its own ones are among them."""
        return [each.transaction for each in self.entries if each.transaction is not None]


@dataclass(frozen=True, slots=True)
class FinalHoldings:
    """What there was after a final block."""

    notes: dict[bytes, OwnedNote]
    vouchers: list[VoucherState]
    """By number."""
    tree: VoucherTree
    undone: list[bytes] = field(default_factory=list)
    """Keys that blocks since have first used."""


class Holdings:
    """State of one chain at its last block; goes forth by `apply` and back by `undo`."""

    def __init__(self, keys: KeyRing, vouchers: VoucherRing, *, tip: bytes, height: int) -> None:
        """Begins after a final block, with nothing."""
        self._keys = keys
        self._ring = vouchers
        self._notes: dict[bytes, OwnedNote] = {}
        self._vouchers: dict[bytes, VoucherState] = {}
        self._tree = VoucherTree()
        self._steps: deque[Step] = deque()
        self._root = (tip, height)
        self._followed = {tip}
        """The last final block, and those after it."""

    @property
    def tip(self) -> bytes:
        """Id of the last block, 32 bytes."""
        return self._steps[-1].block if self._steps else self._root[0]

    @property
    def height(self) -> int:
        return self._root[1] + len(self._steps)

    @property
    def root(self) -> tuple[bytes, int]:
        """Id and height of the last final block."""
        return self._root

    def has(self, block: bytes) -> bool:
        """Returns whether a block is the last final one, or was followed after it."""
        return block in self._followed

    def since(self, block: bytes) -> list[bytes]:
        """Returns the blocks after one that it has followed, the newest first."""
        ids = [each.block for each in self._steps]
        first = 0 if block == self._root[0] else ids.index(block) + 1
        return ids[first:][::-1]

    @property
    def final_height(self) -> int:
        return self._root[1]

    @property
    def steps(self) -> tuple[Step, ...]:
        """Of the blocks that are not final, oldest first."""
        return tuple(self._steps)

    def notes(self) -> Iterator[tuple[bytes, OwnedNote]]:
        """Iterates over unspent notes, watched ones too, by id."""
        return iter(self._notes.items())

    def note(self, identifier: bytes) -> OwnedNote | None:
        return self._notes.get(identifier)

    def vouchers(self) -> list[VoucherState]:
        """Returns the vouchers that blocks of this chain have, in the order of their numbers."""
        return sorted(self._vouchers.values(), key=lambda each: each.voucher.number)

    def voucher_path(self, voucher: Voucher) -> MerklePath | None:
        """Returns the path of an own voucher; None: it is claimed, or its epoch has not ended."""
        state = self._vouchers.get(voucher.commitment)
        if state is None or state.place is None or state.is_claimed:
            return None
        return self._tree.path(state.place)

    def at_final(self) -> "FinalHoldings":
        """Returns what there was after the last final block."""
        notes: dict[bytes, OwnedNote | None] = dict(self._notes)
        vouchers: dict[bytes, VoucherState | None] = dict(self._vouchers)
        keys, tree = list[bytes](), self._tree
        for step in reversed(self._steps):
            tree = step.tree or tree
            notes |= dict(step.notes)
            vouchers |= dict(reversed(step.vouchers))
            keys += step.keys
        there = [each for each in vouchers.values() if each is not None]
        return FinalHoldings(
            {key: each for key, each in sorted(notes.items()) if each is not None},
            sorted(there, key=lambda each: each.voucher.number),
            tree,
            keys,
        )

    def take_up(self, final: "FinalHoldings") -> None:
        """Takes what there was after the block that it begins with."""
        self._notes = dict(final.notes)
        self._vouchers = {each.voucher.commitment: each for each in final.vouchers}
        self._tree = final.tree

    def begin_within(
        self, tip: bytes, height: int, *, tree: VoucherTree, issued: Iterable[bytes]
    ) -> None:
        """Begins in the middle of a chain instead (WAL-31).

        Args:
            tip: The block before the first that it follows, 32 bytes.
            height: Of that block.
            tree: Of the vouchers, as far as it is known.
            issued: Commitments of blocks that are not in the tree yet, others' among them.
        """
        self._root, self._followed, self._tree = (tip, height), {tip}, tree
        for commitment in issued:
            voucher = self._ring.by_commitment(commitment)
            if voucher is not None:
                self._ring.issued_until(voucher.number + 1)
                self._vouchers[commitment] = VoucherState(voucher)

    def apply(self, changes: BlockChanges) -> Step:
        """Follows the block after the last one; raises `ValueError` if it is another."""
        if changes.parent != self.tip:
            raise ValueError("a block that does not follow the last one")
        if changes.appended and changes.first_place != self._tree.count:
            raise ValueError("a wallet that has not followed all blocks from the genesis on")
        own = [each for each in changes.nullifiers if self._ring.by_nullifier(each) is not None]
        step = Step(changes.block, self.height + 1, frozenset(own))
        step.keys = self._use_keys(changes)
        step.entries = movements(changes, step.height, self._keys, self._notes)
        made = origins(changes, self._keys, self._notes)
        for identifier, (_, after) in changes.notes.items():
            before = self._notes.get(identifier)
            origin = made.get(identifier) or _origin_of(before)
            self._put(identifier, self._owned(after, step.height, origin))
            if before is not None or identifier in self._notes:
                step.notes.append((identifier, before))
            if before is not None and after is None:
                step.spent.append(identifier)
        self._follow_vouchers(changes, step)
        self._steps.append(step)
        self._followed.add(changes.block)
        return step

    def undo(self, block: bytes) -> Step:
        """Takes the last block back; raises `ValueError` if it is another, or final."""
        if not self._steps or self._steps[-1].block != block:
            raise ValueError("only the last block can be undone, and no final one")
        step = self._steps.pop()
        self._followed.discard(block)
        self._tree = step.tree or self._tree
        for identifier, before in step.notes:
            self._put(identifier, before)
        for key in step.keys:
            self._keys.disuse(key)
        for commitment, state in reversed(step.vouchers):
            if state is None:
                self._vouchers.pop(commitment, None)
            else:
                self._vouchers[commitment] = state
        return step

    def finalise(self, block: bytes) -> list[Step]:
        """Makes blocks up to this one final; returns them. One that is final has none."""
        if block not in self._followed or block == self._root[0]:
            return []
        ids = [each.block for each in self._steps]
        settled = [self._steps.popleft() for _ in range(ids.index(block) + 1)]
        self._followed -= {self._root[0], *(each.block for each in settled[:-1])}
        self._root = (block, settled[-1].height)
        return settled

    def _put(self, identifier: bytes, note: OwnedNote | None) -> None:
        if note is None:
            self._notes.pop(identifier, None)
        else:
            self._notes[identifier] = note

    def _owned(
        self, after: UnspentNote | None, height: int, origin: Origin | None
    ) -> OwnedNote | None:
        if after is None or after.note.public_key not in self._keys:
            return None
        return OwnedNote(
            after.note,
            height,
            is_watched=self._keys.is_watched(after.note.public_key),
            channel=after.channel,
            declaration=after.declaration,
            operation_id=None if origin is None else origin.operation_id,
            output_index=0 if origin is None else origin.output_index,
        )

    def _use_keys(self, changes: BlockChanges) -> list[bytes]:
        """Marks keys that have got notes, until no more come into sight; returns them (WAL-18)."""
        seen = {each.note.public_key for _, each in changes.notes.values() if each is not None}
        for transaction in changes.transactions:
            seen |= _paid(transaction)
        found: list[bytes] = []
        while new := [each for each in sorted(seen) if self._keys.use(each)]:
            found += new
        return found

    def _follow_vouchers(self, changes: BlockChanges, step: Step) -> None:
        self._see_voucher(changes.voucher, step, None)
        if changes.appended:
            self._append(changes, step)
        for nullifier in changes.nullifiers:
            voucher = self._ring.by_nullifier(nullifier)
            if voucher is not None:
                before = self._vouchers.get(voucher.commitment, VoucherState(voucher))
                self._write(step, replace(before, is_claimed=True))

    def _append(self, changes: BlockChanges, step: Step) -> None:
        """Follows the tree of vouchers; paths of claimed ones are of no use any more."""
        wanted = [each.place for each in self._vouchers.values() if not each.is_claimed]
        for place, commitment in enumerate(changes.appended, changes.first_place):
            self._see_voucher(commitment, step, place)
            if self._ring.by_commitment(commitment) is not None:
                wanted.append(place)
        step.tree = self._tree
        places = [each for each in wanted if each is not None]
        self._tree = self._tree.append(changes.appended, places)

    def _see_voucher(self, commitment: bytes, step: Step, place: int | None) -> None:
        voucher = self._ring.by_commitment(commitment)
        if voucher is None:
            return
        self._ring.issued_until(voucher.number + 1)
        before = self._vouchers.get(commitment, VoucherState(voucher))
        self._write(step, before if place is None else replace(before, place=place))

    def _write(self, step: Step, state: VoucherState) -> None:
        commitment = state.voucher.commitment
        step.vouchers.append((commitment, self._vouchers.get(commitment)))
        self._vouchers[commitment] = state


def _origin_of(note: OwnedNote | None) -> Origin | None:
    if note is None or note.operation_id is None:
        return None
    return Origin(note.operation_id, note.output_index)


def _paid(transaction: Transaction) -> set[bytes]:
    """Returns the keys that a transaction gives notes to, spent in the same block or not."""
    keys: set[bytes] = set()
    for operation in transaction.operations:
        match operation:
            case Transfer() | ChannelTransfer():
                keys.update(each.public_key for each in operation.outputs)
            case LeaderClaim():
                keys.add(operation.public_key)
            case ChannelDeposit():
                pass  # its notes keep the keys of its inputs
    return keys
