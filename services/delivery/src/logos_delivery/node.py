"""Composition root: builds the rooms and joins them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from logos.delivery.v1.channels_pb2_grpc import add_ChannelsServicer_to_server
from logos.delivery.v1.delivery_pb2_grpc import add_DeliveryServicer_to_server
from logos.delivery.v1.light_pb2_grpc import (
    add_FilterServicer_to_server,
    add_LightPushServicer_to_server,
)
from logos.delivery.v1.relay_pb2_grpc import add_RelayServicer_to_server
from logos.delivery.v1.store_pb2_grpc import add_StoreServicer_to_server
from logos_client.token_file import make_token_file
from logos_delivery.config import Config, parse
from logos_delivery.core.archive import wire as store_wire
from logos_delivery.core.archive.policies import parse_policies
from logos_delivery.core.channels.pace import Pace
from logos_delivery.core.health import Protocol
from logos_delivery.core.light import filter_wire, metadata
from logos_delivery.core.light import light_push as light_push_wire
from logos_delivery.core.light.filter_client import Backfill
from logos_delivery.core.light.rates import PeerLimits, Service, ServiceLimits
from logos_delivery.core.message import decode
from logos_delivery.core.ports import Answering
from logos_delivery.core.relay.proof import RELAY_IDENTIFIER
from logos_delivery.core.relay.relay_guard import RateLimits, RelayRules
from logos_delivery.core.sending.budget import RateBudget
from logos_delivery.core.sending.effects import SendRules
from logos_delivery.core.sending.outcomes import Route
from logos_delivery.core.topics import PubsubTopic, parse_pubsub_topic
from logos_delivery.http.operations import Operations
from logos_delivery.net.gossip import NetworkGossip
from logos_delivery.net.identity import NetworkIdentity
from logos_delivery.net.message_streams import NetworkMessageStreams
from logos_delivery.net.mix import NetworkMix
from logos_delivery.net.peers import NetworkPeers
from logos_delivery.net.proofs import NetworkProofs
from logos_delivery.net.requests import StreamRequests
from logos_delivery.net.services import NetworkServices
from logos_delivery.operations.channels import ChannelOperations
from logos_delivery.operations.clusters import ClusterOperations
from logos_delivery.operations.event_polling import EventPolling
from logos_delivery.operations.events import EventOperations
from logos_delivery.operations.filter_client import FilterClientOperations
from logos_delivery.operations.filter_polling import FilterPolling
from logos_delivery.operations.filter_service import FilterServing
from logos_delivery.operations.health import HealthOperations
from logos_delivery.operations.history import HistoryOperations, StoreAnswers
from logos_delivery.operations.information import Information
from logos_delivery.operations.light_push import LightPushAnswers, LightPushClient
from logos_delivery.operations.light_pushing import LightPushing
from logos_delivery.operations.light_reading import LightReading
from logos_delivery.operations.neighbours import NeighbourOperations
from logos_delivery.operations.passing import Passing
from logos_delivery.operations.receiving import ReceiveOperations
from logos_delivery.operations.relay import RelayOperations
from logos_delivery.operations.relay_polling import RelayPolling
from logos_delivery.operations.retention import RetentionOperations
from logos_delivery.operations.sending import Pushing, SendOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations
from logos_delivery.operations.syncing import SyncOperations, SyncTimes
from logos_delivery.rpc.channels import ChannelsServicer
from logos_delivery.rpc.delivery import DeliveryServicer
from logos_delivery.rpc.light import FilterServicer, LightPushServicer
from logos_delivery.rpc.relay import RelayServicer
from logos_delivery.rpc.store import StoreServicer
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.channels import SqlChannels
from logos_delivery.store.opening import open_store
from logos_delivery.store.sql import SqlArchive
from logos_module import ModuleContext
from logos_module.network.streams import PeerStreams
from logos_module.server import AddToServer

log = logging.getLogger(__name__)

DATABASE = "delivery.db"
HTTP_TOKEN = "http.token"  # noqa: S105 -- the name of a file
VERSION = "0.1.0"
NO_EPOCH_MS = 600_000


def monotonic_ms() -> int:
    """Milliseconds of the monotonic clock."""
    return time.monotonic_ns() // 1_000_000


def unix_ns() -> int:
    """Nanoseconds since 1970, UTC."""
    return time.time_ns()


def unix_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


Serve = Callable[[AddToServer, Any], None]
Loop = Coroutine[Any, Any, None]


@dataclass(frozen=True, slots=True)
class Servicers:
    """What a node serves."""

    delivery: DeliveryServicer
    relay: RelayServicer
    store: StoreServicer
    filter: FilterServicer
    light_push: LightPushServicer
    channels: ChannelsServicer
    http: Operations | None = None
    """None where HTTP is not served."""

    def serve(self, serve: Serve) -> None:
        """Serves all, by the module's context or a server."""
        serve(add_DeliveryServicer_to_server, self.delivery)
        serve(add_RelayServicer_to_server, self.relay)
        serve(add_StoreServicer_to_server, self.store)
        serve(add_FilterServicer_to_server, self.filter)
        serve(add_LightPushServicer_to_server, self.light_push)
        serve(add_ChannelsServicer_to_server, self.channels)


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves delivery while it is entered."""
    config = parse(context.settings)
    channel = await context.channel("mixnet")
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(open_store(context.state_dir / DATABASE))
        archive = own.archive
        if config.archive_url and config.keeps:
            url = config.archive_url
            shared = await stack.enter_async_context(open_store(url, is_shared=True))
            archive = shared.archive
        applications = SqlApplications(own.database)
        servicers = await stack.enter_async_context(
            joined(
                channel,
                config,
                applications,
                archive,
                context.stopping,
                state_key=context.key("channels"),
            )
        )
        servicers.serve(context.serve)
        await stack.enter_async_context(http_served(servicers.http, config, context.state_dir))
        yield


@asynccontextmanager
async def http_served(
    http: Operations | None, config: Config, state_dir: Path
) -> AsyncIterator[int | None]:
    """Serves the HTTP interface, if there is to be one; yields its port (DHT-2)."""
    if http is None or config.http is None:
        yield None
        return
    # What this loads is not wanted where HTTP is not served (docs/adr/0033).
    from logos_delivery.http.access import BearerAccess, LocalAccess  # noqa: PLC0415
    from logos_delivery.http.application import build, build_figures  # noqa: PLC0415
    from logos_delivery.http.serving import serving  # noqa: PLC0415

    is_open = config.http_open
    access = LocalAccess() if is_open else BearerAccess(make_token_file(state_dir / HTTP_TOKEN))
    app = build(http, access)
    async with AsyncExitStack() as stack:
        if config.http_metrics is not None:
            await stack.enter_async_context(serving(build_figures(app), *config.http_metrics))
        port = await stack.enter_async_context(serving(app, *config.http))
        log.info("HTTP is served", extra={"host": config.http.host, "port": port})
        yield port


class Rooms:
    """The operations of one node, joined."""

    def __init__(
        self,
        network: grpc.aio.Channel,
        config: Config,
        applications: SqlApplications,
        archive: SqlArchive,
        stopping: asyncio.Event,
        *,
        limits: RateLimits | None,
        state_key: bytes,
    ) -> None:
        """Takes the limits of the network, if messages carry proofs, and the key of what is kept
        encrypted (CHN-29).
        """
        preset = config.preset
        self.information = _information(network, config)
        shards = {"cluster": preset.cluster, "shards": preset.shards}
        identifier = None if limits is None else limits.identifier
        self.config, self.archive = config, archive
        self.services, proofs = NetworkServices(network), NetworkProofs(network)
        self.requests = StreamRequests(PeerStreams(network, "delivery"))
        self.relay: RelayOperations | None = None
        self.serving: FilterServing | None = None
        if config.relays:
            relayed = RelayRules(preset.max_message_bytes, limits)
            self.relay = RelayOperations(NetworkGossip(network), proofs, relayed, unix_ms)
        if config.pushes:
            limit = PeerLimits(config.rate_limits.of(Service.FILTER))
            self.serving = FilterServing(self.requests, limit, monotonic_ms)
        self.history = HistoryOperations(
            archive if config.keeps else None,
            self.requests,
            self.services,
            unix_ns,
            store_peers=config.store_peers,
        )
        self.retention = self._own_retention()
        self.syncing = self._syncing(network, has_limits=limits is not None)
        self.events = EventOperations(applications, unix_ms, stopping)
        told = self.events.told
        self.receiving = ReceiveOperations(
            applications, self.history, unix_ms, is_backfilled=preset.is_reliable, told=told
        )
        self.filter_client = FilterClientOperations(self.requests, self.services, monotonic_ms)
        self.subscriptions = SubscriptionOperations(
            applications, self.receiving, self.relay or self.filter_client, **shards
        )
        self.sending = self._sending(applications, proofs, limits)
        self.channels = self._channels(applications, stopping, state_key)
        self.passing = Passing(
            self.relay, proofs, unix_ms, stopping, identifier=identifier, **shards
        )
        self.mix = NetworkMix(network) if config.via_mix else None
        pushing = config.light_push_peers
        self.light_push = LightPushClient(self.requests, self.services, self.mix, peers=pushing)
        self.reading = LightReading(
            self.filter_client,
            self.passing,
            unix_ns=unix_ns,
            monotonic_ms=monotonic_ms,
            stopping=stopping,
        )
        self.health = HealthOperations(
            self.relay,
            self.receiving,
            self.events,
            self._count_peers,
            monotonic_ms=monotonic_ms,
            stopping=stopping,
        )
        self.clusters = ClusterOperations(
            self.requests, self.services, self._own_shards, cluster=preset.cluster
        )
        self.pushes = self._own_pushes()
        self.http = None if config.http is None else self._http(NetworkPeers(network))
        self._join()

    def _sending(
        self, applications: SqlApplications, proofs: NetworkProofs, limits: RateLimits | None
    ) -> SendOperations:
        preset = self.config.preset
        period_ms = NO_EPOCH_MS if limits is None else limits.period_ms
        rules = SendRules(
            is_confirmed=preset.is_reliable,
            max_message_bytes=preset.max_message_bytes,
            identifier=None if limits is None else limits.identifier,
            period_ms=period_ms,
        )
        budget, told = RateBudget(period_ms), self.events.told
        return SendOperations(applications, proofs, rules, budget, unix_ms, told=told)

    def _own_shards(self) -> list[int]:
        followed = () if self.relay is None else self.relay.followed
        topics = [parse_pubsub_topic(topic) for topic in followed]
        return [one.shard for one in topics if one.cluster == self.config.preset.cluster]

    def _own_retention(self) -> RetentionOperations | None:
        """What removes old messages, if this node keeps any."""
        if not self.config.keeps:
            return None
        policies = parse_policies(self.config.retention)
        return RetentionOperations(self.archive, policies, unix_ms)

    def _syncing(self, network: grpc.aio.Channel, *, has_limits: bool) -> SyncOperations | None:
        config = self.config
        if not (config.sync and config.keeps) or self.relay is None:
            return None
        syncing = SyncOperations(
            self.archive,
            NetworkMessageStreams(PeerStreams(network, "delivery")),
            self.services,
            SyncTimes(
                config.sync_interval_s * 1000,
                config.sync_range_s * 1000,
                config.sync_offset_s * 1000,
            ),
            unix_ms,
            check=self.relay.check_history if has_limits else None,
            store_peers=config.store_peers,
        )
        self.history.listeners.append(syncing.kept)
        return syncing

    def _channels(
        self, applications: SqlApplications, stopping: asyncio.Event, state_key: bytes
    ) -> ChannelOperations:
        return ChannelOperations(
            SqlChannels(applications.database, state_key),
            applications,
            events=self.events,
            sending=self.sending,
            history=self.history,
            subscriptions=self.subscriptions,
            unix_ms=unix_ms,
            stopping=stopping,
            pace=_pace(self.config),
        )

    def _own_pushes(self) -> LightPushAnswers | None:
        """The light push service of this node, if it has one."""
        if self.relay is None or not self.config.publishes:
            return None
        preset = self.config.preset
        limits = ServiceLimits(self.config.rate_limits.of(Service.LIGHT_PUSH))
        return LightPushAnswers(
            self.relay, limits, monotonic_ms, cluster=preset.cluster, shards=preset.shards
        )

    def _http(self, peers: NetworkPeers) -> Operations:
        """What the HTTP interface needs beside the other rooms (DHT-1)."""
        config, cluster = self.config, self.config.preset.cluster
        polling = None
        if self.relay is not None:
            shards = [str(PubsubTopic(cluster, shard)) for shard in config.own_shards]
            topics = [*shards, *config.http_topics]
            polling = RelayPolling(
                self.relay, self.passing, capacity=config.http_cache, topics=topics
            )
        return Operations(
            relay=self.relay,
            polling=polling,
            serving=self.serving,
            filter=FilterPolling(
                self.requests,
                self.services,
                self.passing,
                monotonic_ms,
                ended=self.filter_client.forget,
                peers=config.filter_peers,
            ),
            pushing=LightPushing(
                self.passing,
                self.light_push,
                None if config.light_push_peers else self.pushes,
                max_message_bytes=config.preset.max_message_bytes,
            ),
            events=EventPolling(self.events),
            history=self.history,
            neighbours=NeighbourOperations(peers, self.relay, cluster=cluster),
            sending=self.sending,
            subscriptions=self.subscriptions,
            health=self.health,
            information=self.information,
        )

    def _join(self) -> None:
        """Has each message go where it is wanted."""
        self.sending.present = self.history.present
        self.sending.routes[Route.LIGHTPUSH] = self.light_push.by_route
        if self.mix is not None:
            self.sending.routes[Route.MIX] = self.light_push.by_mix
        if self.relay is not None:
            self.sending.routes[Route.RELAY] = _relaying(self.relay)
            self.relay.sinks += [self.history.take, self.receiving.take]
            if self.serving is not None:
                self.relay.sinks.append(self.serving.take)
        else:
            self.filter_client.sinks.append(self.receiving.take)
            self.filter_client.missed.append(self._miss)

    def _miss(self, missed: Backfill) -> None:
        self.receiving.missed(unix_ms() - (monotonic_ms() - missed.from_ms))

    async def _count_peers(self) -> dict[Protocol, int]:
        found = {
            Protocol.STORE_CLIENT: store_wire.PROTOCOL,
            Protocol.LIGHTPUSH_CLIENT: light_push_wire.PROTOCOL,
            Protocol.FILTER_CLIENT: filter_wire.SUBSCRIBE_PROTOCOL,
        }
        counts = {
            one: len(await self.services.connected(protocol)) for one, protocol in found.items()
        }
        if self.config.keeps:
            counts[Protocol.STORE] = 1
        if self.config.pushes:
            counts[Protocol.FILTER] = 1
        if self.config.publishes:
            counts[Protocol.LIGHTPUSH] = 1
        return counts

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes part in the network as long as this is open."""
        async with AsyncExitStack() as stack:
            own = (self.receiving, self.filter_client, self.sending)
            for one in (self.relay, self.serving, self.retention, self.syncing, *own):
                if one is not None:
                    await stack.enter_async_context(one.running())
            await self.subscriptions.resume()
            if self.http is not None and self.http.polling is not None:
                await stack.enter_async_context(self.http.polling.running())
            elif self.relay is not None:
                for shard in self.config.own_shards:
                    await self.relay.follow(str(PubsubTopic(self.config.preset.cluster, shard)))
            await stack.enter_async_context(self.health.running(self.subscriptions))
            await stack.enter_async_context(self.channels.running())
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = [tasks.create_task(loop) for loop in (*self._loops(), *self._served())]
            yield
            for each in running:
                each.cancel()

    def _loops(self) -> list[Loop]:
        syncing = [] if self.syncing is None else self.syncing.loops()
        polling = [] if self.http is None else [self.http.events.run()]
        return [
            *syncing,
            *polling,
            self.history.run(),
            self.events.trim(),
            self.passing.drain(),
            self.reading.drain(),
            self.requests.serve(filter_wire.PUSH_PROTOCOL, self._take_push),
            self.requests.serve(metadata.PROTOCOL, self.clusters.answer),
            self.clusters.run(),
        ]

    async def _take_push(self, peer: str, raw: bytes) -> bytes | None:
        if self.http is not None:
            await self.http.filter.take_push(peer, raw)
        return await self.filter_client.take_push(peer, raw)

    def _served(self) -> list[Loop]:
        """What answers other nodes."""
        answers: dict[str, Answering] = {}
        if self.serving is not None:
            answers[filter_wire.SUBSCRIBE_PROTOCOL] = self.serving.answer
        if self.pushes is not None:
            answers[light_push_wire.PROTOCOL] = self.pushes
        if self.config.keeps:
            limits = ServiceLimits(self.config.rate_limits.of(Service.STORE))
            answers[store_wire.PROTOCOL] = StoreAnswers(self.archive, limits, monotonic_ms)
        loops = [
            loop
            for protocol, answer in answers.items()
            for loop in (self.requests.serve(protocol, answer), self.services.offer(protocol))
        ]
        pushed = answers.get(light_push_wire.PROTOCOL)
        if self.mix is not None and pushed is not None:
            loops.append(self.mix.serve(light_push_wire.PROTOCOL, pushed))
        return loops


