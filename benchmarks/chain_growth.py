"""The part of benchmarks/chain.py that asks what a block costs with more notes in the ledger.

A chain is begun at a checkpoint that has so many notes, on SQLite; blocks of transfers that spend
notes from all over it are then given to a node, once with proofs, a few repeated, and once without.
What has to grow is hashes: the tree of 100,000 notes has 17 levels, that of 1,000 has 10.
"""

import itertools
import shutil
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.chain_made import (
    GAP,
    BenchmarkWorld,
    Proving,
    Repeated,
    Unproven,
    opened,
    store_in,
    verifying,
)
from benchmarks.report import Figure, ratio, say

from logos_chain.core.consensus.epochs import genesis_state
from logos_chain.core.ports import Settled
from logos_chain.operations.opening import begin_chain
from logos_chain.operations.verifying import Proofs
from logos_mantle.blocks import Block
from logos_mantle.notes import Note, note_id
from logos_mantle.transfers import Transfer

from chain_ledger import ALICE, named, signed  # isort: skip - chain_made finds it

VALUE: Final = 1 << 40
FEE: Final = 1 << 36
OUTPUTS: Final = 250
"""Notes that one operation has made."""
PEER: Final = "peer"
WHOLE: Final = "validated and stored"
FEW: Final = 2
"""Blocks that are led for their proofs."""
FLAT: Final = 1.3
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


class Grown:
    """A chain with so many notes on disk, which many nodes take up in turn."""

    def __init__(self, folder: Path, notes: int, blocks: int, transfers: int) -> None:
        self._folder = folder
        self._world = BenchmarkWorld()
        self._copies = 0
        self._settled, ids = checkpoint(self._world, notes)
        made = spending_blocks(self._world, ids, blocks, transfers)
        self._raws = [each.encode() for each in made]

    async def keep(self) -> None:
        """Writes it to disk, once."""
        _, genesis = begin_chain(self._world.network)
        async with store_in(self._folder / "first") as store:
            await store.chain.begin(genesis, self._settled)

    async def block_ms(self, proofs: Proofs) -> float:
        """Gives the blocks to a node; the median of their times, from the bytes to disk."""
        times = []
        async with opened(self._world, self._copied(), verifying(proofs)) as node:
            for raw in self._raws:
                began = time.perf_counter()
                reason = await node.follow.take(raw, PEER)
                times.append(1000 * (time.perf_counter() - began))
                assert reason is None, reason
        return median(times)

    def _copied(self) -> Path:
        self._copies += 1
        return shutil.copytree(self._folder / "first", self._folder / f"{self._copies}")


async def growth_figures(proving: Proving, folder: Path, options: Namespace) -> list[Figure]:
    """Rounds of all sizes in turn; the yardstick is the smallest of the same round."""
    blocks, transfers = options.grown_blocks, options.grown_transfers
    sizes = sorted(options.notes)
    if sizes[0] < blocks * transfers:
        raise SystemExit(f"--notes: {blocks * transfers} at least, as many as are spent")
    grown = {}
    for size in sizes:
        say(f"a ledger of {size:,} notes")
        grown[size] = Grown(folder / f"{size}", size, blocks, transfers)
        await grown[size].keep()
    _, leadership = await proving.led_chain(BenchmarkWorld(), folder / "leader", FEW)
    real = await proving.few(leadership)
    figures: list[Figure] = []
    for name, proofs, bar in (
        (WHOLE, Repeated(proving.proofs, real), FLAT),
        ("executed and stored, without proofs", Unproven(), None),
    ):
        kept: dict[int, list[float]] = {each: [] for each in sizes}
        for number, size in itertools.product(range(options.rounds), sizes):
            say(f"round {number}: {transfers} transfers a block, {size:,} notes, {name}")
            kept[size].append(await grown[size].block_ms(proofs))
        what = f"block of {transfers} transfers, {name}"
        figures += [_figure(what, size, sizes[0], kept, bar) for size in sizes]
    return figures


def _figure(
    what: str, size: int, least: int, kept: Mapping[int, Sequence[float]], bar: float | None
) -> Figure:
    value = median(kept[size])
    if size == least:
        return Figure(f"{what}: {size:,} notes", value, "ms")
    return Figure(
        f"{what}: {size:,} notes",
        value,
        "ms",
        ratio=ratio(kept[size], kept[least]),
        yardstick=f"{least:,} notes",
        ratio_at_most=bar,
    )
