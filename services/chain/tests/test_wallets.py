"""The node's wallet on its chain (WAL-22 to WAL-26): follows, restarts, scans, pays."""

import asyncio
import logging
from pathlib import Path
from typing import cast

import pytest
from chain_ledger import ALICE
from chain_memory import MemoryStore
from chain_store import opened_all
from chain_wallet import SEED, SHOP, WATCHED
from chain_wallet_node import OWN, PaidWorld, Running, WalletNode, receive_key, scanned
from chain_wallets import MemoryWallets
from chain_world import TWO, quiet, until

from logos_base.errors import ErrorKind, LogosError, StoreFailedError
from logos_chain.core.mempool.errors import MempoolRefusal, submission_error
from logos_chain.core.node_ports import ASKED, START_OVER_MARK
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.errors import (
    FundsInsufficientError,
    OrderInvalidError,
    RequestReusedError,
    WalletScanningError,
)
from logos_chain.operations.chain_events import EventsLost
from logos_chain.operations.wallets import book, submitting
from logos_crypto.prover import ProverQueueFullError
from logos_mantle.blocks import Block
from logos_mantle.derivations import public_key
from logos_mantle.notes import Note, note_id
from logos_module.errors import ModuleDrainingError

PAYMENT = (Note(1_000, SHOP),)


@pytest.fixture
def node() -> WalletNode:
    return WalletNode()


def main_chain(world: PaidWorld) -> list[Block]:
    """Blocks that pay the wallet, one each; every third pays it twice."""
    made: list[Block] = []
    for at in range(8):
        notes = [Note(1_000 + at, receive_key(3 + at))]
        notes += [Note(77, receive_key(3 + at))] if at % 3 == 0 else []
        parent = made[-1] if made else world.root
        made.append(world.make(parent, f"main {at}", [world.pay(at, *notes)]))
    return made


