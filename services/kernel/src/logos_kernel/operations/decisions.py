"""Decisions on access: durable, with their record, before anything goes by them (KER-18)."""

import asyncio
from collections.abc import Callable

from logos_base.audit import AuditRecord
from logos_kernel.core.access import Access
from logos_kernel.core.ports import ModuleStore
from logos_kernel.operations.audit import Audit
from logos_kernel.operations.gate import Gate


class Decisions:
    """What operators have decided, in the store and at the gate."""

    def __init__(self, gate: Gate, store: ModuleStore, audit: Audit) -> None:
        self._gate = gate
        self._store = store
        self._audit = audit
        self._turn = asyncio.Lock()

    async def change(self, decide: Callable[[Access], Access], record: AuditRecord) -> None:
        """Goes by other decisions, once they and their record are durable.

        Args:
            decide: Returns the decisions, made from those of now; may raise.
            record: For the audit log.
        """
        async with self._turn:
            access = decide(self._gate.access)
            await self._store.save_access(access, record)
            self._gate.take(access)

    async def read_audit(self, start: int, limit: int) -> list[AuditRecord]:
        """Returns up to `limit` records from a sequence on, with all that was noted so far."""
        await self._audit.flush()
        return await self._store.read_audit(start, limit)
