"""LEA-1 to LEA-13: a node leads with a prover that makes no proofs, and kills in between."""

import asyncio
from dataclasses import replace

import pytest
from chain_leading import LAST, Node, Running, any_key, own_notes
from chain_world import FALSE, until
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from logos_chain.core.leading import Idle, Miss
from logos_chain.operations.aged_paths import AgedPathKeeper
from logos_chain.operations.proposing import OneTimeKey
from logos_crypto.jobs import CircuitJob
from logos_crypto.trees import LedgerTree, MerklePath


async def test_blocks_in_a_row_are_taken_and_published() -> None:
    node = Node()
    node.wallet.notes = own_notes(node.world, range(18, 24))

    async with node.leader() as running:
        slots = running.wins(1, 60)[:4]
        await running.searched(slots[0])
        for each in slots:
            await running.lead_at(each)
        blocks = node.pool.published

        assert [each.header.slot for each in blocks] == slots
        assert running.follow.tip.id == blocks[-1].id
        assert running.follow.tip.height == 4
        assert running.lead.counts.on_tip == 4
        assert running.lead.standing.idle is None
    keys = {each.header.leadership.leader_key for each in blocks}
    assert len(keys) == len({each.header.leadership.entropy for each in blocks}) == 4
    assert [each.header.leadership.voucher for each in blocks] == node.wallet.issued
    for each in blocks:
        key = Ed25519PublicKey.from_public_bytes(each.header.leadership.leader_key)
        key.verify(each.signature, each.header.encoded)
    assert {slot for slot, _ in node.notes.noted} == set(slots)


async def one_slot(running: Running) -> int:
    """The first slot that is won; it is known."""
    slot = running.wins(1, 400)[0]
    await running.searched(slot)
    return slot


async def test_a_proof_is_stopped_and_made_anew_when_the_tip_moves() -> None:
    node = Node()
    node.prover.is_held = True

    async with node.leader() as running:
        slot = await one_slot(running)
        running.at(slot - 2)
        await until(lambda: len(node.prover.jobs) == 1)
        block = node.world.make(node.world.root, "other", gap=slot - 2)
        assert await running.follow.take(block.encode(), "a") is None
        await until(lambda: len(node.prover.jobs) == 2)
        assert node.prover.cancelled == 1
        node.prover.let()
        running.at(slot)
        await until(lambda: running.settled == 1)

        assert [each.header.parent for each in node.pool.published] == [block.id]
        assert node.prover.jobs[0].witness.public != node.prover.jobs[1].witness.public


async def test_without_time_an_empty_block_on_the_old_tip_is_proposed() -> None:
    node = Node()
    node.prover.is_held = True

    async with node.leader() as running:
        node.pool.transactions = [node.world.spend(0)]
        slot = await one_slot(running)
        running.at(slot - 2)
        await until(lambda: len(node.prover.jobs) == 1)
        running.at(slot + 2)
        block = node.world.make(node.world.root, "other", gap=slot - 1)
        assert await running.follow.take(block.encode(), "a") is None
        node.prover.let()
        await until(lambda: running.settled == 1)

        [own] = node.pool.published
        assert own.header.parent == node.world.root.id
        assert own.transactions == own.uncles == ()
        assert running.lead.last_proposed is not None
        assert not running.lead.last_proposed.is_on_tip
        assert len(node.prover.jobs) == 1


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_kill_after_the_note_leaves_no_second_block(is_told: bool) -> None:  # noqa: FBT001
    node = Node(is_told_of_notes=is_told)
    node.notes.is_killed = True
    async with node.leader() as running:
        slot = await one_slot(running)
        running.at(slot - 1)
        await until(lambda: len(node.prover.jobs) == 1)
        running.at(slot)
        await node.notes.reached.wait()
    assert node.pool.published == []
    node.notes.is_killed = False
    node.clock.ms = (slot - 3) * 1000

    async with node.leader() as running:
        if not is_told:
            await running.searched(slot)
            await running.lead_at(slot)
            assert running.lead.last_missed is not None
            assert running.lead.last_missed.miss is Miss.ALREADY_PROPOSED
        second = running.wins(slot + 1, 400)[0]
        running.at(slot + 1)
        await running.searched(second)
        await running.lead_at(second)

        assert [each.header.slot for each in node.pool.published] == [second]
        assert running.lead.counts.proposed == 1


