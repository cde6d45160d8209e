"""`ModuleStore` that forgets everything at the end. For tests."""

from collections.abc import Sequence

from logos_base.audit import AuditRecord, append
from logos_kernel.core.access import Access
from logos_kernel.core.types import Record


class MemoryModuleStore:
    """Records in a dictionary."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._starts = 0
        self._access = Access()
        self.records: list[AuditRecord] = []

    async def begin(self) -> int:
        """Counts a start; returns its number, from 1."""
        self._starts += 1
        return self._starts

    async def load(self) -> list[Record]:
        """Returns all records, by name."""
        return [self._records[name] for name in sorted(self._records)]

    async def save(self, *records: Record) -> None:
        """Stores records in place of those of their names."""
        self._records |= {record.name: record for record in records}

    async def forget(self, name: str) -> None:
        """Removes a record, if there is one."""
        self._records.pop(name, None)

    async def load_access(self) -> Access:
        """Returns the decisions of operators."""
        return self._access

    async def save_access(self, access: Access, record: AuditRecord) -> None:
        """Stores decisions, and appends to the audit log."""
        self._access = access
        await self.audit([record])

    async def audit(self, records: Sequence[AuditRecord]) -> None:
        """Appends to the audit log."""
        for record in records:
            self.records.append(append(self.records[-1] if self.records else None, record))

    async def read_audit(self, start: int, limit: int) -> list[AuditRecord]:
        """Returns up to `limit` records, from a sequence on."""
        return self.records[start - 1 :][:limit]
