"""The part of benchmarks/chain.py that asks what a block costs with more notes in the ledger.

A chain is begun at a checkpoint that has so many notes, on SQLite; blocks of transfers that spend
notes from all over it are then given to a node. No proofs: they cost the same with any ledger.
"""

import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.chain_made import (
    GAP,
    BenchmarkWorld,
    Unproven,
    opened,
    store_in,
    verifying,
)
from benchmarks.report import Figure, say

from logos_chain.core.consensus.epochs import genesis_state
from logos_chain.core.ports import Settled
from logos_chain.operations.opening import begin_chain
from logos_mantle.blocks import Block
from logos_mantle.notes import Note, note_id
from logos_mantle.transfers import Transfer

from chain_ledger import ALICE, named, signed  # isort: skip - chain_made finds it

VALUE: Final = 1 << 40
FEE: Final = 1 << 36
OUTPUTS: Final = 250
"""Notes that one operation has made."""
PEER: Final = "peer"
FLAT: Final = 1.25
"""At most so many times what a block costs with the fewest notes."""


def note_batches(count: int) -> Iterator[tuple[bytes, list[Note]]]:
    """Operations, and the notes that each has made."""
    for first in range(0, count, OUTPUTS):
        made = min(OUTPUTS, count - first)
        yield named(f"operation {first}"), [Note(VALUE, ALICE)] * made


def checkpoint(world: BenchmarkWorld, notes: int) -> tuple[Settled, list[bytes]]:
    """What a store of the world's chain holds, with so many notes more; and their ids."""
    settled, _ = begin_chain(world.network)
    state, head, ids = settled.state, settled.head, []
    for operation, made in note_batches(notes):
        state.notes.add(operation, made)
        ids += [note_id(operation, at, each) for at, each in enumerate(made)]
    root, held = state.notes.root(), state.notes.totals.free
    grown = replace(head, root=root, aged_root=root, epoch_root=root, genesis=held)
    state.collect(head, grown)
    nonce = world.genesis.parameters.epoch_nonce_value
    block = replace(settled.root, state=genesis_state(root, nonce, held))
    return Settled(block, (), state, grown), ids


def spending_blocks(
    world: BenchmarkWorld, ids: Sequence[bytes], blocks: int, transfers: int
) -> list[Block]:
    """Blocks whose transfers spend notes from all over, each once."""
    step, made = len(ids) // (blocks * transfers), [world.root]
    chosen = ids[:: max(1, step)]
    for at in range(blocks):
        spent = chosen[at::blocks][:transfers]
        body = [signed(Transfer((each,), (Note(VALUE - FEE, ALICE),))) for each in spent]
        made.append(world.make(made[-1], f"block {at}", body, gap=GAP))
    return made[1:]


async def block_times(notes: int, folder: Path, blocks: int, transfers: int) -> list[float]:
    """Of each block, in milliseconds, from its bytes to disk."""
    world = BenchmarkWorld()
    settled, ids = checkpoint(world, notes)
    raws = [each.encode() for each in spending_blocks(world, ids, blocks, transfers)]
    _, genesis = begin_chain(world.network)
    async with store_in(folder) as store:
        await store.chain.begin(genesis, settled)
    times = []
    async with opened(world, folder, verifying(Unproven())) as node:
        for raw in raws:
            began = time.perf_counter()
            reason = await node.follow.take(raw, PEER)
            times.append(1000 * (time.perf_counter() - began))
            assert reason is None, reason
    return times


async def growth_figures(folder: Path, options: Namespace) -> list[Figure]:
    """Rounds of all sizes in turn; the yardstick is the smallest of the same round."""
    sizes = sorted(options.notes)
    assert sizes[0] >= options.grown_blocks * options.grown_transfers
    kept: dict[int, list[float]] = {each: [] for each in sizes}
    for number in range(options.rounds):
        for size in sizes:
            say(f"{size:,} notes")
            times = await block_times(
                size, folder / f"{size} {number}", options.grown_blocks, options.grown_transfers
            )
            kept[size].append(median(times))
    figures = []
    for size, values in kept.items():
        pairs = zip(values, kept[sizes[0]], strict=True)
        share = None if size == sizes[0] else median(value / least for value, least in pairs)
        figures.append(
            Figure(
                f"block of {options.grown_transfers} transfers, {size:,} notes",
                median(values),
                "ms",
                ratio=share,
                yardstick="" if share is None else f"{sizes[0]:,} notes",
                ratio_at_most=None if share is None else FLAT,
            )
        )
    return figures
