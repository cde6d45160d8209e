"""WAL-32: the node's wallet gives values to channels."""

import pytest
from chain_wallet_node import OWN, WalletNode, scanned

from logos_chain.core.wallet.errors import OrderInvalidError, RequestReusedError
from logos_chain.core.wallet.types import Deposit, Order
from logos_mantle.channels import ChannelConfig, ChannelDeposit
from logos_mantle.derivations import blake2b
from logos_mantle.octets import ZERO
from logos_mantle.transfers import Transfer

CHANNEL = blake2b(b"zone")
BEGIN = ChannelConfig(CHANNEL, (ZERO,), 0, 0, 1, 1)
VALUE = Deposit(CHANNEL, 700, b"for the zone")


@pytest.fixture
def node() -> WalletNode:
    return WalletNode()


async def test_a_deposit_makes_its_channel_and_is_taken_by_the_ledger(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        made = await running.wallet.deposit(VALUE, [BEGIN])

        [signed] = node.pool.taken
        begin, transfer, deposit = signed.transaction.operations
        assert (signed.hash, begin) == (made, BEGIN)
        assert isinstance(transfer, Transfer)
        assert isinstance(deposit, ChannelDeposit)
        assert len({each.public_key for each in transfer.outputs}) == len(transfer.outputs) == 2
        assert [each.circuit for each in node.prover.jobs] == ["signature2", "signature2"]
        [draft] = running.wallet.waiting()
        assert draft.change is not None
        assert running.wallet.balances().pending == draft.change.value

        tip = await running.extend("with it", signed)
        sums = running.wallet.balances()
        assert sums.in_channels == VALUE.value
        spent = draft.fee + draft.tip + VALUE.value
        assert sums.confirmed == sum(OWN) - spent
        assert await running.contents() == await scanned(node, tip)

        again = await running.wallet.deposit(VALUE)
        assert again != made
        await running.extend("once more", node.pool.taken[-1])
        assert running.wallet.balances().in_channels == 2 * VALUE.value


async def test_a_deposit_of_a_name_is_made_once_whatever_makes_its_channel(
    node: WalletNode,
) -> None:
    async with node.up() as running:
        await running.settle()
        made = await running.wallet.deposit(VALUE, [BEGIN], request=b"one")
        assert await running.wallet.deposit(VALUE, request=b"one") == made
    async with node.up() as running:
        await running.settle()
        assert await running.wallet.deposit(VALUE, request=b"one") == made
        with pytest.raises(RequestReusedError):
            await running.wallet.deposit(Deposit(CHANNEL, 701, VALUE.metadata), request=b"one")
    assert {each.hash for each in node.pool.taken} == {made}


async def test_a_deposit_of_nothing_is_refused(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        with pytest.raises(OrderInvalidError):
            await running.wallet.deposit(Deposit(CHANNEL, 0, b""))
        with pytest.raises(OrderInvalidError):
            await running.wallet.prepare(Order(deposits=(VALUE,)))
