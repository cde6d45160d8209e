"""CNW-21, FAU-5, MPL-6: whole nodes, joined by their network modules."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import grpc
import pytest
from chain_rpc import Served, failure, first, outcome, served, told
from chain_wallet import SHOP
from chain_world import until
from mixnet_fake_host import Switchboard

from logos.chain.v1 import chain_pb2, transaction_pb2
from logos.chain.v1 import wallet_pb2 as pb

PENDING = transaction_pb2.TRANSACTION_STAGE_PENDING


@pytest.fixture
async def nodes() -> AsyncIterator[list[Served]]:
    """The first one has the faucet."""
    board = Switchboard()
    async with AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(
                served(board=board, number=number, has_faucet=number == 1)
            )
            for number in (1, 2)
        ]
        yield found


async def test_a_transaction_and_its_block_reach_another_node(nodes: list[Served]) -> None:
    one, two = nodes
    made = one.world.spend(0)
    watched = two.chain.WatchTransaction(chain_pb2.WatchTransactionRequest(hash=made.hash))
    await one.chain.SubmitTransaction(chain_pb2.SubmitTransactionRequest(raw=made.encoded))
    await first(watched, lambda each: each.status.stage == PENDING)

    block = await one.extend("with it", made)
    two.node.clock.ms = one.node.clock.ms
    await one.rooms.proposals.publish(block)

    included = await first(watched, lambda each: bool(each.status.block))
    assert included.status.block == block.id
    await until(lambda: two.rooms.follow.tip.id == block.id)


async def test_the_faucet_of_another_node_pays(nodes: list[Served]) -> None:
    one, two = nodes
    request = pb.FaucetRequest(public_key=SHOP)
    async with asyncio.timeout(30):
        while isinstance(paid := await outcome(two.wallet.Faucet(request)), grpc.aio.AioRpcError):
            assert told(paid) == ("NOT_FOUND", "NO_FAUCET")  # the two do not know each other yet
            await asyncio.sleep(0.05)
    assert (paid.value, paid.public_key) == (10_000, SHOP)
    await until(lambda: one.rooms.mempool.get(paid.hash) is not None)
    error = await failure(two.wallet.Faucet(request))
    assert told(error) == ("RESOURCE_EXHAUSTED", "FAUCET_WAITS")
