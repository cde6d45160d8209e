"""What has become of the modules: transitions, each with a revision of the node (KER-19); exits.

A transition can be watched once it is durable, so that a kernel that was killed and the next one
never give one revision to two of them.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from logos_kernel.core.errors import HistoryCompactedError, UnknownRevisionError
from logos_kernel.core.types import Exit, ModuleState

MAX_TRANSITIONS: Final = 1_000
"""Of a node, kept in memory and in the store; as many may wait to be saved."""

MAX_EXITS: Final = 20
"""Of a module, kept in memory and in the store (KER-20)."""

SAVE_RETRY_MS: Final = 5_000
"""Between attempts to save what could not be saved."""


class Reason(StrEnum):
    """Why a module went from one state to another."""

    KERNEL_STARTED = "KERNEL_STARTED"
    KERNEL_STOPPING = "KERNEL_STOPPING"
    REQUESTED = "REQUESTED"
    REQUIREMENT_MISSING = "REQUIREMENT_MISSING"
    REQUIREMENT_MET = "REQUIREMENT_MET"
    REGISTERED = "REGISTERED"
    REPORTED = "REPORTED"
    """The module said so of itself."""
    LEFT = "LEFT"
    """It gave up its lease."""
    EXITED = "EXITED"
    NOT_STARTED = "NOT_STARTED"
    """No process could be made, or its epoch could not be saved."""
    START_TIMEOUT = "START_TIMEOUT"
    LEASE_LOST = "LEASE_LOST"
    GROUP = "GROUP"
    """Its group is restarted, or has failed."""
    WATCHDOG = "WATCHDOG"
    NOT_SERVING = "NOT_SERVING"
    BOUND = "BOUND"
    """A module that it is bound to has ended, or is to end."""
    RETRY_DUE = "RETRY_DUE"
    UPGRADE = "UPGRADE"
    """Another version of it takes its place."""
    KILLED = "KILLED"
    """An operator asked for its process to be killed."""


HUNG: Final = frozenset({Reason.LEASE_LOST, Reason.WATCHDOG, Reason.NOT_SERVING})
"""Why the kernel ended a process that did not end by itself."""


@dataclass(frozen=True, slots=True)
class Transition:
    """One change of a module's state."""

    revision: int
    """Counts the transitions of the node from 1, across restarts of the kernel."""
    module: str
    epoch: int
    old: ModuleState
    new: ModuleState
    reason: Reason
    detail: str
    at_ms: int
    """Wall clock, milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class PastExit:
    """One end of a module's process."""

    module: str
    epoch: int
    exit: Exit
    """Without lines, if an earlier kernel has saved it."""
    reason: Reason
    """Why this kernel ended it; EXITED: it did not."""
    at_ms: int
    """Wall clock, milliseconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What is saved together."""

    transitions: tuple[Transition, ...] = ()
    exits: tuple[PastExit, ...] = ()


