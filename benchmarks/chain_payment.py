"""The part of benchmarks/chain.py that pays: from the wallet's command to where it waits.

Chain, mempool, wallet, prover and verifier are those of a node, on SQLite, in this process.
"""

import asyncio
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.chain_made import SECRET, SIGNATURE, BenchmarkWorld, Proving, taken_up, verifying
from benchmarks.report import Figure, percentile, ratio, say

from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.errors import WalletScanningError
from logos_chain.core.wallet.signing import signature_witness
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.wallets.proving import CIRCUITS
from logos_chain.operations.wallets.wallet import WalletOperations, WalletPorts
from logos_crypto.circuits import Cancellation
from logos_mantle.derivations import blake2b, public_key
from logos_mantle.notes import Note
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer
from logos_module.prover import Prover

from chain_ledger import ALICE  # isort: skip - chain_made finds it
from chain_world import noon  # isort: skip

PAID_BAR_MS: Final = 500.0
VALUE: Final = 10_000_000
PAID: Final = 70_000
SEED: Final = blake2b(b"the wallet of the benchmark") * 2
SHOP: Final = public_key((77).to_bytes(32, "little"))
PATIENCE_S: Final = 30.0
ALONE: Final = "the proof alone"


@asynccontextmanager
async def paying(proving: Proving, folder: Path, notes: int) -> AsyncIterator[WalletOperations]:
    """A node whose wallet has so many notes in the genesis."""
    account = Account(SEED)
    own = public_key(account.secret_key(Role.RECEIVE, 0))
    world = BenchmarkWorld(outputs=(Note(VALUE, ALICE), *[Note(VALUE, own)] * notes))
    keys = {each: proving.keys[each] for each in CIRCUITS}
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(taken_up(world, folder, verifying(proving.proofs)))
        prover = await stack.enter_async_context(Prover())
        mempool = MempoolOperations(
            node.follow,
            node.store.chain,
            world.network,
            verifier=node.verifier,
            saved=node.store.transactions,
            unix_ms=noon,
        )
        ports = WalletPorts(node.store.wallets, mempool.submit, keys, prover.prove)
        wallet = WalletOperations(node.follow, node.chain, account, ports=ports, unix_ms=noon)
        await wallet.open()
        for each in (node.follow, mempool, wallet):
            await stack.enter_async_context(each.running())
        await scanned(wallet, notes)
        yield wallet


async def scanned(wallet: WalletOperations, notes: int) -> None:
    """Waits until a wallet has found its notes in the genesis."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(WalletScanningError):
                if len(wallet.notes()) == notes:
                    return
            await asyncio.sleep(0.01)


async def payment_figures(proving: Proving, folder: Path, options: Namespace) -> list[Figure]:
    """Payments of one note each, one after another; the yardstick is a proof between two."""
    transfer = Transaction((Transfer((bytes(32),), (Note(1, ALICE),)),))
    asked, key = signature_witness(transfer, [ALICE], [SECRET]), proving.keys[SIGNATURE]
    paid, alone = [], []
    async with paying(proving, folder / "payer", options.payments + 1) as wallet:
        for number in range(options.payments + 1):
            say(f"payment {number} of {options.payments}")
            began = time.perf_counter()
            await asyncio.to_thread(asked.prove, key, Cancellation())
            proven = time.perf_counter()
            await wallet.send([Note(PAID + number, SHOP)])
            if number:  # the first one warms up
                alone.append(1000 * (proven - began))
                paid.append(1000 * (time.perf_counter() - proven))
    what = "transfer, from command to mempool"
    return [
        Figure(ALONE, percentile(alone, 50), "ms"),
        Figure(
            f"{what}: p50",
            percentile(paid, 50),
            "ms",
            at_most=PAID_BAR_MS,
            ratio=ratio(paid, alone),
            yardstick=ALONE,
        ),
        Figure(f"{what}: p99", percentile(paid, 99), "ms", at_most=PAID_BAR_MS),
    ]
