"""WAL-10, WAL-16, WAL-22: random payments, forks and restarts, against a scan of the chain."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from chain_wallet import SHOP, Chance
from chain_wallet_node import Running, WalletNode, receive_key, scanned

from logos_chain.core.wallet.errors import (
    FundsInsufficientError,
    NotesTooSmallError,
    TooManyPendingError,
)
from logos_mantle.blocks import Block
from logos_mantle.notes import Note
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import Transfer


class Session:
    """One run of a node between two restarts."""

    def __init__(self, running: Running, chance: Chance, names: list[int]) -> None:
        self.running, self.chance, self.names = running, chance, names
        self.world = running.node.world

    @property
    def tip(self) -> Block:
        return self.world.blocks[self.running.follow.tip.id]

    def name(self) -> str:
        self.names.append(len(self.names))
        return f"random {len(self.names)}"

    def paid(self, parent: Block) -> list[SignedTransaction]:
        """A payment of Alice that fits after a block, or none."""
        used = {
            each
            for block in self.world.path(parent.id)
            for signed in block.transactions
            for operation in signed.transaction.operations
            if isinstance(operation, Transfer)
            for each in operation.inputs
        }
        free = [at for at, each in enumerate(self.world.funds) if each not in used]
        if not free or self.chance.randrange(10) < 3:
            return []
        note = Note(1 + self.chance.randrange(90_000), receive_key(self.chance.randrange(8)))
        return [self.world.pay(free[self.chance.randrange(len(free))], note)]

    async def fitting(self) -> list[SignedTransaction]:
        """The wallet's transactions that the next block can hold."""
        waiting = set(self.running.wallet._book.require().unincluded())
        found = {each.hash: each for each in self.running.node.pool.taken if each.hash in waiting}
        return [each for each in found.values() if await self.fits(each)]

    async def fits(self, signed: SignedTransaction) -> bool:
        [transfer] = signed.transaction.operations
        assert isinstance(transfer, Transfer)
        inputs = transfer.inputs
        there = await self.running.follow.at_tip(
            lambda ledger: all(ledger.note(each) is not None for each in inputs)
        )
        return there.value

    async def step(self) -> None:
        match self.chance.randrange(5):
            case 0 | 1:
                await self.grow(self.tip, await self.fitting())
            case 2:
                await self.fork()
            case _:
                note = Note(1 + self.chance.randrange(3_000_000), SHOP)
                with suppress(FundsInsufficientError, NotesTooSmallError, TooManyPendingError):
                    await self.running.wallet.send([note])

    async def grow(self, parent: Block, own: Sequence[SignedTransaction] = ()) -> Block:
        block = self.world.make(parent, self.name(), [*self.paid(parent), *own])
        await self.running.take(block)
        return block

    async def fork(self) -> None:
        """A branch that leaves a block or two before the tip, and may become longer."""
        root, parent = self.running.follow.latest_immutable.id, self.tip
        back = 1 + self.chance.randrange(2)
        for _ in range(back):
            if parent.id != root:
                parent = self.world.blocks[parent.header.parent]
        for _ in range(1 + self.chance.randrange(back + 1)):
            block = self.world.make(parent, self.name(), self.paid(parent))
            if await self.running.follow.take(block.encode(), "a") is not None:
                break  # what it follows was cut off meanwhile
            parent = block
        await self.running.settle()


@pytest.mark.parametrize("seed", range(1, 9))
async def test_the_wallet_is_what_a_scan_finds(seed: int) -> None:
    node, chance, names = WalletNode(), Chance(seed), list[int]()
    found, tip = dict[str, object](), node.world.root
    for _ in range(4):
        async with node.up() as running:
            await running.settle()
            session = Session(running, chance, names)
            for _ in range(1 + chance.randrange(7)):
                await session.step()
                assert running.wallet._book.require().tip == session.tip.id
            found, tip = await running.contents(), session.tip
    assert found == await scanned(node, tip)
