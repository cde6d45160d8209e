"""Containers: as they are described, and as the engine shows them."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_LAST_LINES: Final = 50
MAX_LAST_LINE_CHARACTERS: Final = 1000


class Signal(StrEnum):
    """What a container is sent: nothing else may be."""

    TERM = "SIGTERM"
    KILL = "SIGKILL"


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that a container sees at a path of its own."""

    name: str
    """Of the volume; of anything else, its kind and its path on the engine's machine."""
    target: str
    is_writable: bool


@dataclass(frozen=True, slots=True)
class Described:
    """What a container may be: all that the description allows."""

    service: str
    """Its compose service."""
    image: str
    mounts: frozenset[Mount]
    networks: frozenset[str]


@dataclass(frozen=True, slots=True)
class State:
    """Whether a container runs, and how its last process ended."""

    is_running: bool = False
    pid: int = 0
    """Its first process on the engine's machine; 0 if it does not run."""
    started_at_ns: int = 0
    """Since 1970; 0: it never was."""
    exit_code: int | None = None
    """None while it runs, and before its first start."""
    is_oom: bool = False
    seen_at_ns: int = field(default=0, compare=False)
    """When the engine was asked, on the machine's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A container as the engine shows it."""

    container_id: str
    image: str
    mounts: frozenset[Mount]
    networks: frozenset[str]
    user: str
    is_privileged: bool
    is_read_only: bool
    has_no_new_privileges: bool
    added: frozenset[str]
    """Capabilities beyond the engine's default."""
    dropped: frozenset[str]
    """Capabilities of the engine's default that it does not have."""
    shared: frozenset[str]
    """Namespaces and devices of the engine's machine that it has, e.g. `pid: host`."""
    restart: str
    """The engine's restart policy; empty or `no`: none."""
    state: State


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container has used since its start."""

    cpu_ns: int
    memory_bytes: int
    """Without the page cache that can be given back."""
    read_bytes: int | None
    """From block devices; None: not counted."""
    written_bytes: int | None


def last_lines(log: bytes) -> tuple[str, ...]:
    """Returns the last 50 lines that are not empty, each cut to 1000 characters."""
    lines = [line.strip() for line in log.decode(errors="replace").split("\n")]
    filled = [line for line in lines if line]
    return tuple(line[:MAX_LAST_LINE_CHARACTERS] for line in filled[-MAX_LAST_LINES:])
