"""One module as the kernel holds it in memory."""

from collections import deque
from dataclasses import replace
from enum import IntEnum
from typing import Final

from logos_base.machine import Ticket
from logos_kernel.core.beside import Beside, Stage
from logos_kernel.core.journal import Reason
from logos_kernel.core.lease import Lease
from logos_kernel.core.lifecycle import LIVE
from logos_kernel.core.restarts import History, RestartPolicy
from logos_kernel.core.types import (
    Described,
    Introduction,
    ModuleState,
    Plan,
    Record,
    Runtime,
)

PAST_LEASES: Final = 16
"""Former leases of a module that are kept, so that STALE_EPOCH is not LEASE_UNKNOWN."""


class After(IntEnum):
    """What follows when a draining module has ended. Where two are asked for, the higher does."""

    BACKOFF = 0
    """It drained without a request: it is started again like any that ended."""
    RESTART = 1
    FAIL = 2
    """Its group has failed."""
    STOP = 3


class Module:
    """Mutable; only the machine changes it. Times are monotonic milliseconds."""

    def __init__(self, plan: Plan, record: Record, policy: RestartPolicy) -> None:
        self.plan = plan
        self.name = plan.manifest.name
        self.desired = record.desired
        self.epoch = record.epoch
        self.restart_count = record.restart_count
        self.newest = max(record.epoch, record.newest)
        """Highest epoch that was given to a start of it."""
        self.installed = record.installed
        """The version that `plan` is of; empty: the profile's."""
        self.upgrade = record.upgrade
        """The last one."""
        self.beside: Beside | None = None
        """A second process, for the time of an upgrade."""
        self.is_leaving = record.is_leaving
        """Whether the node forgets it once it has stopped."""
        self.process = record.process
        self.endpoint = record.endpoint
        self.instance_id = record.instance_id
        self.state = ModuleState.STOPPED
        self.since_ms = 0
        self.due_ms: int | None = None
        """When the present state has lasted too long, or long enough."""
        self.after = After.BACKOFF
        self.ending: tuple[After, Reason] | None = None
        """How it is to end, once those that need it and are to end have ended."""
        self.askers: list[Ticket] = []
        """Questions that are answered once the start under way is durable."""
        self.given: Record | None = record
        """The record that the store was last asked to save; None if that has failed."""
        self.unsaved = ""
        """Why the record could not be made durable; empty if it is, or soon will be."""
        self.save_due_ms: int | None = None
        """When to try that again."""
        self.policy = policy.changed_by(plan.restart)
        self.history = History(self.policy)
        self.lease: Lease | None = None
        self.past_leases: deque[Lease] = deque(maxlen=PAST_LEASES)
        self.version = ""
        self.services: tuple[str, ...] = plan.manifest.services
        self.described: Described | None = None
        self.last_exit = ""
        self.end_reason = Reason.EXITED
        """Why the kernel ends the process, if it does."""
        self.status_text = ""
        self.in_flight = 0
        """Calls that it was serving at its last heartbeat."""

    @property
    def is_external(self) -> bool:
        """Whether the kernel only observes it."""
        return self.plan.runtime in {Runtime.EXTERNAL, Runtime.KUBERNETES}

    @property
    def is_begun(self) -> bool:
        """Whether its start waits until the epoch is durable."""
        return self.state is ModuleState.STARTING and self.process is None and not self.is_external

    @property
    def is_restartable(self) -> bool:
        """Whether a restart replaces its process; else that is a start."""
        after = After.RESTART
        if self.ending is not None:
            after, _ = self.ending
        elif self.state is ModuleState.DRAINING:
            after = self.after
        return self.state in LIVE and after <= After.RESTART

    @property
    def is_ending(self) -> bool:
        """Whether it was asked to end, or will be."""
        is_asked = self.state is ModuleState.DRAINING and self.after is not After.BACKOFF
        return is_asked or self.ending is not None

    @property
    def is_watched(self) -> bool:
        """Whether it is to make progress."""
        return self.state is not ModuleState.DRAINING

    @property
    def oldest(self) -> int:
        """Epoch of the oldest process that may still call others."""
        if self.beside is None or self.beside.stage is Stage.SUCCESSOR:
            return self.epoch
        return min(self.epoch, self.beside.epoch or self.epoch)

    @property
    def epochs(self) -> frozenset[int]:
        """Those whose processes may publish: of the last start, and of a second process."""
        known = {self.epoch, 0 if self.beside is None else self.beside.epoch}
        return frozenset(known - {0})

    @property
    def calls(self) -> tuple[str, ...]:
        """What its versions that run, or are to run, declare to call."""
        plans = [self.plan] if self.beside is None else [self.plan, self.beside.plan]
        return tuple(sorted({one for plan in plans for one in plan.manifest.calls}))

    def successor(self, epoch: int) -> Beside | None:
        """Returns the process of the version to come, if that is its epoch."""
        beside = self.beside
        is_it = beside is not None and beside.is_successor and beside.epoch == epoch
        return beside if is_it else None

    @property
    def leases(self) -> list[Lease]:
        """Those of all its processes."""
        both = (self.lease, None if self.beside is None else self.beside.lease)
        return [lease for lease in both if lease is not None]

    def due_times(self) -> tuple[int, ...]:
        """Returns when something is to be done about it: asked of each after every input."""
        times = () if self.lease is None else self.lease.times(is_watched=self.is_watched)
        if self.beside is not None:
            times += self.beside.due_times()
        if self.due_ms is not None:
            times += (self.due_ms,)
        return times if self.save_due_ms is None else (*times, self.save_due_ms)

    def take_askers(self) -> list[Ticket]:
        """Returns the questions about its start, to be answered now."""
        askers, self.askers = self.askers, []
        return askers

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
            self.newest if self.newest > self.epoch else 0,
            self.installed,
            None if self.beside is None else self.beside.process,
            self.upgrade,
            self.is_leaving,
        )

    def is_preceding(self, said: Introduction) -> bool:
        """Says whether it is observed, and another instance of it introduces itself."""
        return self.is_external and said.instance_id != self.instance_id

    def next_record(self, said: Introduction) -> Record:
        """Returns its record with that instance."""
        return replace(
            self.record(),
            epoch=max(self.epoch + 1, said.epoch),
            restart_count=self.restart_count + (1 if self.epoch else 0),
            endpoint=said.endpoint,
            instance_id=said.instance_id,
        )

    def forget_instance(self) -> None:
        """Its process has ended, or is not there yet."""
        self.endpoint, self.instance_id, self.described = "", b"", None
        self.in_flight = 0
