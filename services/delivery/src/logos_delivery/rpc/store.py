"""`logos.delivery.v1.Store`. The contract lists the errors; here they are only raised."""

from collections import Counter

from logos.delivery.v1 import store_pb2 as pb
from logos.delivery.v1.store_pb2_grpc import StoreServicer as Contract
from logos_delivery.core.errors import StoreOffError, SyncOffError
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.retention import RetentionOperations
from logos_delivery.operations.syncing import SyncOperations
from logos_delivery.rpc import convert
from logos_module.contexts import Context


class StoreServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(
        self,
        history: HistoryOperations,
        retention: RetentionOperations | None,
        syncing: SyncOperations | None,
    ) -> None:
        """`retention` is None where this node keeps no messages, `syncing` where it is off."""
        self._history = history
        self._retention = retention
        self._syncing = syncing

    async def Query(self, request: pb.StoreQueryRequest, context: Context) -> pb.StoreQueryResponse:
        """Returns a page of messages."""
        page = await self._history.query(convert.to_query(request), request.peer_id)
        return convert.from_page(request.request_id, page)

    async def GetStats(
        self, request: pb.StoreGetStatsRequest, context: Context
    ) -> pb.StoreGetStatsResponse:
        """Returns how much this node keeps."""
        archive = self._history.archive
        if archive is None or self._retention is None:
            raise StoreOffError("this node keeps no messages: ask another, by `--peer`")
        stats = pb.StoreGetStatsResponse(
            messages=await archive.count(),
            bytes=await archive.size_bytes(),
            oldest=await archive.oldest_ns() or 0,
            newest=await archive.newest_ns() or 0,
            retention=str(self._retention),
            refused=self._refused(),
        )
        if self._retention.removed_at_ms is not None:
            stats.last_removal_at.CopyFrom(convert.at(self._retention.removed_at_ms))
        return stats

    async def Sync(self, request: pb.SyncRequest, context: Context) -> pb.SyncResponse:
        """Reconciles with another store node."""
        if self._history.archive is None:
            raise StoreOffError("this node keeps no messages")
        if self._syncing is None:
            raise SyncOffError("the setting `sync` of this node is off")
        report = await self._syncing.sync(request.peer_id)
        return pb.SyncResponse(
            peer_id=report.peer,
            received=report.received,
            sent=report.sent,
            bytes=report.size_bytes,
        )

    def _refused(self) -> Counter[str]:
        others = Counter[str]() if self._syncing is None else self._syncing.refused
        return self._history.refused + others
