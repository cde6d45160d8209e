"""Chains for the benchmarks of the chain: worlds with many notes, and proofs of their own.

Blocks are built by the builders of the chain's tests; what takes them is the product's. Keys are
of a seeded setup, which costs as much to prove and to verify with as any other.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from benchmarks.chain_leader import Leader
from benchmarks.report import say
from benchmarks.running import ROOT

from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.lottery import LeaderNote
from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.leadership import LEADERSHIP, OwnNote, made_by
from logos_chain.core.ledger.obligations import zk_signature
from logos_chain.core.wallet.signing import signature_witness
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import Network, OpenChain, Opening
from logos_chain.operations.verifying import CIRCUITS, CircuitProofs, Proof, Proofs, ProofVerifier
from logos_chain.store.opening import OpenStore, open_store
from logos_crypto.circuits import CircuitKey
from logos_crypto.jobs import CircuitJob
from logos_crypto.keys import CircuitKeys
from logos_mantle.blocks import Block
from logos_mantle.genesis import GenesisParameters, genesis_block, read_genesis
from logos_mantle.notes import Note
from logos_mantle.operations import operation_id
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer
from logos_module.keys import make_keys
from logos_module.prover import Prover

sys.path.insert(0, str(ROOT / "services" / "chain" / "tests"))
from chain_ledger import ALICE, field_of, named, outputs_of
from chain_ledger import PARAMETERS as LEDGER
from chain_world import World, noon

PARAMETERS: Final = PRESETS["dev"]
GAP: Final = round(1 / PARAMETERS.activation)
"""Slots between two blocks, as the preset wants them on average."""
SECRET: Final = field_of(1)
"""Alice's, who has all notes."""
SIGNATURE: Final = "signature2"
PROVERS: Final = 2
SIGNATURES: Final = 32
"""Real ones, which are repeated."""


@dataclass
class BenchmarkWorld(World):
    """A world with other notes in its genesis, at most 255."""

    outputs: tuple[Note, ...] = (Note(1_000_000, ALICE),)

    def __post_init__(self) -> None:
        block = genesis_block(GenesisParameters("benchmark", 0, bytes(32)), self.outputs, [])
        self.genesis = read_genesis(block)
        self.parameters = PARAMETERS
        self.network = Network(PARAMETERS, LEDGER, self.genesis)
        self.funds = outputs_of(self.genesis.transfer)
        self.blocks = {block.id: block}


@dataclass(frozen=True, slots=True)
class Taken:
    """A node's chain on SQLite, which was taken up or begun; `follow` does not run yet."""

    follow: FollowOperations
    chain: OpenChain
    store: OpenStore
    verifier: ProofVerifier


def store_in(folder: Path) -> AbstractAsyncContextManager[OpenStore]:
    """The store of a node's chain in a folder, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    return open_store(folder / "chain.db", keep_slots=PARAMETERS.uncle_window_slots)


@asynccontextmanager
async def taken_up(world: World, folder: Path, verifier: ProofVerifier) -> AsyncIterator[Taken]:
    """Opens a chain in a folder, which is made if it is not there."""
    async with store_in(folder) as store:
        opening = Opening(store.chain, world.network, watched=[ALICE])
        chain = await opening.open(Rule.BOOTSTRAP, noon)
        yield Taken(FollowOperations(chain, verifier, noon), chain, store, verifier)


@asynccontextmanager
async def opened(world: World, folder: Path, verifier: ProofVerifier) -> AsyncIterator[Taken]:
    """The same, with `follow` running."""
    async with taken_up(world, folder, verifier) as taken, taken.follow.running():
        yield taken


# -- proofs --------------------------------------------------------------------------------------


class Unproven:
    """`Proofs` that finds all to hold: what is left is the rest of the work."""

    def all_hold(self, circuit: str, proofs: Sequence[Proof]) -> bool:  # noqa: ARG002
        return True


@dataclass(frozen=True, slots=True)
class Repeated:
    """`Proofs` of chains that would take hours to prove.

    For each proof that is to be verified, it verifies one of a few real ones of that circuit, in
    turn, and as many at once as there are.
    """

    proofs: Proofs
    real: dict[str, list[Proof]]

    def all_hold(self, circuit: str, proofs: Sequence[Proof]) -> bool:
        return self.proofs.all_hold(circuit, list(islice(cycle(self.real[circuit]), len(proofs))))


def verifying(proofs: Proofs) -> ProofVerifier:
    """The product's verifier, as a node has it."""
    return ProofVerifier(proofs, PARAMETERS.activation)


