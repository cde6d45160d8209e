"""What the kernel needs of the rooms around its core."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from logos_base.audit import AuditRecord
from logos_kernel.core.access import Access
from logos_kernel.core.effects import Signal
from logos_kernel.core.events import Commit, DeadLetter, Event, Group, Page, PastLog
from logos_kernel.core.journal import Entries
from logos_kernel.core.settings import Outcome, Version
from logos_kernel.core.types import Described, Exit, Plan, ProcessId, Record, Usage
from logos_kernel.core.versions import ModuleVersion
from logos_kernel.core.views import View


class ModuleStore(Protocol):
    """What outlives a kernel (KER-8, KER-18). Every method is durable when it returns.

    Raises:
        DiskFullError, StoreFailedError: It was not done, or that is not known.
        StateLockedError: It was not done: another kernel has begun on this state.
    """

    async def begin(self) -> int:
        """Counts a start of a kernel on this state; returns its number, from 1."""
        ...

    async def load(self) -> list[Record]:
        """Returns all records, by name."""
        ...

    async def save(self, *records: Record) -> None:
        """Stores records in place of those of their names: all of them, or none."""
        ...

    async def load_entries(self) -> Entries:
        """Returns the entries of the journal that are kept, oldest first."""
        ...

    async def keep(self, entries: Entries) -> None:
        """Adds entries to the journal, and removes the oldest beyond what is kept."""
        ...

    async def forget(self, name: str) -> None:
        """Removes a record, if there is one, and the exits and settings of that module."""
        ...

    async def load_versions(self) -> list[ModuleVersion]:
        """Returns the installed versions of modules."""
        ...

    async def save_version(self, new: ModuleVersion, displaced: ModuleVersion | None) -> None:
        """Adds an installed version, in place of the one that it displaces and of an equal one."""
        ...

    async def load_access(self) -> Access:
        """Returns the decisions of operators on access."""
        ...

    async def save_access(self, access: Access, record: AuditRecord) -> None:
        """Stores decisions in place of all others, and appends to the audit log; or neither.

        The store sets the sequence and the hash of the record.
        """
        ...

    async def audit(self, records: Sequence[AuditRecord]) -> None:
        """Appends to the audit log."""
        ...

    async def read_audit(self, start: int, limit: int) -> list[AuditRecord]:
        """Returns up to `limit` records of the audit log, from a sequence on."""
        ...

    async def load_settings(self) -> Mapping[str, list[Version]]:
        """Returns the kept versions of each module's settings, oldest first."""
        ...

    async def save_settings(self, versions: Mapping[str, list[Version]]) -> None:
        """Stores the settings of modules in place of all that they had: of all, or of none."""
        ...


class ModuleHosts(Protocol):
    """The modules, as their kernel calls them."""

    async def offer(
        self, module: str, endpoint: str, number: int, document: str
    ) -> tuple[Outcome, str]:
        """Offers settings; returns what the module does with them, and says to that."""
        ...

    async def metrics(self, module: str, endpoint: str) -> str:
        """Returns the metrics of a module as text; empty if it gives none."""
        ...


class EventStore(Protocol):
    """The log of events, groups and dead letters (KER-35). Durable, and raises, as above."""

    async def load(self, segment: int) -> PastLog:
        """Returns what is stored of the log, with segments of so many sequences."""
        ...

    async def append(self, commit: Commit) -> None:
        """Writes events and their keys, and removes what the commit says: all, or nothing."""
        ...

    async def read(self, topics: Sequence[str], after: int, limit: int) -> Page:
        """Returns up to `limit` matching events after a position, and 256 KiB or one at least."""
        ...

    async def read_topic(self, topic: str, first: int, last: int) -> tuple[Event, ...]:
        """Returns the kept events of a topic from one sequence to another; not all, if many."""
        ...

    async def position_before(
        self, *, at_ms: int = 0, topic: str = "", sequence: int = 0
    ) -> int | None:
        """Returns the position before the first event of a time, or sequence; None if none."""
        ...

    async def load_groups(self) -> list[Group]:
        """Returns all groups, by name."""
        ...

    async def save_group(self, group: Group, letters: Sequence[DeadLetter] = ()) -> None:
        """Stores a group in place of that of its name, and adds dead letters."""
        ...

    async def delete_group(self, name: str) -> None:
        """Removes a group, if there is one, and its dead letters."""
        ...

    async def letter_index(self) -> list[tuple[int, str]]:
        """Returns the ids of all dead letters, oldest first, and their groups."""
        ...

    async def load_letter(self, id_: int, /) -> DeadLetter | None:
        """Returns a dead letter; None if there is none."""
        ...

    async def delete_letters(self, ids: Sequence[int]) -> None:
        """Removes dead letters."""
        ...


class Starts(Protocol):
    """What is started. Two processes of a module may run, of two epochs (KER-48)."""

    def plan_of(self, name: str, epoch: int) -> Plan:
        """Returns the plan of a start of a module."""
        ...

    def is_beside(self, name: str) -> bool:
        """Says whether a module has, or is to have, a second process."""
        ...


Ended = Callable[[ProcessId, Exit], None]
"""Called once, on the event loop, when a process has ended."""


class Runtime(Protocol):
    """Where the modules of a node run: processes of this kernel, or elsewhere (KER-23).

    For use on one event loop. Two processes of a module may run, of different epochs, where
    `start` allows it: all but `lines` is said of one process.
    """

    async def run(self) -> None:
        """Does what is to be done all the time, if anything; until cancelled, or at once."""
        ...

    def show(self, views: Sequence[View]) -> None:
        """Takes the modules as they are now, for those that pass that on."""
        ...

    def is_alive(self, process: ProcessId) -> bool:
        """Says whether this very process still runs; True also where that is not known yet.

        `watch` then reports its end.
        """
        ...

    async def start(self, module: str, epoch: int, ended: Ended) -> ProcessId:
        """Starts a process of a module, or raises `OSError`."""
        ...

    def watch(self, module: str, process: ProcessId, ended: Ended) -> None:
        """Watches a process that an earlier kernel started."""
        ...

    def end(self, process: ProcessId, signal: Signal) -> None:
        """Signals a process; one that has ended is no error."""
        ...

    async def usage(self, process: ProcessId) -> Usage | None:
        """Returns what a process has used; None if it has ended, or that cannot be known."""
        ...

    def lines(
        self, module: str, *, tail: int, follow: bool, since_ms: int | None = None
    ) -> AsyncIterator[bytes]:
        """Streams a module's log, oldest line first, or raises `ExternalRuntimeError`.

        `since_ms`: only lines from that time on, and of these the last `tail`; 0: all.
        """
        ...

    def close(self) -> None:
        """Watches no longer. Ends nothing."""
        ...


Probe = Callable[[str], Awaitable[Described]]
"""Calls an endpoint to identify what answers there, or raises `ModuleUnreachableError`."""
