"""The upgrade of a module to another version, as a machine of its own (KER-48).

Pure: a value, and the ways between its phases. `Upgrades` makes the steps that they stand for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

OPERATION_ID_CHARS: Final = 32
"""16 random bytes in hexadecimal."""


class Phase(StrEnum):
    """Where an upgrade is."""

    BESIDE = "BESIDE"
    """The new version starts beside the old one, which serves."""
    STOPPING = "STOPPING"
    """The old version ends first: the module is exclusive, or was not READY."""
    TRYING = "TRYING"
    """The new version was started in place of the old one."""
    PROMOTED = "PROMOTED"
    """The new version serves. Final."""
    ROLLED_BACK = "ROLLED_BACK"
    """The old version stays, or is started again. Final."""


class Event(StrEnum):
    """What happens to an upgrade."""

    ENDED = "ENDED"
    """The old version has ended, since it was asked to."""
    READY = "READY"
    """The new version is READY, or would be if the module were to run."""
    FAILED = "FAILED"
    """The new version cannot be had, or was cancelled."""


WAYS: Final[Mapping[tuple[Phase, Event], Phase]] = {
    (Phase.BESIDE, Event.READY): Phase.PROMOTED,
    (Phase.BESIDE, Event.FAILED): Phase.ROLLED_BACK,
    (Phase.STOPPING, Event.ENDED): Phase.TRYING,
    (Phase.STOPPING, Event.FAILED): Phase.ROLLED_BACK,
    (Phase.TRYING, Event.READY): Phase.PROMOTED,
    (Phase.TRYING, Event.FAILED): Phase.ROLLED_BACK,
}
"""Anything else is a bug of the kernel."""

FINAL: Final = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK})


class IllegalUpgradeError(AssertionError):
    """The kernel tried a way that does not exist: a bug."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """One upgrade of one module: the last one is remembered."""

    operation: str
    """Its name for operators: 32 hexadecimal digits."""
    module: str
    old: str
    """The installed version that ran before; empty: that of the profile."""
    new: str
    """The installed version that it leads to; empty: that of the profile."""
    phase: Phase
    started_ms: int
    """Wall clock, milliseconds since 1970 UTC."""
    ended_ms: int = 0
    """Likewise; 0: it has not ended."""
    why: str = ""
    """A sentence, once it has ended."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.phase in FINAL

    def step(self, event: Event, why: str, at_ms: int) -> "Upgrade":
        """Returns it after an event, or raises `IllegalUpgradeError`."""
        phase = WAYS.get((self.phase, event))
        if phase is None:
            raise IllegalUpgradeError(f"{self.module}: {event} while {self.phase}")
        if phase in FINAL:
            return replace(self, phase=phase, why=why, ended_ms=at_ms)
        return replace(self, phase=phase)
