"""WAL-15, WAL-29, WAL-30: the node's wallet claims its vouchers with paths of its own."""

import pytest
from chain_leading import Clock
from chain_wallet_node import OWN, Pool, Running, WalletNode, scanned
from chain_world import TWO, until

from logos_base.errors import LogosError
from logos_chain.core.mempool.errors import MempoolRefusal, submission_error
from logos_chain.core.wallet.errors import VoucherUnavailableError
from logos_chain.core.wallet.types import Order
from logos_mantle.transfers import LeaderClaim

NOON_MS = 10**15


async def lead(running: Running, count: int, *, first: int = 0) -> None:
    """Makes blocks with vouchers of the wallet, which pay their leaders well; then an epoch ends.

    Between them stand blocks of others.
    """
    world = running.node.world
    for at in range(first, first + count):
        parent = world.blocks[running.follow.tip.id]
        voucher = await running.wallet.issue_voucher()
        await running.take(world.led(parent, f"own {at}", voucher, [world.spend(at)]))
        await running.extend(f"other {at}")
    parent = world.blocks[running.follow.tip.id]
    await running.take(world.make(parent, f"epoch {first}", gap=TWO.epoch_slots))


@pytest.fixture
def node() -> WalletNode:
    return WalletNode()


async def test_a_claim_is_proven_paid_by_itself_and_final(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        with pytest.raises(VoucherUnavailableError):
            await running.wallet.claim()
        await lead(running, 2)
        [made] = await running.wallet.claim()

        [signed] = node.pool.taken
        assert signed.hash == made
        assert [each.circuit for each in node.prover.jobs] == ["claim", "signature2"]
        [draft] = running.wallet.waiting()
        await running.extend("with it", signed)
        gained = running.wallet.balances().confirmed - sum(OWN)
        assert draft.change is not None
        assert gained == draft.change.value > 0
        assert sorted(each.is_claimed for each in running.wallet.vouchers()) == [False, True]
        tip = await running.extend("after")
        assert await running.contents() == await scanned(node, tip)


async def test_two_claims_never_take_one_voucher_also_over_restarts(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        await lead(running, 3)
        made = await running.wallet.claim(2)
        assert len(made) == 2
    async with node.up() as running:
        await running.settle()
        made += await running.wallet.claim(16)
        with pytest.raises(VoucherUnavailableError):
            await running.wallet.claim()

    assert len(made) == 3
    claims = [
        each.voucher_nullifier
        for signed in node.pool.taken
        for each in signed.transaction.operations
        if isinstance(each, LeaderClaim)
    ]
    assert len(set(claims)) == 3


async def test_vouchers_of_earlier_epochs_are_claimed_after_restart_and_reorganisation(
    node: WalletNode,
) -> None:
    async with node.up() as running:
        await running.settle()
        await lead(running, 2)
        fork = node.world.blocks[running.follow.tip.id]
        await running.extend("left", *node.pool.taken)
    async with node.up() as running:
        await running.settle()
        right = node.world.chain(fork, "right", 2, first=8)
        await running.take(*right)
        await lead(running, 3, first=4)
        made = await running.wallet.claim(16)
        assert len(made) == 5  # each witness was checked against the root of the ledger


async def test_a_claim_that_is_refused_frees_its_voucher(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        await lead(running, 1)
        node.pool.errors = [submission_error(MempoolRefusal.CONFLICT)]
        with pytest.raises(LogosError, match="CONFLICT"):
            await running.wallet.claim()
        await running.wallet.claim()


class TakesOne(Pool):
    """A mempool that refuses all but one."""

    async def submit(self, raw: bytes) -> bytes:
        if self.taken:
            raise submission_error(MempoolRefusal.CONFLICT)
        return await super().submit(raw)


async def test_claims_that_were_made_are_told_where_the_next_is_refused(node: WalletNode) -> None:
    node.pool = TakesOne()
    async with node.up() as running:
        await running.settle()
        await lead(running, 3)
        made = await running.wallet.claim(3)
        assert made == [each.hash for each in node.pool.taken]


async def test_vouchers_are_claimed_by_themselves_one_at_a_time(node: WalletNode) -> None:
    clock = Clock(NOON_MS)
    node.clock, node.claim_delay_slots = clock, 10
    async with node.up() as running:
        await running.settle()
        await lead(running, 2)
        timer = running.wallet._claimer._timer
        for expected in (1, 2):
            await until(lambda: timer.next_wake_ms() is not None)
            assert len(node.pool.taken) == expected - 1
            wake_ms = timer.next_wake_ms()
            assert wake_ms is not None
            assert clock.ms < wake_ms < clock.ms + 1_000_000
            clock.ms = wake_ms
            running.wallet._claimer._driver.put(timer.tick)
            await until(lambda count=expected: len(node.pool.taken) == count)  # type: ignore[misc]
        await running.settle()
        assert timer.next_wake_ms() is None


async def test_none_is_claimed_by_itself_unless_it_is_switched_on(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        await lead(running, 1)
        assert running.wallet._claimer._timer.next_wake_ms() is None


async def test_what_was_forgotten_elsewhere_is_submitted_again(node: WalletNode) -> None:
    """WAL-28: and what is refused then is dropped."""
    async with node.up() as running:
        await running.settle()
        await running.extend("first")
        await running.wallet.send(Order(tuple(node.world.genesis.transfer.outputs[:1])).outputs)
        node.pool.errors = [submission_error(MempoolRefusal.CONFLICT)]
        for at in range(11):
            await running.extend(f"{at}")

        await until(lambda: running.wallet.waiting() == [])
