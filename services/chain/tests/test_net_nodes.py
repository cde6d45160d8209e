"""Nodes over network modules: all real but for the host that moves the bytes, and the proofs."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest
from chain_network import monotonic_ms
from chain_world import World, give, node, noon, until
from mixnet_fake_host import Switchboard
from mixnet_nodes import fake_address, fake_peer_id, fake_signer, running

from logos_base.errors import NoNeighboursError
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.mempool.errors import MempoolRefusal, Reason
from logos_chain.core.network_errors import TransactionOversizeError
from logos_chain.core.network_names import ChainTopics, sync_protocol
from logos_chain.net.sync import MODULE, NetworkSyncPeers
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.proposal_gossip import ProposalGossip
from logos_chain.operations.served_chain import WholeChain
from logos_chain.operations.serving import SyncServing
from logos_chain.operations.syncing import SyncOperations
from logos_chain.operations.transaction_gossip import TransactionGossip
from logos_mantle.errors import MalformedError
from logos_mantle.transactions import SignedTransaction
from logos_module.network.gossip import NetworkGossip


class Mempool:
    """Takes whatever is a transaction."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, SignedTransaction] = {}
        self.sources: list[str] = []

    async def received(self, raw: bytes, source: str) -> Reason | None:
        self.sources.append(source)
        try:
            found = SignedTransaction.decode(raw)
        except MalformedError:
            return MempoolRefusal.MALFORMED
        self.waiting[found.hash] = found
        return None

    def get(self, transaction: bytes) -> SignedTransaction | None:
        return self.waiting.get(transaction)


@dataclass
class WholeNode:
    peer_id: str
    follow: FollowOperations
    mempool: Mempool
    sync: SyncOperations
    serving: SyncServing
    proposals: ProposalGossip
    transactions: TransactionGossip


class Nodes:
    """Nodes by number; each knows those before it."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._board = Switchboard()
        self._count = 0

    async def start(self, world: World, chain: bytes = bytes(32)) -> WholeNode:
        number = self._count = self._count + 1
        host = self._board.host(fake_peer_id(number), fake_address(number))
        network = await self._stack.enter_async_context(
            running(
                host,
                self._folder / f"m{number}",
                signer=fake_signer(number),
                bootstrap=[fake_address(other) for other in range(1, number)],
                target_peers=0,
                discovery_profile="local",
            )
        )
        await until(lambda: len(host.connections) == number - 1)
        return await self._stack.enter_async_context(
            whole_node(network.peer_id, network.channel, world, ChainTopics.of(chain))
        )


@asynccontextmanager
async def whole_node(
    peer_id: str, channel: object, world: World, topics: ChainTopics
) -> AsyncIterator[WholeNode]:
    async with node(world) as follow, asyncio.TaskGroup() as tasks:
        chain, mempool = WholeChain(follow._chain), Mempool()
        peers = NetworkSyncPeers(channel, sync_protocol())  # type: ignore[arg-type]
        gossip = NetworkGossip(channel, MODULE)  # type: ignore[arg-type]
        sync = SyncOperations(chain, follow.take, peers, monotonic_ms)
        follow.fetching = sync.fetch
        serving = SyncServing(chain, peers, monotonic)
        proposals = ProposalGossip(
            chain,
            follow.take,
            gossip,
            topics.proposals,
            sync=sync,
            transactions=mempool,
            clock=world.network.clock,
            unix_ms=noon,
        )
        transactions = TransactionGossip(gossip, topics.transactions, mempool)
        loops = [
            tasks.create_task(each)
            for each in (serving.serve(), proposals.run(), transactions.run())
        ]
        yield WholeNode(peer_id, follow, mempool, sync, serving, proposals, transactions)
        for each in loops:
            each.cancel()


@pytest.fixture
async def nodes() -> AsyncIterator[Nodes]:
    with tempfile.TemporaryDirectory(prefix="c") as folder:
        async with AsyncExitStack() as stack:
            yield Nodes(Path(folder), stack)


async def published(node: WholeNode, raw: bytes) -> None:
    """Waits until a neighbour follows the topic."""
    for _ in range(200):
        try:
            await node.transactions.publish_transaction(raw)
        except NoNeighboursError:
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError("nobody follows the topic")


async def speaks(node: WholeNode, *others: WholeNode) -> None:
    """Waits until a node knows that others speak the protocol."""
    wanted = {each.peer_id for each in others}
    for _ in range(200):
        if wanted <= set(await node.sync._peers.connected()):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("they do not speak the protocol")


async def test_three_nodes_download_and_gossip_one_chain(nodes: Nodes) -> None:
    world = World()
    blocks = world.chain(world.root, "a", 12, first=3)
    spent = world.spend(0, "late")
    last = world.make(blocks[-1], "last", [spent])
    a = await nodes.start(world)
    await give(a.follow, blocks)
    b, c = await nodes.start(world), await nodes.start(world)

    assert await b.sync.download([a.peer_id])
    assert await c.sync.download([b.peer_id])
    assert b.follow.tip.id == c.follow.tip.id == blocks[-1].id
    assert (a.serving.blocks, b.serving.blocks) == (12, 12)

    await published(a, spent.encoded)
    await until(lambda: bool(b.mempool.waiting and c.mempool.waiting))
    c.mempool.waiting.clear()
    await speaks(c, a, b)
    assert await a.follow.take_own(last) is None
    await a.proposals.publish(last)
    await until(lambda: b.follow.tip.id == c.follow.tip.id == last.id)

    assert {*b.mempool.sources, *c.mempool.sources} <= {a.peer_id, b.peer_id, c.peer_id}
    assert a.serving.blocks + b.serving.blocks == 25


async def test_an_orphan_by_gossip_brings_the_chain_below_it(nodes: Nodes) -> None:
    world = World()
    blocks = world.chain(world.root, "a", 8)
    a, b = await nodes.start(world), await nodes.start(world)
    await give(a.follow, blocks)
    b.mempool.waiting = {each.hash: each for each in blocks[-1].transactions}
    await published(a, world.spend(7).encoded)
    await a.proposals.publish(blocks[-1])

    await until(lambda: b.follow.tip.id == blocks[-1].id)


async def test_nodes_of_two_chains_do_not_hear_each_other(nodes: Nodes) -> None:
    world = World()
    a, b = await nodes.start(world, bytes(32)), await nodes.start(world, b"\1" * 32)
    await speaks(a, b)
    await asyncio.sleep(0.2)

    with pytest.raises(NoNeighboursError):
        await a.transactions.publish_transaction(world.spend(1).encoded)
    assert b.mempool.sources == []


async def test_a_transaction_that_no_message_holds_is_refused(nodes: Nodes) -> None:
    a, _ = await nodes.start(World()), await nodes.start(World())

    with pytest.raises(TransactionOversizeError):
        await a.transactions.publish_transaction(bytes(150 * 1024 + 1))


async def test_a_block_that_no_peer_has_is_not_found(nodes: Nodes) -> None:
    world = World()
    a, b = await nodes.start(world), await nodes.start(world)
    await speaks(a, b)

    assert not await a.sync.fetch_block(BlockId(bytes(32)), ["nobody"])
    assert await a.sync.download([b.peer_id])
    assert a.follow.tip.id == world.root.id
