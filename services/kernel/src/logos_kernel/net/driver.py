"""The driver loop: obeys the machines of `core`, and is what servicers talk to.

Durable comes first (KER-8). The loop alone writes to the store, and does one thing at a
time: a request of the operator, or an observed instance, is stored before the machine hears
of it, and an epoch before its process is started.
"""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol

import grpc

from logos_base.errors import StoreFailedError
from logos_kernel.core.effects import AskStop, Changed, Effect, End, Save, Signal, Spawn, Watch
from logos_kernel.core.errors import ModuleUnreachableError
from logos_kernel.core.module import View
from logos_kernel.core.ports import ModuleStore, Runtime
from logos_kernel.core.registry import Registry
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import (
    LEASE_ID_BYTES,
    Described,
    Exit,
    Grant,
    Identity,
    Introduction,
    Location,
    ModuleState,
    ProcessId,
    Record,
)
from logos_kernel.net.router import Router, Upstream
from logos_module.channels import open_channel

log = logging.getLogger(__name__)

DESCRIBE_TIMEOUT_S: Final = 5.0
CLOSE_GRACE_S: Final = 5.0
DISMISS_GRACE_S: Final = 10.0
"""For the process of a module that left the profile, to end before it is killed."""

Describe = Callable[[grpc.aio.Channel, float], Awaitable[Described]]
"""Asks who answers; raises `ModuleUnreachableError` after so many seconds."""


class Announce(Protocol):
    """Told of every change of any module."""

    async def __call__(
        self, views: list[View], ready: dict[str, Described], *, is_ready: bool
    ) -> None:
        """Takes all modules, what the READY ones say of themselves, and whether the node is."""
        ...


def _future() -> "asyncio.Future[Any]":
    return asyncio.get_running_loop().create_future()


@dataclass(eq=False, slots=True)
class _Request:
    """What a servicer asks of the loop."""

    module: str
    first: Callable[[], list[Record]]
    """Refuses, or returns what must be durable before `then`."""
    then: Callable[[], Any]
    is_saved: bool
    """Whether it also fails if what follows from it cannot be saved for this module."""
    answer: Any = None
    done: "asyncio.Future[Any]" = field(default_factory=_future)


