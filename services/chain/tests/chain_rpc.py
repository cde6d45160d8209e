"""A whole node of a small world, served: all is real but for the host that moves the bytes, the
disk, the clock, and the proofs.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from chain_genesis import hashes
from chain_kept import (
    KeptChannels,
    KeptMarks,
    KeptRegistries,
    KeptSequencers,
    KeptTransactions,
)
from chain_leading import Clock, Notes, Paths, any_key
from chain_ledger import ALICE, FUNDS, PARAMETERS, outputs_of
from chain_memory import MemoryStore
from chain_wallet_node import PaidWorld
from chain_wallets import MemoryWallets
from chain_world import TWO, Scripted, quiet, until
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from mixnet_fake_host import Switchboard
from mixnet_nodes import RunningNode, fake_address, fake_peer_id, fake_signer, running

from logos.chain.v1.admin_pb2_grpc import ChainAdminStub
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos.chain.v1.zone_pb2_grpc import ZoneIndexerStub, ZoneSequencerStub
from logos.network.v1.registry_pb2_grpc import RegistryStub
from logos_chain.config import Config
from logos_chain.core.chain_spec.spec import ChainSpec
from logos_chain.core.chain_spec.wallets import FirstWallet
from logos_chain.core.consensus.starting import Phase, starting_rule
from logos_chain.core.wallet.derivation import Role
from logos_chain.core.wallet.keystore import Cost
from logos_chain.node import faucets, rooms
from logos_chain.node.rooms import Rooms
from logos_chain.node.served import serve_all
from logos_chain.node.surroundings import PROVED, Surroundings
from logos_chain.operations import joining
from logos_chain.operations.opening import Opening
from logos_chain.operations.starting import past_of
from logos_chain.operations.wallets.keystores import WalletKeystore, account_of
from logos_chain.operations.wallets.purse import Secrets
from logos_chain.store.sql import SqlChainStore
from logos_client.channels import open_channel
from logos_crypto.jobs import CircuitJob
from logos_crypto.keys import KeySet
from logos_crypto.prover import Priority, ProofJob
from logos_mantle.blocks import Block
from logos_mantle.derivations import public_key
from logos_mantle.genesis import GenesisParameters, genesis_block, read_genesis
from logos_mantle.notes import Note
from logos_mantle.transactions import SignedTransaction
from logos_module.errors import reason_of
from logos_module.server import Server
from open_access import OpenAccess

OWN = (5_000_000, 6_000_000, 7_000_000)
"""Notes of the wallet in the genesis."""
FAUCET_HAS = 2_000_000
FIRST, FAUCET = (FirstWallet.of(bytes([each]) * 32, is_insecure=True) for each in (5, 6))
PASSPHRASE = "the key of a test"  # noqa: S105
CHEAP = Cost(log2_n=4, r=1, p=1)


@cache
def key_of(phrase: str, number: int = 0) -> bytes:
    return public_key(account_of(phrase).secret_key(Role.RECEIVE, number))


@dataclass
class ServedWorld(PaidWorld):
    """A world in whose genesis the node's wallet and the faucet's have notes beside Alice's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        notes = [Note(each, ALICE) for each in FUNDS]
        notes += [Note(each, key_of(FIRST.phrase, at)) for at, each in enumerate(OWN)]
        notes.append(Note(FAUCET_HAS, key_of(FAUCET.phrase)))
        block = genesis_block(GenesisParameters("test", 0, bytes(32)), tuple(notes), [])
        self.genesis = read_genesis(block)
        self.network = replace(self.network, genesis=self.genesis)
        self.funds = outputs_of(self.genesis.transfer)[: len(FUNDS)]
        self.blocks = {block.id: block}

    @property
    def spec(self) -> ChainSpec:
        return ChainSpec(
            self.parameters, PARAMETERS, KeySet(hashes(), is_insecure=False), self.genesis
        )


@dataclass
class AnyProver:
    """Checks each witness, and says that it is proven."""

    jobs: list[CircuitJob] = field(default_factory=list)

    async def prove(self, job: ProofJob[bytes], priority: Priority = Priority.ORDINARY) -> bytes:
        assert isinstance(job, CircuitJob)
        job.check()
        self.jobs.append(job)
        return bytes(128)