async def test_a_new_wallet_has_its_notes_of_the_genesis(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()

        assert running.wallet.balances().final == sum(OWN)
        leaders = running.wallet.leader_notes()
        assert sorted(each.leader.value for each in leaders) == list(OWN)
        for each in leaders:
            note = Note(each.leader.value, each.public_key)
            assert note_id(each.operation_id, each.output_index, note) == each.id
        [entry] = await running.history()
        assert (entry.entry.height, entry.entry.received) == (0, sum(OWN))


async def test_a_restart_at_every_height_is_as_no_restart(node: WalletNode) -> None:
    world = node.world
    blocks = main_chain(world)
    parents = [world.root, *blocks]
    forks = [
        world.make(parents[at], f"fork {at}", [world.pay(23, Note(5, receive_key(12)))])
        for at in range(len(blocks))
    ]

    before: dict[str, object] = {}
    for block, fork in zip(blocks, forks, strict=True):
        async with node.up() as running:
            await running.take(block, fork)
            before = await running.contents()
        async with node.up() as running:
            assert running.wallet.scanned is None
            assert running.wallet.height >= running.follow.latest_immutable.height - 1
            assert await running.contents() == before

    assert before == await scanned(node, blocks[-1])
    assert len(before["history"]) == 9  # type: ignore[arg-type]


async def test_a_wallet_without_state_finds_all_by_a_scan(node: WalletNode) -> None:
    blocks = main_chain(node.world)
    async with node.up() as running:
        await running.take(*blocks)
        before = await running.contents()
    node.wallets = MemoryWallets()

    async with node.up() as running:
        with pytest.raises(WalletScanningError):
            running.wallet.balances()
        assert running.wallet.leader_notes() == []
        told: list[None] = []
        running.wallet.changed.append(lambda: told.append(None))

        assert await running.contents() == before
        assert told == [None]


async def test_a_damaged_state_is_given_up_and_found_again(node: WalletNode) -> None:
    async with node.up() as running:
        await running.take(*main_chain(node.world))
        before = await running.contents()
    rows = node.wallets.of("node")
    rows.states = {key: (block, raw[:-1]) for key, (block, raw) in rows.states.items()}

    async with node.up() as running:
        assert await running.contents() == before


async def test_blocks_that_get_final_while_it_scans_are_not_missed(node: WalletNode) -> None:
    blocks = main_chain(node.world)
    async with node.up() as running:
        await running.take(*blocks[:4])
    node.wallets = MemoryWallets()
    held, final = asyncio.Event(), node.store.final

    async def slow(first: int, limit: int) -> object:
        found = await final(first, limit)
        if first:
            await held.wait()
        return found

    node.store.final = slow  # type: ignore[method-assign,assignment]
    async with node.up() as running:
        for each in blocks[4:]:
            assert await running.follow.take(each.encode(), "a") is None
        await quiet(running.follow)
        assert running.wallet.scanned == 0
        held.set()

        assert await running.contents() == await scanned(node, blocks[-1])


async def test_a_reorganisation_takes_back_what_it_has_paid(node: WalletNode) -> None:
    world = node.world
    async with node.up() as running:
        await running.settle()
        paid = await running.extend("paid", world.pay(0, Note(999, receive_key(3))))
        assert running.wallet.balances().confirmed == sum(OWN) + 999
        other = world.chain(world.root, "other", 2, first=1)
        await running.take(*other)
        assert running.follow.tip.id == other[-1].id != paid.id
        assert running.wallet.balances().confirmed == sum(OWN)
        assert await running.contents() == await scanned(node, other[-1])


async def test_lost_events_are_made_up_for(node: WalletNode) -> None:
    blocks = main_chain(node.world)
    async with node.up() as running:
        await running.settle()
        heard = running.wallet._heard
        assert heard is not None
        heard.put = lambda _event: None  # type: ignore[method-assign,assignment]
        for each in blocks:
            await running.follow.take(each.encode(), "a")
        await quiet(running.follow)
        del heard.put
        heard.put(EventsLost())

        assert await running.contents() == await scanned(node, blocks[-1])


async def test_a_payment_is_proven_submitted_and_final(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        made = await running.wallet.send(PAYMENT)

        [signed] = node.pool.taken
        assert signed.hash == made
        assert [each.circuit for each in node.prover.jobs] == ["signature2"]
        assert list(node.wallets.of("node").drafts) == [made]
        assert running.wallet.balances().reserved == OWN[0]
        await running.extend("with it", signed)
        [draft] = running.wallet.waiting()
        spent = 1_000 + draft.fee + draft.tip
        assert running.wallet.balances().confirmed == sum(OWN) - spent
        for at in range(3):
            await running.extend(f"after {at}")
        assert running.wallet.waiting() == []
        assert running.wallet.balances().final == sum(OWN) - spent
        assert node.wallets.of("node").drafts == {}
        assert (await running.history())[-1].entry.transaction == made


async def test_a_name_is_remembered_once_its_payment_is_final(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        made = await running.wallet.send(PAYMENT, request=b"one")
        await finish(running)
        assert await running.wallet.send(PAYMENT, request=b"one") == made
    for _ in range(2):
        async with node.up() as running:
            await running.settle()
            assert await running.wallet.send(PAYMENT, request=b"one") == made
            with pytest.raises(RequestReusedError):
                await running.wallet.send(PAYMENT, tip=1, request=b"one")


async def test_what_was_submitted_is_submitted_again_after_a_restart(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        made = await running.wallet.send(PAYMENT)
    async with node.up() as running:
        await until(lambda: len(node.pool.taken) == 2)
        assert running.wallet.balances().reserved == OWN[0]
        await running.extend("with it", node.pool.taken[0])
    async with node.up() as running:
        await running.settle()
        assert [each.hash for each in running.wallet.waiting()] == [made]
    assert [each.hash for each in node.pool.taken] == [made] * 2


async def test_what_was_undone_is_submitted_again(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        await running.wallet.send(PAYMENT)
        await running.extend("with it", *node.pool.taken)
        await running.take(*node.world.chain(node.world.root, "other", 2, first=1))

        await until(lambda: len(node.pool.taken) == 2)


async def test_what_is_refused_is_dropped(node: WalletNode) -> None:
    node.pool.errors = [submission_error(MempoolRefusal.CONFLICT)]
    async with node.up() as running:
        await running.settle()
        with pytest.raises(LogosError) as refused:
            await running.wallet.send(PAYMENT, request=b"once")

        assert refused.value.reason == "CONFLICT"
        assert running.wallet.balances().reserved == 0
        assert node.wallets.of("node").drafts == {}
        await running.wallet.send(PAYMENT, request=b"once")


@pytest.mark.parametrize("reason", [MempoolRefusal.MEMPOOL_FULL, MempoolRefusal.ALREADY_KNOWN])
async def test_what_says_nothing_of_a_transaction_does_not_drop_it(
    node: WalletNode, reason: MempoolRefusal
) -> None:
    node.pool.errors = [submission_error(reason)]
    async with node.up() as running:
        await running.settle()
        made = await running.wallet.send(PAYMENT)
        assert [each.hash for each in running.wallet.waiting()] == [made]
        await running.extend("next")
        await until(lambda: len(node.pool.taken) == (reason is MempoolRefusal.MEMPOOL_FULL))


async def test_a_failing_prover_or_store_makes_nothing(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        node.prover.error = ProverQueueFullError("full")
        with pytest.raises(ProverQueueFullError):
            await running.wallet.send(PAYMENT)
        node.prover.error = None
        node.wallets.fails = frozenset({node.wallets.writes + 1})
        with pytest.raises(StoreFailedError):
            await running.wallet.send(PAYMENT)

        assert (node.pool.taken, running.wallet.waiting()) == ([], [])
        with pytest.raises(FundsInsufficientError):
            await running.wallet.send([Note(10**9, SHOP)])
        with pytest.raises(OrderInvalidError):
            await running.wallet.send(PAYMENT, tip=-1)


async def test_a_request_is_fulfilled_once(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        both = [running.wallet.send(PAYMENT, request=b"one") for _ in range(2)]
        first, second = await asyncio.gather(*both)
        assert first == second
        assert await running.wallet.send(PAYMENT, request=b"two") != first
        with pytest.raises(RequestReusedError) as reused:
            await running.wallet.send((Note(1_001, SHOP),), request=b"one")
        assert reused.value.kind is ErrorKind.ALREADY_EXISTS
    async with node.up() as running:
        await running.settle()
        assert await running.wallet.send(PAYMENT, request=b"one") == first
        with pytest.raises(RequestReusedError):
            await running.wallet.send(PAYMENT, tip=1, request=b"one")


async def test_a_caller_that_goes_away_does_not_stop_its_payment(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(running.wallet.send(PAYMENT))
            await asyncio.sleep(0)
            sending.cancel()

        await until(lambda: len(node.pool.taken) == 1)


async def test_a_stopped_wallet_pays_nothing(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
    with pytest.raises(ModuleDrainingError):
        await running.wallet.send(PAYMENT)


async def test_a_mempool_that_does_not_answer_is_asked_again(
    node: WalletNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "SUBMIT_S", 0.02)
    async with node.up() as running:
        await running.settle()
        node.pool.hangs = True
        made = await running.wallet.send(PAYMENT)
        node.pool.hangs = False
        await running.extend("next")
        await until(lambda: [each.hash for each in node.pool.taken] == [made])


async def test_vouchers_are_never_issued_twice(node: WalletNode) -> None:
    issued: list[bytes] = []
    for _ in range(3):
        async with node.up() as running:
            await running.settle()
            issued += [await running.wallet.issue_voucher() for _ in range(2)]
            node.wallets.fails = frozenset({node.wallets.writes + 1})
            with pytest.raises(StoreFailedError):
                await running.wallet.issue_voucher()

    assert len(set(issued)) == 6
    assert node.wallets.of("node").next_voucher == 6


async def test_watched_keys_stay_watched(node: WalletNode) -> None:
    async with node.up() as running:
        await running.settle()
        with pytest.raises(OrderInvalidError):
            await running.wallet.watch(b"\xff" * 32)
        await running.wallet.watch(WATCHED)
    async with node.up() as running:
        await running.settle()
        await running.extend("paid", node.world.pay(0, Note(31, WATCHED)))

        assert running.wallet.balances().watched == 31
        assert len({await running.wallet.address() for _ in range(5)}) == 5


async def run(node: WalletNode, blocks: list[Block]) -> None:
    """Follows and pays as far as the store lets it, as a process does until it is killed."""
    async with node.up() as running:
        await running.settle()
        await running.take(*blocks[:2])
        await running.wallet.issue_voucher()
        await running.wallet.send(PAYMENT, request=b"one")
        for each in blocks[2:]:
            await running.follow.take(each.encode(), "a")
        await running.extend("with it", node.pool.taken[0])
        for at in range(3):
            await running.extend(f"after {at}")


async def killed(node: WalletNode, blocks: list[Block]) -> None:
    """Runs until a write fails, and ends then."""

    async def work() -> None:
        try:
            await run(node, blocks)
        except (LogosError, AssertionError):
            assert node.wallets.has_failed

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(work())
        await until(lambda: running.done() or node.wallets.has_failed)
        await asyncio.sleep(0.01)
        running.cancel()


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_kill_at_any_write_ends_with_the_same_wallet(*, is_done: bool) -> None:
    whole = WalletNode()
    await run(whole, main_chain(whole.world))
    assert whole.wallets.writes > 10

    for write in range(1, whole.wallets.writes + 1):
        wallets = MemoryWallets(fails=frozenset({write}), is_done=is_done, is_dead=True)
        node = WalletNode(wallets=wallets)
        blocks = main_chain(node.world)
        await killed(node, blocks)
        assert wallets.has_failed
        wallets.is_dead = False
        wallets.fails = frozenset()
        async with node.up() as running:
            await running.settle()
            for each in blocks:
                await running.follow.take(each.encode(), "a")
            await running.settle()
            if write < whole.wallets.writes:  # the last is after the payment was final
                await running.wallet.send(PAYMENT, request=b"one")
            await finish(running)
            found = await running.contents()
            tip = node.world.blocks[running.follow.tip.id]
        assert found == await scanned(node, tip), write
        assert len({each.hash for each in node.pool.taken}) == 1, write
        async with node.up() as running:
            assert await running.contents() == found


async def finish(running: Running) -> None:
    """Makes blocks until the payment is final."""
    node = running.node
    tip = running.follow.tip.id
    included = {each.hash for block in node.world.path(tip) for each in block.transactions}
    wanted = node.pool.taken[-1]
    await running.extend("last", *([] if wanted.hash in included else [wanted]))
    for at in range(4):
        await running.extend(f"end {at}")
    assert running.wallet.waiting() == []


async def test_nothing_that_is_told_or_kept_has_a_secret(
    node: WalletNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with node.up() as running:
        await running.settle()
        await running.wallet.send(PAYMENT)
        await running.take(*main_chain(node.world))
        secrets = [each.leader.secret_key for each in running.wallet.leader_notes()]
        texts = [repr(running.wallet), repr(running.wallet.leader_notes()), caplog.text]
        texts += [repr(running.wallet._book.__dict__), repr(running.wallet._submitter.__dict__)]
    kept = repr(node.wallets.rows)
    for secret in [*secrets, SEED, Account(SEED).voucher_secret(0)]:
        for text in [*texts, kept]:
            assert repr(secret)[2:-1] not in text
            assert secret.hex() not in text
            assert str(int.from_bytes(secret, "little")) not in text


async def test_a_wallet_that_only_watches_pays_nothing() -> None:
    node = WalletNode(account=None)
    async with node.up() as running:
        await running.settle()
        await running.wallet.watch(ALICE)
        for call in (running.wallet.address, running.wallet.issue_voucher):
            with pytest.raises(LogosError, match="only watches"):
                await call()
        with pytest.raises(LogosError, match="only watches"):
            await running.wallet.send(PAYMENT)


# -- after a chain was given up (CON-52) -----------------------------------------------------------


def had_anew(node: WalletNode) -> None:
    """As the store does it, where keys far beyond the gap were used."""
    node.store = MemoryStore(TWO.uncle_window_slots)
    rows = node.wallets.of("node")
    rows.states, rows.entries = {}, {}
    rows.used = {Role.RECEIVE: 60, Role.CHANGE: 50}


async def test_notes_beyond_the_gap_are_found_on_the_new_chain(
    node: WalletNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "LOOK_AHEAD", 40)
    world = node.world
    had_anew(node)
    change = public_key(Account(SEED).secret_key(Role.CHANGE, 45))
    async with node.up() as running:
        await running.settle()
        before = running.wallet.balances().confirmed
        paid = [Note(1_000, receive_key(55)), Note(20, receive_key(95)), Note(3, change)]
        await running.extend("paid", world.pay(0, *paid))
        assert running.wallet.balances().confirmed == before + 1_023


async def test_an_address_of_the_chain_that_was_given_up_is_not_given_out_again(
    node: WalletNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "LOOK_AHEAD", 40)
    had_anew(node)
    later = {receive_key(each) for each in range(60, 80)}
    given = list[bytes]()
    for name in ("one", "two"):
        async with node.up() as running:
            await running.settle()
            given += [await running.wallet.address() for _ in range(8)]
            for at in range(2):
                await running.extend(f"{name} {at}")
    assert set(given) <= later
    async with node.up() as running:
        await running.settle()
        assert {await running.wallet.address() for _ in range(30)} == later


async def test_the_change_of_a_payment_that_waits_is_found_behind_the_gap(
    node: WalletNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node.up() as running:
        await running.settle()
        account = Account(SEED)
        monkeypatch.setattr(
            running.wallet._book.require().keys,
            "change_keys",
            lambda _count, _held: [public_key(account.secret_key(Role.CHANGE, 30))],
        )
        running.wallet._book.require().keys.look_ahead(31)
        await running.wallet.send(PAYMENT)
        await until(lambda: len(node.pool.taken) == 1)
    monkeypatch.setattr(book, "LOOK_AHEAD", 40)
    async with node.up() as running:
        await running.settle()
        before = running.wallet.balances().confirmed
        await running.extend("paid", node.pool.taken[0])
        fee_and_payment = before - running.wallet.balances().confirmed
        assert 1_000 <= fee_and_payment < min(OWN)


async def test_a_payment_is_repeated_under_its_name_once_its_chain_is_gone(
    node: WalletNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CON-52, WAL-25; so can a member of a registry register again."""
    place = tmp_path / "chain.sqlite"
    async with opened_all(place) as store:
        node.wallets = cast("MemoryWallets", store.wallets)
        async with node.up() as running:
            await running.settle()
            first = await running.wallet.send(PAYMENT, request=b"one")
            await running.extend("paid", node.pool.taken[0])
            await running.extend("next")
            await running.extend("and next")
            assert await running.wallet.send(PAYMENT, request=b"one") == first
            await until(lambda: b"one" in running.wallet._book.fulfilled)
        await store.marks.put(START_OVER_MARK, ASKED)
    node.store = MemoryStore(TWO.uncle_window_slots)
    node.pool.taken.clear()
    monkeypatch.setattr(book, "LOOK_AHEAD", 40)
    async with opened_all(place) as store:
        node.wallets = cast("MemoryWallets", store.wallets)
        async with node.up() as running:
            await running.settle()
            await running.wallet.send(PAYMENT, request=b"one")
            assert len(node.pool.taken) == 1
