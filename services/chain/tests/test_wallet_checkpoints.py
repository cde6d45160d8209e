"""WAL-31: a wallet on a chain that begins with a checkpoint has what there was then."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chain_checkpoints import exported, importing, opened
from chain_wallet import SEED
from chain_wallet_node import OWN, PaidWorld, Running, WalletNode, receive_key, scanned
from chain_world import TWO

from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.ring import GAP_LIMIT
from logos_chain.core.wallet.types import Balances
from logos_chain.operations.opening import Opening
from logos_chain.operations.wallets import tracking
from logos_chain.store.sql import SqlChainStore
from logos_mantle.derivations import public_key
from logos_mantle.notes import Note

AHEAD = 60
"""Keys that wallets of these tests look for: deriving the usual number takes seconds."""


@pytest.fixture(autouse=True)
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "LOOK_AHEAD", AHEAD)


@asynccontextmanager
async def on(store: SqlChainStore, node: WalletNode) -> AsyncIterator[Running]:
    """A wallet's node on a store that may have been begun with a checkpoint."""
    imported = await store.imported()
    node.store = store  # type: ignore[assignment]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chain_wallet_node.Opening", lambda *each: Opening(*each, imported=imported))
        async with node.up() as running:
            yield running


async def checkpoint_of(folder: Path, world: PaidWorld, grow: Any) -> Path:
    """The checkpoint of a node of the same wallet, after what `grow` does on it."""
    async with opened(folder / "whole.sqlite", world) as store:
        async with on(store, WalletNode(world)) as running:
            await grow(running)
            await running.settle()
        await exported(store, world, folder / "checkpoint")
    return folder / "checkpoint"


async def test_it_has_the_notes_of_the_checkpoint_and_what_comes_after(tmp_path: Path) -> None:
    world = PaidWorld(TWO)

    async def grow(running: Running) -> None:
        await running.extend("paid", world.pay(0, Note(50, receive_key(4))))
        for each in range(6):
            await running.extend(f"more {each}")

    path = await checkpoint_of(tmp_path, world, grow)
    async with opened(tmp_path / "fresh", world) as store:
        await importing(store, world, path).run()
        node = WalletNode(world)
        async with on(store, node) as running:
            await running.settle()
            assert running.wallet.balances().confirmed == sum(OWN) + 50
            assert running.wallet.balances().final == sum(OWN) + 50
            await running.extend("again", world.pay(1, Note(7, receive_key(5))))
            for each in range(4):
                await running.extend(f"later {each}")
            assert running.wallet.balances().confirmed == sum(OWN) + 57
            history = [one.entry for one in await running.history()]
            assert [one.received - one.spent for one in history] == [sum(OWN) + 50, 7]
            assert history[0].transaction is None
            before = await running.contents()
        async with on(store, node) as running:
            assert await running.contents() == before
            tip = world.blocks[running.follow.tip.id]
        whole = await scanned(WalletNode(world), tip)
        assert whole["notes"].keys() == before["notes"].keys()
        assert whole["sums"] == before["sums"]


async def test_keys_behind_the_gap_are_found_and_none_is_given_out_twice(tmp_path: Path) -> None:
    """Earlier keys were used, and their notes were spent: no state has a trace of that."""
    world, far = PaidWorld(TWO), GAP_LIMIT + 15

    async def grow(running: Running) -> None:
        await running.extend("far", world.pay(0, Note(50, receive_key(far))))
        for each in range(6):
            await running.extend(f"more {each}")

    path = await checkpoint_of(tmp_path, world, grow)
    async with opened(tmp_path / "fresh", world) as store:
        await importing(store, world, path).run()
        node = WalletNode(world)
        for _ in range(2):
            async with on(store, node) as running:
                await running.settle()
                assert running.wallet.balances().confirmed == sum(OWN) + 50
                given = [await running.wallet.address() for _ in range(GAP_LIMIT)]
        keys = [public_key(Account(SEED).secret_key(Role.RECEIVE, each)) for each in range(far + 1)]
        assert not set(given) & set(keys)
        assert receive_key(far + 1) in given


