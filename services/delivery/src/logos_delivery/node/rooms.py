"""The rooms of one node: built in the order in which they need one another, joined, and run."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import grpc

from logos_delivery.config import Config
from logos_delivery.core.archive import wire as store_wire
from logos_delivery.core.health import Protocol
from logos_delivery.core.light import filter_wire, light_push_v2, metadata, peer_exchange
from logos_delivery.core.light import light_push as light_push_wire
from logos_delivery.core.light.filter_client import Backfill
from logos_delivery.core.ports import Answering
from logos_delivery.core.sending.outcomes import Route
from logos_delivery.core.topics import PubsubTopic
from logos_delivery.http.operations import Operations
from logos_delivery.net.identity import NetworkIdentity
from logos_delivery.net.peers import NetworkPeers
from logos_delivery.net.registry import NetworkRegistry
from logos_delivery.node.clocks import monotonic_ms, unix_ms
from logos_delivery.node.exchanging import Exchanging
from logos_delivery.node.light import Light
from logos_delivery.node.messaging import Messaging
from logos_delivery.node.relaying import Relaying, by_relay
from logos_delivery.node.served import Servicers
from logos_delivery.node.storing import Storing
from logos_delivery.node.surroundings import Surroundings, surroundings_of
from logos_delivery.operations.event_polling import EventPolling
from logos_delivery.operations.filter_polling import FilterPolling
from logos_delivery.operations.health import HealthOperations
from logos_delivery.operations.information import Information
from logos_delivery.operations.light_pushing import LightPushing
from logos_delivery.operations.neighbours import NeighbourOperations
from logos_delivery.operations.relay_polling import RelayPolling
from logos_delivery.rpc.channels import ChannelsServicer
from logos_delivery.rpc.delivery import DeliveryServicer
from logos_delivery.rpc.light import FilterServicer, LightPushServicer, PeerExchangeServicer
from logos_delivery.rpc.relay import RelayServicer
from logos_delivery.rpc.store import StoreServicer
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.sql import SqlArchive

VERSION: Final = "0.1.0"

Loop = Coroutine[Any, Any, None]


class Rooms:
    """The operations of one node, joined."""

    def __init__(
        self,
        around: Surroundings,
        applications: SqlApplications,
        archive: SqlArchive,
        *,
        state_key: bytes,
    ) -> None:
        """Takes the key of what is kept encrypted (CHN-29)."""
        self.around = around
        self.relaying = Relaying(around)
        self.exchanging = Exchanging(around, applications, self.relaying.own_shards)
        self.information = _information(around, self.exchanging)
        relay = self.relaying.relay
        self.storing = Storing(around, applications, archive, relay)
        self.light = Light(around, self.relaying.passing)
        self.messaging = Messaging(
            around,
            applications,
            self.storing.history,
            relay or self.light.filter_client,
            state_key=state_key,
        )
        self.health = HealthOperations(
            relay,
            self.messaging.receiving,
            self.messaging.events,
            self._count_peers,
            monotonic_ms=monotonic_ms,
            stopping=around.stopping,
        )
        self.http = self._http() if around.config.serves_http else None
        self._join()

    def _http(self) -> Operations:
        """What the HTTP interface needs beside the other rooms (DHT-1)."""
        around, config = self.around, self.around.config
        relaying, light, messaging = self.relaying, self.light, self.messaging
        cluster = config.preset.cluster
        polling = None
        if relaying.relay is not None:
            shards = [str(PubsubTopic(cluster, shard)) for shard in config.own_shards]
            topics = [*shards, *config.http_topics]
            polling = RelayPolling(
                relaying.relay, relaying.passing, capacity=config.http_cache, topics=topics
            )
        return Operations(
            relay=relaying.relay,
            polling=polling,
            serving=relaying.serving,
            filter=FilterPolling(
                around.requests,
                around.services,
                relaying.passing,
                monotonic_ms,
                ended=light.filter_client.forget,
                peers=config.filter_peers,
            ),
            pushing=LightPushing(
                relaying.passing,
                light.light_push,
                None if config.light_push_peers else relaying.pushes,
                max_message_bytes=config.preset.max_message_bytes,
            ),
            events=EventPolling(messaging.events),
            history=self.storing.history,
            neighbours=NeighbourOperations(
                NetworkPeers(around.network), relaying.relay, cluster=cluster
            ),
            sending=messaging.sending,
            subscriptions=messaging.subscriptions,
            health=self.health,
            information=self.information,
        )

    def _join(self) -> None:
        """Has each message go where it is wanted."""
        relaying, light = self.relaying, self.light
        history, receiving = self.storing.history, self.messaging.receiving
        sending = self.messaging.sending
        sending.present = history.present
        sending.present_by_mix = history.present_by_mix
        sending.routes[Route.LIGHTPUSH] = light.light_push.by_route
        if self.around.mix is not None:
            sending.routes[Route.MIX] = light.light_push.by_mix
        if relaying.relay is not None:
            sending.routes[Route.RELAY] = by_relay(relaying.relay)
            relaying.relay.sinks += [history.take, receiving.take]
            if relaying.serving is not None:
                relaying.relay.sinks.append(relaying.serving.take)
        else:
            light.filter_client.sinks.append(receiving.take)
            light.filter_client.missed.append(self._miss)

    def _miss(self, missed: Backfill) -> None:
        self.messaging.receiving.missed(unix_ms() - (monotonic_ms() - missed.from_ms))

    async def _count_peers(self) -> dict[Protocol, int]:
        found = {
            Protocol.STORE_CLIENT: store_wire.PROTOCOL,
            Protocol.LIGHTPUSH_CLIENT: light_push_wire.PROTOCOL,
            Protocol.FILTER_CLIENT: filter_wire.SUBSCRIBE_PROTOCOL,
        }
        services, config = self.around.services, self.around.config
        counts = {one: len(await services.connected(protocol)) for one, protocol in found.items()}
        if config.keeps:
            counts[Protocol.STORE] = 1
        if config.pushes:
            counts[Protocol.FILTER] = 1
        if config.publishes:
            counts |= {Protocol.LIGHTPUSH: 1, Protocol.LEGACY_LIGHTPUSH: 1}
        if config.tells_of_peers:
            counts[Protocol.PEER_EXCHANGE] = 1
        return counts

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes part in the network as long as this is open."""
        relaying, storing, messaging = self.relaying, self.storing, self.messaging
        async with AsyncExitStack() as stack:
            for one in (
                relaying.relay,
                relaying.serving,
                storing.retention,
                storing.syncing,
                storing.resuming,
                messaging.receiving,
                self.light.filter_client,
                messaging.sending,
            ):
                if one is not None:
                    await stack.enter_async_context(one.running())
            await messaging.subscriptions.resume()
            await self._follow(stack)
            await self.exchanging.own.look()
            await stack.enter_async_context(self.health.running(messaging.subscriptions))
            await stack.enter_async_context(messaging.channels.running())
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = [tasks.create_task(loop) for loop in (*self._loops(), *self._served())]
            yield
            for each in running:
                each.cancel()

    async def _follow(self, stack: AsyncExitStack) -> None:
        """Follows the shards of the settings; where HTTP is served, it holds their messages."""
        config, relay = self.around.config, self.relaying.relay
        if self.http is not None and self.http.polling is not None:
            await stack.enter_async_context(self.http.polling.running())
        elif relay is not None:
            for shard in config.own_shards:
                await relay.follow(str(PubsubTopic(config.preset.cluster, shard)))

    def _loops(self) -> list[Loop]:
        requests, storing = self.around.requests, self.storing
        syncing = [] if storing.syncing is None else storing.syncing.loops()
        polling = [] if self.http is None else [self.http.events.run()]
        asks = self.around.config.asks_for_peers
        exchanging = [self.exchanging.client.run()] if asks else []
        accusing = self.relaying.accusing
        return [
            *exchanging,
            *([] if accusing is None else [accusing.run()]),
            self.exchanging.own.run(),
            *syncing,
            *polling,
            storing.history.run(),
            self.messaging.events.trim(),
            self.relaying.passing.drain(),
            self.light.reading.drain(),
            requests.serve(filter_wire.PUSH_PROTOCOL, self._take_push),
            requests.serve(metadata.PROTOCOL, self.relaying.clusters.answer),
            self.relaying.clusters.run(),
        ]

    async def _take_push(self, peer: str, raw: bytes) -> bytes | None:
        if self.http is not None:
            await self.http.filter.take_push(peer, raw)
        return await self.light.filter_client.take_push(peer, raw)

    def _served(self) -> list[Loop]:
        """What answers other nodes."""
        around, relaying = self.around, self.relaying
        answers: dict[str, Answering] = {}
        if relaying.serving is not None:
            answers[filter_wire.SUBSCRIBE_PROTOCOL] = relaying.serving.answer
        if relaying.pushes is not None:
            answers[light_push_wire.PROTOCOL] = relaying.pushes
        if self.exchanging.answers is not None:
            answers[peer_exchange.PROTOCOL] = self.exchanging.answers
        if self.storing.answers is not None:
            answers[store_wire.PROTOCOL] = self.storing.answers
        old = None if relaying.pushes is None else relaying.pushes.answer_old
        loops = [] if old is None else [around.requests.serve(light_push_v2.PROTOCOL, old)]
        loops += [
            loop
            for protocol, answer in answers.items()
            for loop in (around.requests.serve(protocol, answer), around.services.offer(protocol))
        ]
        if around.mix is None:
            return loops
        mixed = (light_push_wire.PROTOCOL, store_wire.PROTOCOL)
        return loops + [around.mix.serve(one, answers[one]) for one in mixed if one in answers]


