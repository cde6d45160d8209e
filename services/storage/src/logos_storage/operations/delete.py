"""Ends the fetch of a dataset, deletes it and stops announcing it."""

from dataclasses import dataclass

from logos_storage.core.cid import Cid
from logos_storage.core.ports import Datasets
from logos_storage.operations.announce import Announcer
from logos_storage.operations.keep import Keep


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes from one node."""

    datasets: Datasets
    announcer: Announcer
    keep: Keep

    async def __call__(self, cid: Cid) -> int:
        """Returns the bytes freed: 0 where this node holds nothing of it; DatasetBusyError."""
        await self.keep.forget(cid)
        freed_bytes = await self.datasets.delete(cid)
        self.announcer.withdraw(cid)
        return freed_bytes
