"""What an operator's request concerns, and what it will do: the dry run (KER-6)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from logos_kernel.core import resolve
from logos_kernel.core.errors import HasDependentsError
from logos_kernel.core.lifecycle import LIVE
from logos_kernel.core.module import Module
from logos_kernel.core.modules import Modules
from logos_kernel.core.types import Desired
from logos_kernel.core.types import ModuleState as S

_IDLE: Final = frozenset({S.STOPPED, S.BLOCKED, S.FAILED})


class Action(StrEnum):
    """What is done with a module."""

    START = "START"
    STOP = "STOP"


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One thing that is done. Those of one wave are done side by side."""

    wave: int
    action: Action
    module: str


class Planner:
    """Plans for the modules as they are now. Changes nothing."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules

    def started_with(self, name: str) -> list[Module]:
        """Returns a module, and all that it requires or wants, also through others, in order."""
        self._modules.find(name)
        manifests = {module.name: module.plan.manifest for module in self._modules}
        wishes = {one.name: (*one.prerequisites, *one.wants) for one in manifests.values()}
        wanted = resolve.requirements(wishes, name)
        return [module for module in self._modules if module.name in wanted]

    def stopped_with(self, name: str, *, is_cascade: bool) -> list[Module]:
        """Returns a module, and if `is_cascade` those that need it, in order.

        Raises:
            ExternalRuntimeError: The kernel only observes it.
            HasDependentsError: Others run that need it, and would neither be stopped with it
                nor end with it.
        """
        module = self._modules.own(name)
        needing = resolve.all_dependents(self._modules.requires, name)
        if is_cascade:
            return [one for one in self._modules if one is module or one.name in needing]
        ended = {name, *(one.name for one in self._modules.bound_to(name))}
        running = [
            one.name
            for one in self._modules
            if one.name not in ended and not ended.isdisjoint(self._modules.requires[one.name])
            if one.desired is Desired.RUNNING and one.state not in _IDLE
        ]
        if running:
            raise HasDependentsError(
                f"{', '.join(running)} require {name}: stop them first, or all of them with it,"
                f" or restart {name} instead"
            )
        return [module]

    def start(self, name: str) -> list[Step]:
        """Returns what `Supervisor.start` will do."""
        return self._starts({module.name for module in self.started_with(name)}, 0)

    def stop(self, name: str, *, is_cascade: bool) -> list[Step]:
        """Returns what `Supervisor.stop`, or `stop_all`, will do; raises what they raise."""
        stopped = self.stopped_with(name, is_cascade=is_cascade)
        bound = [one for module in stopped for one in self._modules.bound_to(module.name)]
        ended = [module for module in stopped if module.state is not S.STOPPED]
        return self._stops([*ended, *(one for one in bound if one.state in LIVE)])

    def restart(self, name: str) -> list[Step]:
        """Returns what `Supervisor.restart` will do."""
        module = self._modules.own(name)
        if not module.is_restartable:
            return self.start(name)
        bound = [one for one in self._modules.bound_to(name) if one.state in LIVE]
        stops = self._stops([module, *bound])
        ended = {step.module for step in stops}
        return stops + self._starts(ended, stops[-1].wave + 1, gone=ended)

    def _stops(self, ended: Iterable[Module]) -> list[Step]:
        """Those that need others end before these."""
        names = {module.name for module in ended}
        live = {name for name in names if self._modules.find(name).state in LIVE}
        requires = self._modules.requires
        return _waves(
            Action.STOP,
            names,
            lambda name: live & resolve.all_dependents(requires, name) if name in live else set(),
            0,
        )

    def _starts(self, wanted: set[str], first: int, gone: Iterable[str] = ()) -> list[Step]:
        """All of `wanted` that do not run, and those that wait for nothing else then."""
        coming: set[str] = set()
        started: set[str] = set()
        for module in self._modules:  # dependencies first
            name = module.name
            is_kept = name in wanted and module.state in LIVE and module.state is not S.DRAINING
            if (module.is_restartable or is_kept) and name not in gone:
                coming.add(name)
                continue
            waits = module.state is S.BLOCKED and module.desired is Desired.RUNNING
            is_unblocked = not self._modules.unmet(module.plan.manifest, coming)
            if (name in wanted or waits) and is_unblocked:
                coming.add(name)
                started.add(name)
        requires = self._modules.requires
        return _waves(Action.START, started, lambda name: started & {*requires[name]}, first)


def _waves(
    action: Action, names: set[str], before: Callable[[str], set[str]], first: int
) -> list[Step]:
    """Orders names into waves: each one after the last of those before it."""
    waves: dict[str, int] = {}

    def wave(name: str) -> int:
        if name not in waves:
            waves[name] = max((wave(one) + 1 for one in before(name)), default=first)
        return waves[name]

    return sorted(Step(wave(name), action, name) for name in names)
