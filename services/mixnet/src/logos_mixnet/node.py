"""Composition root: the only file that knows every room."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import grpc

from logos.network.v1.discovery_pb2_grpc import add_DiscoveryServicer_to_server
from logos.network.v1.events_pb2 import IsolationEvent
from logos.network.v1.gossip_pb2_grpc import add_GossipServicer_to_server
from logos.network.v1.mix_pb2_grpc import add_MixServicer_to_server
from logos.network.v1.peering_pb2_grpc import add_PeeringServicer_to_server
from logos.network.v1.rln_pb2_grpc import add_RlnServicer_to_server
from logos.network.v1.streams_pb2_grpc import add_StreamsServicer_to_server
from logos_client.channels import open_channel
from logos_mixnet.config import OF_MODULE, Config, parse
from logos_mixnet.core.advertisements import RECORD_TTL_S, AdvertisementStore
from logos_mixnet.core.capability.keys import Secp256k1Signer, Signer, signer_of
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.offers import OfferStore
from logos_mixnet.core.capability.places import own_addresses
from logos_mixnet.core.capability.profiles import PROFILES
from logos_mixnet.core.dials import Aims
from logos_mixnet.core.errors import ListenError
from logos_mixnet.core.identity import seeded_secret
from logos_mixnet.core.mixing.cover import PROFILES as MIX_PROFILES
from logos_mixnet.core.mixing.frames import MIX_PROTOCOL
from logos_mixnet.core.mixing.intake import Intake
from logos_mixnet.core.mixing.keys import MixStore
from logos_mixnet.core.mixing.records import address_block, mixes_of, service_data
from logos_mixnet.core.mixing.taps import TapStore
from logos_mixnet.core.notices import PeerEvent
from logos_mixnet.core.own_record import OwnRecord
from logos_mixnet.core.peering import Peering
from logos_mixnet.core.ports import PeerStore
from logos_mixnet.core.rln.allocation import SharedSecret
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.signing import is_signed_by
from logos_mixnet.net.capability import NativeContacts
from logos_mixnet.net.clock import boot_ns, steady_unix_ms, unix_ms
from logos_mixnet.net.discovery import NativeDiscovery
from logos_mixnet.net.gossip import NativeGossip
from logos_mixnet.net.host import HostBridge
from logos_mixnet.net.peering import NativePeers
from logos_mixnet.net.streams import NativeStreams
from logos_mixnet.operations.capability import CapabilityOperations
from logos_mixnet.operations.discovery import DiscoveryOperations
from logos_mixnet.operations.gossip import GossipOperations
from logos_mixnet.operations.mix_calls import MixCalls
from logos_mixnet.operations.mixing import Mixing, Surroundings
from logos_mixnet.operations.mixing import Options as MixOptions
from logos_mixnet.operations.peering import PeeringOperations
from logos_mixnet.operations.rln import RlnMember, RlnOperations
from logos_mixnet.operations.streams import StreamOperations
from logos_mixnet.operations.taps import MixTap
from logos_mixnet.rpc.discovery import DiscoveryServicer
from logos_mixnet.rpc.gossip import GossipServicer
from logos_mixnet.rpc.mix import MixServicer
from logos_mixnet.rpc.peering import PeeringServicer
from logos_mixnet.rpc.rln import RlnServicer
from logos_mixnet.rpc.streams import StreamsServicer
from logos_mixnet.store.files import load_or_create_secret
from logos_mixnet.store.genesis import (
    IDENTITY,
    MEMBER,
    Secrets,
    first_members,
    given_secrets,
)
from logos_mixnet.store.mix import SqlMixStore
from logos_mixnet.store.rln import SqlMembers, SqlMessageIdStore
from logos_mixnet.store.rln_registry import Connect, RegistryMembers, allocate
from logos_mixnet.store.rln_secret import load_or_create_member, seeded_member
from logos_mixnet.store.schema import SCHEMA
from logos_mixnet.store.sql import SqlAdvertisementStore, SqlOfferStore, SqlPeerStore
from logos_mixnet.store.taps import TapFile
from logos_module import ModuleContext
from logos_module.database import Database, open_database
from logos_module.errors import ModuleDrainingError
from logos_module.outbox import outbox_of
from logos_module.server import AddToServer

if TYPE_CHECKING:
    from logos_native import Host

log = logging.getLogger(__name__)

NEVER_S: Final = 10 * 365 * 24 * 3600
"""The host's own republishing; this module's schedule does it instead (NET-12)."""
IDLE_S: Final = 24 * 3600
"""Nodes stay connected whether or not they have something to say."""
CONNECTIONS_PER_PEER: Final = 4
"""Two nodes that dial each other at once make two; a restart leaves old ones for a while."""


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Runs the network of one node while the context is entered."""
    config = parse(context.settings)
    state = context.state_dir
    database = state / "mixnet.sqlite"
    given = None if config.seed is not None else given_secrets(config.own_genesis, state)
    if config.seed is None:
        own = None if given is None else given.identity
        secret = load_or_create_secret(state / IDENTITY, database=database, given=own)
    else:
        secret = seeded_secret(config.seed, context.node)
        log.warning("identity follows from a seed: insecure, for testnets only")
    async with (
        open_database(database, SCHEMA) as opened,
        outbox_of(context.events) as outbox,
        AsyncExitStack() as stack,
    ):

        def tell_isolation(is_on: bool, mark: str) -> None:  # noqa: FBT001 - a callback
            event = IsolationEvent(isolated=is_on, mark=mark)
            outbox.put("isolation", event.SerializeToString())

        peers = SqlPeerStore(opened)
        banned = [ban.peer_id for ban in await peers.load_bans()]
        network = Network(
            open_host(config, secret, banned=banned),
            config,
            peers=peers,
            advertisements=SqlAdvertisementStore(opened),
            offers=SqlOfferStore(opened),
            signer=signer_of(config.key_type, secret),
            status=context.status,
            tell_isolation=tell_isolation,
            mixes=SqlMixStore(opened) if config.mixes else None,
            rln=await stack.enter_async_context(
                rate_limits(config, context, secret, given, opened)
            ),
            own_record=OwnRecord(signer_of(config.key_type, secret), RecordNumbers()),
            tap=tap_file(config, context),
        )
        try:
            await network.start(context.tasks, context.stopping)
            network.serve(context.serve)
            yield
        finally:
            await network.close()