@pytest.mark.parametrize("miss", [Miss.NOT_STORED, Miss.NO_VOUCHER, Miss.REFUSED])
async def test_what_fails_before_the_end_publishes_nothing(miss: Miss) -> None:
    node = Node()
    node.notes.fails = miss is Miss.NOT_STORED
    node.wallet.fails = miss is Miss.NO_VOUCHER
    node.prover.proof = FALSE if miss is Miss.REFUSED else bytes(128)

    async with node.leader() as running:
        slot = await one_slot(running)
        await running.lead_at(slot)

        assert node.pool.published == []
        assert running.lead.last_missed is not None
        assert running.lead.last_missed.miss is miss
        assert running.follow.tip.height == 0
        assert len(node.notes.noted) == (miss is not Miss.NOT_STORED)
        assert len(node.wallet.issued) == (miss is Miss.REFUSED)


async def test_the_body_has_what_the_ledger_admits_within_the_limits() -> None:
    node = Node()
    node.world.parameters = replace(node.world.parameters, max_transactions=3)
    spends = [node.world.spend(each) for each in range(4)]
    node.pool.transactions = [spends[0], node.world.spend(0, "again"), spends[1], spends[2]]

    async with node.leader() as running:
        slot = await one_slot(running)
        await running.lead_at(slot)

        [block] = node.pool.published
        assert block.transactions == (spends[0], spends[1])
        assert node.pool.limits is not None
        assert node.pool.limits.transactions == 3
        assert running.follow.tip.id == block.id


async def test_bytes_have_a_limit_too() -> None:
    node = Node()
    spends = [node.world.spend(each) for each in range(3)]
    size = len(spends[0].encoded)
    node.world.parameters = replace(node.world.parameters, max_body_bytes=2 * size)
    node.pool.transactions = spends

    async with node.leader() as running:
        await running.lead_at(await one_slot(running))

        assert node.pool.published[0].transactions == tuple(spends[:2])


