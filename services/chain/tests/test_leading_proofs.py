"""LEA-1 to LEA-11 with real proofs: notes of a new chain's genesis lead, and all is verified."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from chain_genesis import SEED, TIME_S, settings
from chain_leading import Clock, Node, Running, Wallet
from chain_memory import MemoryStore

from logos_chain.core.blocks import candidate_of
from logos_chain.core.chain_spec.making import first_wallets, new_chain
from logos_chain.core.chain_spec.spec import ChainSpec
from logos_chain.core.chain_spec.wallets import FirstWallet, seeded
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.leadership import LEADERSHIP, OwnNote, made_by
from logos_chain.core.leading import Timing
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.leading import LeadOperations
from logos_chain.operations.opening import Network, Opening
from logos_chain.operations.verifying import CircuitProofs, ProofVerifier
from logos_crypto.keys import CircuitKeys
from logos_mantle.blocks import Block
from logos_mantle.operations import operation_id
from logos_module.keys import make_keys
from logos_module.prover import Prover

pytestmark = [pytest.mark.proofs, pytest.mark.timeout(600)]


def own_notes(spec: ChainSpec, wallet: FirstWallet) -> list[OwnNote]:
    transfer = spec.genesis.transfer
    return made_by(operation_id(transfer), transfer.outputs, wallet.notes(spec.genesis))


async def follower(
    stack: AsyncExitStack, spec: ChainSpec, store: CircuitKeys, clock: Clock
) -> FollowOperations:
    network = Network(spec.consensus, spec.ledger, spec.genesis)
    chain = await Opening(MemoryStore(), network).open(Rule.ONLINE, clock)
    proofs = await CircuitProofs.load(store, spec.keys)
    follow = FollowOperations(chain, ProofVerifier(proofs, spec.consensus.activation), clock)
    await stack.enter_async_context(follow.running())
    return follow


async def test_three_blocks_in_a_row_of_a_new_chain(tmp_path: Path) -> None:
    store = CircuitKeys(tmp_path)
    given, draw = settings(preset="ci", genesis_stake=[4_000_000] * 3), seeded(SEED)
    wallets = first_wallets(given, draw)
    keys = make_keys(store, insecure_seed=draw("circuits"))
    spec = new_chain(given, wallets, keys, draw, time_s=TIME_S)
    node, clock = Node(), Clock(TIME_S * 1000)
    node.clock, node.wallet = clock, Wallet(own_notes(spec, wallets.nodes["node1"]))
    assert len(node.wallet.notes) == 3
    key = spec.keys.load_key(store, LEADERSHIP)

    async with AsyncExitStack() as stack:
        prover = await stack.enter_async_context(Prover(workers=1))
        own, other = [await follower(stack, spec, store, clock) for _ in range(2)]
        lead = LeadOperations(
            own,
            spec.consensus,
            Network(spec.consensus, spec.ledger, spec.genesis).clock,
            key=key,
            make=prover.prove,
            ports=node.ports,
            unix_ms=clock,
            timing=Timing(late_ms=600_000),
        )
        await stack.enter_async_context(lead.running())
        running = Running(node, own, lead)
        lead.allow(may_propose=True)
        for _ in range(3):
            slot = await next_win(running)
            clock.ms = (TIME_S + slot) * 1000
            running.tick()
            await node.pool.news.wait()
            node.pool.news.clear()

        blocks = node.pool.published
        assert [await other.take(each.encode(), "a") for each in blocks] == [None] * 3
        assert own.tip.id == other.tip.id == blocks[-1].id
        assert lead.counts.proposed == lead.counts.on_tip == 3
        assert [each.header.leadership.voucher for each in blocks] == node.wallet.issued
        assert len({each.header.leadership.leader_key for each in blocks}) == 3
        assert {candidate_of(each, len(each.encode())).header.parent for each in blocks} == {
            spec.genesis_id,
            *(each.id for each in blocks[:2]),
        }
    assert_no_secret(node.wallet.notes, blocks)


async def next_win(running: Running) -> int:
    """Moves the clock to where the next proof begins; returns its slot."""
    machine = running.lead._machine
    while machine._attempt is None:
        wake_ms = machine.next_wake_ms()
        win = running.lead.next_win
        if win is not None and wake_ms is not None:
            running.node.clock.ms = max(running.node.clock.ms, wake_ms)
            running.tick()
        await asyncio.sleep(0.01)
    return machine._attempt.slot


def assert_no_secret(notes: list[OwnNote], blocks: list[Block]) -> None:
    for block in blocks:
        for each in notes:
            assert each.leader.secret_key not in block.encode()
            assert each.id not in block.encode()