def tap_file(config: Config, context: ModuleContext) -> TapFile | None:
    """Returns the file of the tap; None unless the settings ask for one."""
    if not (config.tap and config.mixes):
        return None
    log.warning("a tap writes down when packets come and leave: for testnets of one's own only")
    return TapFile(context.state_dir / "taps.jsonl")


@asynccontextmanager
async def rate_limits(
    config: Config,
    context: ModuleContext,
    secret: bytes,
    given: Secrets | None,
    database: Database,
) -> AsyncIterator[RlnOperations | None]:
    """Makes the rate limits of a node; None if they are off."""
    if not config.keeps_rate_limits:
        yield None
        return
    if config.seed is None:
        own = None if given is None else given.member
        identity = load_or_create_member(context.state_dir / MEMBER, given=own)
    else:
        identity = seeded_member(config.seed, context.node)
    signer = Secp256k1Signer(secret)
    epochs = Epochs(config.rln_period_ms)
    peer_id = signer.public_key.peer_id
    # A secret may be older than the state (RLN-26), but not than its node's very first start.
    is_new = given is not None and context.epoch == 1
    member = RlnMember(
        identity, peer_id, signer.sign, is_signed_by, config.rln_limit, epochs, is_new
    )
    store_of = partial(SqlMessageIdStore, database)
    first = partial(
        first_members,
        config.genesis,
        peer_id=peer_id,
        commitment=identity.commitment,
        limit=config.rln_limit,
    )
    is_open = config.rln_membership == "announcements"
    members = SqlMembers(database, genesis=config.rln_genesis, is_open=is_open, first=first)
    if config.rln_registry is None:
        yield RlnOperations(member, members, store_of, unix_ms)
        return
    async with connection(config.rln_registry, context) as connect:
        registry = RegistryMembers(connect, members)
        rln = RlnOperations(member, registry, store_of, unix_ms)
        if config.rln_allocation_secret is not None:
            known = SharedSecret(config.rln_allocation_secret.encode())
            rln.provide(partial(allocate, registry, config.rln_limit), [known])
        yield rln


@asynccontextmanager
async def connection(registry: str, context: ModuleContext) -> AsyncIterator[Connect]:
    """Makes what connects to a registry: `module:NAME` of this node (RLN-40), or an address."""
    name = registry.removeprefix(OF_MODULE)
    if name != registry:
        yield partial(context.channel, name)
        return
    async with open_channel(registry) as channel:

        async def connect() -> grpc.aio.Channel:
            return channel

        yield connect


