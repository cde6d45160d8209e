"""LEA-2, WAL-7, WAL-21 with real proofs: a genesis' wallet leads, and pays in its own block."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from chain_genesis import SEED, TIME_S, settings
from chain_leading import Clock, Node, Running
from chain_memory import MemoryStore
from chain_wallet import SHOP
from chain_wallets import MemoryWallets
from chain_world import until

from logos_chain.core.chain_spec.making import first_wallets, new_chain
from logos_chain.core.chain_spec.wallets import seeded
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.leader_ports import LeaderWallet
from logos_chain.core.leadership import LEADERSHIP
from logos_chain.core.leading import Timing
from logos_chain.core.wallet.keystore import Cost
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.leading import LeaderPorts, LeadOperations
from logos_chain.operations.opening import Network, Opening
from logos_chain.operations.verifying import CircuitProofs, ProofVerifier
from logos_chain.operations.wallets import proving
from logos_chain.operations.wallets.keystores import open_account
from logos_chain.operations.wallets.wallet import WalletOperations, WalletPorts
from logos_crypto.keys import CircuitKeys
from logos_mantle.notes import Note
from logos_mantle.transactions import SignedTransaction
from logos_module.keys import make_keys
from logos_module.prover import Prover

pytestmark = [pytest.mark.proofs, pytest.mark.timeout(600)]


async def propose(running: Running, count: int) -> None:
    """Lets time pass until so many blocks were proposed.

    An attempt may be in vain: the note that wins may be one that the block before has spent.
    """
    machine, clock = running.lead._machine, running.node.clock
    while running.lead.counts.proposed < count:
        wake_ms, win, attempt = machine.next_wake_ms(), running.lead.next_win, machine._attempt
        if attempt is not None:
            clock.ms = max(clock.ms, (TIME_S + attempt.slot) * 1000)
        elif win is not None and wake_ms is not None:
            clock.ms = max(clock.ms, wake_ms)
        running.tick()
        await asyncio.sleep(0.01)


async def test_the_wallet_leads_and_pays_in_its_own_block(tmp_path: Path) -> None:
    store = CircuitKeys(tmp_path / "keys")
    draw = seeded(SEED)
    given = settings(preset="ci", genesis_stake=[4_000_000] * 3)
    firsts = first_wallets(given, draw)
    made_keys = make_keys(store, insecure_seed=draw("circuits"))
    spec = new_chain(given, firsts, made_keys, draw, time_s=TIME_S)
    account = open_account(tmp_path, "open", firsts.nodes["node1"], cost=Cost(4, 1, 1))
    node, clock = Node(), Clock(TIME_S * 1000)
    node.clock = clock

    async def submit(raw: bytes) -> bytes:
        node.pool.transactions.append(SignedTransaction.decode(raw))
        return node.pool.transactions[-1].hash

    async with AsyncExitStack() as stack:
        prover = await stack.enter_async_context(Prover(workers=1))
        network = Network(spec.consensus, spec.ledger, spec.genesis)
        chain = await Opening(MemoryStore(), network).open(Rule.ONLINE, clock)
        proofs = await CircuitProofs.load(store, spec.keys)
        follow = FollowOperations(chain, ProofVerifier(proofs, spec.consensus.activation), clock)
        keys = {each: spec.keys.load_key(store, each) for each in proving.CIRCUITS}
        ports = WalletPorts(MemoryWallets(), submit, keys, prover.prove)
        wallet = WalletOperations(follow, chain, account, ports=ports, unix_ms=clock)
        leader: LeaderWallet = wallet
        lead = LeadOperations(
            follow,
            spec.consensus,
            network.clock,
            key=spec.keys.load_key(store, LEADERSHIP),
            make=prover.prove,
            ports=LeaderPorts(leader, node.notes, node.paths, node.pool.choose, node.pool.publish),
            unix_ms=clock,
            timing=Timing(late_ms=600_000),
        )
        wallet.changed.append(lead.notes_changed)
        await wallet.open()
        await stack.enter_async_context(follow.running())
        await stack.enter_async_context(lead.running())
        await stack.enter_async_context(wallet.running())
        await until(lambda: len(wallet.leader_notes()) == 3)
        before = wallet.balances().confirmed
        paid = await wallet.send([Note(70_000, SHOP)])
        running = Running(node, follow, lead)
        lead.allow(may_propose=True)
        for count in (1, 2):
            await propose(running, count)
            await node.pool.news.wait()
            node.pool.news.clear()
            node.pool.transactions.clear()

        first, second = node.pool.published
        await until(lambda: wallet.height == 2)
        assert [each.hash for each in first.transactions] == [paid]
        assert wallet.balances().confirmed < before - 70_000
        made = [each.header.leadership.voucher for each in (first, second)]
        assert [each.voucher.commitment for each in wallet.vouchers()] == made
        assert len(set(made)) == 2
