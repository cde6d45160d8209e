"""The states of a module and the ways between them, as data (KER-1)."""

from collections.abc import Mapping
from typing import Final

from logos_kernel.core.types import ModuleState as S

TRANSITIONS: Final[Mapping[S, frozenset[S]]] = {
    # to FAILED from BLOCKED and BACKOFF: with its group
    S.BLOCKED: frozenset({S.STARTING, S.STOPPED, S.FAILED}),
    # to STOPPED from states with a process: it exited, and its policy restarts it not
    S.STARTING: frozenset({S.REGISTERED, S.DRAINING, S.STOPPED, S.BACKOFF, S.FAILED}),
    # back to STARTING: an observed module that is awaited again
    S.REGISTERED: frozenset({S.READY, S.STARTING, S.DRAINING, S.STOPPED, S.BACKOFF, S.FAILED}),
    S.READY: frozenset({S.REGISTERED, S.STARTING, S.DRAINING, S.STOPPED, S.BACKOFF, S.FAILED}),
    # to REGISTERED: the next instance of an observed module comes before the last one left
    S.DRAINING: frozenset({S.STARTING, S.REGISTERED, S.BACKOFF, S.FAILED, S.STOPPED, S.BLOCKED}),
    S.STOPPED: frozenset({S.STARTING, S.BLOCKED}),
    S.BACKOFF: frozenset({S.STARTING, S.BLOCKED, S.STOPPED, S.DRAINING, S.FAILED}),
    S.FAILED: frozenset({S.STARTING, S.BLOCKED, S.STOPPED, S.DRAINING}),
}
"""Where a module may go from each state. Anything else is a bug of the kernel."""

REGISTRABLE: Final = frozenset({S.STARTING, S.REGISTERED, S.READY})
"""States in which the process that the kernel started may register."""

LIVE: Final = frozenset({S.STARTING, S.REGISTERED, S.READY, S.DRAINING})
"""States in which a module has a process, or is awaited."""


class IllegalTransitionError(AssertionError):
    """The kernel tried a way that does not exist: a bug."""


def check_transition(module: str, old: S, new: S) -> None:
    """Raises `IllegalTransitionError` unless a module may go from `old` to `new`."""
    if new not in TRANSITIONS[old]:
        raise IllegalTransitionError(f"{module}: {old} cannot become {new}")
