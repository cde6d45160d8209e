"""A chain that a wallet follows, by the simplest means: every state is kept whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from logos_chain.core.ledger.types import UnspentNote
from logos_chain.core.wallet.derivation import Account
from logos_chain.core.wallet.types import BlockChanges, Prices
from logos_chain.core.wallet.wallet import Wallet, WalletParameters
from logos_mantle.channels import ChannelDeposit, ChannelWithdraw
from logos_mantle.derivations import blake2b, public_key
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import Operation, operation_id
from logos_mantle.services import SdpDeclare
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

SEED = blake2b(b"wallet") * 2
ROOT = blake2b(b"genesis")
PRICES = Prices(execution=1, storage=1)
SHARE = 100_000
PARAMETERS = WalletParameters(safe_blocks=3, draft_ms=1000)
SHOP = public_key((77).to_bytes(32, "little"))
WATCHED = public_key((78).to_bytes(32, "little"))
CHANNEL = blake2b(b"zone")
FOREIGN: set[bytes] = set()
"""Notes of others, which states do not have."""


class Chance:
    """Numbers that look random, the same ones each time."""

    def __init__(self, seed: int = 1) -> None:
        self._state = seed

    def randrange(self, stop: int, /) -> int:
        self._state = int.from_bytes(blake2b(self._state.to_bytes(32, "big"))[:31], "big")
        return self._state % stop


def named(text: str) -> bytes:
    return blake2b(text.encode())[:31] + b"\0"


def wallet(seed: bytes = SEED) -> Wallet:
    made = Wallet(Account(seed), Chance(), tip=ROOT, parameters=PARAMETERS)
    made.keys.watch(WATCHED)
    return made


def payment(name: str, *notes: Note) -> Transaction:
    """A transfer to the wallet from a foreign key."""
    FOREIGN.add(named(name))
    return Transaction((Transfer((named(name),), notes),))


@dataclass
class State:
    notes: dict[bytes, UnspentNote] = field(default_factory=dict)
    nullifiers: frozenset[bytes] = frozenset()
    headers: tuple[bytes, ...] = ()
    appended: int = 0


@dataclass
class Chain:
    """Blocks and the states after them; `states[0]` is before the first."""

    states: list[State] = field(default_factory=lambda: [State()])
    blocks: list[BlockChanges] = field(default_factory=list)
    final: int = 0
    count: int = 0

    @property
    def state(self) -> State:
        return self.states[-1]

    def fits(self, transactions: Sequence[Transaction]) -> bool:
        try:
            self._execute(transactions)
        except KeyError:
            return False
        return True

    def block(
        self,
        *transactions: Transaction,
        voucher: bytes = b"",
        ends_epoch: bool = False,
        direct: dict[bytes, UnspentNote] | None = None,
    ) -> BlockChanges:
        """Makes the next block. `direct`: what it does to notes otherwise than by transactions."""
        self.count += 1
        before, after = self.state, self._execute(transactions)
        after.notes.update(direct or {})
        first, appended = before.appended, before.headers[before.appended :] if ends_epoch else ()
        voucher = voucher or named(f"voucher {self.count}")
        after.headers = (*before.headers, voucher)
        after.appended = first + len(appended)
        pairs = {
            key: (before.notes.get(key), after.notes.get(key))
            for key in before.notes | after.notes
            if before.notes.get(key) != after.notes.get(key)
        }
        changes = BlockChanges(
            block=blake2b(b"block", self.count.to_bytes(4, "big")),
            parent=self.blocks[-1].block if self.blocks else ROOT,
            slot=self.count,
            transactions=transactions,
            notes=pairs,
            nullifiers=after.nullifiers - before.nullifiers,
            voucher=voucher,
            appended=appended,
            first_place=first,
        )
        self.states.append(after)
        self.blocks.append(changes)
        return changes

    def undo(self) -> BlockChanges:
        self.states.pop()
        return self.blocks.pop()

    def _execute(self, transactions: Sequence[Transaction]) -> State:
        state = replace(self.state, notes=dict(self.state.notes))
        for transaction in transactions:
            for operation in transaction.operations:
                _execute(state, operation)
        return state


def _execute(state: State, operation: Operation) -> None:
    """Raises KeyError if the operation cannot be."""
    notes = state.notes
    match operation:
        case Transfer():
            if operation.inputs[0] not in FOREIGN:
                _spend(notes, operation.inputs)
            _add(notes, operation, operation.outputs, None)
        case ChannelDeposit():
            _add(notes, operation, _spend(notes, operation.inputs), operation.channel)
        case ChannelWithdraw():
            for each in operation.inputs:
                if notes[each].channel != operation.channel:
                    raise KeyError("not the channel's")
                notes[each] = replace(notes[each], channel=None)
        case SdpDeclare():
            locked = operation.locked_note_id
            held = notes[locked]
            _spend(notes, (locked,))
            notes[locked] = replace(held, declaration=operation.declaration_id())
        case LeaderClaim():
            if operation.voucher_nullifier in state.nullifiers:
                raise KeyError("claimed")
            state.nullifiers |= {operation.voucher_nullifier}
            _add(notes, operation, [Note(SHARE, operation.public_key)], None)


def _spend(notes: dict[bytes, UnspentNote], inputs: Sequence[bytes]) -> list[Note]:
    found = [notes.pop(each) for each in inputs]
    if any(each.channel or each.declaration for each in found):
        raise KeyError("locked, or in a channel")
    return [each.note for each in found]


def _add(
    notes: dict[bytes, UnspentNote],
    operation: Operation,
    made: Sequence[Note],
    channel: bytes | None,
) -> None:
    for index, note in enumerate(made):
        identifier = note_id(operation_id(operation), index, note)
        if identifier in notes:
            raise KeyError("there is such a note")
        notes[identifier] = UnspentNote(note, 0, channel)
