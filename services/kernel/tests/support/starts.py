"""Plans that never change, for tests of the process runtime."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from logos_kernel.core.types import Plan


@dataclass(frozen=True)
class FixedStarts:
    """Every start of a module has the same plan."""

    plans: Mapping[str, Plan]
    beside: Collection[str] = ()

    def plan_of(self, name: str, _epoch: int) -> Plan:
        """Returns it."""
        return self.plans[name]

    def is_beside(self, name: str) -> bool:
        """Says whether it is one of those."""
        return name in self.beside
