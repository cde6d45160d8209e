"""Ledgers, transactions and blocks for tests. Proofs are zeros: the ledger looks at none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.ledger.ledger import Admitted, Applied, Ledger, Refused
from logos_chain.core.ledger.notes import NoteTable
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.ledger.state import State
from logos_chain.core.ledger.tables import Table
from logos_mantle.derivations import blake2b, public_key
from logos_mantle.fees import mandatory_fee
from logos_mantle.genesis import Genesis, GenesisParameters, genesis_block, read_genesis
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import Operation, operation_id
from logos_mantle.proofs import OperationProof, null_proof
from logos_mantle.services import Activity, SdpDeclare, Service
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

EPOCH_SLOTS = 100
STAKE = 10_000_000_000
"""Inferred stake over its target: rewards are then what was burned, not new tokens."""
LOCATOR = bytes.fromhex("047f00000191020bb8cd03")
PARAMETERS = LedgerParameters(min_stake=1000, min_providers=1)
FUNDS = (1_000_000,) * 24


def field_of(value: int) -> bytes:
    return value.to_bytes(32, "little")


def named(text: str) -> bytes:
    """32 bytes that are a field value."""
    return blake2b(text.encode())[:31] + b"\0"


ALICE, BOB, CAROL = (public_key(field_of(each)) for each in (1, 2, 3))
KEYS = tuple(blake2b(b"channel key", bytes([each])) for each in range(4))
CHANNEL = blake2b(b"channel")


def declaration(name: str, locked: bytes, **changes: Any) -> SdpDeclare:
    values: dict[str, Any] = {
        "service": Service.BLEND_NETWORK,
        "locators": (LOCATOR,),
        "provider_id": named(f"provider {name}"),
        "zk_id": named(f"zk {name}"),
        "locked_note_id": locked,
    }
    return SdpDeclare(**values | changes)


def activity(epoch: int, **changes: Any) -> Activity:
    values: dict[str, Any] = {
        "epoch": epoch,
        "signing_key": named("signing"),
        "key_nullifier": named("nullifier"),
        "quota_proof": bytes(128),
        "selection_randomness": named("randomness"),
    }
    return Activity(**values | changes)


def genesis(values: Sequence[int] = FUNDS, declared: Sequence[str] = ()) -> Genesis:
    """Alice has the notes; the first of them are locked for those declared."""
    outputs = tuple(Note(each, ALICE) for each in values)
    ids = outputs_of(Transfer((), outputs))
    declarations = [declaration(name, ids[at]) for at, name in enumerate(declared)]
    parameters = GenesisParameters("test", 0, bytes(32))
    return read_genesis(genesis_block(parameters, outputs, declarations))


def outputs_of(operation: Transfer, notes: Sequence[Note] | None = None) -> list[bytes]:
    """The ids of an operation's notes."""
    made = operation.outputs if notes is None else notes
    identifier = operation_id(operation)
    return [note_id(identifier, index, note) for index, note in enumerate(made)]


def notes_of(operation: Operation, notes: Sequence[Note]) -> list[bytes]:
    identifier = operation_id(operation)
    return [note_id(identifier, index, note) for index, note in enumerate(notes)]


def signed(*operations: Operation, signatures: Sequence[int] = ()) -> SignedTransaction:
    """A transaction with null proofs; `signatures`: of its thresholds, in turn; 1 if not given."""
    counts = iter(signatures)
    proofs: list[OperationProof] = []
    for each in operations:
        is_threshold = each.opcode in (0x10, 0x13, 0x14)
        count = next(counts, 1) if is_threshold else 0
        proofs.append(null_proof(each.opcode, signatures=count))
    return SignedTransaction(Transaction(operations), tuple(proofs))


def epoch_state(epoch: int, stake: int = STAKE) -> EpochState:
    return EpochState(epoch, bytes(32), named(f"nonce {epoch}"), stake)


