"""`ModuleStore` that forgets everything at the end. For tests."""

import itertools
from collections import deque
from collections.abc import Mapping, Sequence

from logos_base.audit import AuditRecord, append
from logos_kernel.core.access import Access
from logos_kernel.core.journal import (
    MAX_EXITS,
    MAX_TRANSITIONS,
    Entries,
    PastExit,
    Transition,
)
from logos_kernel.core.settings import Version
from logos_kernel.core.types import Record
from logos_kernel.core.versions import ModuleVersion


class MemoryModuleStore:
    """Records in a dictionary."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._starts = 0
        self._settings: dict[str, list[Version]] = {}
        self._versions: dict[tuple[str, str], ModuleVersion] = {}
        self._access = Access()
        self.records: list[AuditRecord] = []
        self._exits: tuple[PastExit, ...] = ()
        self._transitions: deque[Transition] = deque(maxlen=MAX_TRANSITIONS)

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

    async def load_entries(self) -> Entries:
        """Returns the entries of the journal, oldest first."""
        return Entries(tuple(self._transitions), self._exits)

    async def keep(self, entries: Entries) -> None:
        """Adds entries, and removes the oldest beyond what is kept."""
        self._transitions.extend(entries.transitions)
        exits = [*self._exits, *entries.exits]
        names = sorted({one.module for one in exits})
        kept = ([one for one in exits if one.module == name][-MAX_EXITS:] for name in names)
        self._exits = tuple(itertools.chain(*kept))

    async def forget(self, name: str) -> None:
        """Removes a record, if there is one, and the exits and settings of that module."""
        self._settings.pop(name, None)
        self._records.pop(name, None)
        self._exits = tuple(one for one in self._exits if one.module != name)

    async def load_settings(self) -> Mapping[str, list[Version]]:
        """Returns the versions of each module's settings, oldest first."""
        return dict(self._settings)

    async def save_settings(self, versions: Mapping[str, list[Version]]) -> None:
        """Stores the settings of modules in place of all that they had."""
        self._settings |= {name: list(kept) for name, kept in versions.items()}

    async def load_versions(self) -> list[ModuleVersion]:
        """Returns the installed versions."""
        return list(self._versions.values())

    async def save_version(self, new: ModuleVersion, displaced: ModuleVersion | None) -> None:
        """Adds an installed version."""
        if displaced is not None:
            self._versions.pop(displaced.key, None)
        self._versions[new.key] = new

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
