"""Ends the fetch of a dataset, deletes it and stops announcing it."""

from dataclasses import dataclass

from logos_storage.core.cid import Cid
from logos_storage.core.happenings import Deleted, Tell
from logos_storage.core.ports import Datasets
from logos_storage.operations.announce import Announcer
from logos_storage.operations.keep import Keep


@dataclass(frozen=True, slots=True)
class Delete:
    """Deletes from one node."""

    datasets: Datasets
    announcer: Announcer
    keep: Keep
    tell: Tell

    async def __call__(self, cid: Cid, *, mark: str = "") -> int:
        """Returns the bytes freed: 0 where this node holds nothing of it; DatasetBusyError."""
        await self.keep.forget(cid)
        record = await self.datasets.find(cid)
        freed_bytes = await self.datasets.delete(cid)
        self.announcer.withdraw(cid)
        if record is not None:
            self.tell(Deleted(cid, record.manifest.filename, freed_bytes, mark))
        return freed_bytes
