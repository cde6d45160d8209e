"""The parts of benchmarks/chain.py that take blocks in: one block, and whole downloads."""

import asyncio
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.chain_made import (
    GAP,
    SIGNATURE,
    BenchmarkWorld,
    Proving,
    Repeated,
    Unproven,
    opened,
    signature_proof,
    verifying,
)
from benchmarks.report import Figure, ratio, say
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_chain.core.leadership import LEADERSHIP
from logos_chain.node.clocks import monotonic_ms, monotonic_s
from logos_chain.operations.served_chain import WholeChain
from logos_chain.operations.serving import SyncServing
from logos_chain.operations.syncing import SyncOperations
from logos_chain.operations.verifying import Proofs
from logos_mantle.blocks import Block
from logos_mantle.channels import ChannelInscribe, message_id
from logos_mantle.limits import MAX_TRANSACTIONS
from logos_mantle.notes import Note
from logos_mantle.octets import ZERO
from logos_mantle.operations import Operation
from logos_mantle.proofs import InscriptionProof, ZkSignatureProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

from chain_ledger import ALICE, named, outputs_of, signed  # isort: skip - chain_made finds it
from chain_network import Network  # isort: skip

VALIDATED_BAR_MS: Final = 1000.0
JUDGED_TRANSFERS: Final = 100
EMPTY_BAR: Final = 100.0
FULL_BAR: Final = 3.0
FEE: Final = 1 << 36
"""What each transaction leaves: above the fee at any price that these chains come to."""
RICH: Final = 1 << 56
GENESIS_NOTES: Final = 8
INSCRIPTIONS: Final = 8
INSCRIPTION_BYTES: Final = 261_000
"""Eight of them and their transfers are 2 MiB, less 7 KiB."""
PEER: Final = "peer"
ALONE: Final = "executed and stored, without proofs"


# -- one block -----------------------------------------------------------------------------------


async def block_figures(proving: Proving, folder: Path, options: Namespace) -> list[Figure]:
    """A block of transfers, with a proof for each and one of leadership, from its bytes to disk."""
    count = options.transfers
    world = BenchmarkWorld(outputs=(Note(1_000_000, ALICE),) * count)
    say(f"proving {count} transfers")
    asked = [Transaction((Transfer((each,), (Note(900_000, ALICE),)),)) for each in world.funds]
    transfers = await proving.signed(asked)
    verifier = verifying(proving.proofs)
    async with opened(world, folder / "maker", verifier) as maker:
        block, leadership = await proving.led(world, maker.follow, transfers)
    raw, times, singles = block.encode(), [], []
    proofs = [(LEADERSHIP, leadership), *[(SIGNATURE, signature_proof(each)) for each in transfers]]
    for number in range(options.rounds):
        say(f"validating a block of {count} transfers")
        async with opened(world, folder / f"taker {number}", verifier) as taker:
            began = time.perf_counter()
            assert await taker.follow.take(raw, PEER) is None
            times.append(1000 * (time.perf_counter() - began))
        began = time.perf_counter()
        for circuit, proof in proofs:
            assert proving.proofs.all_hold(circuit, [proof])
        singles.append(1000 * (time.perf_counter() - began))
    return [
        Figure(f"{count + 1} proofs, one by one", median(singles), "ms"),
        Figure(
            f"block of {count} transfers: validated and stored",
            median(times),
            "ms",
            at_most=VALIDATED_BAR_MS if count >= JUDGED_TRANSFERS else None,
            ratio=ratio(times, singles),
            yardstick="its proofs, one by one",
        ),
    ]


# -- blocks to download --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wanted:
    """A chain to be downloaded, and by what its proofs are verified."""

    name: str
    blocks: Sequence[Block]
    proofs: Proofs
    bar: float
    before: tuple[Block, ...] = ()
    """Blocks that both have, which are not counted."""

    @property
    def count(self) -> int:
        """Of its blocks."""
        return len(self.blocks)


@dataclass(frozen=True, slots=True)
class Synced:
    """How long a chain took, in seconds."""

    download_s: float
    alone_s: float
    """To execute and to store it, without proofs."""


def empty_blocks(world: BenchmarkWorld, count: int) -> list[Block]:
    """A chain of them."""
    made = [world.root]
    for at in range(count):
        made.append(world.make(made[-1], f"empty {at}", gap=GAP))
    return made[1:]


def transfer_blocks(world: BenchmarkWorld, count: int) -> list[Block]:
    """Blocks of 1,024 transfers of one note each; the first one is small, and makes the notes."""
    outputs = MAX_TRANSACTIONS // GENESIS_NOTES
    value = (RICH - FEE) // outputs
    fans = [Transfer((each,), (Note(value, ALICE),) * outputs) for each in world.funds]
    blocks = [world.make(world.root, "fan", [signed(each) for each in fans], gap=GAP)]
    notes = [note for each in fans for note in outputs_of(each)]
    for at in range(count):
        value -= FEE
        transfers = [Transfer((each,), (Note(value, ALICE),)) for each in notes]
        body = [signed(each) for each in transfers]
        blocks.append(world.make(blocks[-1], f"full {at}", body, gap=GAP))
        notes = [outputs_of(each)[0] for each in transfers]
    return blocks


