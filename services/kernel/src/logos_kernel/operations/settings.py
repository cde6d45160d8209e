"""Settings: durable first, then offered to the module, then settled (KER-40, KER-41)."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final

from logos_base.capabilities import Subject
from logos_base.errors import LogosError
from logos_kernel.core.audit import actor_of
from logos_kernel.core.errors import OperationNotFoundError
from logos_kernel.core.modules import Modules
from logos_kernel.core.ports import ModuleHosts, ModuleStore
from logos_kernel.core.schema import Schema
from logos_kernel.core.settings import ModuleSettings, Outcome, Version
from logos_kernel.core.types import ModuleState, Runtime
from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel
from logos_module.shielded import Shielded

log = logging.getLogger(__name__)

_UP = frozenset({ModuleState.REGISTERED, ModuleState.READY})


class Settings:
    """The settings of all modules of a node."""

    def __init__(
        self,
        modules: Modules,
        versions: Mapping[str, list[Version]],
        store: ModuleStore,
        hosts: ModuleHosts,
        wall_ms: Callable[[], int],
    ) -> None:
        self._store = store
        self._modules = modules
        self._past = versions
        self._wall_ms = wall_ms
        self.hosts = hosts
        self._by_module: dict[str, ModuleSettings] = {}
        self._fits: dict[str, tuple[str, Mapping[str, object]]] = {}
        """The profile's settings and the schema that those of each module go by."""
        self.turns: dict[str, asyncio.Lock] = {}
        self.work: Final = Shielded()
        """Changes under way: each comes to its end, also if its caller has gone."""
        self.changed = asyncio.Event()
        """Set, and replaced by another, when other settings hold."""
        for module in modules:
            self.follow(module.name)

    def follow(self, module: str) -> None:
        """Adds a module, or goes by the schema of the version that serves now (KER-48).

        What is kept of the settings of one that was unloaded waits for it. While they are being
        changed nothing else is: the next question follows.
        """
        turn = self.turns.get(module)
        if turn is None or not turn.locked():
            self.fit(module)

    def fit(self, module: str) -> None:
        """Likewise, by who has the turn."""
        plan = self._modules.settled_plan(module)
        fits = plan.settings_json, plan.manifest.settings
        if self._fits.get(module) == fits:
            return
        profile, schema = json.loads(plan.settings_json), Schema(plan.manifest.settings)
        own, now_ms = self._by_module.get(module), self._wall_ms()
        if own is None:
            past = self._past.get(module, ())
            self._by_module[module] = ModuleSettings(profile, schema, past, now_ms)
            self.turns[module] = asyncio.Lock()
        else:
            before = own.active
            own.refit(profile, schema, now_ms)
            if own.active is not before and own.active.detail:
                log.error("settings", extra={"of": module, "why": own.active.detail})
            self.publish()
        self._fits[module] = fits

    def of(self, module: str) -> ModuleSettings:
        """Returns the settings of a module of the node."""
        self.follow(module)
        return self._by_module[module]

    async def granted(self, module: str, epoch: int) -> Version:
        """Returns the settings that a start of a module begins with."""
        if self._is_fitting(module, epoch):
            return self.of(module).active
        async with self.turns[module]:  # so that each number means one document
            return self.fitting(module, epoch, self._by_module[module].active)

    def fitting(self, module: str, epoch: int, version: Version) -> Version:
        """Returns settings as a start takes them, by the schema of its version (KER-48).

        Args:
            module: Its name.
            epoch: Of the start.
            version: The settings, by the schema of the version that serves.
        """
        if self._is_fitting(module, epoch):
            return version
        plan = self._modules.plan_of(module, epoch)
        profile, schema = json.loads(plan.settings_json), Schema(plan.manifest.settings)
        held = replace(version, outcome=Outcome.APPLIED)
        fitting = ModuleSettings(profile, schema, [held], self._wall_ms()).active
        if fitting.document == version.document:
            return version
        return replace(fitting, number=self._by_module[module].use_number())

    def _is_fitting(self, module: str, epoch: int) -> bool:
        """Says whether a start goes by the schema that the settings are kept by."""
        self.follow(module)
        plan = self._modules.plan_of(module, epoch)
        return self._fits[module] == (plan.settings_json, plan.manifest.settings)

    async def save_adopted(self) -> None:
        """Makes durable what differs from what an earlier kernel left."""
        changed = {name: one for name, one in self._by_module.items() if not one.is_saved}
        for name, one in changed.items():
            if detail := one.active.detail:
                log.error("settings", extra={"of": name, "why": detail})
        if changed:
            await self._store.save_settings({name: one.versions for name, one in changed.items()})

    async def save(self, module: str, *more: Version) -> None:
        """Makes the settings of a module durable, with further versions."""
        kept = [*self.of(module).versions, *more]
        await self._store.save_settings({module: kept})

    def publish(self) -> None:
        """Wakes those that watch."""
        self.changed.set()
        self.changed = asyncio.Event()