class Driver:
    """Runs a `Supervisor` and a `Registry` on an event loop; implements `core.ports.Control`."""

    def __init__(
        self,
        *,
        supervisor: Supervisor,
        runtime: Runtime,
        store: ModuleStore,
        router: Router,
        describe: Describe,
        announce: Announce,
        identity: Identity,
        wall_ms: Callable[[], int],
    ) -> None:
        self.identity = identity
        self._supervisor = supervisor
        self._registry = Registry(supervisor)
        self._runtime = runtime
        self._store = store
        self._router = router
        self._describe = describe
        self._announce = announce
        self._wall_ms = wall_ms
        self._durable: dict[str, Record] = {}
        """What the store holds for certain."""
        self._since: dict[str, tuple[int, int]] = {}
        """Monotonic and wall clock when a module entered its state; the two drift apart."""
        self._upstreams: dict[str, Upstream] = {}
        self._closing = asyncio.TaskGroup()
        self._stops: defaultdict[bytes, asyncio.Event] = defaultdict(asyncio.Event)
        self._woken = asyncio.Event()
        self._failures: dict[str, StoreFailedError] = {}
        """Of which modules a save has failed in this turn of the loop."""
        self._requests: list[_Request] = []
        self._trouble = ""
        self._is_news = False

    # -- the loop ----------------------------------------------------------------------------

    async def load(self) -> None:
        """Reads what an earlier kernel left. Starts nothing yet, but knows every module:

        one that outlived that kernel may register as soon as this one serves.
        """
        self._durable = {record.name: record for record in await self._store.load()}
        self._supervisor.boot(self._durable, self._runtime.is_alive, self._now_ms())

    async def run(self) -> None:
        """Starts and supervises the loaded modules until `close` has ended them all."""
        gone = self._durable.keys() - self._supervisor.modules.keys()
        try:
            async with self._closing:
                for name in gone:
                    self._closing.create_task(self._dismiss(self._durable.pop(name)))
                await self._obey()
                while not self._supervisor.is_down():
                    await self._sleep()
                    self._supervisor.tick(self._now_ms())
                    await self._obey()
        finally:
            self._runtime.close()
            for upstream in self._upstreams.values():
                await upstream.channel.close()

    async def _dismiss(self, record: Record) -> None:
        """Ends a module that the profile no longer has, and then forgets it."""
        if record.process is not None and self._runtime.is_alive(record.process):
            log.warning("ending a module that left the profile", extra={"of": record.name})
            ended = asyncio.Event()
            self._runtime.watch(record.name, record.process, lambda _exit: ended.set())
            self._runtime.end(record.process, Signal.TERM)
            try:
                async with asyncio.timeout(DISMISS_GRACE_S):
                    await ended.wait()
            except TimeoutError:
                self._runtime.end(record.process, Signal.KILL)
                await ended.wait()
        try:
            await self._store.forget(record.name)
        except StoreFailedError as error:  # the next kernel tries again
            log.warning("cannot forget", extra={"of": record.name, "why": str(error)})

    def close(self) -> None:
        """Begins to end every process; `run` returns when none is left."""
        self._supervisor.close(self._now_ms())
        self._woken.set()

    async def _sleep(self) -> None:
        due_ms = self._supervisor.next_wake_ms()
        delay_s = None if due_ms is None else max(0, due_ms - self._now_ms()) / 1000
        try:
            async with asyncio.timeout(delay_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()

    async def _obey(self) -> None:
        """Does what is asked and what follows from it, and tells who waits for it."""
        requests, self._requests = self._requests, []
        for request in requests:
            await self._carry_out(request)
        self._failures.clear()
        has_changed, self._is_news = self._is_news, False
        while (effects := self._supervisor.take_effects()) or has_changed:
            for effect in effects:
                has_changed |= isinstance(effect, Changed)
                try:
                    await self._execute(effect)
                except Exception:  # a bug: supervision of the others goes on
                    log.exception("effect failed", extra={"effect": type(effect).__name__})
            if has_changed:
                await self._publish()
                has_changed = False
        for request in requests:
            if request.done.done():
                continue
            failure = self._failures.get(request.module) if request.is_saved else None
            if failure is None:
                request.done.set_result(request.answer)
            else:
                request.done.set_exception(failure)

    async def _carry_out(self, request: _Request) -> None:
        if request.done.done():
            return  # whoever asked has gone, and nothing was begun
        try:
            await self._make_durable(*request.first())
            request.answer = request.then()
        except Exception as error:  # noqa: BLE001 -- it is the caller's; the loop goes on
            if not request.done.done():
                request.done.set_exception(error)

    async def _make_durable(self, *records: Record) -> None:
        news = [record for record in records if self._durable.get(record.name) != record]
        if not news:
            return
        for record in news:
            self._durable.pop(record.name, None)  # if it fails, nobody knows
        await self._store.save(*news)
        self._durable.update((record.name, record) for record in news)

    async def _save(self, module: str, *, spawn: int | None = None) -> bool:
        try:
            await self._make_durable(self._supervisor.modules[module].record())
        except StoreFailedError as error:
            log.warning("state not saved", extra={"of": module, "why": str(error)})
            self._failures[module] = error
            self._supervisor.save_failed(module, str(error), self._now_ms(), spawn=spawn)
            return False
        self._supervisor.saved(module)
        return True

    async def _execute(self, effect: Effect) -> None:
        match effect:
            case Save(module=module):
                await self._save(module)
            case Spawn(module=module, epoch=epoch):
                if await self._save(module, spawn=epoch):
                    self._spawn(module, epoch)
            case Watch(module=module, process=process):
                log.info("module taken over", extra={"of": module, "pid": process.pid})
                self._runtime.watch(module, process, partial(self._exited, module, process))
            case End(process=process, signal=signal):
                self._runtime.end(process, signal)
            case AskStop(lease_id=lease_id):
                self._stops[lease_id].set()
            case Changed(module=module):
                one = self._supervisor.modules[module]
                extra = {"of": module, "state": one.state, "epoch": one.epoch}
                log.info("module changed", extra={**extra, "last_exit": one.last_exit})

    def _spawn(self, module: str, epoch: int) -> None:
        try:
            process = self._runtime.start(module, epoch)
        except OSError as error:
            self._supervisor.spawn_failed(module, epoch, str(error), self._now_ms())
            return
        self._supervisor.spawned(module, epoch, process, self._now_ms())
        self._runtime.watch(module, process, partial(self._exited, module, process))

    def _exited(self, module: str, process: ProcessId, exit_: Exit) -> None:
        log.info("module ended", extra={"of": module, "pid": process.pid, "how": str(exit_)})
        self._supervisor.exited(module, process, exit_, self._now_ms())
        self._woken.set()

    async def _publish(self) -> None:
        """Lets the front door know the modules as they are now."""
        ready: dict[str, Described] = {}
        routes: dict[str, Upstream] = {}
        promised: dict[str, str] = {}
        for name, module in self._supervisor.modules.items():
            promised |= dict.fromkeys((*module.plan.manifest.services, *module.services), name)
            upstream = self._upstreams.get(name)
            if upstream is not None and module.described is not upstream.described:
                del self._upstreams[name]
                self._close(upstream.channel)
            elif upstream is not None and module.state is ModuleState.READY:
                ready[name] = upstream.described
                routes |= dict.fromkeys(module.services, upstream)
        self._router.routes, self._router.promised = routes, promised
        await self._announce(self.views(), ready, is_ready=self.is_ready())

    def _close(self, channel: grpc.aio.Channel) -> None:
        """Closes a channel once its calls have ended: with the process behind it, at the latest."""
        self._closing.create_task(channel.close(CLOSE_GRACE_S))

    async def _submit(
        self,
        module: str,
        first: Callable[[], list[Record]],
        then: Callable[[], Any],
        *,
        is_saved: bool = False,
    ) -> Any:
        """Has the loop do `then` once what `first` returns is durable; returns its answer.

        Returns when all that follows at once is done too. Raises what refused it, with
        nothing changed; if `is_saved`, also that what followed could not be saved.
        """
        request = _Request(module, first, then, is_saved)
        self._requests.append(request)
        self._woken.set()
        return await request.done

    def _now_ms(self) -> int:
        return int(asyncio.get_running_loop().time() * 1000)

    # -- what servicers ask ------------------------------------------------------------------

    def views(self) -> list[View]:
        """Returns every module of the profile, dependencies first."""
        return [self._view(name) for name in self._supervisor.modules]

    def is_ready(self) -> bool:
        """Says whether every module that should run is READY, and can reach the kernel."""
        return self._supervisor.is_ready() and not self._trouble

    def unreachable(self, why: str) -> None:
        """Notes why modules cannot reach this kernel; empty if they can."""
        self._trouble = why
        self._is_news = True
        self._woken.set()

    async def register(self, introduction: Introduction) -> Grant:
        """Registers an instance once it has proved that it answers."""
        rival = self._registry.check(introduction)
        held = self._upstreams.get(introduction.module)
        is_known = (
            held is not None
            and held.endpoint == introduction.endpoint
            and held.described.instance_id == introduction.instance_id
        )
        # Calls in flight to an instance that comes back keep their channel.
        channel = held.channel if held and is_known else open_channel(introduction.endpoint)
        try:
            described = await self._describe(channel, DESCRIBE_TIMEOUT_S)
            is_rival_alive = rival is not None and await self._answers(held, rival)
        except BaseException:
            if not is_known:
                await channel.close()
            raise
        upstream = Upstream(introduction.endpoint, described, channel)
        check = partial(self._registry.to_register, is_rival_alive=is_rival_alive)
        try:
            grant: Grant = await self._submit(
                introduction.module,
                partial(check, introduction, described),
                partial(self._admit, introduction, upstream),
            )
        except Exception:  # not when cancelled: then the loop may have taken it
            if not is_known:
                await channel.close()
            raise
        return grant

    def _admit(self, introduction: Introduction, upstream: Upstream) -> Grant:
        grant = self._registry.register(
            introduction,
            upstream.described,
            lease_id=secrets.token_bytes(LEASE_ID_BYTES),
            now_ms=self._now_ms(),
        )
        replaced = self._upstreams.get(introduction.module)
        self._upstreams[introduction.module] = upstream
        if replaced is not None and replaced.channel is not upstream.channel:
            self._close(replaced.channel)
        return grant

    async def _answers(self, held: Upstream | None, rival: Described) -> bool:
        if held is None:
            return False
        try:
            described = await self._describe(held.channel, DESCRIBE_TIMEOUT_S)
        except ModuleUnreachableError:
            return False
        return described.instance_id == rival.instance_id

    async def beat(self, lease_id: bytes, said: ModuleState, status_text: str) -> int:
        """Renews a lease; returns its ttl in milliseconds."""
        ttl_ms = self._registry.beat(lease_id, said, status_text, self._now_ms())
        self._woken.set()
        return ttl_ms

    async def wait_stop(self, lease_id: bytes) -> None:
        """Returns when the holder of the lease shall drain and exit."""
        try:
            await self._stops[lease_id].wait()
        finally:
            self._stops.pop(lease_id, None)

    def session_ended(self, lease_id: bytes) -> None:
        """Notes that the stream of a lease's beats has ended."""
        self._registry.session_ended(lease_id, self._now_ms())
        self._woken.set()

    async def deregister(self, lease_id: bytes) -> None:
        """Ends a lease, if there is one."""

        def then() -> None:
            self._registry.deregister(lease_id, self._now_ms())
            self._stops.pop(lease_id, None)

        await self._submit("", list, then)

    def resolve(self, name: str) -> Location:
        """Says where a READY module is."""
        return self._registry.resolve(name)

    async def start(self, name: str) -> View:
        """Wants a module and what it requires; ends back-offs."""
        return await self._wanted(name, self._supervisor.to_start, self._supervisor.start)

    async def stop(self, name: str) -> View:
        """Wants a module no longer."""
        return await self._wanted(name, self._supervisor.to_stop, self._supervisor.stop)

    async def restart(self, name: str) -> View:
        """Replaces a module's process."""
        return await self._wanted(name, self._supervisor.to_restart, self._supervisor.restart)

    async def _wanted(
        self,
        name: str,
        first: Callable[[str], list[Record]],
        then: Callable[[str, int], None],
    ) -> View:
        await self._submit(
            name, lambda: first(name), lambda: then(name, self._now_ms()), is_saved=True
        )
        return self._view(name)

    def lines(self, name: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
        """Streams the log of a module, oldest line first."""
        self._supervisor.module(name)
        return self._runtime.lines(name, tail=tail, follow=follow)

    def _view(self, name: str) -> View:
        module = self._supervisor.module(name)
        at_ms, wall_ms = self._since.get(name, (-1, 0))
        if at_ms != module.since_ms:
            wall_ms = self._wall_ms() - (self._now_ms() - module.since_ms)
            self._since[name] = module.since_ms, wall_ms
        view = module.view(wall_ms)
        if self._trouble and not view.status_text:
            return replace(view, status_text=self._trouble)
        return view
