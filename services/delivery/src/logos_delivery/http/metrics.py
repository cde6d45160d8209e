"""`/metrics`: figures for Prometheus, under the names of the reference (DHT-20)."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Final

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import LogosError
from logos_delivery.core.archive import wire as store_wire
from logos_delivery.core.light import filter_wire, light_push, light_push_v2, peer_exchange
from logos_delivery.core.relay.relay_guard import Pass
from logos_delivery.http.admin import RELAY_PROTOCOL, SERVICES
from logos_delivery.http.node import INTERFACE
from logos_delivery.operations.filter_service import FilterServing
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.neighbours import NeighbourOperations, SeenPeer
from logos_delivery.operations.relay import RelayOperations

PATH: Final = "/metrics"
NAMES: Final = ("logos_delivery", "waku")
"""What goes before a name: since August 2026, and before."""
KILOBYTES: Final = (0, 1, 3, 5, 15, 50, 75, 100, 125, 150, 500, 700, 1000)
_PEERS_OF: Final = {
    "filter_peers": (filter_wire.SUBSCRIBE_PROTOCOL,),
    "lightpush_peers": (light_push.PROTOCOL, light_push_v2.PROTOCOL),
    "px_peers": (peer_exchange.PROTOCOL,),
    "store_peers": (store_wire.PROTOCOL,),
}


class Metrics:
    """Counts what is relayed, and asks for the rest when it is looked at."""

    def __init__(
        self,
        neighbours: NeighbourOperations,
        history: HistoryOperations,
        serving: FilterServing | None,
        relay: RelayOperations | None,
    ) -> None:
        """`serving` is None at a node that serves no light clients, `relay` at an edge node."""
        self._relay = relay
        self._neighbours = neighbours
        self._history = history
        self._serving = serving
        self._registry = CollectorRegistry(auto_describe=False)
        self._messages = [
            Counter(f"{name}_node_messages", "messages relayed", ["type"], registry=self._registry)
            for name in NAMES
        ]
        self._sizes = [
            Histogram(
                f"{name}_histogram_message_size",
                "size of messages, kB",
                buckets=KILOBYTES,
                registry=self._registry,
            )
            for name in NAMES
        ]

    def add_to(self, router: APIRouter) -> None:
        """Adds the route."""
        router.add_api_route(PATH, self.page, methods=["GET"])

    def observe(self, accepted: Pass) -> None:
        """Counts an accepted message."""
        for counter in self._messages:
            counter.labels("relay").inc()
        for sizes in self._sizes:
            sizes.observe(len(accepted.message.payload) / 1000)

    async def page(self, _: Request) -> Response:
        """Returns the figures."""
        try:
            known = await self._neighbours.known()
            meshes = [peers for _, peers in await self._neighbours.by_shard(mesh=True)]
        except LogosError:
            known, meshes = [], []
        families: list[Metric] = [
            *_of_peers(known, meshes),
            *[one async for one in self._of_services()],
        ]
        text = generate_latest(_Looked(self._registry, families)) + _service_peers(known)
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    async def _of_services(self) -> AsyncIterator[Metric]:
        for family in _named("version", [({"version": INTERFACE}, 1)]):
            yield family
        archive = self._history.archive
        if archive is not None:
            with suppress(LogosError):  # a figure that is not known is not there
                count = await archive.count()
                for family in _named("archive_messages", [({"type": "stored"}, count)]):
                    yield family
        if self._relay is not None:
            name = "libp2p_pubsub_subscriptions"
            yield CounterMetricFamily(name, "topics followed so far", value=self._relay.follows)
        if self._serving is not None:
            criteria = sum(map(len, self._serving.subscribers().values()))
            for family in _named("filter_subscriptions", [({}, criteria)]):
                yield family


class _Looked(Collector):
    """A registry, and what was asked for beside it."""

    def __init__(self, registry: CollectorRegistry, families: list[Metric]) -> None:
        self._registry = registry
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        yield from self._families


Samples = Iterable[tuple[dict[str, str], float]]


def _named(name: str, samples: Samples) -> list[GaugeMetricFamily]:
    """A figure under both of its names."""
    found = list(samples)
    return [_gauge(f"{before}_{name}", found) for before in NAMES]


def _gauge(name: str, samples: Samples) -> GaugeMetricFamily:
    found = list(samples)
    labels = list(found[0][0]) if found else []
    family = GaugeMetricFamily(name, name.replace("_", " "), labels=labels)
    for values, value in found:
        family.add_metric([values[label] for label in labels], value)
    return family


def _of_peers(known: list[SeenPeer], meshes: list[list[SeenPeer]]) -> Iterator[GaugeMetricFamily]:
    connected = [one for one in known if one.peer.is_connected]
    relaying = [one for one in connected if RELAY_PROTOCOL in one.peer.protocols]
    yield _gauge("libp2p_peers", [({}, len(connected))])
    yield _gauge("libp2p_pubsub_peers", [({}, len(relaying))])
    yield _gauge("libp2p_pubsub_topics", [({}, len(meshes))])
    in_meshes = float(sum(map(len, meshes)))
    yield _gauge("libp2p_gossipsub_peers_per_topic_mesh", [({"topic": "other"}, in_meshes)])
    yield from _named("peer_store_size", [({}, len(known))])
    for name, protocols in _PEERS_OF.items():
        count = sum(any(each in one.peer.protocols for each in protocols) for one in connected)
        yield from _named(name, [({}, count)])


def _service_peers(known: list[SeenPeer]) -> bytes:
    """Written here, since programs look for its labels in this order."""
    lines = []
    for before in NAMES:
        name = f"{before}_service_peers"
        lines += [f"# HELP {name} service peers", f"# TYPE {name} gauge"]
        for one in known:
            for protocol in SERVICES:
                if one.peer.is_connected and one.peer.addresses and protocol in one.peer.protocols:
                    labels = f'protocol="{protocol}",peerId="{_escaped(one.peer.addresses[0])}"'
                    lines.append(f"{name}{{{labels}}} 1.0")
    return ("\n".join(dict.fromkeys(lines)) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
