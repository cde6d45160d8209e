"""Who reads the audit log sees all that was noted before, also what is being written just then."""

import asyncio
from typing import Any, cast

from logos_base.audit import AuditRecord
from logos_kernel.core.ports import ModuleStore
from logos_kernel.operations.audit import Audit


class SlowStore:
    """Writes when it is let."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.let = asyncio.Event()
        self.written: list[AuditRecord] = []

    async def audit(self, records: list[AuditRecord]) -> None:
        self.begun.set()
        await self.let.wait()
        self.written += records


async def test_a_flush_waits_for_what_is_being_written() -> None:
    store = SlowStore()
    audit = Audit(cast("ModuleStore", store), lambda: 0)
    audit.note("operator:ada", "module.install", "base")
    async with asyncio.TaskGroup() as tasks:
        running: asyncio.Task[Any] = tasks.create_task(audit.run())
        await store.begun.wait()
        reading = tasks.create_task(audit.flush())
        await asyncio.sleep(0)
        assert not reading.done()

        store.let.set()

        assert await reading
        assert [each.action for each in store.written] == ["module.install"]
        running.cancel()
