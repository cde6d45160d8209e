"""What the machines want done. Obey in order."""

from dataclasses import dataclass
from enum import StrEnum

from logos_kernel.core.types import ProcessId, Record


class Signal(StrEnum):
    """How a process is told to end."""

    TERM = "TERM"
    KILL = "KILL"


@dataclass(frozen=True, slots=True)
class Save:
    """Make this durable before what follows."""

    record: Record


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process of a module; answer with `spawned` or `spawn_failed`."""

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
