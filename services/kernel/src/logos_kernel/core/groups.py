"""Groups of modules that are restarted together, and where that leads (KER-21)."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from logos_kernel.core import resolve


class Strategy(StrEnum):
    """Which modules of a group are restarted when one of them fails."""

    ONE_FOR_ONE = "one_for_one"
    """That one."""
    REST_FOR_ONE = "rest_for_one"
    """That one, and those of the group that need it, also through others."""
    ONE_FOR_ALL = "one_for_all"
    """All of the group."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of modules, and of other groups."""

    name: str
    strategy: Strategy = Strategy.ONE_FOR_ONE
    parent: str = ""
    """The group that it is part of; empty if of none."""
    max_restarts: int = 5
    """Failures of its modules within `window_ms`; one more, and it fails as a whole."""
    window_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the failure of one module means for others, and for itself. It is in either."""

    restarted: frozenset[str] = frozenset()
    """Modules that are restarted."""
    failed: frozenset[str] = frozenset()
    """Modules that are FAILED now."""


class Intensity:
    """Failures within a window of time."""

    def __init__(self, max_restarts: int, window_ms: int) -> None:
        self._max_restarts = max_restarts
        self._window_ms = window_ms
        self._failures: deque[int] = deque()

    def is_exceeded(self, now_ms: int) -> bool:
        """Counts a failure; says whether there are too many."""
        while self._failures and now_ms - self._failures[0] >= self._window_ms:
            self._failures.popleft()
        self._failures.append(now_ms)
        return len(self._failures) > self._max_restarts

    def forget(self) -> None:
        """Begins anew."""
        self._failures.clear()


class Groups:
    """The groups of a node.

    Args:
        groups: Their parents are among them, and form no cycle.
        group_of: The group of each module that is in one. Those that are not among `groups`
            have their defaults.
        needs: What each module needs, for the order.
    """

    def __init__(
        self, groups: Iterable[Group], group_of: Mapping[str, str], needs: resolve.Requires
    ) -> None:
        self._groups = {name: Group(name) for name in group_of.values()}
        self._groups |= {group.name: group for group in groups}
        self._group_of = group_of
        self._needs = needs
        self._intensities = {
            name: Intensity(group.max_restarts, group.window_ms)
            for name, group in self._groups.items()
        }

    def failed(self, module: str, now_ms: int) -> Verdict:
        """Counts the failure of a module, which is restarted or FAILED by its own policy.

        Where a group has failed too often, its parent restarts it as a whole; where it has no
        parent, all its modules are FAILED.
        """
        name, unit = self._group_of.get(module, ""), frozenset({module})
        while name:
            if not self._intensities[name].is_exceeded(now_ms):
                return Verdict(restarted=self._affected(self._groups[name], unit))
            self._intensities[name].forget()
            unit, name = self.members(name), self._groups[name].parent
            if not name:
                return Verdict(failed=unit)
        return Verdict()

    def members(self, name: str) -> frozenset[str]:
        """Returns the modules of a group, and of those that are part of it."""
        return frozenset(
            module for module, group in self._group_of.items() if name in self._path(group)
        )

    def _path(self, name: str) -> list[str]:
        path = []
        while name:
            path.append(name)
            name = self._groups[name].parent
        return path

    def _affected(self, group: Group, unit: frozenset[str]) -> frozenset[str]:
        match group.strategy:
            case Strategy.ONE_FOR_ONE:
                return unit
            case Strategy.ONE_FOR_ALL:
                return self.members(group.name)
            case Strategy.REST_FOR_ONE:
                rest = (resolve.all_dependents(self._needs, one) for one in unit)
                return unit | (self.members(group.name) & frozenset().union(*rest))


def problems(groups: Mapping[str, Group]) -> list[str]:
    """Says what is wrong with the parents of groups; empty if nothing is."""
    found = [
        f"groups.{group.name}.parent: there is no group {group.parent!r}"
        for group in groups.values()
        if group.parent and group.parent not in groups
    ]
    parents = {
        name: [group.parent] if group.parent in groups else [] for name, group in groups.items()
    }
    if cycle := resolve.cycle(parents):
        found.append(f"groups: parents form a cycle: {' -> '.join(cycle)}")
    return found