async def test_its_notes_can_be_spent_and_lead_once_they_were(tmp_path: Path) -> None:
    world = PaidWorld(TWO)

    async def grow(running: Running) -> None:
        for each in range(6):
            await running.extend(f"more {each}")

    path = await checkpoint_of(tmp_path, world, grow)
    async with opened(tmp_path / "fresh", world) as store:
        await importing(store, world, path).run()
        node = WalletNode(world)
        async with on(store, node) as running:
            await running.settle()
            assert running.wallet.leader_notes() == []
            await running.wallet.send([Note(5, receive_key(9))])
            await running.extend("paid", *node.pool.taken)
            assert len(running.wallet.leader_notes()) == 2
            for each in range(4):
                await running.extend(f"later {each}")
            assert running.wallet.waiting() == []


async def test_vouchers_of_this_epoch_are_known_and_no_number_comes_twice(tmp_path: Path) -> None:
    world = PaidWorld(TWO)
    issued: list[bytes] = []

    async def grow(running: Running) -> None:
        await running.settle()
        for each in range(3):
            voucher = await running.wallet.issue_voucher()
            issued.append(voucher)
            parent = world.blocks[running.follow.tip.id]
            await running.take(world.led(parent, f"led {each}", voucher))
        for each in range(6):
            await running.extend(f"more {each}")

    path = await checkpoint_of(tmp_path, world, grow)
    async with opened(tmp_path / "fresh", world) as store:
        await importing(store, world, path).run()
        node = WalletNode(world)
        async with on(store, node) as running:
            await running.settle()
            known = [each.voucher.commitment for each in running.wallet.vouchers()]
            assert known == issued
            assert await running.wallet.issue_voucher() not in issued
            epoch = world.parameters.epoch_slots
            parent = world.blocks[running.follow.tip.id]
            await running.take(world.make(parent, "next epoch", gap=epoch))
            for each in running.wallet.vouchers():
                assert each.is_claimable
            for at in range(4):
                await running.extend(f"later {at}")
            before = await running.contents()
        async with on(store, node) as running:
            assert await running.contents() == before


async def test_a_wallet_that_is_restored_later_begins_at_the_newest_final_block(
    tmp_path: Path,
) -> None:
    world = PaidWorld(TWO)

    async def grow(running: Running) -> None:
        for each in range(6):
            await running.extend(f"more {each}")

    path = await checkpoint_of(tmp_path, world, grow)
    async with opened(tmp_path / "fresh", world) as store:
        await importing(store, world, path).run()
        async with on(store, WalletNode(world, account=None)) as running:
            await running.settle()
            assert running.wallet.balances() == Balances()
            await running.extend("paid", world.pay(0, Note(50, receive_key(4))))
            for each in range(6):
                await running.extend(f"later {each}")
        async with on(store, WalletNode(world)) as running:
            await running.settle()
            assert running.wallet.balances().confirmed == sum(OWN) + 50
            [entry] = await running.history()
            assert entry.entry.height == running.follow.latest_immutable.height


async def test_watched_keys_are_looked_for_too(tmp_path: Path) -> None:
    world = PaidWorld(TWO)

    async def grow(running: Running) -> None:
        for each in range(6):
            await running.extend(f"more {each}")

    path = await checkpoint_of(tmp_path, world, grow)
    async with opened(tmp_path / "fresh", world) as store:
        await importing(store, world, path).run()
        node = WalletNode(world, account=None)
        async with on(store, node) as running:
            await running.settle()
            await running.wallet.watch(receive_key(1))
        node.wallets.of("node").states.clear()
        async with on(store, node) as running:
            await running.settle()
            assert running.wallet.balances().watched == OWN[1]
            assert running.wallet.balances().confirmed == 0
