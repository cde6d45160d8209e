"""The chain: blocks come, the faucet pays, tokens move, and all nodes agree on where they are."""
# ruff: noqa: S101 - a scenario is a test

import asyncio
import signal

from logos.chain.v1 import chain_pb2, wallet_pb2
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.transaction_pb2 import (
    TRANSACTION_STAGE_DROPPED,
    TRANSACTION_STAGE_INCLUDED,
    Note,
)
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos_testnet.scenarios.waiting import ready_epoch, until_replaced
from logos_testnet.testnet import Testnet, front_door

MODULE = "chain"
PATIENCE_S = 240.0
"""For a block: leaders are chosen by lot, and a busy machine is late with its proofs."""
LOOK_S = 0.25


async def tokens_move_and_all_nodes_agree(testnet: Testnet) -> None:
    """The faucet pays the second node, which pays the third; both wallets and all nodes agree."""
    _, payer, payee, *_ = (node.name for node in testnet.plan.nodes)
    before = await balance(testnet, payee)
    async with front_door(testnet, payer) as channel:
        paid = await WalletStub(channel).Faucet(wallet_pb2.FaucetRequest(), timeout=PATIENCE_S)
    await until_included(testnet, payer, paid.hash)
    had = await balance(testnet, payer)
    amount = paid.value // 2

    async with front_door(testnet, payer) as channel:
        outputs = [Note(value=amount, public_key=await address(testnet, payee))]
        sent = await WalletStub(channel).Send(
            wallet_pb2.SendRequest(outputs=outputs), timeout=PATIENCE_S
        )
    for node in (payer, payee):
        await until_included(testnet, node, sent.hash)

    now = await balance(testnet, payee)
    assert now.confirmed - before.confirmed == amount + await earned(testnet, payee, before.height)
    left = await balance(testnet, payer)
    assert left.confirmed <= had.confirmed - amount - sent.fee
    await all_agree(testnet)


async def a_killed_chain_goes_on(testnet: Testnet) -> None:
    """kill -9 of a node's chain: it comes back with its wallet, and follows the others."""
    victim, other = testnet.plan.nodes[0].name, testnet.plan.nodes[1].name
    before = await balance(testnet, victim)
    async with front_door(testnet, victim) as channel:
        epoch = await ready_epoch(channel, MODULE)
    tip = (await info(testnet, other)).tip.height

    await testnet.kill(victim, MODULE, signal.SIGKILL)

    await until_replaced(testnet, victim, MODULE, epoch)
    await until_height(testnet, victim, tip + 1)
    now = await balance(testnet, victim)
    assert now.confirmed >= before.confirmed - before.reserved
    await all_agree(testnet)


async def all_agree(testnet: Testnet) -> None:
    """Waits until all nodes have one tip; supply is conserved, and the same on each."""
    names = [node.name for node in testnet.plan.nodes if has_chain(testnet, node.name)]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            supplies = [await supply(testnet, name) for name in names]
            if len({each.SerializeToString() for each in supplies}) == 1:
                break
            await asyncio.sleep(LOOK_S)
    [one, *_] = supplies
    held = one.free + one.locked + one.in_channels + one.pool + one.pending + one.burned
    assert held == one.genesis + one.emitted


def has_chain(testnet: Testnet, name: str) -> bool:
    """Returns whether a node has the module."""
    [node] = [each for each in testnet.plan.nodes if each.name == name]
    return any(each.manifest.name == MODULE for each in node.modules)


async def earned(testnet: Testnet, node: str, after: int) -> int:
    """Returns what a node's wallet got above a height by no transaction."""
    async with front_door(testnet, node) as channel:
        page = await WalletStub(channel).ListHistory(wallet_pb2.ListHistoryRequest())
    alone = [each for each in page.entries if not each.transaction and each.height > after]
    return sum(each.received for each in alone)


async def until_included(testnet: Testnet, node: str, hash_: bytes) -> None:
    """Waits until a node has a transaction in a block of its chain, and its wallet has seen it."""
    async with front_door(testnet, node) as channel, asyncio.timeout(PATIENCE_S):
        request = chain_pb2.WatchTransactionRequest(hash=hash_)
        height = 0
        async for each in ChainNodeStub(channel).WatchTransaction(request):
            stage = each.status.stage
            assert stage != TRANSACTION_STAGE_DROPPED, each.status.reason
            if stage >= TRANSACTION_STAGE_INCLUDED:
                height = each.status.height
                break
    async with asyncio.timeout(PATIENCE_S):
        while (await balance(testnet, node)).height < height:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(LOOK_S)


async def until_height(testnet: Testnet, node: str, height: int) -> None:
    """Waits until a node's chain has a height."""
    async with asyncio.timeout(PATIENCE_S):
        while (await info(testnet, node)).tip.height < height:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(LOOK_S)


async def info(testnet: Testnet, node: str) -> chain_pb2.GetInfoResponse:
    """Returns where a node's chain stands."""
    async with front_door(testnet, node) as channel:
        return await ChainNodeStub(channel).GetInfo(chain_pb2.GetInfoRequest())


async def supply(testnet: Testnet, node: str) -> chain_pb2.GetSupplyResponse:
    """Returns where all tokens are, as a node sees it."""
    async with front_door(testnet, node) as channel:
        return await ChainNodeStub(channel).GetSupply(chain_pb2.GetSupplyRequest())


async def balance(testnet: Testnet, node: str) -> wallet_pb2.GetBalanceResponse:
    """Returns the sums of a node's wallet."""
    async with front_door(testnet, node) as channel:
        return await WalletStub(channel).GetBalance(wallet_pb2.GetBalanceRequest())


async def address(testnet: Testnet, node: str) -> bytes:
    """Returns an address of a node's wallet."""
    async with front_door(testnet, node) as channel:
        answer = await WalletStub(channel).NewAddress(wallet_pb2.NewAddressRequest())
        return answer.public_key
