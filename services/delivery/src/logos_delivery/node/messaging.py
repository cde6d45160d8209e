"""What applications do by a node: send, subscribe, read events, and hold channels."""

from typing import Final

from logos_delivery.config import Config
from logos_delivery.core.channels.pace import Pace
from logos_delivery.core.sending.budget import RateBudget
from logos_delivery.core.sending.effects import SendRules
from logos_delivery.node.clocks import unix_ms
from logos_delivery.node.surroundings import Surroundings
from logos_delivery.operations.channels import ChannelOperations
from logos_delivery.operations.events import EventOperations
from logos_delivery.operations.filter_client import FilterClientOperations
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.receiving import ReceiveOperations
from logos_delivery.operations.relay import RelayOperations
from logos_delivery.operations.sending import SendOperations
from logos_delivery.operations.subscriptions import SubscriptionOperations
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.channels import SqlChannels

NO_EPOCH_MS: Final = 600_000
"""The period of a node's own budget where the network has no rate limits."""


class Messaging:
    """What applications do by a node."""

    def __init__(
        self,
        around: Surroundings,
        applications: SqlApplications,
        history: HistoryOperations,
        source: RelayOperations | FilterClientOperations,
        *,
        state_key: bytes,
    ) -> None:
        """Takes what messages come from, and the key of what is kept encrypted (CHN-29)."""
        preset = around.preset
        self.events = EventOperations(applications, unix_ms, around.stopping)
        self.receiving = ReceiveOperations(
            applications,
            history,
            unix_ms,
            is_backfilled=preset.is_reliable,
            told=self.events.told,
        )
        self.subscriptions = SubscriptionOperations(
            applications, self.receiving, source, cluster=preset.cluster, shards=preset.shards
        )
        self.sending = _sending(around, applications, self.events)
        self.channels = ChannelOperations(
            SqlChannels(applications.database, state_key),
            applications,
            events=self.events,
            sending=self.sending,
            history=history,
            subscriptions=self.subscriptions,
            unix_ms=unix_ms,
            stopping=around.stopping,
            pace=_pace(around.config),
        )


def _sending(
    around: Surroundings, applications: SqlApplications, events: EventOperations
) -> SendOperations:
    preset = around.preset
    period_ms = NO_EPOCH_MS if around.limits is None else around.limits.period_ms
    rules = SendRules(
        is_confirmed=preset.is_reliable,
        max_message_bytes=preset.max_message_bytes,
        identifier=around.identifier,
        period_ms=period_ms,
    )
    budget = RateBudget(period_ms)
    return SendOperations(applications, around.proofs, rules, budget, unix_ms, told=events.told)


def _pace(config: Config) -> Pace | None:
    """Returns what the channels may send, where the network's preset says it (CHN-24)."""
    rln = config.preset.rln if config.rln else None
    if rln is None or rln.epoch_s is None or rln.message_limit is None:
        return None
    return Pace(rln.message_limit, rln.epoch_s * 1000)
