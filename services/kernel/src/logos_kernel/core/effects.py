"""Effects of the kernel's machine."""

from dataclasses import dataclass
from enum import IntEnum

from logos_base.machine import Answer, Refuse, Ticket
from logos_kernel.core.journal import Entries
from logos_kernel.core.types import Candidate, Desired, ProcessId, Record
from logos_kernel.core.upgrade import Upgrade


class Signal(IntEnum):
    """How a process is asked, or made, to end. Values are those of POSIX."""

    TERM = 15
    KILL = 9


@dataclass(frozen=True, slots=True)
class Begin:
    """A start of a module: its epoch must be durable before the process exists."""

    module: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Operate:
    """An operator's request: the desired states that it changes must be durable first."""

    ticket: Ticket
    module: str
    desired: Desired
    is_cascade: bool = False
    """Whether it stops those that need the module, too."""
    is_leaving: bool = False
    """Whether the node forgets the module once it has stopped."""
    is_new: bool = False
    """Whether the module was added for this: it is dropped again if that cannot be saved."""


@dataclass(frozen=True, slots=True)
class Admit:
    """A registration. Of an observed instance, the epoch must be durable first."""

    ticket: Ticket
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Promote:
    """A new version is READY: that it takes the place of the old one must be durable first."""

    module: str
    operation: str
    """The upgrade that it is of: another end of that may have come meanwhile."""
    epoch: int


@dataclass(frozen=True, slots=True)
class Advance:
    """An upgrade was accepted: it must be durable first."""

    ticket: Ticket
    upgrade: Upgrade


@dataclass(frozen=True, slots=True)
class Save:
    """Make records durable, all or none; then `saved` or `save_failed`, before any other input."""

    records: tuple[Record, ...]
    then: Begin | Operate | Admit | Advance | Promote | None = None
    """What is done once they are durable (KER-8)."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Make entries of the journal durable; then `kept` or `keep_failed`. Nothing waits for it."""

    entries: Entries


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process of a module; then `spawned` or `spawn_failed`, before any other input."""

    module: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch a living process that an earlier kernel started; then `exited`, at its end."""

    module: str
    process: ProcessId


@dataclass(frozen=True, slots=True)
class End:
    """Signal a process of a module."""

    process: ProcessId
    signal: Signal


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove the record of a module that is no longer in the profile."""

    module: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The state, the instance or the services of a module have changed."""

    module: str
    """Empty if the change concerns the whole node."""


@dataclass(frozen=True, slots=True)
class Published:
    """There are transitions that were not there before."""


@dataclass(frozen=True, slots=True)
class Down:
    """The kernel is closing, and all its processes have ended."""


Effect = Save | Keep | Spawn | Watch | End | Forget | Changed | Published | Down
Effects = list[Effect | Answer | Refuse]
