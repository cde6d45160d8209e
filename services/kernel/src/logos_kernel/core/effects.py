"""What the machines want done. Obey in order."""

from dataclasses import dataclass
from enum import StrEnum

from logos_kernel.core.types import ProcessId


class Signal(StrEnum):
    """How a process is told to end."""

    TERM = "TERM"
    KILL = "KILL"


@dataclass(frozen=True, slots=True)
class Save:
    """Make a module's record durable, as it is now; answer with `saved` or `save_failed`."""

    module: str


@dataclass(frozen=True, slots=True)
class Spawn:
    """Save the module's record as `Save` does, and only then start a process of it (KER-8).

    Answer with `spawned` or `spawn_failed`, after `saved`; or with `save_failed` alone,
    which is told the epoch.
    """

    module: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Watch:
    """Watch a living process that an earlier kernel started; answer with `exited`."""

    module: str
    process: ProcessId


@dataclass(frozen=True, slots=True)
class End:
    """Signal a process of a module."""

    module: str
    process: ProcessId
    signal: Signal


@dataclass(frozen=True, slots=True)
class AskStop:
    """Send a stop directive to whoever holds this lease."""

    lease_id: bytes


@dataclass(frozen=True, slots=True)
class Changed:
    """The state, the instance or the services of a module are not what they were."""

    module: str


Effect = Save | Spawn | Watch | End | AskStop | Changed
