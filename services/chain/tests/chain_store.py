"""Chains for tests of their store: blocks that change every table, in ways no ledger would."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from hashlib import shake_128
from pathlib import Path
from typing import Any

from chain_blocks import identified
from chain_ledger import declaration, named

from logos_chain.core.consensus.epochs import BlockState, EpochState
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.beginning import _head
from logos_chain.core.ledger.services import identity_keys
from logos_chain.core.ledger.state import Delta, State
from logos_chain.core.ledger.types import Channel, Declaration, Head, Provider, Snapshots
from logos_chain.core.ports import KeptBlock, Settled
from logos_chain.store.opening import OpenStore, open_store
from logos_chain.store.sql import SqlChainStore
from logos_mantle.notes import Note

KEEP_SLOTS = 4
MAX_U64 = (1 << 64) - 1
TABLES = (
    "notes",
    "channels",
    "configurations",
    "declarations",
    "identities",
    "activities",
    "nullifiers",
    "vouchers",
)
POOL = [named(f"pool {number}") for number in range(6)]
"""Few keys, so that blocks write to those that others have written to."""


def opened_all(place: Path | str) -> AbstractAsyncContextManager[OpenStore]:
    return open_store(place, keep_slots=KEEP_SLOTS)


@asynccontextmanager
async def opened(place: Path | str) -> AsyncIterator[SqlChainStore]:
    async with opened_all(place) as store:
        yield store.chain


def numbers(seed: object) -> Iterator[int]:
    """Bytes that look random, the same for the same seed."""
    return iter(shake_128(repr(seed).encode()).digest(256))


def channel(number: int) -> Channel:
    return Channel(
        keys=tuple(POOL[: number % 4]),
        configuration_threshold=number,
        transfer_threshold=1,
        posting_timeframe_slots=0,
        posting_timeout_slots=number,
        tip=named(f"tip {number}"),
        tip_slot=number,
        sequencer=0,
        sequencer_since_slot=0,
    )


def provider(number: int) -> Provider:
    return Provider(POOL[0], named(f"provider {number}"), POOL[1], (b"locator",) * (number % 3))


def churn(state: State, seed: object) -> None:
    """Changes entries of every table."""
    those = numbers(seed)
    for _ in range(next(those) % 4):
        owner = POOL[0] if next(those) % 3 == 0 else None
        notes = [Note(1 + next(those), POOL[1])] * (1 + next(those) % 3)
        state.notes.add(named(f"operation {seed} {next(those)} {len(state.notes)}"), notes, owner)
    ids = sorted(key for key, _ in state.notes.items())
    for each in ids[next(those) % 3 :: 3]:
        if next(those) % 2:
            state.notes.spend([each])
        else:
            state.notes.lock(each, POOL[next(those) % 6])
    for key in POOL[next(those) % 3 :: 2]:
        value = next(those)
        gone = value % 3 == 0
        declared = declaration(f"{value}", key)
        state.channels.write(key, None if gone else channel(value))
        state.configurations.write(key, None if gone else value)
        state.declarations.write(key, None if gone else Declaration(declared, value))
        state.identities.write(identity_keys(declaration("one", key))[value % 2], key)
        state.activities.write(key, None if value % 5 else value)
        state.nullifiers.write(key, MAX_U64 - value)
        state.vouchers.write(value, None if gone else key)


def head_of(state: State, slot: int, before: Head | None = None) -> Head:
    """A head with which tokens add up."""
    totals = state.notes.totals
    held = totals.free + totals.locked + totals.in_channels
    root = state.notes.root()
    begun = _head(root, held) if before is None else before
    snapshots = begun.snapshots
    if slot % 4 == 0:
        snapshots = Snapshots(snapshots.present, snapshots.coming, (provider(slot),))
    return replace(
        begun,
        slot=slot,
        root=root,
        genesis=held,
        fees=(*begun.fees, slot)[-3:],
        snapshots=snapshots,
    )


def block_state(slot: int, root: bytes) -> BlockState:
    epoch = EpochState(slot // 100, POOL[0], POOL[1], MAX_U64)
    return BlockState(slot, POOL[2], root, epoch, POOL[3], POOL[4], slot, (slot, slot + 1))


@dataclass
class Author:
    """Makes blocks, and executes those that are settled."""

    first_slot: int = 0
    first_height: int = 0
    state: State = field(default_factory=State.empty)
    kept: dict[BlockId, KeptBlock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        churn(self.state, "genesis")
        self.head = head_of(self.state, self.first_slot)
        self.state.collect(self.head, self.head)
        self.genesis = KeptBlock(
            identified("genesis"),
            BlockId(bytes(32)),
            self.first_height,
            self.first_slot,
            b"genesis",
            (POOL[0],),
        )
        self.kept[self.genesis.id] = self.genesis
        self.root = self.tree_block(self.genesis, b"")

    @property
    def settled(self) -> Settled:
        """As a store begins."""
        return Settled(self.root, (), self.state, self.head)

    def tree_block(self, block: KeptBlock, key: bytes = POOL[5]) -> TreeBlock:
        state = block_state(block.slot, self.head.root)
        return TreeBlock(block.id, block.parent, block.height, state, key, block.height, None)

    def block(self, parent: BlockId | None = None, salt: object = "", size: int = 10) -> KeptBlock:
        """Makes a block after another one, or after the newest one that was made."""
        last = next(reversed(self.kept.values())) if parent is None else self.kept[parent]
        name = f"{last.id.hex()} {salt}"
        those = numbers(name)
        hashes = tuple(named(f"transaction {next(those) % 40}") for _ in range(next(those) % 5))
        made = KeptBlock(
            identified(name),
            last.id,
            last.height + 1,
            last.slot + 1 + next(those) % 2,
            name.encode() + bytes(size),
            hashes,
        )
        self.kept[made.id] = made
        return made

    def execute(self, blocks: Sequence[KeptBlock]) -> list[tuple[TreeBlock, Delta]]:
        """Executes blocks after the newest final one, which the last of them becomes."""
        done = []
        for block in blocks:
            churn(self.state, block.id)
            before, self.head = self.head, head_of(self.state, block.slot, self.head)
            self.root = self.tree_block(block)
            done.append((self.root, self.state.collect(before, self.head)))
        return done


def contents(state: State) -> dict[str, Any]:
    """All of a state, and what follows from it."""
    tables = {name: dict(getattr(state, name).items()) for name in TABLES}
    following = {
        "root": state.notes.root(),
        "totals": state.notes.totals,
        "next slot": state.notes._tree.lowest_empty(),
    }
    return tables | following


def is_as(found: Settled | None, author: Author) -> bool:
    """Whether a store has what an author has settled."""
    return (
        found is not None
        and (found.head, found.root) == (author.head, author.root)
        and contents(found.state) == contents(author.state)
    )
