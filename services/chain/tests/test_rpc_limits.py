"""What a node answers at its limits, with a disk that fails, and while it stops."""

from typing import Any

import grpc
import pytest
from chain_rpc import FIRST, failure, key_of, outcome, refused, retry_ms, served, told
from chain_wallet import SHOP, named
from chain_world import until

from logos.chain.v1 import chain_pb2, transaction_pb2
from logos.chain.v1 import wallet_pb2 as pb
from logos_base.errors import DiskFullError, StoreFailedError
from logos_chain.core.wallet import ring
from logos_mantle.notes import Note

STORE_FAILED = ("UNAVAILABLE", "STORE_FAILED")


def payment(value: int = 1) -> pb.SendRequest:
    return pb.SendRequest(outputs=[transaction_pb2.Note(value=value, public_key=SHOP)])


async def test_payments_end_where_a_restored_wallet_would_not_find_their_change() -> None:
    """WAL-8."""
    async with served() as node:
        notes = [Note(40_000, key_of(FIRST.phrase)) for _ in range(20)]
        await node.extend("many notes", *[node.world.pay(each, *notes) for each in range(2)])
        sent = 0
        while not isinstance(last := await outcome(node.wallet.Send(payment())), Exception):
            sent += 1
        assert isinstance(last, grpc.aio.AioRpcError)
        assert told(last) == ("RESOURCE_EXHAUSTED", "WALLET_TOO_MANY_PENDING")
        assert 10 <= sent <= 30
        await node.settle()
        assert node.rooms.mempool.count == sent
        await node.include("with them")
        await node.wallet.Send(payment())


async def test_no_more_keys_are_watched_than_a_wallet_keeps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """WAL-9."""
    monkeypatch.setattr(ring, "MAX_WATCHED", 3)
    async with served() as node:
        call = node.wallet.Watch
        for each in range(3):
            await call(pb.WatchRequest(public_key=named(f"{each}")))
        more = pb.WatchRequest(public_key=named("more"))
        assert await refused(call(more)) == ("RESOURCE_EXHAUSTED", "WALLET_TOO_MANY_WATCHED")
        await call(pb.WatchRequest(public_key=named("0")))


async def test_a_disk_that_fails_is_told_and_the_node_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*_given: Any) -> Any:
        raise StoreFailedError("it failed")

    async with served() as node:
        root = node.world.root.id
        wallets = node.node.wallets
        with monkeypatch.context() as patch:
            patch.setattr(node.node.store, "block", fails)
            patch.setattr(node.node.store, "outline", fails)
            patch.setattr(node.node.store, "containing", fails)
            calls: list[Any] = [
                node.chain.GetBlock(chain_pb2.GetBlockRequest(id=root)),
                node.chain.ListBlocks(chain_pb2.ListBlocksRequest()),
                node.chain.ListBlockTransactions(chain_pb2.ListBlockTransactionsRequest(id=root)),
                node.chain.GetTransaction(chain_pb2.GetTransactionRequest(hash=root)),
            ]
            for each in calls:
                assert await refused(each) == STORE_FAILED
        wallets.fails = frozenset({wallets.writes + 1})
        assert await refused(node.wallet.Send(payment())) == STORE_FAILED
        assert (await node.wallet.GetBalance(pb.GetBalanceRequest())).reserved == 0
        await node.wallet.Send(payment())
        await node.extend("goes on")


async def test_a_full_disk_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_given: Any) -> Any:
        raise DiskFullError("it is full")

    async with served() as node:
        monkeypatch.setattr(node.node.wallets, "put_draft", full)
        assert await refused(node.wallet.Send(payment())) == ("RESOURCE_EXHAUSTED", "DISK_FULL")


async def test_calls_are_refused_while_the_module_stops() -> None:
    async with served() as node:
        node.server.gate.drain()
        calls: list[Any] = [
            node.chain.GetInfo(chain_pb2.GetInfoRequest()),
            node.wallet.GetBalance(pb.GetBalanceRequest()),
        ]
        for each in calls:
            error = await failure(each)
            assert (told(error), retry_ms(error)) == (("UNAVAILABLE", "MODULE_DRAINING"), 1000)


async def test_a_payment_whose_caller_goes_away_is_made_all_the_same() -> None:
    """WAL-25."""
    async with served() as node:
        call = node.wallet.Send(payment())
        await until(lambda: bool(node.node.prover.jobs))
        call.cancel()
        await until(lambda: node.rooms.mempool.count == 1)
        await until(lambda: node.server.gate.in_flight == 0)