@asynccontextmanager
async def joined(
    network: grpc.aio.Channel,
    config: Config,
    applications: SqlApplications,
    archive: SqlArchive,
    stopping: asyncio.Event,
    *,
    state_key: bytes,
    registry: NetworkRegistry | None = None,
) -> AsyncIterator[Servicers]:
    """Joins the rooms; takes part in the network as long as this is open."""
    around = await surroundings_of(config, network, stopping, registry)
    rooms = Rooms(around, applications, archive, state_key=state_key)
    relaying, storing, messaging = rooms.relaying, rooms.storing, rooms.messaging
    async with rooms.running():
        yield Servicers(
            DeliveryServicer(
                sending=messaging.sending,
                subscriptions=messaging.subscriptions,
                events=messaging.events,
                health=rooms.health,
                information=rooms.information,
                mix=around.mix,
            ),
            RelayServicer(relaying.passing),
            StoreServicer(storing.history, storing.retention, storing.syncing),
            FilterServicer(rooms.light.reading, relaying.serving),
            LightPushServicer(relaying.passing, rooms.light.light_push),
            PeerExchangeServicer(rooms.exchanging.client),
            ChannelsServicer(messaging.channels),
            rooms.http,
        )


def _information(around: Surroundings, exchanging: Exchanging) -> Information:
    config, preset = around.config, around.preset
    return Information(
        NetworkIdentity(around.network),
        exchanging.own,
        config.mode,
        preset.name,
        preset.cluster,
        preset.shards,
        VERSION,
    )