def open_host(config: Config, secret: bytes, *, banned: Iterable[str] = ()) -> "Host":
    """Starts the libp2p host that a configuration describes, or raises `ListenError`.

    It listens at once, so it must know the banned peers before anything else is done.
    """
    from logos_native import Host  # noqa: PLC0415 - tests bring a host of theirs

    listen = [address.transport for address in config.listen]
    try:
        host = Host(
            secret_key=secret,
            key_type=config.key_type,
            listen_addresses=listen,
            agent=f"logos-mixnet/{version('logos-mixnet')}",
            gossip_protocol=config.gossip_protocol,
            kademlia_protocol=config.kademlia_protocol,
            provider_record_ttl_s=RECORD_TTL_S,
            provider_publication_interval_s=NEVER_S,
            max_connections=config.max_connections,
            max_connections_per_peer=CONNECTIONS_PER_PEER,
            max_streams=config.max_streams,
            max_message_bytes=config.max_gossip_bytes,
            idle_connection_timeout_s=IDLE_S,
            flood_publish=not config.mixes,  # NET-24
        )
    except OSError as error:
        raise ListenError(f"cannot listen at {', '.join(listen)}: {error}") from error
    for peer_id in banned:
        host.ban(peer_id)
    return host


class Network:
    """The rooms of one node, joined."""

    def __init__(
        self,
        host: "Host",
        config: Config,
        *,
        peers: PeerStore,
        advertisements: AdvertisementStore,
        offers: OfferStore,
        signer: Signer,
        status: Callable[[str], None],
        tell_isolation: Callable[[bool, str], None],
        now_ms: Callable[[], int] | None = None,
        mixes: MixStore | None = None,
        rln: RlnOperations | None = None,
        own_record: OwnRecord | None = None,
        tap: TapStore | None = None,
    ) -> None:
        now_ms, rng = now_ms or steady_unix_ms(), secrets.SystemRandom()
        self._config = config
        self._bridge = HostBridge(host)
        native_gossip, native_streams = NativeGossip(self._bridge), NativeStreams(self._bridge)
        native_peers = NativePeers(self._bridge)
        self.gossip = GossipOperations(
            native_gossip, now_ms, max_message_bytes=config.max_gossip_bytes
        )
        self.streams = StreamOperations(native_streams, now_ms)
        self.discovery = DiscoveryOperations(
            NativeDiscovery(self._bridge), advertisements, now_ms, rng, own_peer_id=host.peer_id
        )
        contacts = NativeContacts(self._bridge)
        self.capability = CapabilityOperations(
            signer,
            PROFILES[config.discovery_profile],
            streams=self.streams,
            host=native_streams,
            peers=contacts,
            store=offers,
            now_ms=now_ms,
            rng=rng,
            announced=[address.transport for address in config.announce],
            numbers=None if own_record is None else own_record.numbers,
        )
        aims = Aims(
            host.peer_id,
            config.bootstrap,
            config.target_peers,
            config.max_peers,
            now_ms(),
            watermarks=config.watermarks,
            is_exchanging=config.peer_exchange,
        )
        machine = Peering(aims, rng, own_record)
        self.peering = PeeringOperations(
            machine,
            native_peers,
            peers,
            now_ms,
            streams=self.streams,
            status=status,
            peers_changed=self._peers_changed,
            tell_isolation=tell_isolation,
            signer=signer,
            announce=[address.transport for address in config.announce],
        )
        native_gossip.deliver(self.gossip.machine, self.gossip.driver)
        native_streams.deliver(self.streams.machine, self.streams.driver)
        native_peers.deliver(machine, self.peering.driver)
        self.rln = rln
        if rln is not None:
            rln.join(self.gossip, self.streams, self.peering)
        contacts.deliver(self.capability.listens_at, self.capability.identified)
        add_address = contacts.add_address
        self.mix = None if mixes is None else self._new_mix(mixes, tap, add_address, now_ms)
        self._running: list[asyncio.Task[None]] = []

    def _new_mix(
        self,
        store: MixStore,
        tap: TapStore | None,
        add_address: Callable[[str, str], None],
        now_ms: Callable[[], int],
    ) -> Mixing:
        config, rln = self._config, self.rln
        own = self.peering.machine.own_peer_id
        around = Surroundings(
            own,
            self.streams,
            add_address,
            store,
            rln,
            None if rln is None else Intake(config.rln_limit, config.rln_period_ms),
            now_ms,
            secrets.SystemRandom(),
            secrets.token_bytes,
            None if tap is None else MixTap(own, tap, boot_ns),
        )
        profile = MIX_PROFILES[config.mix_profile]
        options = MixOptions(profile, config.mix_key_epoch_s * 1000, is_exit=config.mix_exit)
        return Mixing(around, options)

    async def start(self, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        """Begins to connect. A host that breaks fails a task of the group (NET-14)."""
        await self.peering.load()
        await self.capability.load()
        if self.rln is not None:
            await self.rln.load()
        if self.mix is not None:
            await self.mix.load()
        if self.mix is not None and self.rln is not None:
            self.rln.proofs.departures = self.mix.leaving
        self._bridge.start()
        features = (self.gossip, self.streams, self.discovery, self.peering)
        drivers = [each.driver.run() for each in features]
        work = [self._bridge.run(), self._drain_when(stopping), self.capability.run(), *drivers]
        if self.rln is not None:
            work.append(self.rln.run())
        if self._config.peer_exchange:
            work.append(self.peering.exchange.serve())
        self._running = [tasks.create_task(each) for each in work]
        await self.capability.registrar.wait_listening()  # before a call could listen in its place
        await self.peering.wait_listening(len(self._config.listen))
        if self.mix is not None:
            self._running.append(tasks.create_task(self._run_mix(self.mix)))

    async def _run_mix(self, mix: Mixing) -> None:
        """Mixes with those that discovery finds, and has this node found."""
        machine = self.peering.machine
        addresses = own_addresses(
            [each.transport for each in self._config.announce] or machine.own_addresses
        )
        block = address_block(addresses, machine.own_peer_id)
        if block is None:
            log.error(
                "no mix: this node is reached at no IPv4 address",
                extra={"listens_at": list(machine.own_addresses)},
            )
            return
        async with asyncio.TaskGroup() as tasks:

            async def offer(key: bytes) -> None:
                with suppress(ModuleDrainingError):
                    await self.capability.advertise(MIX_PROTOCOL, service_data(key))

            def advertise(key: bytes) -> None:
                tasks.create_task(offer(key))

            mix.join(block, advertise)
            tasks.create_task(self._tell_lost_links(mix))
            with self.capability.watch(
                MIX_PROTOCOL, lambda records: mix.mixes_changed(mixes_of(records))
            ):
                await mix.run()

    async def _tell_lost_links(self, mix: Mixing) -> None:
        with self.peering.watch() as notices, suppress(ModuleDrainingError):
            async for notice in notices:
                if notice.event is PeerEvent.DISCONNECTED:
                    mix.disconnected(notice.peer_id)

    def serve(self, serve: Callable[[AddToServer, Any], object]) -> None:
        """Hands the services to a server."""
        serve(add_GossipServicer_to_server, GossipServicer(self.gossip))
        serve(add_StreamsServicer_to_server, StreamsServicer(self.streams))
        serve(add_DiscoveryServicer_to_server, DiscoveryServicer(self.discovery, self.capability))
        serve(add_PeeringServicer_to_server, PeeringServicer(self.peering))
        serve(add_RlnServicer_to_server, RlnServicer(self.rln))
        calls = None if self.mix is None else MixCalls(self.mix, secrets.token_bytes)
        serve(add_MixServicer_to_server, MixServicer(calls, self._ids_left))

    async def close(self) -> None:
        """Ends the tasks, writes the address book, closes the host."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        try:
            await self.peering.save()
        finally:
            self._bridge.close()

    async def _drain_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()  # calls that have no end of their own end now
        self.gossip.readers.drain()
        self.streams.listeners.drain()
        self.peering.watchers.drain()
        if self.rln is not None:
            self.rln.watchers.drain()
        self.capability.watchers.drain()
        if self.mix is not None:
            self.mix.drain()

    def _ids_left(self) -> int | None:
        return None if self.rln is None else self.rln.proofs.ids.left(self.rln.now_ms())

    def _peers_changed(self, count: int) -> None:
        self.discovery.peers_changed(count)
        self.capability.peers_changed(count)
