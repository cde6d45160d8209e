"""What the routes call. This file loads no web framework (docs/adr/0033)."""

from dataclasses import dataclass

from logos_delivery.operations.event_polling import EventPolling
from logos_delivery.operations.filter_polling import FilterPolling
from logos_delivery.operations.filter_service import FilterServing
from logos_delivery.operations.health import HealthOperations
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.information import Information
from logos_delivery.operations.light_pushing import LightPushing
from logos_delivery.operations.neighbours import NeighbourOperations
from logos_delivery.operations.relay import RelayOperations
from logos_delivery.operations.relay_polling import RelayPolling
from logos_delivery.operations.sending import SendOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations


@dataclass(frozen=True, slots=True)
class Operations:
    """What the routes call."""

    relay: RelayOperations | None
    """None, as the two below, at an edge node."""
    polling: RelayPolling | None
    serving: FilterServing | None
    filter: FilterPolling
    pushing: LightPushing
    events: EventPolling
    history: HistoryOperations
    neighbours: NeighbourOperations
    sending: SendOperations
    subscriptions: SubscriptionOperations
    health: HealthOperations
    information: Information
