"""`ModuleStore` that forgets everything at the end. For tests."""

from logos_kernel.core.types import Record


class MemoryModuleStore:
    """Records in a dictionary."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._starts = 0

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
