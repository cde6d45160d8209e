"""What the ledger keeps. All of it is immutable; tables and the head hold it.

Spec: docs/protocol/chain-ledger.md, LED-5.
"""

from dataclasses import dataclass

from logos_mantle.notes import Note
from logos_mantle.prices import ExecutionMarket, StorageMarket
from logos_mantle.services import SdpDeclare


@dataclass(frozen=True, slots=True)
class UnspentNote:
    """A note of the ledger, and who may use it (LED-6)."""

    note: Note
    slot: int
    """Its place in the tree, below 2**32."""
    channel: bytes | None = None
    """The channel that owns it, 32 bytes."""
    declaration: bytes | None = None
    """The declaration that it is locked for, 32 bytes."""


@dataclass(frozen=True, slots=True)
class Channel:
    """The state of a channel. Source: LIP-98, Channel Operations."""

    keys: tuple[bytes, ...]
    """Accredited Ed25519 keys of 32 bytes, 1 to 65,535; none in the genesis' own channel."""
    configuration_threshold: int
    transfer_threshold: int
    posting_timeframe_slots: int
    """0: a turn never ends."""
    posting_timeout_slots: int
    """0: there is none."""
    tip: bytes
    """Id of the last message (MAN-8), 32 bytes; zeros before the first."""
    tip_slot: int
    """Slot of the block with it."""
    sequencer: int
    """Place among the keys of the one whose turn it was."""
    sequencer_since_slot: int
    """When that turn began."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A node of a service. Source: LIP-87, Declaration Storage."""

    message: SdpDeclare
    created_epoch: int
    active_epoch: int | None = None
    """The last epoch that it has shown activity for."""
    withdrawn_epoch: int | None = None
    """When it was withdrawn: its last epoch with a reward."""
    nonce: int = 0


@dataclass(frozen=True, slots=True)
class Provider:
    """A node of a service as a snapshot has it (LED-30)."""

    declaration_id: bytes
    provider_id: bytes
    zk_id: bytes
    locators: tuple[bytes, ...]


Snapshot = tuple[Provider, ...]
"""By ascending provider id."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The providers of three epochs (LED-30)."""

    last: Snapshot
    present: Snapshot
    coming: Snapshot


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of values of notes, by what they are; 64 bits each."""

    free: int = 0
    locked: int = 0
    in_channels: int = 0


@dataclass(frozen=True, slots=True)
class Supply:
    """Where all tokens are (LED-39)."""

    notes: Totals
    pool: int
    """What vouchers can claim in this epoch."""
    pending: int
    """Rewards of leaders and of services that are not to be had yet."""
    burned: int
    genesis: int
    emitted: int

    @classmethod
    def of(cls, notes: Totals, head: "Head") -> "Supply":
        """Returns where the tokens of a state are."""
        return cls(
            notes=notes,
            pool=head.pool,
            pending=head.leaders + head.services + head.services_due,
            burned=head.burned,
            genesis=head.genesis,
            emitted=head.emitted,
        )

    @property
    def is_conserved(self) -> bool:
        """Whether every token is somewhere, and only once."""
        held = self.notes.free + self.notes.locked + self.notes.in_channels
        return held + self.pool + self.pending + self.burned == self.genesis + self.emitted


@dataclass(frozen=True, slots=True)
class Head:
    """All of the state that does not grow, after a block. Amounts have 64 bits."""

    slot: int
    epoch: int
    root: bytes
    """Of the tree of notes after this block, 32 bytes."""
    aged_root: bytes
    """As the epoch before this one began, 32 bytes: C_LEAD of this epoch (CON-6)."""
    epoch_root: bytes
    """As this epoch began: C_LEAD of the next one."""
    execution: ExecutionMarket
    """Prices for the next block."""
    storage: StorageMarket
    stored_bytes: int
    """Of signed transactions in this epoch."""
    fees: tuple[int, ...]
    """Burned by the last blocks, at most 120, this one last (LED-33)."""
    genesis: int
    emitted: int
    burned: int
    pool: int
    leaders: int
    """Rewards and tips of this epoch, for the pool of the next one."""
    services: int
    """Income of services in this epoch."""
    services_due: int
    """Income of the epoch before, for the activity that is shown in this one."""
    vouchers: int
    """In the tree of vouchers: those of all epochs before this one."""
    voucher_root: bytes
    """Of that tree, 32 bytes; the same for the whole epoch."""
    voucher_frontier: bytes
    """`FrontierTree.snapshot` of it."""
    snapshots: Snapshots
