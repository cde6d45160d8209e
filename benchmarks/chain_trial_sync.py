"""The part of benchmarks/chain_trials.py in which fresh nodes take up a long chain.

Before the testnet starts, its first node is given a chain with a real proof in each block, led here
with that node's own wallet on slots that have passed: as it came about, it would take fourteen
hours. A second node begins with the genesis, a third one with a checkpoint of the first.
"""

import asyncio
import tempfile
import time
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.chain_idle import infos
from benchmarks.chain_leader import Leader
from benchmarks.chain_trial_net import one_tip, supplies_conserved, tips
from benchmarks.report import Figure, say
from benchmarks.running import Running, running

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.leadership import LEADERSHIP, made_by
from logos_chain.node import DATABASE
from logos_chain.node.clocks import unix_ms
from logos_chain.operations.exporting import ExportOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import Network, Opening
from logos_chain.operations.verifying import CircuitProofs, ProofVerifier
from logos_chain.store.genesis import KEYS, read_given
from logos_chain.store.opening import open_store
from logos_crypto.keys import CircuitKeys
from logos_mantle.operations import operation_id
from logos_module.keys import load_key
from logos_module.prover import Prover
from logos_testnet.genesis import run_genesis
from logos_testnet.layout import Layout
from logos_testnet.plan import Plan
from logos_testnet.progress import silent

PORTS_FROM: Final = 900
DEV: Final = PRESETS["dev"]
CHAIN: Final = "chain"
LONG, FRESH, AHEAD = "long", "fresh", "ahead"
EMPTY_BAR: Final = 100.0
"""Blocks that are downloaded in a second."""
SPARE: Final = 1.25
"""Of the slots that so many blocks take on average: they have passed for sure."""
LOOK_S: Final = 0.25
PATIENCE_S: Final = 900.0
SAY_BLOCKS: Final = 100

TOPOLOGY: Final = """\
schema = 1
name = "trial"
[modules.mixnet]
settings.mix = "off"
settings.rln = "off"
[modules.chain.settings]
preset = "dev"
genesis_time = {time_s}
[[nodes]]
name = "long"
[[nodes]]
name = "fresh"
settings.chain.genesis_stake = []
[[nodes]]
name = "ahead"
settings.chain.genesis_stake = []
settings.chain.checkpoint = "{checkpoint}"
"""


@dataclass
class LongChain:
    """Is given to the first node."""

    blocks: int
    checkpoint: Path
    """Where it is exported to."""
    height: int = 0
    """Of the checkpoint."""
    size_bytes: int = 0
    """Of the checkpoint."""

    async def prepare(self, plan: Plan, layout: Layout) -> None:
        """Makes the genesis, the chain, and its checkpoint."""
        await run_genesis(plan, layout, silent)
        public = layout.public_genesis(CHAIN)
        given = read_given(public, layout.private_genesis(LONG, CHAIN))
        state = layout.node(LONG) / "modules" / CHAIN
        state.mkdir(parents=True, mode=0o700)
        keys = CircuitKeys(public / KEYS)
        key = await load_key(keys, given.spec.keys, LEADERSHIP)
        network = Network(given.spec.consensus, given.spec.ledger, given.spec.genesis)
        place, keep_slots = state / DATABASE, DEV.uncle_window_slots
        async with open_store(place, keep_slots=keep_slots) as store, Prover() as prover:
            transfer = given.spec.genesis.transfer
            assert given.wallet is not None
            leaders = given.wallet.notes(given.spec.genesis)
            notes = made_by(operation_id(transfer), transfer.outputs, leaders)
            watched = {each.public_key for each in notes}
            opening = Opening(store.chain, network, watched=watched)
            chain = await opening.open(Rule.ONLINE, unix_ms)
            verifier = ProofVerifier(CircuitProofs(given.verifiers), DEV.activation)
            follow = FollowOperations(chain, verifier, unix_ms)
            async with follow.running():
                await self._lead(Leader(follow, DEV, notes, prover, key))
            exports = ExportOperations(
                store.chain,
                genesis=BlockId(given.spec.genesis_id),
                specification=given.spec.hash,
                folder=state,
            )
            await self._export(exports)

    async def _lead(self, leader: Leader) -> None:
        for number in range(self.blocks):
            if number % SAY_BLOCKS == 0:
                say(f"{number} of {self.blocks} blocks led")
            block, _ = await leader.block()
            assert await leader.follow.take_own(block) is None

    async def _export(self, exports: ExportOperations) -> None:
        async with exports.export() as made:
            raw = b"".join([each async for each in made.chunks()])
            self.height, self.size_bytes = made.summary.height, made.size_bytes
        await asyncio.to_thread(self.checkpoint.write_bytes, raw)


@dataclass
class Taken:
    """How one node has come to the end of the long chain."""

    seen: list[tuple[float, int]] = field(default_factory=list)
    """Times in seconds, and heights of its tip."""

    @property
    def rate(self) -> float:
        """Blocks in a second, while it was looked at."""
        (first_s, first), (last_s, last) = self.seen[0], self.seen[-1]
        return (last - first) / (last_s - first_s) if last > first else float("nan")


async def sync_figures(options: Namespace) -> list[Figure]:
    """How fresh nodes take a chain of real proofs up."""
    blocks = options.sync_blocks
    time_s = int(unix_ms() / 1000 - SPARE * blocks * DEV.slot_ms / 1000 / DEV.activation)
    with tempfile.TemporaryDirectory() as folder:
        long = LongChain(blocks, Path(folder) / "checkpoint")
        path = Path(folder) / "trial.toml"
        text = TOPOLOGY.format(time_s=time_s, checkpoint=long.checkpoint)
        path.write_text(text, encoding="utf-8")
        async with running(None, path, PORTS_FROM, long.prepare) as net:
            taken = {FRESH: Taken(), AHEAD: Taken()}
            async with asyncio.timeout(PATIENCE_S):
                for name, each in taken.items():
                    await _until_taken(net, name, each, blocks)
            await one_tip(net)
            ahead = (await infos(net))[AHEAD]
            return [
                Figure("blocks of the chain, a proof in each", blocks, ""),
                Figure("a fresh node: seen on the way", _span(taken[FRESH]), "blocks"),
                Figure("its download", taken[FRESH].rate, "blocks/s", at_least=EMPTY_BAR),
                Figure("checkpoint, which is of height", long.height, "", at_most=blocks - 1),
                Figure("checkpoint", long.size_bytes / 1024, "KiB"),
                Figure(
                    "a node with it: blocks before its first one",
                    ahead.checkpoint_height,
                    "",
                    at_least=long.height,
                    at_most=long.height,
                ),
                Figure("tips at the end", await tips(net), "", at_most=1),
                Figure("nodes with all tokens", await supplies_conserved(net), "", at_least=3),
            ]


async def _until_taken(net: Running, name: str, taken: Taken, height: int) -> None:
    """Looks at a node until its tip is of that height."""
    while not taken.seen or taken.seen[-1][1] < height:
        now = (await infos(net))[name]
        taken.seen.append((time.monotonic(), now.tip.height))
        await asyncio.sleep(LOOK_S)


def _span(taken: Taken) -> int:
    return taken.seen[-1][1] - taken.seen[0][1]
