"""The history of a node: its archive, what keeps that small and complete, and other nodes' ones."""

from logos_delivery.core.archive.policies import parse_policies
from logos_delivery.core.light.rates import Service, ServiceLimits
from logos_delivery.net.message_streams import NetworkMessageStreams
from logos_delivery.node.clocks import monotonic_ms, unix_ms, unix_ns
from logos_delivery.node.surroundings import Surroundings
from logos_delivery.operations.history import HistoryOperations, StoreAnswers
from logos_delivery.operations.relay import RelayOperations
from logos_delivery.operations.resuming import ResumeOperations
from logos_delivery.operations.retention import RetentionOperations
from logos_delivery.operations.syncing import Checking, SyncOperations, SyncTimes
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.sql import SqlArchive


class Storing:
    """The history. A node that keeps no messages asks others for it."""

    def __init__(
        self,
        around: Surroundings,
        applications: SqlApplications,
        archive: SqlArchive,
        relay: RelayOperations | None,
    ) -> None:
        config = around.config
        self.history = HistoryOperations(
            archive if config.keeps else None,
            around.requests,
            around.services,
            unix_ns,
            mix=around.mix,
            store_peers=config.store_peers,
        )
        self.retention: RetentionOperations | None = None
        self.syncing: SyncOperations | None = None
        self.resuming: ResumeOperations | None = None
        self.answers: StoreAnswers | None = None
        if not config.keeps:
            return
        self.retention = RetentionOperations(archive, parse_policies(config.retention), unix_ms)
        limits = ServiceLimits(config.rate_limits.of(Service.STORE))
        self.answers = StoreAnswers(archive, limits, monotonic_ms)
        if config.sync:
            self.syncing = _syncing(around, archive, relay)
            self.history.listeners.append(self.syncing.kept)
        if config.resume:
            check = _check(around, relay)
            self.resuming = ResumeOperations(
                archive, applications, self.history, unix_ms, check=check
            )


def _check(around: Surroundings, relay: RelayOperations | None) -> Checking | None:
    """Returns what judges messages of other store nodes; None: the network has no rate limits."""
    if around.limits is None:
        return None
    if relay is None:
        raise RuntimeError("settings refuse an archive that cannot judge (DST-44)")
    return relay.check_history


def _syncing(
    around: Surroundings, archive: SqlArchive, relay: RelayOperations | None
) -> SyncOperations:
    config = around.config
    return SyncOperations(
        archive,
        NetworkMessageStreams(around.streams),
        around.services,
        SyncTimes(
            config.sync_interval_s * 1000,
            config.sync_range_s * 1000,
            config.sync_offset_s * 1000,
        ),
        unix_ms,
        check=_check(around, relay),
        store_peers=config.store_peers,
    )