@pytest.mark.parametrize("is_hanging", [True, False])
async def test_a_mempool_or_a_network_that_fails_stops_no_block(
    is_hanging: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("logos_chain.operations.proposing.CHOOSE_S", 0.01)
    node = Node()
    node.pool.hangs, node.pool.fails = is_hanging, True

    async with node.leader() as running:
        await running.lead_at(await one_slot(running))

        assert [each.transactions for each in node.pool.published] == [()]
        assert running.lead.counts.proposed == 1


async def test_uncles_are_carried() -> None:
    node = Node()
    node.wallet.notes = own_notes(node.world, range(8, 24))

    async with node.leader() as running:
        slot = next(each for each in running.wins(6, 24))
        running.at(slot - 3)
        first = node.world.make(node.world.root, "a", gap=slot - 4)
        second = node.world.make(node.world.root, "b", gap=slot - 5)
        for each in (first, second):
            assert await running.follow.take(each.encode(), "a") is None
        await running.lead_at(slot)

        [block] = node.pool.published
        assert [each.header.id for each in block.uncles] == [second.id]
        assert running.follow.tip.id == block.id


async def test_a_node_leads_only_when_it_may() -> None:
    node = Node()

    async with node.leader(is_online=False) as running:
        assert running.lead.standing.idle is Idle.NOT_ONLINE
        running.lead.allow(may_propose=True)
        slot = await one_slot(running)
        running.lead.switch(is_on=False)
        running.at(slot)
        assert running.lead.standing.idle is Idle.SWITCHED_OFF
        assert running.lead.next_win is None
        running.lead.switch(is_on=True)
        await until(lambda: running.settled == 1)

        assert node.pool.published[0].header.slot == slot


async def test_a_wallet_that_gets_its_notes_later_leads_then() -> None:
    node = Node()
    notes, node.wallet.notes = node.wallet.notes, []

    async with node.leader() as running:
        await until(lambda: running.lead.standing.idle is Idle.NO_NOTES)
        node.wallet.notes = notes
        running.lead.notes_changed()
        await one_slot(running)

        assert running.lead.standing.idle is None


async def test_a_clock_that_jumps() -> None:
    node = Node()

    async with node.leader() as running:
        first, second, third = running.wins(1, 400)[:3]
        await running.searched(first)
        running.at(second - 1)
        await until(lambda: len(node.prover.jobs) == 1)
        running.at(second)
        await until(lambda: running.lead.counts.proposed == 1)
        running.at(first - 1)
        running.at(first)
        await running.lead_at(third)

        assert [each.header.slot for each in node.pool.published] == [second, third]
        assert running.lead.counts.too_late == 1


async def test_a_restart_in_the_middle_of_an_epoch_still_has_its_aged_paths() -> None:
    """The genesis' root is left behind two epochs later, and the epoch's first block is final."""
    node = Node()
    node.prover.is_held = True
    world, epoch = node.world, node.world.parameters.epoch_slots
    async with node.leader() as running:
        blocks = [world.make(world.root, "start", [world.spend(0)], gap=1)]
        for at in (1, 2):
            gap = at * epoch + 1 - blocks[-1].header.slot
            blocks.append(world.make(blocks[-1], f"epoch {at}", gap=gap))
        for at in range(24):
            spent = [world.spend(1)] if at == 0 else []
            blocks.append(world.make(blocks[-1], f"{at}", spent))
        for each in blocks:
            running.at(each.header.slot)
            assert await running.follow.take(each.encode(), "a") is None
        root = running.follow.epoch_at(running.follow.tip.slot).aged_root
        await until(lambda: world.funds[LAST] in node.paths.paths.get(root, {}))
        await until(lambda: running.lead.next_win is not None)
        await until(lambda: node.store.final_blocks[-1].slot > 2 * epoch + 1)

    async with node.leader() as running:
        now = running.follow.tip.slot
        assert await running.follow.aged_path(world.funds[LAST], now) is None
        node.prover.let()
        for slot in range(now, now + 60):
            running.at(slot)
            await asyncio.sleep(0.005)
        await until(lambda: running.lead.counts.proposed > 0)


async def test_paths_are_had_from_the_chain_then_from_the_store() -> None:
    node, tree = Node(), LedgerTree()
    ids = [each.id for each in own_notes(node.world, range(2))]
    tree.insert(ids[0])
    path, roots = tree.path(ids[0]), (tree.root, bytes(32))
    asked: list[tuple[bytes, list[bytes]]] = []

    async def find(root: bytes, notes: object) -> dict[bytes, MerklePath]:
        wanted = list(notes)  # type: ignore[call-overload]
        asked.append((root, wanted))
        return {ids[0]: path} if root == tree.root and ids[0] in wanted else {}

    async def lost(root: bytes, notes: object) -> dict[bytes, MerklePath]:
        return {}

    for node.paths.fails in (True, False):
        keeper = AgedPathKeeper(find, node.paths)
        assert await keeper.aged(roots, ids) == {roots[0]: {ids[0]}, roots[1]: frozenset()}
        assert keeper.path(roots[0], ids[0]) == path
        assert keeper.path(roots[0], ids[1]) is None
        assert await keeper.aged((roots[1],), ids) == {roots[1]: frozenset()}
        assert node.paths.paths == {}
    await AgedPathKeeper(find, node.paths).aged(roots, ids)
    later = AgedPathKeeper(lost, node.paths)
    assert (await later.aged(roots, ids))[roots[0]] == {ids[0]}


def test_a_leader_s_key_signs_once() -> None:
    key = OneTimeKey()
    Ed25519PublicKey.from_public_bytes(key.public).verify(key.sign(b"a"), b"a")

    with pytest.raises(ValueError, match="once"):
        key.sign(b"b")


async def test_no_representation_shows_a_secret() -> None:
    node = Node()
    [note] = node.wallet.notes
    secret = note.leader.secret_key

    async with node.leader() as running:
        await running.lead_at(await one_slot(running))
        [job] = node.prover.jobs

    for each in (note, note.leader, job, CircuitJob(job.witness, any_key())):
        assert secret.hex() not in repr(each)
        assert repr(secret) not in repr(each)
