"""Audit: acts that matter for security are noted, without holding up what they are about."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from logos_base.audit import AuditRecord
from logos_base.errors import LogosError, StoreFailedError
from logos_kernel.core.audit import Repeats
from logos_kernel.core.ports import ModuleStore

log = logging.getLogger(__name__)

OK: Final = "OK"
MAX_WAITING: Final = 1024
"""Pending records; while the store fails, further ones are dropped and logged."""
RETRY_S: Final = 5.0
MAX_ACTOR: Final = 80
MAX_TEXT: Final = 500


class Audit:
    """The audit log of a kernel."""

    def __init__(self, store: ModuleStore, wall_ms: Callable[[], int]) -> None:
        self._store = store
        self._wall_ms = wall_ms
        self._repeats = Repeats()
        self._waiting: list[AuditRecord] = []
        self._has_some = asyncio.Event()
        self._writing = asyncio.Lock()

    def record(
        self, actor: str, action: str, subject: str, outcome: str = OK, detail: str = ""
    ) -> AuditRecord:
        """Returns a record that has no place in the log yet. Texts are cut."""
        return AuditRecord(
            sequence=0,
            at_ms=self._wall_ms(),
            actor=actor[:MAX_ACTOR],
            action=action,
            subject=subject[:MAX_TEXT],
            outcome=outcome,
            detail=detail[:MAX_TEXT],
        )

    def note(self, actor: str, action: str, subject: str, detail: str = "") -> None:
        """Notes what was done. Durable a little later."""
        self._put(self.record(actor, action, subject, detail=detail))

    def refuse(self, actor: str, action: str, subject: str, error: LogosError) -> None:
        """Notes what was refused, once a minute."""
        record = self.record(actor, action, subject, error.reason, str(error))
        if self._repeats.is_news(record):
            self._put(record)

    def refuse_call(self, actor: str, method: str, error: LogosError) -> None:
        """Notes that a call was refused, as `refuse` does."""
        self.refuse(actor, "call", method, error)

    def _put(self, record: AuditRecord) -> None:
        if len(self._waiting) >= MAX_WAITING:
            log.error("audit log is full", extra={"lost": record.action, "actor": record.actor})
            return
        self._waiting.append(record)
        self._has_some.set()

    async def run(self) -> None:
        """Writes what is noted. Runs until cancelled."""
        while True:
            await self._has_some.wait()
            self._has_some.clear()
            while not await self.flush():  # noqa: ASYNC110 -- the store does not tell
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> bool:
        """Writes the pending records, and waits for those that are being written.

        Returns:
            Whether that succeeded.
        """
        async with self._writing:
            records, self._waiting = self._waiting, []
            try:
                if records:
                    await self._store.audit(records)
            except StoreFailedError as error:
                log.warning("audit log not written", extra={"why": str(error)})
                self._waiting = [*records, *self._waiting]
                return False
            return True
