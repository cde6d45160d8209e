"""One module as the kernel holds it in memory."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logos_kernel.core.lease import Lease, PastLeases
from logos_kernel.core.supervise import History, RestartPolicy
from logos_kernel.core.types import (
    Described,
    Desired,
    ModuleState,
    Plan,
    Record,
    Runtime,
)

UNSAVED: Final = "its state cannot be saved"


class After(StrEnum):
    """What follows when a draining module has ended."""

    STOP = "STOP"
    RESTART = "RESTART"
    BACKOFF = "BACKOFF"
    """It drained of its own accord: started again like any that ended."""


@dataclass(frozen=True, slots=True)
class View:
    """A module as others see it."""

    name: str
    version: str
    state: ModuleState
    desired: Desired
    runtime: Runtime
    endpoint: str
    epoch: int
    restart_count: int
    last_exit: str
    status_text: str
    services: tuple[str, ...]
    requires: tuple[str, ...]
    pid: int
    since_ms: int
    """Wall clock, milliseconds since 1970 UTC."""


class Module:
    """Mutable; `Supervisor` and `Registry` alone change it. Times are monotonic milliseconds."""

    def __init__(self, plan: Plan, record: Record, policy: RestartPolicy, now_ms: int) -> None:
        self.plan = plan
        self.name = plan.manifest.name
        self.desired = record.desired
        self.epoch = record.epoch
        self.restart_count = record.restart_count
        self.process = record.process
        self.endpoint = record.endpoint
        self.instance_id = record.instance_id
        self.state = ModuleState.STOPPED
        self.since_ms = now_ms
        self.due_ms: int | None = None
        """When the present state has lasted too long, or long enough."""
        self.after = After.BACKOFF
        self.unsaved = ""
        """Why the record could not be made durable; empty if it is, or soon will be."""
        self.save_due_ms: int | None = None
        """When to try that again."""
        self.history = History(policy)
        self.lease: Lease | None = None
        self.past_leases = PastLeases()
        self.version = ""
        self.services: tuple[str, ...] = plan.manifest.services
        self.described: Described | None = None
        self.last_exit = ""
        self.status_text = ""

    @property
    def is_external(self) -> bool:
        """Whether somebody else starts it."""
        return self.plan.runtime is Runtime.EXTERNAL

    def record(self) -> Record:
        """Returns what is remembered of it."""
        return Record(
            self.name,
            self.desired,
            self.epoch,
            self.restart_count,
            self.process,
            self.endpoint,
            self.instance_id,
        )

    def view(self, since_wall_ms: int) -> View:
        """Returns what others see. `since_wall_ms`: when `since_ms` was, on the wall clock."""
        return View(
            name=self.name,
            version=self.version,
            state=self.state,
            desired=self.desired,
            runtime=self.plan.runtime,
            endpoint=self.endpoint if self.lease is not None else "",
            epoch=self.epoch,
            restart_count=self.restart_count,
            last_exit=self.last_exit,
            status_text=f"{UNSAVED}: {self.unsaved}" if self.unsaved else self.status_text,
            services=self.services,
            requires=self.plan.manifest.requires,
            pid=0 if self.process is None else self.process.pid,
            since_ms=since_wall_ms,
        )
