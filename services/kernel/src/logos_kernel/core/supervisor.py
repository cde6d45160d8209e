"""Which module runs when: the machine of a kernel (`logos_base.machine`).

Its inputs, and those of `Registry`, work on one `Modules`. Times are monotonic milliseconds.
What depends on a durable record is done on `saved`, and not before (KER-8).

Rules: KER-1 states, KER-5 restarts, KER-6 order, KER-8 adoption and durability, KER-10 stop.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, assert_never

from logos_base.machine import Answer, Refuse, Ticket
from logos_kernel.core.effects import (
    Admit,
    Begin,
    Changed,
    Effects,
    End,
    Forget,
    Operate,
    Save,
    Signal,
    Spawn,
    Watch,
)
from logos_kernel.core.errors import ExternalRuntimeError, HasDependentsError
from logos_kernel.core.lifecycle import LIVE
from logos_kernel.core.module import After, Module
from logos_kernel.core.modules import Modules
from logos_kernel.core.types import Desired, Exit, ProcessId
from logos_kernel.core.types import ModuleState as S
from logos_kernel.core.views import UNSAVED

MISCONFIGURED: Final = 2
"""Exit code of a module that a restart does not mend."""

SAVE_RETRY_MS: Final = 5_000
"""Between attempts to save what could not be saved."""

DEPARTED_GRACE_MS: Final = 10_000
"""For the process of a module that left the profile, to end before it is killed."""

_IDLE: Final = frozenset({S.STOPPED, S.BLOCKED, S.FAILED})


class Supervisor:
    """Starts, watches and ends the modules of a node."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._kill_due_ms: dict[str, int] = {}
        """When the process of a departed module is killed."""

    # -- life of the kernel ------------------------------------------------------------------

    def boot(self, is_alive: Callable[[ProcessId], bool], now_ms: int) -> Effects:
        """Takes over the processes of an earlier kernel, and starts what should run (KER-8)."""
        effects: Effects = []
        for module in self._modules:
            module.since_ms = now_ms
            effects += self._take_over(module, is_alive, now_ms)
        for module in self._modules:
            if module.desired is Desired.RUNNING and module.state is S.STOPPED:
                effects += self._modules.begin(module, now_ms)
        for name, process in list(self._modules.departed.items()):
            if process is not None and is_alive(process):
                self._kill_due_ms[name] = now_ms + DEPARTED_GRACE_MS
                effects += [Watch(name, process), End(process, Signal.TERM)]
            else:
                effects += self._forget(name)
        return [*effects, *self._modules.settle(now_ms)]

    def close(self, now_ms: int) -> Effects:
        """Ends every process, dependents first (KER-10). Desired states stay."""
        self._modules.is_closing = True
        return self._modules.settle(now_ms)

    def note_trouble(self, listener: str, trouble: str, _now_ms: int) -> Effects:
        """Notes why a listener of this kernel cannot be reached; empty if it can."""
        self._modules.troubles[listener] = trouble
        return [Changed("")]

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` has something to do, at the latest."""
        times = [time_ms for module in self._modules for time_ms in module.due_times()]
        return min([*times, *self._kill_due_ms.values()], default=None)

    def tick(self, now_ms: int) -> Effects:
        """Does what is due.

        If it comes late, this process was suspended, and heartbeats may wait to be
        read: then no lease ends before another ttl (KER-3).
        """
        due_ms = self.next_wake_ms()
        if due_ms is not None and now_ms - due_ms > self._modules.policy.lease_ttl_ms // 3:
            for module in self._modules:
                if module.lease is not None:
                    module.lease.renew(now_ms)
        effects: Effects = []
        for module in self._modules:
            if module.save_due_ms is not None and now_ms >= module.save_due_ms:
                module.save_due_ms = None
                effects += self._modules.save(module)
            if module.lease is not None and module.lease.is_over(now_ms):
                effects += self._lose_lease(module, now_ms)
            elif module.due_ms is not None and now_ms >= module.due_ms:
                effects += self._meet_due(module, now_ms)
        for name in [name for name, time_ms in self._kill_due_ms.items() if now_ms >= time_ms]:
            del self._kill_due_ms[name]
            process = self._modules.departed[name]
            effects += [] if process is None else [End(process, Signal.KILL)]
        return [*effects, *self._modules.settle(now_ms)]

    # -- outcomes ----------------------------------------------------------------------------

    def saved(self, save: Save, now_ms: int) -> Effects:
        """Does what depends on records that are durable now."""
        effects: Effects = []
        for record in save.records:
            module = self._modules.find(record.name)
            effects += [Changed(module.name)] if module.unsaved else []
            module.unsaved, module.save_due_ms = "", None
        match save.then:
            case None:
                return effects
            case Begin(name, epoch):
                askers = self._modules.find(name).take_askers()
                return [*effects, Spawn(name, epoch), *map(Answer, askers)]
            case Operate():
                return [*effects, *self._operate(save.then, now_ms)]
            case Admit():
                return [*effects, *self._modules.admit(save.then, now_ms)]
        assert_never(save.then)

    def save_failed(self, save: Save, error: Exception, now_ms: int) -> Effects:
        """Refuses what depends on records that are not durable; others are saved later.

        A start is not made, and the next one has its epoch.
        """
        modules = [self._modules.find(record.name) for record in save.records]
        for module in modules:
            module.given = None
        if isinstance(save.then, Operate | Admit):
            return [Refuse(save.then.ticket, error)]
        effects: Effects = []
        for module in modules:
            module.unsaved, module.save_due_ms = str(error), now_ms + SAVE_RETRY_MS
            effects.append(Changed(module.name))
            if save.then is not None:
                module.epoch -= 1
                why = f"not started: {UNSAVED}: {error}"
                effects += self._modules.ended(module, why, now_ms)
                effects += [Refuse(asker, error) for asker in module.take_askers()]
        return [*effects, *self._modules.settle(now_ms)]

    def spawned(self, name: str, process: ProcessId, _now_ms: int) -> Effects:
        """Notes the process that a `Spawn` has started."""
        module = self._modules.find(name)
        module.process = process
        return [Changed(name), *self._modules.save(module)]

    def spawn_failed(self, name: str, why: str, now_ms: int) -> Effects:
        """Notes that a `Spawn` has started nothing."""
        module = self._modules.find(name)
        ended = self._modules.ended(module, f"could not be started: {why}", now_ms)
        return [*ended, *self._modules.save(module), *self._modules.settle(now_ms)]

    def exited(self, name: str, process: ProcessId, exit_: Exit, now_ms: int) -> Effects:
        """Notes the end of a process."""
        if self._modules.departed.get(name) == process:
            self._kill_due_ms.pop(name, None)
            return [*self._forget(name), *self._modules.settle(now_ms)]
        module = self._modules.find(name)
        if module.process != process:
            return []  # of an earlier start: already accounted for
        is_final = exit_.code == MISCONFIGURED
        ended = self._modules.ended(module, str(exit_), now_ms, is_final=is_final)
        return [*ended, *self._modules.save(module), *self._modules.settle(now_ms)]

    # -- the operator's questions ------------------------------------------------------------

    def start(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Starts a module and all that it requires; ends back-offs."""
        wanted = self._modules.required(name)
        return self._want(wanted, Operate(ticket, name, Desired.RUNNING), now_ms)

    def stop(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Ends a module once it has drained; refused while running modules require it."""
        module = self._own(name)
        running = [
            other.name
            for other in self._modules.dependents(name)
            if other.desired is Desired.RUNNING and other.state not in _IDLE
        ]
        if running:
            raise HasDependentsError(
                f"{', '.join(running)} require {name}: stop them first, or restart {name} instead"
            )
        return self._want([module], Operate(ticket, name, Desired.STOPPED), now_ms)

    def restart(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Replaces the process of a module; those that require it stay."""
        module = self._own(name)
        is_stopping = module.state is S.DRAINING and module.after is After.STOP
        if module.state not in LIVE or is_stopping:
            return self.start(ticket, name, now_ms)
        drained = self._modules.drain(module, After.RESTART, now_ms)
        return [*drained, *self._modules.settle(now_ms), Answer(ticket)]

    def _want(self, modules: list[Module], then: Operate, now_ms: int) -> Effects:
        """Makes the desired states durable, before anything else changes."""
        changed = [module for module in modules if module.desired is not then.desired]
        records = tuple(replace(module.record(), desired=then.desired) for module in changed)
        if not records:
            return self._operate(then, now_ms)
        for module, record in zip(changed, records, strict=True):
            module.given = record
        return [Save(records, then)]

    def _operate(self, then: Operate, now_ms: int) -> Effects:
        module = self._modules.find(then.module)
        effects: Effects = []
        if then.desired is Desired.STOPPED:
            module.desired = Desired.STOPPED
            effects += self._modules.drain(module, After.STOP, now_ms)
        else:
            for wanted in self._modules.required(then.module):
                effects += self._revive(wanted, now_ms)
        effects += self._modules.settle(now_ms)
        if module.is_begun:
            module.askers = [then.ticket]  # it is also refused if that start cannot be saved
            return effects
        return [*effects, Answer(then.ticket)]

    def _revive(self, module: Module, now_ms: int) -> Effects:
        module.desired = Desired.RUNNING
        if module.state is S.DRAINING and module.after is After.STOP:
            module.after = After.RESTART
        elif module.state in {S.STOPPED, S.BACKOFF, S.FAILED}:
            module.history.forget()
            if module.process is None:
                return self._modules.begin(module, now_ms)
            module.after = After.RESTART  # killed, but not yet gone
            return self._modules.enter(module, S.DRAINING, now_ms)
        return []

    def _own(self, name: str) -> Module:
        module = self._modules.find(name)
        if module.is_external:
            raise ExternalRuntimeError(
                f"this kernel only observes {name}: use the engine that runs it"
            )
        return module

    # -- steps -------------------------------------------------------------------------------

    def _take_over(
        self, module: Module, is_alive: Callable[[ProcessId], bool], now_ms: int
    ) -> Effects:
        if module.is_external:
            module.process, module.desired = None, Desired.RUNNING
            return self._modules.enter(module, S.STARTING, now_ms)
        if module.process is None:
            return []
        if not is_alive(module.process):
            module.process, module.endpoint, module.instance_id = None, "", b""
            module.last_exit = "ended while no kernel watched"
            return self._modules.save(module)
        # It has run for a while: no lease yet, but a whole ttl to come back (KER-8).
        due_ms = now_ms + self._modules.policy.lease_ttl_ms
        effects = [
            Watch(module.name, module.process),
            *self._modules.enter(module, S.STARTING, now_ms, due_ms=due_ms),
        ]
        if module.desired is Desired.STOPPED:
            effects += self._modules.drain(module, After.STOP, now_ms)
        return effects

    def _forget(self, departed: str) -> Effects:
        del self._modules.departed[departed]
        return [Forget(departed)]

    def _lose_lease(self, module: Module, now_ms: int) -> Effects:
        is_doubted = module.lease is not None and module.lease.is_doubted
        seconds = f"{self._modules.policy.lease_ttl_ms / 1000:g} s"
        why = "its session ended" if is_doubted else f"no heartbeat for {seconds}"
        if module.is_external:
            module.last_exit = why
            self._modules.end_lease(module)
            return self._modules.enter(module, S.STARTING, now_ms)
        if module.state is S.DRAINING and module.after is not After.BACKOFF:
            self._modules.end_lease(module)  # it is being stopped: its grace decides
            return []
        return self._kill(module, why, now_ms)

    def _meet_due(self, module: Module, now_ms: int) -> Effects:
        if module.state is S.DRAINING:
            module.due_ms = None
            return self._modules.signal(module, Signal.KILL)
        if module.state in {S.BACKOFF, S.FAILED}:
            if module.process is None:
                module.restart_count += 1
                return self._modules.begin(module, now_ms)
            module.due_ms = now_ms + self._modules.policy.backoff_base_ms  # killed, not yet gone
            return []
        is_registered = module.described is not None
        why = "was not READY in time" if is_registered else "did not register in time"
        return self._kill(module, why, now_ms)

    def _kill(self, module: Module, why: str, now_ms: int) -> Effects:
        killed = self._modules.signal(module, Signal.KILL)
        module.last_exit = why
        return [*killed, *self._modules.fail(module, now_ms)]
