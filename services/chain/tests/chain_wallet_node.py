"""Nodes with a wallet on the chain of a small world, and a prover that makes no proofs."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from chain_leading import any_key
from chain_ledger import ALICE, FUNDS, named, outputs_of, signed
from chain_memory import MemoryStore
from chain_wallet import SEED, Chance
from chain_wallets import MemoryWallets
from chain_world import TWO, Scripted, World, noon, quiet, until
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos_base.errors import LogosError
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.types import Recorded
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.leading import Make
from logos_chain.operations.opening import Network, Opening
from logos_chain.operations.verifying import Verifier
from logos_chain.operations.wallets.proving import CIRCUITS
from logos_chain.operations.wallets.wallet import WalletOperations, WalletPorts
from logos_crypto.circuits import CircuitKey
from logos_crypto.jobs import CircuitJob
from logos_crypto.prover import Priority, ProofJob
from logos_mantle.blocks import Block
from logos_mantle.derivations import public_key
from logos_mantle.genesis import GenesisParameters, genesis_block, read_genesis
from logos_mantle.notes import Note
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer

OWN = (5_000_000, 6_000_000, 7_000_000)
"""Notes of the wallet in the genesis."""


@cache
def receive_key(number: int) -> bytes:
    return public_key(Account(SEED).secret_key(Role.RECEIVE, number))


@dataclass
class PaidWorld(World):
    """A world in whose genesis the wallet has notes beside Alice's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        notes = [Note(each, ALICE) for each in FUNDS]
        notes += [Note(each, receive_key(at)) for at, each in enumerate(OWN)]
        block = genesis_block(GenesisParameters("test", 0, bytes(32)), tuple(notes), [])
        self.genesis = read_genesis(block)
        self.network = Network(self.parameters, self.network.ledger, self.genesis)
        self.funds = outputs_of(self.genesis.transfer)[: len(FUNDS)]
        self.blocks = {block.id: block}

    def pay(self, number: int, *notes: Note) -> SignedTransaction:
        """One of Alice's first notes, to others."""
        return signed(Transfer((self.funds[number],), notes))

    def led(
        self,
        parent: Block,
        name: str,
        voucher: bytes,
        transactions: Sequence[SignedTransaction] = (),
        *,
        gap: int = 1,
    ) -> Block:
        """A block with a voucher in its header."""
        made = self.make(parent, name, transactions, gap=gap)
        leadership = replace(made.header.leadership, voucher=voucher)
        header = replace(made.header, leadership=leadership)
        key = Ed25519PrivateKey.from_private_bytes(named(f"key {name}"))
        block = replace(made, header=header, signature=key.sign(header.encoded))
        self.blocks[block.id] = block
        return block


@dataclass
class Pool:
    """A mempool that takes all, or fails as it is told."""

    taken: list[SignedTransaction] = field(default_factory=list)
    errors: list[LogosError] = field(default_factory=list)
    hangs: bool = False

    async def submit(self, raw: bytes) -> bytes:
        signed = SignedTransaction.decode(raw)
        if self.hangs:
            await asyncio.Event().wait()
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(signed)
        return signed.hash


@dataclass
class Prover:
    """Checks each witness, and says that it is proven."""

    jobs: list[CircuitJob] = field(default_factory=list)
    error: LogosError | None = None

    async def prove(self, job: ProofJob[bytes], priority: Priority = Priority.ORDINARY) -> bytes:
        assert priority is Priority.ORDINARY
        assert isinstance(job, CircuitJob)
        job.check()
        self.jobs.append(job)
        if self.error is not None:
            raise self.error
        return bytes(128)


@dataclass
class WalletNode:
    """What outlives a process."""

    world: PaidWorld = field(default_factory=lambda: PaidWorld(TWO))
    store: MemoryStore = field(default_factory=lambda: MemoryStore(TWO.uncle_window_slots))
    wallets: MemoryWallets = field(default_factory=MemoryWallets)
    pool: Pool = field(default_factory=Pool)
    prover: Prover = field(default_factory=Prover)
    account: Account | None = field(default_factory=lambda: Account(SEED))
    rule: Rule = Rule.ONLINE
    clock: Callable[[], int] = noon
    claim_delay_slots: int = 0
    verifier: Verifier = field(default_factory=Scripted)
    keys: Mapping[str, CircuitKey] = field(default_factory=dict)
    """Empty: any, which the scripted prover has no use for."""
    make: Make | None = None

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Running"]:
        chain = await Opening(self.store, self.world.network).open(self.rule, self.clock)
        follow = FollowOperations(chain, self.verifier, self.clock)
        keys = self.keys or dict.fromkeys(CIRCUITS, any_key())
        make = self.make or self.prover.prove
        wallet = WalletOperations(
            follow,
            chain,
            self.account,
            ports=WalletPorts(self.wallets, self.pool.submit, keys, make),
            unix_ms=self.clock,
            rng=Chance(),
            claim_delay_slots=self.claim_delay_slots,
        )
        await wallet.open()
        async with follow.running(), wallet.running():
            yield Running(self, follow, wallet)


@dataclass
class Running:
    node: WalletNode
    follow: FollowOperations
    wallet: WalletOperations

    async def settle(self) -> None:
        """Waits until the disk and the wallet are where the chain is."""
        await quiet(self.follow)
        await until(lambda: self.wallet._tracker.is_at_tip)

    async def take(self, *blocks: Block) -> None:
        for each in blocks:
            assert await self.follow.take(each.encode(), "a") is None
        await self.settle()

    async def extend(self, name: str, *transactions: SignedTransaction) -> Block:
        """Takes a new block on the tip."""
        parent = self.node.world.blocks[self.follow.tip.id]
        block = self.node.world.make(parent, name, transactions)
        await self.take(block)
        return block

    async def contents(self) -> dict[str, Any]:
        """All that a wallet says of itself, but for what waits."""
        await self.settle()
        balances = self.wallet.balances()
        return {
            "notes": self.wallet.notes(),
            "vouchers": self.wallet.vouchers(),
            "history": await self.history(),
            "sums": (balances.confirmed, balances.safe, balances.final),
        }

    async def history(self, size: int = 3) -> list[Recorded]:
        """All pages of it, the oldest first."""
        found: list[Recorded] = []
        while page := await self.wallet.history(
            (found[-1].entry.height, found[-1].place) if found else None, size
        ):
            found += page
        return found[::-1]


async def scanned(node: WalletNode, tip: Block) -> dict[str, Any]:
    """What a wallet finds that sees the chain for the first time."""
    fresh = WalletNode(node.world, MemoryStore(TWO.uncle_window_slots), account=node.account)
    async with fresh.up() as running:
        await running.take(*node.world.path(tip.id))
        return await running.contents()