@dataclass
class ServedNode:
    """What outlives a process."""

    world: ServedWorld = field(default_factory=lambda: ServedWorld(TWO))
    clock: Clock = field(default_factory=Clock)
    """From the genesis on; blocks that are taken move it."""
    store: MemoryStore | SqlChainStore = field(
        default_factory=lambda: MemoryStore(TWO.uncle_window_slots)
    )
    marks: KeptMarks = field(default_factory=KeptMarks)
    saved: KeptTransactions = field(default_factory=KeptTransactions)
    wallets: MemoryWallets = field(default_factory=MemoryWallets)
    registries: KeptRegistries = field(default_factory=KeptRegistries)
    channels: KeptChannels = field(default_factory=KeptChannels)
    sequencers: KeptSequencers = field(default_factory=KeptSequencers)
    notes: Notes = field(default_factory=Notes)
    verifier: Scripted = field(default_factory=Scripted)
    prover: AnyProver = field(default_factory=AnyProver)
    has_faucet: bool = False
    paid: list[str] = field(default_factory=list)
    """Marks of the payments that were told of."""
    config: Config = field(default_factory=lambda: Config(Path("unused"), lead=False))
    patience_s: float = 0.0
    """For peers, before the node goes on without."""
    board: Switchboard = field(default_factory=Switchboard)
    """What its host is connected by."""
    number: int = 1
    """Of its host, which knows those before it."""

    def __post_init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="c")
        self.folder = Path(self._folder.name)

    def close(self) -> None:
        self._folder.cleanup()

    @asynccontextmanager
    async def up(self) -> AsyncIterator["Served"]:
        """Runs and serves the node; it is online unless it has to wait."""
        async with AsyncExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(rooms, "unix_ms", self.clock)
            patch.setattr(faucets, "unix_ms", self.clock)
            patch.setattr(rooms, "ProofVerifier", lambda _proofs, _activation: self.verifier)
            patch.setattr(joining, "PATIENCE_S", self.patience_s)
            network = await stack.enter_async_context(self._network())
            stopping = asyncio.Event()
            made = await self._rooms(network.channel, stopping)
            server = Server(OpenAccess())
            async with made.running():
                serve_all(made, server.serve)
                address = f"unix:{self.folder / 'node.sock'}"
                await server.start([address])
                try:
                    async with open_channel(address) as channel:
                        yield Served(self, made, channel, server, stopping)
                finally:
                    await server.stop(0)

    def _network(self) -> AbstractAsyncContextManager[RunningNode]:
        host = self.board.host(fake_peer_id(self.number), fake_address(self.number))
        path = self.folder / "network.sock"
        path.unlink(missing_ok=True)
        return running(
            host,
            path,
            signer=fake_signer(self.number),
            bootstrap=[fake_address(each) for each in range(1, self.number)],
            target_peers=0,
            discovery_profile="local",
        )

    async def _rooms(self, channel: grpc.aio.Channel, stopping: asyncio.Event) -> Rooms:
        parameters = self.world.parameters
        keystore = WalletKeystore(self.folder, cost=CHEAP)
        account = await asyncio.to_thread(keystore.open, PASSPHRASE, FIRST)
        store: Any = SimpleNamespace(
            chain=self.store,
            proposals=self.notes,
            paths=Paths(),
            marks=self.marks,
            transactions=self.saved,
            wallets=self.wallets,
            registries=self.registries,
            channels=self.channels,
            sequencers=self.sequencers,
        )
        faucet = FAUCET if self.has_faucet else None
        given: Any = SimpleNamespace(
            spec=self.world.spec, verifiers={}, wallet=FIRST, faucet=faucet
        )
        prover: Any = self.prover
        around = Surroundings(
            self.config,
            given,
            store,
            prover,
            dict.fromkeys(PROVED, any_key()),
            Secrets(keystore, PASSPHRASE),
            channel,
            stopping,
            self.folder,
            self.paid.append,
        )
        past = await past_of(self.marks, self.store)
        rule = starting_rule(past, parameters.offline_grace_ms, self.clock())
        imported = await self.store.imported()
        opening = Opening(self.store, around.network, imported=imported)
        chain = await opening.open(rule, self.clock)
        return Rooms(around, chain, account, past=past, done=list(await self.notes.slots()))