async def update(kernel: Kernel, by: Subject, name: str, patch: str, expected: int) -> Version:
    """Changes the settings of a module; returns what was tried, and what became of it.

    It goes on if the caller has gone.

    Raises:
        UnknownModuleError: The profile does not have the module.
        RevisionConflictError, InvalidSettingsError: Nothing has changed.
        DiskFullError, StoreFailedError: They cannot be saved: nothing has changed, or, after the
            module has taken them, they hold until this kernel ends.
    """
    kernel.views.one(name)
    actor, action = actor_of(by), "settings.update"
    try:
        work = _update(kernel, actor, name, patch, expected)
        settled = await kernel.settings.work.run(work)
    except LogosError as error:
        kernel.audit.refuse(actor, action, name, error)
        raise
    return settled


async def watch(kernel: Kernel, name: str) -> AsyncIterator[Version]:
    """Yields the settings of a module that hold now, and then the latest of each change."""
    kernel.views.one(name)
    told = 0
    while True:
        changed, active = kernel.settings.changed, kernel.settings.of(name).active
        if active.number > told:
            told = active.number
            yield active
        else:
            await changed.wait()


async def _update(kernel: Kernel, actor: str, name: str, patch: str, expected: int) -> Version:
    settings, own = kernel.settings, kernel.settings.of(name)
    async with settings.turns[name]:
        settings.fit(name)
        tried = own.propose(patch, expected, actor, kernel.wall_ms())
        await settings.save(name, tried)
        own.take(tried)
        told = _instance(kernel, name)
        outcome, detail = await _offer(kernel, told, tried)
        settled = own.settle(outcome, detail)
        said = f"version {settled.number}: {settled.outcome} {detail}"
        kernel.audit.note(actor, "settings.update", name, said.rstrip())
        try:
            await settings.save(name)
        finally:  # what the module has answered is so, saved or not
            if outcome.holds:
                settings.publish()
                await _deliver(kernel, name, told, settled)
        return settled


async def _deliver(kernel: Kernel, name: str, told: View | None, settled: Version) -> None:
    """Restarts the instance that was told if it has to be; tells one that has come since."""
    now = _instance(kernel, name)
    outcome = settled.outcome
    if now is not None and (told is None or now.epoch != told.epoch):
        outcome, _ = await _offer(kernel, now, settled)
        told = now
    await _deliver_beside(kernel, name, settled)
    view = kernel.views.one(name)
    if view.state is ModuleState.FAILED:
        await kernel.driver.ask(kernel.supervisor.reset_failed, name)
    is_same = told is not None and view.epoch == told.epoch and view.state in _UP
    is_own = view.runtime is not Runtime.EXTERNAL
    if outcome is not Outcome.APPLIED and is_same and is_own:
        await kernel.driver.ask(kernel.supervisor.restart, name)


async def _deliver_beside(kernel: Kernel, name: str, settled: Version) -> None:
    """Tells the version that is to take the place of the one that serves (KER-48).

    One that does not take them would serve by settings that do not hold: it is rolled back.
    """
    successor = kernel.views.successor(name)
    if successor is None:
        return
    fitting = kernel.settings.fitting(name, successor.epoch, settled)
    offer = kernel.settings.hosts.offer
    outcome, detail = await offer(name, successor.endpoint, fitting.number, fitting.document)
    if outcome is not Outcome.APPLIED:
        why = f"settings were changed, and the new version has not taken them: {outcome} {detail}"
        with suppress(OperationNotFoundError):  # a later one has come
            await kernel.driver.ask(kernel.supervisor.roll_back, successor.operation, why.rstrip())


async def _offer(kernel: Kernel, view: View | None, tried: Version) -> tuple[Outcome, str]:
    if view is None:
        return Outcome.APPLIED, "the module is not running: they hold from its next start"
    fitting = kernel.settings.fitting(view.name, view.epoch, tried)
    offer = kernel.settings.hosts.offer
    return await offer(view.name, view.endpoint, fitting.number, fitting.document)


def _instance(kernel: Kernel, name: str) -> View | None:
    """Returns the module if an instance of it is registered."""
    view = kernel.views.one(name)
    return view if view.state in _UP and view.endpoint else None