def inscription_blocks(world: BenchmarkWorld, count: int) -> list[Block]:
    """Blocks of 2 MiB: inscriptions, each in a channel of its own, with a transfer of the fee."""
    keys = [Ed25519PrivateKey.from_private_bytes(named(f"zone {at}")) for at in range(INSCRIPTIONS)]
    parents, notes, value = [ZERO] * INSCRIPTIONS, list(world.funds), RICH
    blocks = [world.root]
    for number in range(count):
        body, value = [], value - FEE
        for at, key in enumerate(keys):
            text = number.to_bytes(4, "big") + bytes(INSCRIPTION_BYTES - 4)
            signer = key.public_key().public_bytes_raw()
            message = ChannelInscribe(named(f"channel {at}"), text, parents[at], signer)
            transfer = Transfer((notes[at],), (Note(value, ALICE),))
            body.append(_inscribed(key, message, transfer))
            parents[at], notes[at] = message_id(message), outputs_of(transfer)[0]
        blocks.append(world.make(blocks[-1], f"large {number}", body, gap=GAP))
    return blocks[1:]


def _inscribed(key: Ed25519PrivateKey, *operations: Operation) -> SignedTransaction:
    transaction = Transaction(operations)
    proof = InscriptionProof(key.sign(transaction.hash))
    return SignedTransaction(transaction, (proof, ZkSignatureProof(bytes(128))))


# -- downloads -----------------------------------------------------------------------------------


async def synced(world: BenchmarkWorld, wanted: Wanted, folder: Path) -> Synced:
    """Gives a chain to a node that verifies no proofs, from which another downloads it.

    Both are of this process, as is what is between them.
    """
    raws, nothing = [each.encode() for each in wanted.blocks], verifying(Unproven())
    async with (
        opened(world, folder / "server", nothing) as server,
        opened(world, folder / "client", verifying(wanted.proofs)) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for raw in (each.encode() for each in wanted.before):
            assert [await each.follow.take(raw, PEER) for each in (server, client)] == [None] * 2
        began = time.perf_counter()
        for raw in raws:
            assert await server.follow.take(raw, PEER) is None
        alone_s = time.perf_counter() - began
        net = Network(tasks)
        serving = SyncServing(WholeChain(server.chain), net.peers(PEER), monotonic_s)
        answering = tasks.create_task(serving.serve())
        sync = SyncOperations(
            WholeChain(client.chain), client.follow.take, net.peers("own"), monotonic_ms
        )
        await asyncio.sleep(0)
        began = time.perf_counter()
        assert await sync.download([PEER])
        download_s = time.perf_counter() - began
        assert client.follow.tip.id == wanted.blocks[-1].id
        answering.cancel()
    return Synced(download_s, alone_s)


async def sync_figures(proving: Proving, folder: Path, options: Namespace) -> list[Figure]:
    """Downloads of empty and of full blocks; and of a few, each with a proof of its own."""
    world = BenchmarkWorld(outputs=(Note(RICH, ALICE),) * GENESIS_NOTES)
    say(f"leading {options.led} blocks")
    led, leadership = await proving.led_chain(world, folder / "leader", options.led)
    repeated = Repeated(proving.proofs, await proving.few(leadership))
    fan, *full = transfer_blocks(world, options.full)
    chains = (
        Wanted("empty blocks, a proof of its own each", led, proving.proofs, EMPTY_BAR),
        Wanted("empty blocks", empty_blocks(world, options.empty), repeated, EMPTY_BAR),
        Wanted(f"blocks of {MAX_TRANSACTIONS:,} transfers", full, repeated, FULL_BAR, (fan,)),
        Wanted("blocks of 2 MiB", inscription_blocks(world, options.full), repeated, FULL_BAR),
    )
    figures: list[Figure] = []
    for number, wanted in enumerate(chains):
        say(f"downloading {wanted.count} {wanted.name}")
        figures += _figures(wanted, await synced(world, wanted, folder / f"{number}"))
    return figures


def _figures(wanted: Wanted, done: Synced) -> list[Figure]:
    rate, alone = wanted.count / done.download_s, wanted.count / done.alone_s
    return [
        Figure(f"{wanted.name}: {ALONE}", alone, "blocks/s"),
        Figure(
            f"{wanted.name}: synced",
            rate,
            "blocks/s",
            at_least=wanted.bar,
            ratio=rate / alone,
            yardstick=ALONE,
        ),
    ]