@asynccontextmanager
async def joined(
    network: grpc.aio.Channel,
    config: Config,
    applications: SqlApplications,
    archive: SqlArchive,
    stopping: asyncio.Event,
    *,
    state_key: bytes,
) -> AsyncIterator[Servicers]:
    """Joins the rooms; takes part in the network as long as this is open."""
    limits = await _rate_limits(config, NetworkProofs(network))
    rooms = Rooms(
        network, config, applications, archive, stopping, limits=limits, state_key=state_key
    )
    async with rooms.running():
        yield Servicers(
            DeliveryServicer(
                sending=rooms.sending,
                subscriptions=rooms.subscriptions,
                events=rooms.events,
                health=rooms.health,
                information=rooms.information,
                has_mix=config.via_mix,
            ),
            RelayServicer(rooms.passing),
            StoreServicer(rooms.history, rooms.retention, rooms.syncing),
            FilterServicer(rooms.reading, rooms.serving),
            LightPushServicer(rooms.passing, rooms.light_push),
            ChannelsServicer(rooms.channels),
            rooms.http,
        )


async def _rate_limits(config: Config, proofs: NetworkProofs) -> RateLimits | None:
    """Returns the network's rate limits, if it has any."""
    preset = config.preset.rln
    if preset is None or not config.rln:
        return None
    if preset.epoch_s is not None:
        return RateLimits(preset.epoch_s * 1000, RELAY_IDENTIFIER)
    return RateLimits(await proofs.period_ms(), RELAY_IDENTIFIER)


def _pace(config: Config) -> Pace | None:
    """Returns what the channels may send, where the network's preset says it (CHN-24)."""
    rln = config.preset.rln if config.rln else None
    if rln is None or rln.epoch_s is None or rln.message_limit is None:
        return None
    return Pace(rln.message_limit, rln.epoch_s * 1000)


def _information(network: grpc.aio.Channel, config: Config) -> Information:
    preset = config.preset
    return Information(
        NetworkIdentity(network).identity,
        config.mode,
        preset.name,
        preset.cluster,
        preset.shards,
        VERSION,
        config.enr,
    )


def _relaying(relay: RelayOperations) -> Pushing:
    async def push(pubsub_topic: str, raw: bytes) -> tuple[int, str] | None:
        await relay.publish(pubsub_topic, decode(raw))
        return None

    return push
