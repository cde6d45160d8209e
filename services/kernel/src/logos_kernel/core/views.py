"""Modules as others see them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from logos_kernel.core.errors import NotReadyError
from logos_kernel.core.module import Module
from logos_kernel.core.modules import Modules
from logos_kernel.core.types import Described, Desired, ModuleState, Runtime

UNSAVED: Final = "its state cannot be saved"


@dataclass(frozen=True, slots=True)
class View:
    """One module at one time."""

    name: str
    version: str
    state: ModuleState
    desired: Desired
    runtime: Runtime
    endpoint: str
    epoch: int
    restart_count: int
    last_exit: str
    status_text: str
    services: tuple[str, ...]
    requires: tuple[str, ...]
    pid: int
    calls: tuple[str, ...]
    """What its versions that run declare to call."""
    oldest_epoch: int
    """Of its processes that may still call others."""
    epochs: frozenset[int]
    """Of its last start, and of a second process (KER-48)."""
    since_ms: int
    """Wall clock, milliseconds since 1970 UTC."""
    described: Described | None
    """What the instance says of itself; None if there is none."""
    in_flight: int
    """Calls that it was serving at its last heartbeat."""


@dataclass(frozen=True, slots=True)
class Successor:
    """The version of a module that is to take the place of the one that serves (KER-48)."""

    operation: str
    epoch: int
    endpoint: str


class Views:
    """Views of the modules of a node.

    `to_wall_ms` converts a monotonic time. The clocks drift apart, so the time at which a
    state began is converted once.
    """

    def __init__(self, modules: Modules, to_wall_ms: Callable[[int], int]) -> None:
        self.modules = modules
        self._to_wall_ms = to_wall_ms
        self._since: dict[str, tuple[int, int]] = {}
        """Of each module, when its state began: monotonic and wall clock."""

    def all(self) -> list[View]:
        """Returns every module of the profile, dependencies first."""
        return [self.one(module.name) for module in self.modules]

    def has(self, name: str) -> bool:
        """Says whether the node has a module."""
        return name in self.modules.requires

    def successor(self, name: str) -> Successor | None:
        """Returns the version of a module that is to come, if it is registered."""
        module = self.modules.find(name)
        beside, upgrade = module.beside, module.upgrade
        if beside is None or upgrade is None or not beside.is_successor or not beside.endpoint:
            return None
        return Successor(upgrade.operation, beside.epoch, beside.endpoint)

    def one(self, name: str) -> View:
        """Returns a module, or raises `UnknownModuleError`."""
        module = self.modules.find(name)
        unsaved = f"{UNSAVED}: {module.unsaved}" if module.unsaved else ""
        return View(
            name=name,
            version=module.version,
            state=module.state,
            desired=module.desired,
            runtime=module.plan.runtime,
            endpoint=module.endpoint if module.lease is not None else "",
            epoch=module.epoch,
            restart_count=module.restart_count,
            last_exit=module.last_exit,
            status_text=unsaved or module.status_text or self.modules.trouble,
            services=module.services,
            requires=module.plan.manifest.prerequisites,
            pid=0 if module.process is None else module.process.pid,
            calls=module.calls,
            oldest_epoch=module.oldest,
            epochs=module.epochs,
            since_ms=self._since_ms(module),
            described=module.described,
            in_flight=module.in_flight,
        )

    def ready(self, name: str) -> View:
        """Returns a module that is READY, or raises `NotReadyError`."""
        view = self.one(name)
        if view.state is not ModuleState.READY:
            raise NotReadyError(f"{name} is {view.state}")
        return view

    def _since_ms(self, module: Module) -> int:
        at_ms, wall_ms = self._since.get(module.name, (-1, 0))
        if at_ms != module.since_ms:
            wall_ms = self._to_wall_ms(module.since_ms)
            self._since[module.name] = module.since_ms, wall_ms
        return wall_ms