@dataclass(frozen=True, slots=True)
class Proving:
    """The keys of a chain, a prover for them, and what verifies."""

    keys: dict[str, CircuitKey] = field(repr=False)
    proofs: CircuitProofs
    prover: Prover = field(repr=False)

    @classmethod
    @asynccontextmanager
    async def made(cls, folder: Path) -> AsyncIterator["Proving"]:
        """Makes keys, which takes some seconds."""
        say("making keys")
        store = CircuitKeys(folder)
        made = await asyncio.to_thread(make_keys, store, insecure_seed=bytes(32), circuits=CIRCUITS)
        keys = {each: made.load_key(store, each) for each in CIRCUITS}
        async with Prover(workers=PROVERS) as prover:
            yield cls(keys, await CircuitProofs.load(store, made), prover)

    async def signed(self, transactions: Iterable[Transaction]) -> list[SignedTransaction]:
        """Signs transfers of one of Alice's notes each, with a proof of its own for each."""
        room = asyncio.Semaphore(2 * PROVERS)

        async def sign(transaction: Transaction) -> SignedTransaction:
            asked = signature_witness(transaction, [ALICE], [SECRET])
            async with room:
                proof = await self.prover.prove(CircuitJob(asked, self.keys[SIGNATURE]))
            return SignedTransaction(transaction, (ZkSignatureProof(proof),))

        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(sign(each)) for each in transactions]
        return [each.result() for each in made]

    async def led(
        self,
        world: World,
        follow: FollowOperations,
        transactions: Sequence[SignedTransaction] = (),
    ) -> tuple[Block, Proof]:
        """A block on the tip with a real proof of leadership; returns that proof too."""
        leader = Leader(follow, PARAMETERS, _notes(world), self.prover, self.keys[LEADERSHIP])
        block, proof = await leader.block(transactions)
        world.blocks[block.id] = block
        return block, proof

    async def led_chain(
        self, world: World, folder: Path, count: int
    ) -> tuple[list[Block], list[Proof]]:
        """Leads a chain of empty blocks from the genesis; half a second to a second each."""
        blocks: list[Block] = []
        proofs: list[Proof] = []
        async with opened(world, folder, verifying(self.proofs)) as node:
            for _ in range(count):
                block, proof = await self.led(world, node.follow)
                assert await node.follow.take_own(block) is None
                blocks.append(block)
                proofs.append(proof)
        return blocks, proofs

    async def few(self, leadership: list[Proof]) -> dict[str, list[Proof]]:
        """Those of leadership, and a few signatures of its own, for `Repeated`."""
        some = [Transfer((named(f"{at}"),), (Note(1, ALICE),)) for at in range(SIGNATURES)]
        transfers = await self.signed([Transaction((each,)) for each in some])
        return {LEADERSHIP: leadership, SIGNATURE: [signature_proof(each) for each in transfers]}


def _notes(world: World) -> list[OwnNote]:
    """Alice's of the genesis."""
    made = world.genesis.transfer
    leaders = [
        LeaderNote(each, SECRET, note.value)
        for each, note in zip(world.funds, made.outputs, strict=True)
        if note.public_key == ALICE
    ]
    return made_by(operation_id(made), made.outputs, leaders)


def signature_proof(transfer: SignedTransaction) -> Proof:
    """Of a transfer that `Proving.signed` has signed."""
    [proof] = transfer.proofs
    found = zk_signature(transfer.transaction, [ALICE], proof.encode())
    return found.public, found.proof
