"""The services of other nodes that a node uses: filter and light push."""

from logos_delivery.node.clocks import monotonic_ms, unix_ns
from logos_delivery.node.surroundings import Surroundings
from logos_delivery.operations.filter_client import FilterClientOperations
from logos_delivery.operations.light_push import LightPushClient
from logos_delivery.operations.light_reading import LightReading
from logos_delivery.operations.passing import Passing


class Light:
    """A node as a client of service nodes."""

    def __init__(self, around: Surroundings, passing: Passing) -> None:
        requests, services = around.requests, around.services
        self.filter_client = FilterClientOperations(requests, services, monotonic_ms)
        self.light_push = LightPushClient(
            requests, services, around.mix, peers=around.config.light_push_peers
        )
        self.reading = LightReading(
            self.filter_client,
            passing,
            unix_ns=unix_ns,
            monotonic_ms=monotonic_ms,
            stopping=around.stopping,
        )
