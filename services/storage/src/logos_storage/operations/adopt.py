"""The way of a dataset into this node and, where nothing of it came, out again (STO-36)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from logos_storage.core.cid import Cid
from logos_storage.core.errors import DatasetBusyError, IncompleteLocalError
from logos_storage.core.ports import DatasetRecord, Datasets
from logos_storage.operations.announce import Announcer
from logos_storage.operations.fetch import Fetches


@dataclass(frozen=True, slots=True)
class Adopt:
    """Adopts datasets of which this node lacks the manifest."""

    datasets: Datasets
    fetches: Fetches
    announcer: Announcer

    @asynccontextmanager
    async def __call__(
        self, cid: Cid, *, local_only: bool = False, patience_ms: int
    ) -> AsyncIterator[tuple[DatasetRecord, str | None]]:
        """Yields a dataset, and the sender of its manifest if that was fetched.

        At the end it announces what came meanwhile, or forgets a dataset of which nothing did.

        Raises:
            IncompleteLocalError, NoProvidersError, ProvidersUnreachableError, BadDataError,
            QuotaExceededError, NetworkDeniedError
        """
        here = await self.datasets.find(cid)
        if here is not None:
            record, holder = here, None
        elif local_only:
            raise IncompleteLocalError("this node does not hold it; get it without local_only")
        else:
            found = await self.fetches.manifest(cid, patience_ms=patience_ms)
            record, holder = await self.datasets.adopt(cid, found.raw), found.peer
        try:
            yield record, holder
        finally:
            if here is None or not here.is_complete:
                await self._settle(cid)

    async def _settle(self, cid: Cid) -> None:
        record = await self.datasets.find(cid)
        if record is None:
            return
        if record.blocks_held or record.is_complete:
            self.announcer.announce(cid)
        else:
            with suppress(DatasetBusyError):  # another fetch of it is still running
                await self.datasets.delete_empty(cid)
