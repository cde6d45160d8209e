"""The rooms of one node: built in the order in which they need one another, joined, and run."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from logos_chain.core.consensus.starting import Past, Phase
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.leadership import LEADERSHIP
from logos_chain.core.mempool.types import Limits
from logos_chain.core.network_names import sync_protocol
from logos_chain.core.wallet.derivation import Account
from logos_chain.http.operations import Operations
from logos_chain.net.standing import PeeringStanding
from logos_chain.net.sync import NetworkSyncPeers
from logos_chain.node.clocks import monotonic_ms, monotonic_s, unix_ms
from logos_chain.node.faucets import faucet_rooms
from logos_chain.node.registries import registry_rooms
from logos_chain.node.surroundings import MODULE, Surroundings, importing_of
from logos_chain.operations.block_ranges import BlockRanges
from logos_chain.operations.exploring import ExploreOperations
from logos_chain.operations.exporting import ExportOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.information import Information
from logos_chain.operations.joining import Joining, arrival_of
from logos_chain.operations.leading import LeaderPorts, LeadOperations
from logos_chain.operations.leading_switch import LeadingSwitch
from logos_chain.operations.opening import OpenChain
from logos_chain.operations.pool_times import LastTaken
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.proposal_gossip import ProposalGossip
from logos_chain.operations.publishing import Publisher
from logos_chain.operations.served_chain import WholeChain
from logos_chain.operations.serving import SyncServing
from logos_chain.operations.start_over_check import check_start_over
from logos_chain.operations.starting import StartOperations
from logos_chain.operations.syncing import SyncOperations
from logos_chain.operations.transaction_gossip import TransactionGossip
from logos_chain.operations.transaction_status import TransactionStatuses
from logos_chain.operations.transactions import TransactionOperations
from logos_chain.operations.verifying import CircuitProofs, ProofVerifier
from logos_chain.operations.wallets.purse import Purse
from logos_chain.operations.wallets.wallet import WalletOperations, WalletPorts
from logos_chain.operations.watching import WatchOperations
from logos_chain.operations.zones.channel_chain import ChannelChain
from logos_chain.operations.zones.governing import GovernOperations
from logos_chain.operations.zones.indexing import IndexOperations
from logos_chain.operations.zones.reading import ReadOperations
from logos_chain.operations.zones.signing import ZonePorts
from logos_chain.operations.zones.writing import WriteOperations
from logos_module.network.gossip import NetworkGossip
from logos_zone_sdk.core.turns import SlotClock

Loop = Coroutine[Any, Any, None]


class Rooms:
    """The operations of one node, joined."""

    def __init__(
        self,
        around: Surroundings,
        chain: OpenChain,
        account: Account,
        *,
        past: Past,
        done: list[int],
    ) -> None:
        """
        Args:
            around: What they share.
            chain: That was opened.
            account: Of the node's wallet.
            past: What `past_of` returned at this start.
            done: Slots that this node has signed for before.
        """
        self.around = around
        network, store = around.network, around.store
        spec = around.given.spec
        verifier = ProofVerifier(CircuitProofs(around.given.verifiers), spec.consensus.activation)
        self.follow = follow = FollowOperations(chain, verifier, unix_ms)
        self.explore = ExploreOperations(chain)
        self.exports = ExportOperations(
            store.chain,
            genesis=BlockId(spec.genesis_id),
            specification=spec.hash,
            folder=around.folder,
        )
        self.watch = WatchOperations(follow, self.explore, around.stopping)
        self.mempool = MempoolOperations(
            follow,
            store.chain,
            network,
            verifier=verifier,
            saved=store.transactions,
            unix_ms=unix_ms,
        )
        statuses = TransactionStatuses(
            self.mempool.status, follow, store.chain, safe_blocks=Limits().safe_blocks
        )
        self.transactions = TransactionOperations(follow, self.mempool, statuses, around.stopping)
        self._build_network(chain)
        ports = WalletPorts(store.wallets, self.mempool.submit, around.keys, around.prover.prove)
        self.wallet = WalletOperations(
            follow,
            chain,
            account,
            ports=ports,
            unix_ms=unix_ms,
            claim_delay_slots=around.config.claim_delay_slots,
        )
        self.wallet.payments.tell.append(around.paid)
        self.purse = Purse(self.wallet, follow, network.clock, around.secrets)
        self.faucet = faucet_rooms(around, follow, chain, ports)
        self.registry = registry_rooms(
            around, follow, self.wallet, self.mempool.submit, lambda: self.start.phase
        )
        self._build_leader(past, chain, done)
        self._build_zones()
        self.information = Information(
            spec,
            network.clock,
            unix_ms,
            follow=follow,
            start=self.start,
            sync=self.sync,
            lead=self.lead,
            mempool=self.mempool,
        )
        self.http = self._http() if around.config.http is not None else None

    def _http(self) -> Operations:
        around, follow, explore = self.around, self.follow, self.explore
        return Operations(
            follow,
            explore,
            BlockRanges(follow, explore, around.store.chain),
            self.watch,
            self.mempool,
            LastTaken(self.mempool, unix_ms),
            self.transactions,
            self.information,
            around.network.clock,
            self.purse,
            PeeringStanding(around.channel),
            version("logos-chain"),
        )

    def _build_network(self, chain: OpenChain) -> None:
        around, follow = self.around, self.follow
        clock = around.network.clock
        whole, gossip = WholeChain(chain), NetworkGossip(around.channel, MODULE)
        protocol = sync_protocol(is_testnet=around.config.is_testnet)
        self.peers = NetworkSyncPeers(around.channel, protocol)
        self.sync = SyncOperations(whole, follow.take, self.peers, monotonic_ms)
        self.serving = SyncServing(whole, self.peers, monotonic_s)
        self.proposals = ProposalGossip(
            whole,
            follow.take,
            gossip,
            around.topics.proposals,
            sync=self.sync,
            transactions=self.mempool,
            clock=clock,
            unix_ms=unix_ms,
        )
        self.passing = TransactionGossip(gossip, around.topics.transactions, self.mempool)
        self.publisher = Publisher(self.passing.publish_transaction, self.mempool.get)
        self.mempool.pass_on.append(self.publisher.put)
        follow.fetching = self.sync.fetch

    def _build_leader(self, past: Past, chain: OpenChain, done: list[int]) -> None:
        around, network, store = self.around, self.around.network, self.around.store
        self.lead = LeadOperations(
            self.follow,
            network.parameters,
            network.clock,
            key=around.keys[LEADERSHIP],
            make=around.prover.prove,
            ports=LeaderPorts(
                self.wallet,
                store.proposals,
                store.paths,
                self.mempool.choose,
                self.proposals.publish,
            ),
            unix_ms=unix_ms,
            done=done,
        )
        self.wallet.changed.append(self.lead.notes_changed)
        self.switch = LeadingSwitch(store.marks, self.lead.switch, is_on=around.config.lead)
        joining = Joining(
            around.config.initial_peers,
            self.peers.connected,
            self.sync.download,
            arrival=arrival_of(chain, self.follow, self.sync, unix_ms) if past.is_anew else None,
        )
        self.start = StartOperations(
            self.follow,
            network.parameters,
            past=past,
            marks=store.marks,
            download=joining.join,
            unix_ms=unix_ms,
            end=around.stopping.set,
            check=self._checked,
        )
        self.start.allowed.append(lambda may: self.lead.allow(may_propose=may))

    async def _checked(self) -> None:
        """Raises why the chain is not to be given up now (CON-50)."""
        importing = importing_of(self.around)
        await check_start_over(self.peers.connected, None if importing is None else importing.check)

    def _build_zones(self) -> None:
        around, store = self.around, self.around.store

        def is_behind() -> bool:
            return self.start.phase in {Phase.STOPPED, Phase.DOWNLOADING}

        chain = ChannelChain(self.follow, self.explore, self.watch, is_behind)
        self.index = IndexOperations(self.follow, self.explore, store.channels)
        self.read = ReadOperations(chain, store.channels, self.follow.events, around.stopping)
        clock = around.network.clock
        ports = ZonePorts(
            self.wallet.prepare,
            self.wallet.give_up,
            self.wallet.adopt,
            self.wallet.is_submitted,
            self.transactions.submit,
            self.mempool,
        )
        self.govern = GovernOperations(chain, ports, self.wallet.deposit)
        self.write = WriteOperations(
            chain,
            store.sequencers,
            ports,
            clock=SlotClock(clock.genesis_ms, clock.slot_ms),
            unix_ms=unix_ms,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes part in the network as long as this is open."""
        wallets = [each for each in (self.wallet, self.faucet.wallet) if each is not None]
        self.mempool.begin_after = self.start.has_chain.wait
        for each in wallets:
            await each.open()
            each.begin_after = self.start.has_chain.wait
        await self.switch.restore()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.follow.running())
            await stack.enter_async_context(self.mempool.running())
            for each in wallets:
                await stack.enter_async_context(each.running())
            await stack.enter_async_context(self.lead.running())
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = [tasks.create_task(loop) for loop in self._loops()]
            await stack.enter_async_context(self.start.running())
            yield
            for task in running:
                task.cancel()

    def _loops(self) -> list[Loop]:
        loops = [
            self.serving.serve(),
            self.proposals.run(),
            self.passing.run(),
            self.publisher.run(),
            self.transactions.run(),
            self.index.run(),
        ]
        if self.registry is not None:
            loops += self.registry.loops()
        if self.faucet.operations.is_here:
            loops.append(self.faucet.peers.serve(self.faucet.operations.answer))
        return loops