class Journal:
    """The transitions of a node.

    Args:
        past: What earlier kernels have saved, oldest first.
        to_wall_ms: Converts a monotonic time, in milliseconds.
    """

    def __init__(self, past: Entries, to_wall_ms: Callable[[int], int]) -> None:
        self.to_wall_ms = to_wall_ms
        self._shown: deque[Transition] = deque(maxlen=MAX_TRANSITIONS)
        """Those that are durable, without gaps in their revisions."""
        self._latest: dict[str, Transition] = {}
        """The newest of each module that is durable."""
        self._show(past.transitions)
        self.revision = self._shown[-1].revision if self._shown else 0
        """The newest that is durable; 0 if there is none."""
        self._last = dict(self._latest)
        self._next_revision = self.revision + 1
        self._waiting: deque[Transition] = deque(maxlen=MAX_TRANSITIONS)
        self._exits: defaultdict[str, deque[PastExit]] = defaultdict(
            lambda: deque(maxlen=MAX_EXITS)
        )
        for past_exit in past.exits:
            self._exits[past_exit.module].append(past_exit)
        self._waiting_exits: deque[PastExit] = deque(maxlen=MAX_TRANSITIONS)
        self._is_saving = False
        self.save_due_ms: int | None = None
        """When to try again what could not be saved."""

    # -- what can be watched -----------------------------------------------------------------

    def since(self, revision: int) -> list[Transition]:
        """Returns the transitions from a revision on, oldest first.

        Raises:
            HistoryCompactedError: Older ones than are kept would be among them.
            UnknownRevisionError: It is further ahead than the next one.
        """
        if revision > self.revision + 1:
            raise UnknownRevisionError(
                f"from_revision: {revision}, but the newest is {self.revision}: the node's state"
                " was replaced, begin with 0",
                field="from_revision",
            )
        if revision < self.oldest:
            raise HistoryCompactedError(
                f"from_revision: {revision}, but the oldest kept is {self.oldest}: begin with 0",
                field="from_revision",
            )
        return list(islice(self._shown, revision - self.oldest, None))

    @property
    def oldest(self) -> int:
        """The first revision that `since` still returns."""
        return self.revision + 1 - len(self._shown)

    def latest(self, module: str) -> Transition | None:
        """Returns the newest transition of a module that can be watched."""
        return self._latest.get(module)

    def exits(self, module: str) -> list[PastExit]:
        """Returns the last exits of a module, newest first."""
        return list(reversed(self._exits[module]))

    # -- steps -------------------------------------------------------------------------------

    def note(
        self, module: str, epoch: int, new: ModuleState, why: tuple[Reason, str], now_ms: int
    ) -> None:
        """Adds a transition from the module's last state, also from that under an older kernel."""
        last = self._last.get(module)
        old = ModuleState.STOPPED if last is None else last.new
        if old is new and (last is None or last.epoch == epoch):
            return
        at_ms = self.to_wall_ms(now_ms)
        noted = Transition(self._next_revision, module, epoch, old, new, *why, at_ms)
        self._next_revision += 1
        self._last[module] = noted
        self._waiting.append(noted)

    def note_exit(self, module: str, epoch: int, how: Exit, why: Reason, now_ms: int) -> None:
        """Adds the end of a process."""
        past = PastExit(module, epoch, how, why, self.to_wall_ms(now_ms))
        self._exits[module].append(past)
        self._waiting_exits.append(replace(past, exit=replace(how, lines=())))

    def take(self) -> Entries | None:
        """Returns what is to be saved now; None if nothing is, or something is being saved."""
        if self._is_saving or self.save_due_ms is not None or not self._has_waiting:
            return None
        self._is_saving = True
        return Entries(tuple(self._waiting), tuple(self._waiting_exits))

    def saved(self, entries: Entries) -> None:
        """Shows what is durable now."""
        self._is_saving = False
        for one in entries.transitions:
            self.revision = one.revision
        while self._waiting and self._waiting[0].revision <= self.revision:
            self._waiting.popleft()
        self._waiting_exits = deque(
            [one for one in self._waiting_exits if one not in entries.exits], MAX_TRANSITIONS
        )
        self._show(entries.transitions)

    def save_failed(self, now_ms: int) -> None:
        """Tries again later; the oldest are dropped if too many wait."""
        self._is_saving = False
        self.save_due_ms = now_ms + SAVE_RETRY_MS

    def retry(self, now_ms: int) -> None:
        """Ends the wait after a failed attempt if it is over."""
        if self.save_due_ms is not None and now_ms >= self.save_due_ms:
            self.save_due_ms = None

    @property
    def is_settled(self) -> bool:
        """Whether all is durable, or cannot be made so now."""
        return self.save_due_ms is not None or not (self._is_saving or self._has_waiting)

    @property
    def _has_waiting(self) -> bool:
        return bool(self._waiting or self._waiting_exits)

    def _show(self, transitions: Iterable[Transition]) -> None:
        for one in transitions:
            if self._shown and one.revision != self._shown[-1].revision + 1:
                self._shown.clear()  # some were dropped: who watches must begin anew
            self._shown.append(one)
            self._latest[one.module] = one
