"""Performs what the machine wants done: on the store, the runtime and the front door."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

from prometheus_client import Gauge

from logos_base.errors import StoreFailedError
from logos_kernel.core.access import Authority
from logos_kernel.core.effects import (
    Changed,
    Down,
    Effect,
    End,
    Forget,
    Keep,
    Published,
    Save,
    Spawn,
    Watch,
)
from logos_kernel.core.errors import StateLockedError
from logos_kernel.core.journal import Entries
from logos_kernel.core.ports import ModuleStore, Runtime
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import Exit, ModuleState, ProcessId
from logos_kernel.core.views import Views
from logos_kernel.net.front import Front
from logos_kernel.net.router import Router
from logos_module.driver import Driver

log = logging.getLogger(__name__)

_FAILED: Final = Gauge("kernel_modules_failed", "Modules that are FAILED: raise an alert over 0.")

CLOSE_GRACE_S: Final = 15.0
"""For the calls of an instance that is gone, to end with its process: one that was upgraded
serves on for `HANDOVER_MS`, and then drains (KER-48)."""


def monotonic_ms() -> int:
    """Returns the time of the event loop."""
    return int(asyncio.get_running_loop().time() * 1000)


class Executor:
    """The driver of a `Supervisor`, and its effects."""

    def __init__(
        self,
        supervisor: Supervisor,
        views: Views,
        *,
        runtime: Runtime,
        store: ModuleStore,
        router: Router,
        front: Front,
        authority: Authority,
        followed: Callable[[str], None],
    ) -> None:
        self._supervisor = supervisor
        self._views = views
        self._runtime = runtime
        self._store = store
        self._router = router
        self._front = front
        self._authority = authority
        self._followed = followed
        """Told of each module that may have another version."""
        self._addresses: dict[str, str] = {}
        """Of modules, as they were last."""
        self.published = asyncio.Event()
        """Set, and replaced by another, when there are new transitions."""
        self.driver: Driver[Effect] = Driver(
            supervisor, self._perform, monotonic_ms, failed=self._failed
        )

    def boot(self) -> None:
        """Takes over what an earlier kernel left, in memory alone until `run`.

        A module that outlived that kernel may register as soon as this one serves.
        """
        effects = self._supervisor.boot(self._runtime.is_alive, monotonic_ms())
        self.driver.put(lambda _now_ms: effects)

    async def run(self) -> None:
        """Supervises the modules until `Supervisor.close` has ended them all."""
        try:
            await self.driver.run()
        finally:
            self._runtime.close()
            await self._router.close()

    def _failed(self, error: Exception) -> None:
        if isinstance(error, StateLockedError):
            self.driver.stop(error)
        else:
            log.error("effect failed", exc_info=error)  # a bug: supervision of the others goes on

    def _perform(self, effect: Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case Save():
                return self._save(effect)
            case Keep(entries):
                self.driver.start(self._keep(entries))
            case Published():
                self.published.set()
                self.published = asyncio.Event()
            case Forget(name):
                return self._forget(name)
            case Changed(name):
                return self._show(name)
            case Spawn(name, epoch):
                return self._spawn(name, epoch)
            case Watch(name, process):
                log.info("module taken over", extra={"of": name, "pid": process.pid})
                self._runtime.watch(name, process, partial(self._exited, name))
            case End(process, signal):
                self._runtime.end(process, signal)
            case Down():
                self.driver.stop()
        return None

    async def _save(self, save: Save) -> None:
        try:
            await self._store.save(*save.records)
        except StateLockedError:
            raise
        except Exception as error:
            is_bug = not isinstance(error, StoreFailedError)
            names = [record.name for record in save.records]
            log.warning("state not saved", extra={"of": names, "why": str(error)}, exc_info=is_bug)
            self.driver.report(self._supervisor.save_failed, save, error)
        else:
            self.driver.report(self._supervisor.saved, save)

    async def _keep(self, entries: Entries) -> None:
        try:
            await self._store.keep(entries)
        except StateLockedError as error:
            self.driver.stop(error)
        except Exception as error:
            is_bug = not isinstance(error, StoreFailedError)
            log.warning("journal not saved", extra={"why": str(error)}, exc_info=is_bug)
            self.driver.report(self._supervisor.keep_failed)
        else:
            self.driver.report(self._supervisor.kept, entries)

    async def _forget(self, name: str) -> None:
        try:
            await self._store.forget(name)
        except StoreFailedError as error:  # the next kernel tries again
            log.warning("cannot forget", extra={"of": name, "why": str(error)})

    async def _spawn(self, name: str, epoch: int) -> None:
        try:
            process = await self._runtime.start(name, epoch, partial(self._exited, name))
        except OSError as error:
            self.driver.report(self._supervisor.spawn_failed, name, str(error))
        else:
            self.driver.report(self._supervisor.spawned, name, process)

    def _exited(self, name: str, process: ProcessId, exit_: Exit) -> None:
        log.info("module ended", extra={"of": name, "pid": process.pid, "how": str(exit_)})
        self.driver.put(self._supervisor.exited, name, process, exit_)

    async def _show(self, name: str) -> None:
        """Lets the front door know the modules as they are now."""
        if name and not self._views.has(name):
            self._authority.declare(name, (), ())
        elif name:
            view = self._views.one(name)
            self._authority.note_start(name, view.oldest_epoch)
            self._authority.declare(name, view.calls, view.services)
            self._followed(name)
            extra = {"of": name, "state": view.state, "epoch": view.epoch}
            level = logging.ERROR if view.state is ModuleState.FAILED else logging.INFO
            log.log(level, "module changed", extra={**extra, "last_exit": view.last_exit})
        views = self._views.all()
        _FAILED.set(sum(view.state is ModuleState.FAILED for view in views))
        self._runtime.show(views)
        for channel in self._router.update(views):
            self.driver.start(channel.close(CLOSE_GRACE_S))
        addresses = {view.name: view.endpoint for view in views if view.endpoint}
        moved = addresses.keys() & self._addresses.keys()
        is_moved = any(addresses[one] != self._addresses[one] for one in moved)
        self._addresses |= addresses
        if is_moved:
            self._authority.note_move()
        await self._front.update(views, is_ready=self._views.modules.is_ready())