@dataclass
class Served:
    """The node as its callers reach it."""

    node: ServedNode
    rooms: Rooms
    channel: grpc.aio.Channel
    server: Server
    stopping: asyncio.Event

    def __post_init__(self) -> None:
        self.chain: Any = ChainNodeStub(self.channel)
        self.wallet: Any = WalletStub(self.channel)
        self.admin: Any = ChainAdminStub(self.channel)
        self.registry: Any = RegistryStub(self.channel)
        self.indexer: Any = ZoneIndexerStub(self.channel)
        self.sequencer: Any = ZoneSequencerStub(self.channel)

    @property
    def world(self) -> ServedWorld:
        return self.node.world

    @property
    def tip(self) -> Block:
        return self.world.blocks[self.rooms.follow.tip.id]

    async def online(self) -> None:
        await until(lambda: self.rooms.start.phase is Phase.LISTENING)

    async def settle(self) -> None:
        """Waits until disk, wallets and mempool are where the chain is."""
        await quiet(self.rooms.follow)
        for each in (self.rooms.wallet, self.rooms.faucet.wallet):
            if each is not None:
                await until(lambda one=each: one._tracker.is_at_tip)  # type: ignore[misc]
        lane = self.rooms.mempool._lane
        await until(
            lambda: (
                self.rooms.mempool._is_restored
                and not lane._chain.is_behind
                and not len(lane._inputs)
                and not lane._news.is_set()
            )
        )

    async def take(self, *blocks: Block) -> None:
        await self.online()
        clock = self.node.clock
        for each in blocks:
            clock.ms = max(clock.ms, (each.header.slot + 1) * self.world.parameters.slot_ms)
            assert await self.rooms.follow.take(each.encode(), "a") is None
        await self.settle()

    async def extend(self, name: str, *transactions: SignedTransaction, gap: int = 1) -> Block:
        """Takes a new block on the tip."""
        block = self.world.make(self.tip, name, transactions, gap=gap)
        await self.take(block)
        return block

    async def include(self, name: str) -> Block:
        """Takes a new block with all that waits."""
        return await self.extend(name, *self.rooms.mempool.waiting(0, 1000))

    async def lead(self, name: str, *transactions: SignedTransaction) -> Block:
        """Takes a new block with a voucher of the wallet."""
        voucher = await self.rooms.wallet.issue_voucher()
        block = self.world.led(self.tip, name, voucher, transactions)
        await self.take(block)
        return block


@asynccontextmanager
async def served(*, is_online: bool = True, **changes: Any) -> AsyncIterator[Served]:
    """A new node with its genesis alone; online, unless it has to wait for that."""
    node = ServedNode(**changes)
    try:
        async with asyncio.timeout(60), node.up() as found:
            if is_online:
                await found.online()
                await found.settle()
            yield found
    finally:
        node.close()


async def refused(call: Awaitable[Any]) -> tuple[str, str]:
    """The status code and the reason of a call that fails."""
    return told(await failure(call))


def told(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    return error.code().name, reason_of(error)


async def failure(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def outcome(call: Awaitable[Any]) -> Any:
    """The answer of a call, or its error."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return error


def retry_ms(error: grpc.aio.AioRpcError) -> int | None:
    """After how long the call may be tried again, as its error says."""
    status = rpc_status.from_call(error)
    found = error_details_pb2.RetryInfo()
    if status is None or not any(each.Unpack(found) for each in status.details):
        return None
    return int(found.retry_delay.ToMilliseconds())


async def first(stream: Any, holds: Callable[[Any], bool] = lambda _one: True) -> Any:
    """The next response that a stream has and that is meant."""
    async with asyncio.timeout(20):
        while not holds(found := await stream.read()):
            assert found is not grpc.aio.EOF
    return found


async def pages(call: Callable[..., Awaitable[Any]], request: Any, names: str) -> list[list[Any]]:
    """All pages of a listing."""
    found = []
    while True:
        page = await call(request)
        found.append(list(getattr(page, names)))
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token