@dataclass
class Chain:
    """A ledger, and the blocks that it has executed."""

    parameters: LedgerParameters = PARAMETERS
    genesis: Genesis = field(default_factory=genesis)
    stake: int = STAKE
    applied: list[Applied] = field(default_factory=list)
    blocks: list[tuple[tuple[SignedTransaction, ...], int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger.from_genesis(self.parameters, self.genesis)
        self.funds = self._funds()

    @property
    def slot(self) -> int:
        return self.ledger.head.slot

    def _funds(self) -> Iterator[bytes]:
        """Ids of Alice's unlocked notes, each given out once."""
        for each in outputs_of(self.genesis.transfer):
            entry = self.ledger.note(each)
            if entry is None or entry.declaration is None:
                yield each

    def paid(
        self, *operations: Operation, signatures: Sequence[int] = (), tip: int = 0
    ) -> SignedTransaction:
        """Puts a transfer to the end that pays the fee and a tip from a note not used yet."""
        source = next(self.funds)
        entry = self.ledger.note(source)
        assert entry is not None
        value = entry.note.value
        return pay(self.ledger, source, value, *operations, signatures=signatures, tip=tip)

    def block(
        self, *transactions: SignedTransaction, slot: int | None = None, voucher: bytes = b""
    ) -> Applied | Refused:
        """Executes a block at the next slot, or at this one."""
        at = self.slot + 1 if slot is None else slot
        voucher = voucher or named(f"voucher {at}")
        epoch = epoch_state(at // EPOCH_SLOTS, self.stake)
        result = self.ledger.apply(transactions, slot=at, epoch=epoch, voucher=voucher)
        if isinstance(result, Applied):
            self.applied.append(result)
            self.blocks.append((transactions, at, voucher))
        return result

    def accept(self, *operations: Operation, signatures: Sequence[int] = ()) -> Applied:
        """Executes a block with a transaction of these operations, and its fee paid."""
        result = self.block(self.paid(*operations, signatures=signatures))
        assert isinstance(result, Applied), result
        return result

    def refuse(self, *operations: Operation, signatures: Sequence[int] = ()) -> Refusal:
        """Returns why such a block is refused; the state must be as it was."""
        before, head = contents(self.ledger), self.ledger.head
        result = self.block(self.paid(*operations, signatures=signatures))
        assert isinstance(result, Refused), result
        assert contents(self.ledger) == before
        assert self.ledger.head == head
        return result.reason

    def rehearse(
        self, *transactions: SignedTransaction, slot: int | None = None
    ) -> list[Admitted | Refused]:
        slot = self.slot + 1 if slot is None else slot
        epoch = epoch_state(slot // EPOCH_SLOTS, self.stake)
        return self.ledger.rehearse(transactions, slot=slot, epoch=epoch)

    def undo(self) -> None:
        self.ledger.undo(self.applied.pop().delta)
        self.blocks.pop()

    def to_epoch(self, epoch: int) -> Applied:
        """Executes the first block of an epoch, without transactions."""
        result = self.block(slot=epoch * EPOCH_SLOTS)
        assert isinstance(result, Applied)
        return result

    def replayed(self) -> Ledger:
        """A new ledger that has executed the same blocks from the genesis."""
        fresh = Chain(self.parameters, self.genesis, self.stake)
        for transactions, slot, voucher in self.blocks:
            assert isinstance(fresh.block(*transactions, slot=slot, voucher=voucher), Applied)
        return fresh.ledger


def pay(
    ledger: Ledger,
    source: bytes,
    value: int,
    *operations: Operation,
    signatures: Sequence[int] = (),
    tip: int = 0,
) -> SignedTransaction:
    """Adds a transfer of a note to Alice that leaves the fee and a tip."""

    def built(change: int) -> SignedTransaction:
        transfer = Transfer((source,), (Note(change, ALICE),))
        return signed(*operations, transfer, signatures=signatures)

    head = ledger.head
    fee = mandatory_fee(
        built(value), execution_price=head.execution.price, storage_price=head.storage.price
    )
    return built(value - fee - tip)


def contents(ledger: Ledger) -> dict[str, Any]:
    """All of a ledger's state, and what is computed from it."""
    state = ledger._state
    names = (
        "notes",
        "channels",
        "configurations",
        "declarations",
        "identities",
        "activities",
        "nullifiers",
        "vouchers",
    )
    tables = {name: dict(getattr(state, name).items()) for name in names}
    return tables | {
        "root": state.notes.root(),
        "totals": state.notes.totals,
        "next slot": state.notes._tree.lowest_empty(),
        "head": ledger.head,
    }


def copied(state: State) -> State:
    """The same entries in new tables, as a store would give them back."""
    return State(
        NoteTable(dict(state.notes.items())),
        Table(dict(state.channels.items())),
        Table(dict(state.configurations.items())),
        Table(dict(state.declarations.items())),
        Table(dict(state.identities.items())),
        Table(dict(state.activities.items())),
        Table(dict(state.nullifiers.items())),
        Table(dict(state.vouchers.items())),
    )
