"""A second process of a module, for the time of an upgrade (KER-48)."""

from enum import IntEnum
from typing import Final

from logos_kernel.core.lease import Lease
from logos_kernel.core.types import Described, Plan, ProcessId

HANDOVER_MS: Final = 3_000
"""For which the old version serves on once the new one does: callers learn the new address."""


class Stage(IntEnum):
    """What becomes of the second process."""

    SUCCESSOR = 0
    """It is to take the place of the first."""
    RETIRED = 1
    """It was the first, and serves those that do not know yet."""
    ENDING = 2
    """It was asked to end."""
    KILLED = 3


class Beside:
    """Mutable; only `Upgrades` changes it. Times are monotonic milliseconds."""

    def __init__(self, plan: Plan, installed: str, epoch: int) -> None:
        self.plan = plan
        self.installed = installed
        self.epoch = epoch
        self.stage = Stage.SUCCESSOR
        self.process: ProcessId | None = None
        self.due_ms: int | None = None
        """When its stage has lasted long enough."""
        self.lease: Lease | None = None
        self.endpoint = ""
        self.instance_id = b""
        self.version = ""
        self.services: tuple[str, ...] = ()
        self.described: Described | None = None

    @property
    def is_successor(self) -> bool:
        """Whether it may still take the place of the first."""
        return self.stage is Stage.SUCCESSOR

    def due_times(self) -> tuple[int, ...]:
        """Returns when something is to be done about it."""
        times: tuple[int, ...] = () if self.due_ms is None else (self.due_ms,)
        if self.lease is not None and self.is_successor:
            times += self.lease.times(is_watched=True)
        return times
