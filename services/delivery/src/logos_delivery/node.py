"""Composition root: builds the rooms and joins them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc

from logos.delivery.v1.delivery_pb2_grpc import add_DeliveryServicer_to_server
from logos.delivery.v1.relay_pb2_grpc import add_RelayServicer_to_server
from logos.delivery.v1.store_pb2_grpc import add_StoreServicer_to_server
from logos_delivery.config import Config, parse
from logos_delivery.core.archive import wire as store_wire
from logos_delivery.core.health import Protocol
from logos_delivery.core.light.rates import Service, ServiceLimits
from logos_delivery.core.message import Message, decode
from logos_delivery.core.relay.proof import RELAY_IDENTIFIER
from logos_delivery.core.relay.relay_guard import RateLimits, RelayRules
from logos_delivery.core.sending.budget import RateBudget
from logos_delivery.core.sending.effects import SendRules
from logos_delivery.core.sending.outcomes import Route
from logos_delivery.core.topics import PubsubTopic
from logos_delivery.net.gossip import NetworkGossip
from logos_delivery.net.identity import NetworkIdentity
from logos_delivery.net.proofs import NetworkProofs
from logos_delivery.net.requests import StreamRequests
from logos_delivery.net.services import NetworkServices
from logos_delivery.operations.events import EventOperations
from logos_delivery.operations.health import HealthOperations
from logos_delivery.operations.history import HistoryOperations, StoreAnswers
from logos_delivery.operations.information import Information
from logos_delivery.operations.passing import Passing
from logos_delivery.operations.receiving import ReceiveOperations
from logos_delivery.operations.relay import RelayOperations
from logos_delivery.operations.sending import Pushing, SendOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations
from logos_delivery.rpc.delivery import DeliveryServicer
from logos_delivery.rpc.relay import RelayServicer
from logos_delivery.rpc.store import StoreServicer
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.opening import open_store
from logos_delivery.store.sql import SqlArchive
from logos_module import ModuleContext
from logos_module.network.streams import PeerStreams

DATABASE = "delivery.db"
VERSION = "0.1.0"


def monotonic_ms() -> int:
    """Milliseconds of the monotonic clock."""
    return time.monotonic_ns() // 1_000_000


def unix_ns() -> int:
    """Nanoseconds since 1970, UTC."""
    return time.time_ns()


def unix_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Servicers:
    """What a node serves."""

    delivery: DeliveryServicer
    relay: RelayServicer
    store: StoreServicer


@asynccontextmanager
async def node(context: ModuleContext) -> AsyncIterator[None]:
    """Serves delivery while it is entered."""
    config = parse(context.settings)
    channel = await context.channel("mixnet")
    async with AsyncExitStack() as stack:
        own = await stack.enter_async_context(open_store(context.state_dir / DATABASE))
        archive = own.archive
        if config.archive_url and config.keeps:
            shared = await stack.enter_async_context(open_store(config.archive_url))
            archive = shared.archive
        applications = SqlApplications(own.database)
        servicers = await stack.enter_async_context(
            joined(channel, config, applications, archive, context.stopping)
        )
        context.serve(add_DeliveryServicer_to_server, servicers.delivery)
        context.serve(add_RelayServicer_to_server, servicers.relay)
        context.serve(add_StoreServicer_to_server, servicers.store)
        yield


@asynccontextmanager
async def joined(
    network: grpc.aio.Channel,
    config: Config,
    applications: SqlApplications,
    archive: SqlArchive,
    stopping: asyncio.Event,
) -> AsyncIterator[Servicers]:
    """Joins the rooms; takes part in the network as long as this is open."""
    preset = config.preset
    services, proofs = NetworkServices(network), NetworkProofs(network)
    requests = StreamRequests(PeerStreams(network, "delivery"))
    identifier, period_ms = await _rate_limits(config, proofs)
    limits = None if identifier is None else RateLimits(period_ms, identifier)
    rules = RelayRules(preset.max_message_bytes, limits)
    relay = None
    if config.relays:
        relay = RelayOperations(NetworkGossip(network), proofs, rules, unix_ms)
    history = HistoryOperations(
        archive if config.keeps else None,
        requests,
        services,
        unix_ns,
        store_peers=config.store_peers,
    )
    events = EventOperations(applications, unix_ms, stopping)
    receiving = ReceiveOperations(
        applications, history, unix_ms, is_backfilled=preset.is_reliable, told=events.told
    )
    subscriptions = SubscriptionOperations(
        applications, receiving, relay, cluster=preset.cluster, shards=preset.shards
    )
    sending = SendOperations(
        applications,
        proofs,
        SendRules(
            is_confirmed=preset.is_reliable,
            max_message_bytes=preset.max_message_bytes,
            identifier=identifier,
            period_ms=period_ms,
        ),
        RateBudget(period_ms),
        unix_ms,
        told=events.told,
    )
    passing = Passing(
        relay,
        proofs,
        unix_ms,
        stopping,
        cluster=preset.cluster,
        shards=preset.shards,
        identifier=identifier,
    )
    sending.present = history.present
    if relay is not None:
        sending.routes[Route.RELAY] = _relaying(relay)
        relay.sinks += [history.take, receiving.take]

    async def count() -> dict[Protocol, int]:
        found = {Protocol.STORE_CLIENT: len(await services.connected(store_wire.PROTOCOL))}
        return found | ({Protocol.STORE: 1} if config.keeps else {})

    health = HealthOperations(
        relay, receiving, events, count, monotonic_ms=monotonic_ms, stopping=stopping
    )
    async with AsyncExitStack() as stack:
        if relay is not None:
            await stack.enter_async_context(relay.running())
        await stack.enter_async_context(receiving.running())
        await stack.enter_async_context(sending.running())
        await subscriptions.resume()
        if relay is not None:
            for shard in config.shards:
                await relay.follow(str(PubsubTopic(preset.cluster, shard)))
        await stack.enter_async_context(health.running(subscriptions))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        loops = [history.run(), events.trim(), passing.drain()]
        if config.keeps:
            service_limits = ServiceLimits(config.rate_limits.of(Service.STORE))
            answers = StoreAnswers(archive, service_limits, monotonic_ms)
            loops += [
                requests.serve(store_wire.PROTOCOL, answers),
                services.offer(store_wire.PROTOCOL),
            ]
        running = [tasks.create_task(loop) for loop in loops]
        yield Servicers(
            DeliveryServicer(
                sending=sending,
                subscriptions=subscriptions,
                events=events,
                health=health,
                information=Information(
                    NetworkIdentity(network).identity,
                    config.mode,
                    preset.name,
                    preset.cluster,
                    preset.shards,
                    VERSION,
                ),
            ),
            RelayServicer(passing),
            StoreServicer(history, retention=config.retention),
        )
        for each in running:
            each.cancel()


async def _rate_limits(config: Config, proofs: NetworkProofs) -> tuple[bytes | None, int]:
    """Returns the identifier of the network's rate limits, if it has any, and its epoch in ms."""
    preset = config.preset.rln
    if preset is None or not config.rln:
        return None, 600_000
    if preset.epoch_s is not None:
        return RELAY_IDENTIFIER, preset.epoch_s * 1000
    return RELAY_IDENTIFIER, await proofs.period_ms()


def _relaying(relay: RelayOperations) -> Pushing:
    async def push(pubsub_topic: str, raw: bytes) -> tuple[int, str] | None:
        message: Message = decode(raw)
        await relay.publish(pubsub_topic, message)
        return None

    return push
