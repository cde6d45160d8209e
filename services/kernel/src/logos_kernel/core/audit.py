"""What is noted in the audit log, and who is named there (KER-18)."""

from collections import OrderedDict
from typing import Final

from logos_base.audit import AuditRecord
from logos_base.capabilities import ModuleSubject, Subject


class Repeats:
    """Deduplicates refusals, so that a client that retries cannot fill the log."""

    WINDOW_MS: Final = 60_000
    MAX_KNOWN: Final = 64
    """Distinct refusals in one window; further ones are not logged."""

    def __init__(self) -> None:
        self._noted: OrderedDict[tuple[str, str, str, str], int] = OrderedDict()

    def is_news(self, record: AuditRecord) -> bool:
        """Returns whether a refusal is to be logged, and counts it as logged."""
        started_ms = record.at_ms - self.WINDOW_MS
        while self._noted and next(iter(self._noted.values())) <= started_ms:
            self._noted.popitem(last=False)
        key = record.actor, record.action, record.subject, record.outcome
        if key in self._noted or len(self._noted) >= self.MAX_KNOWN:
            return False
        self._noted[key] = record.at_ms
        return True


def actor_of(caller: Subject | None) -> str:
    """Returns a caller as the log names it."""
    if caller is None:
        return "nobody"
    kind = "module" if isinstance(caller, ModuleSubject) else "operator"
    return f"{kind}:{caller.name}"
