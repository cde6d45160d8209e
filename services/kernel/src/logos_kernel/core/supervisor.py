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
    Advance,
    Begin,
    Changed,
    Effects,
    End,
    Forget,
    Operate,
    Promote,
    Published,
    Save,
    Signal,
    Spawn,
    Watch,
)
from logos_kernel.core.errors import NoProcessError, OfProfileError
from logos_kernel.core.journal import SAVE_RETRY_MS, Entries, Reason
from logos_kernel.core.module import After, Module
from logos_kernel.core.modules import Modules, Why
from logos_kernel.core.planner import Planner
from logos_kernel.core.types import Desired, Exit, ProcessId, Record
from logos_kernel.core.types import ModuleState as S
from logos_kernel.core.views import UNSAVED

DEPARTED_GRACE_MS: Final = 10_000
"""For the process of a module that left the profile, to end before it is killed."""


class Supervisor:
    """Starts, watches and ends the modules of a node."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._planner = Planner(modules)
        self._kill_due_ms: dict[str, int] = {}
        """When the process of a departed module is killed."""

    # -- life of the kernel ------------------------------------------------------------------

    def boot(self, is_alive: Callable[[ProcessId], bool], now_ms: int) -> Effects:
        """Takes over the processes of an earlier kernel, and starts what should run (KER-8)."""
        effects: Effects = []
        for module in self._modules:
            module.since_ms = now_ms
            effects += self._take_over(module, is_alive, now_ms)
            effects += self._go_on(module, is_alive, now_ms)
        for module in self._modules:
            if module.desired is Desired.RUNNING and module.state is S.STOPPED:
                effects += self._modules.begin(module, Reason.KERNEL_STARTED, now_ms)
            # what an earlier kernel has noted last may not be so any more
            why = Reason.KERNEL_STARTED, module.last_exit
            self._modules.journal.note(module.name, module.epoch, module.state, why, now_ms)
        for name, process in list(self._modules.departed.items()):
            if process is not None and is_alive(process):
                self._kill_due_ms[name] = now_ms + DEPARTED_GRACE_MS
                effects += [Watch(name, process), End(process, Signal.TERM)]
            else:
                effects += self._forget(name)
        return [*effects, *self._modules.keep(), *self._modules.settle(now_ms)]

    def close(self, now_ms: int) -> Effects:
        """Ends every process, dependents first (KER-10). Desired states stay."""
        self._modules.is_closing = True
        return [*self._modules.upgrades.close(now_ms), *self._modules.settle(now_ms)]

    def note_trouble(self, listener: str, trouble: str, _now_ms: int) -> Effects:
        """Notes why a listener of this kernel cannot be reached; empty if it can."""
        self._modules.troubles[listener] = trouble
        return [Changed("")]

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` has something to do, at the latest."""
        times = [time_ms for module in self._modules for time_ms in module.due_times()]
        if self._modules.journal.save_due_ms is not None:
            times.append(self._modules.journal.save_due_ms)
        return min([*times, *self._kill_due_ms.values()], default=None)

    def tick(self, now_ms: int) -> Effects:
        """Does what is due.

        If it comes late, this process was suspended, and heartbeats may wait to be
        read: then the times of leases begin anew (KER-3).
        """
        late_ms = now_ms - (self.next_wake_ms() or now_ms)
        for module in self._modules:
            for held in module.leases:
                if late_ms > held.patience_ms // 3:
                    held.renew(now_ms)
        effects: Effects = []
        for module in self._modules:
            if module.save_due_ms is not None and now_ms >= module.save_due_ms:
                module.save_due_ms = None
                effects += self._modules.save(module)
            lease, is_watched = module.lease, module.is_watched
            why = None if lease is None else lease.fault(now_ms, is_watched=is_watched)
            if why is not None:
                effects += self._lose_lease(module, why, now_ms)
            elif module.due_ms is not None and now_ms >= module.due_ms:
                effects += self._meet_due(module, now_ms)
            effects += self._modules.upgrades.tick(module, now_ms)
        for name in [name for name, time_ms in self._kill_due_ms.items() if now_ms >= time_ms]:
            del self._kill_due_ms[name]
            process = self._modules.departed[name]
            effects += [] if process is None else [End(process, Signal.KILL)]
        self._modules.journal.retry(now_ms)
        effects += self._modules.keep()
        return [*effects, *self._modules.settle(now_ms)]

    # -- outcomes ----------------------------------------------------------------------------

    def saved(self, save: Save, now_ms: int) -> Effects:
        """Does what depends on records that are durable now."""
        effects: Effects = []
        for module in self._modules.known(save.records):
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
            case Advance():
                return [*effects, *self._modules.upgrades.advance(save.then, now_ms)]
            case Promote():
                return [*effects, *self._modules.upgrades.promote(save.then, now_ms)]
        assert_never(save.then)

    def save_failed(self, save: Save, error: Exception, now_ms: int) -> Effects:
        """Refuses what depends on records that are not durable; others are saved later.

        A start is not made, and the next one has its epoch.
        """
        modules = self._modules.known(save.records)
        for module in modules:
            module.given = None
        if isinstance(save.then, Operate) and save.then.is_new:
            self._modules.drop(save.then.module)
        if isinstance(save.then, Operate | Admit | Advance):
            return [Refuse(save.then.ticket, error)]
        effects: Effects = []
        for module in modules:
            module.unsaved, module.save_due_ms = str(error), now_ms + SAVE_RETRY_MS
            effects.append(Changed(module.name))
            if isinstance(save.then, Begin):
                module.newest -= 1
                module.epoch = module.newest
                why = f"not started: {UNSAVED}: {error}"
                effects += self._modules.ended(module, (Reason.NOT_STARTED, why), now_ms)
                effects += [Refuse(asker, error) for asker in module.take_askers()]
        return [*effects, *self._modules.settle(now_ms)]

    def kept(self, entries: Entries, now_ms: int) -> Effects:
        """Shows entries of the journal that are durable now, and goes on with the next."""
        self._modules.journal.saved(entries)
        return [Published(), *self._modules.keep(), *self._modules.settle(now_ms)]

    def keep_failed(self, now_ms: int) -> Effects:
        """Tries again later to make the journal durable."""
        self._modules.journal.save_failed(now_ms)
        return self._modules.settle(now_ms)

    def spawned(self, name: str, process: ProcessId, now_ms: int) -> Effects:
        """Notes the process that a `Spawn` has started."""
        module = self._modules.find(name)
        if module.beside is not None and module.beside.process is None:
            module.beside.process = process
        else:
            module.process = process
        return [Changed(name), *self._modules.save(module), *self._modules.settle(now_ms)]

    def spawn_failed(self, name: str, why: str, now_ms: int) -> Effects:
        """Notes that a `Spawn` has started nothing."""
        module = self._modules.find(name)
        if module.beside is not None and module.beside.process is None:
            what = f"could not be started: {why}"
            return self._modules.upgrades.exited(module, module.beside, what, now_ms)
        failure = Reason.NOT_STARTED, f"could not be started: {why}"
        ended = self._modules.ended(module, failure, now_ms)
        return [*ended, *self._modules.save(module), *self._modules.settle(now_ms)]

    def exited(self, name: str, process: ProcessId, exit_: Exit, now_ms: int) -> Effects:
        """Notes the end of a process."""
        if self._modules.departed.get(name) == process:
            self._kill_due_ms.pop(name, None)
            return [*self._forget(name), *self._modules.settle(now_ms)]
        module = self._modules.find(name)
        if module.beside is not None and module.beside.process == process:
            return self._modules.upgrades.exited(module, module.beside, exit_, now_ms)
        if module.process != process:
            return []  # of an earlier start: already accounted for
        if exit_.is_unseen and module.state is S.STARTING:
            lost = self._lose_unseen(module, exit_, now_ms)
            why = Reason.EXITED, module.last_exit
            stopped = self._modules.enter(module, S.STOPPED, why, now_ms)
            begun = self._modules.begin(module, Reason.KERNEL_STARTED, now_ms)
            return [*lost, *stopped, *begun, *self._modules.settle(now_ms)]
        self._modules.journal.note_exit(name, module.epoch, exit_, module.end_reason, now_ms)
        is_killed = module.end_reason is Reason.KILLED
        why = Reason.KILLED if is_killed else Reason.EXITED, str(exit_)
        ended = self._modules.ended(module, why, now_ms, code=exit_.code)
        kept = self._modules.keep()
        return [*ended, *kept, *self._modules.save(module), *self._modules.settle(now_ms)]

    # -- the operator's questions ------------------------------------------------------------

    def start(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Starts a module and all that it requires or wants; ends back-offs."""
        wanted = self._planner.started_with(name)
        return self._want(wanted, Operate(ticket, name, Desired.RUNNING), now_ms)

    def stop(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Ends a module once it has drained; refused while running modules require it.

        Those that are bound to it end before it, and wait for it.
        """
        stopped = self._planner.stopped_with(name, is_cascade=False)
        return self._want(stopped, Operate(ticket, name, Desired.STOPPED), now_ms)

    def stop_all(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Ends a module, and before it those that need it, also through others."""
        stopped = self._planner.stopped_with(name, is_cascade=True)
        then = Operate(ticket, name, Desired.STOPPED, is_cascade=True)
        return self._want(stopped, then, now_ms)

    def restart(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Replaces the process of a module; those that require it stay, but for the bound."""
        module = self._modules.own(name)
        if not module.is_restartable:
            return self.start(ticket, name, now_ms)
        self._modules.end(module, After.RESTART, Reason.REQUESTED)
        return [*self._modules.settle(now_ms), Answer(ticket)]

    def kill(self, ticket: Ticket, name: str, _now_ms: int) -> Effects:
        """Kills the process of a module; its end is that of any that crashes (KER-45).

        Of a module that is being upgraded: the process that serves.
        """
        module = self._modules.own(name)
        if module.process is None:
            raise NoProcessError(f"{name} has no process now: it is {module.state}")
        if module.end_reason is Reason.EXITED:  # else the kernel was ending it already
            module.end_reason = Reason.KILLED
        return [*self._modules.signal(module, Signal.KILL), Answer(ticket)]

    def upgrade(
        self, ticket: Ticket, operation: str, name: str, version: str, now_ms: int
    ) -> Effects:
        """Begins an upgrade of a module to another version; answers with it (KER-48)."""
        return self._modules.upgrades.begin(ticket, operation, name, version, now_ms)

    def reload(self, ticket: Ticket, operation: str, name: str, now_ms: int) -> Effects:
        """Begins an upgrade of a module to the version that it runs, as it is now (KER-50)."""
        return self._modules.upgrades.renew(ticket, operation, name, now_ms)

    def cancel(self, ticket: Ticket, operation: str, now_ms: int) -> Effects:
        """Rolls an upgrade back, if it has not ended; answers with it (KER-48)."""
        return self._modules.upgrades.cancel(ticket, operation, "was cancelled", now_ms)

    def roll_back(self, ticket: Ticket, operation: str, why: str, now_ms: int) -> Effects:
        """Likewise, and says why."""
        return self._modules.upgrades.cancel(ticket, operation, why, now_ms)

    def load(self, ticket: Ticket, name: str, version: str, now_ms: int) -> Effects:
        """Adds an installed module to the node, and starts it with what it requires (KER-50)."""
        is_new = name not in self._modules.requires
        if is_new:
            installed, plan = self._modules.plan_at(name, version)
            self._modules.add(plan, installed)
        wanted = self._planner.started_with(name)
        return self._want(wanted, Operate(ticket, name, Desired.RUNNING, is_new=is_new), now_ms)

    def unload(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Ends a module that was loaded, and then forgets it (KER-50)."""
        self._check_loaded(name)
        stopped = self._planner.stopped_with(name, is_cascade=False)
        then = Operate(ticket, name, Desired.STOPPED, is_leaving=True)
        return self._want(stopped, then, now_ms)

    def unload_all(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Likewise, and before it ends those that need it; these stay, stopped."""
        self._check_loaded(name)
        stopped = self._planner.stopped_with(name, is_cascade=True)
        then = Operate(ticket, name, Desired.STOPPED, is_cascade=True, is_leaving=True)
        return self._want(stopped, then, now_ms)

    def _check_loaded(self, name: str) -> None:
        self._modules.find(name)
        if self._modules.is_of_profile(name):
            raise OfProfileError(f"{name} is of the profile: stop it instead")

    def reset_failed(self, ticket: Ticket, name: str, now_ms: int) -> Effects:
        """Forgets the failures of a module; starts it if it is FAILED."""
        module = self._modules.own(name)
        module.history.forget()
        effects = self._revive(module, now_ms) if module.state is S.FAILED else []
        return [*effects, *self._answer(module, ticket, now_ms)]

    def _want(self, modules: list[Module], then: Operate, now_ms: int) -> Effects:
        """Makes the desired states durable, before anything else changes."""
        wished = [(module, _wished(module, then)) for module in modules]
        changed = [(module, record) for module, record in wished if record != module.record()]
        if not changed:
            return self._operate(then, now_ms)
        for module, record in changed:
            module.given = record
        return [Save(tuple(record for _, record in changed), then)]

    def _operate(self, then: Operate, now_ms: int) -> Effects:
        module = self._modules.find(then.module)
        effects: Effects = []
        if then.desired is Desired.STOPPED:
            module.is_leaving = module.is_leaving or then.is_leaving
            stopped = [module]
            if then.is_cascade:
                stopped = self._planner.stopped_with(then.module, is_cascade=True)
            for one in stopped:
                one.desired = Desired.STOPPED
                self._modules.end(one, After.STOP, Reason.REQUESTED)
        else:
            for wanted in self._planner.started_with(then.module):
                effects += self._revive(wanted, now_ms)
        return [*effects, *self._answer(module, then.ticket, now_ms)]

    def _answer(self, module: Module, ticket: Ticket, now_ms: int) -> Effects:
        settled = self._modules.settle(now_ms)
        if module.is_begun:
            module.askers = [ticket]  # it is also refused if that start cannot be saved
            return settled
        return [*settled, Answer(ticket)]

    def _revive(self, module: Module, now_ms: int) -> Effects:
        module.desired, module.is_leaving = Desired.RUNNING, False
        if module.ending is not None and module.ending[0] is not After.RESTART:
            module.ending = self._modules.upgrades.ending_of(module)
        if module.state is S.DRAINING:
            module.after = After.RESTART
        elif module.state in {S.STOPPED, S.BACKOFF, S.FAILED}:
            module.history.forget()
            if module.process is None:
                return self._modules.begin(module, Reason.REQUESTED, now_ms)
            module.after = After.RESTART  # killed, but not yet gone
            return self._modules.enter(module, S.DRAINING, (Reason.REQUESTED, ""), now_ms)
        return []

    # -- steps -------------------------------------------------------------------------------

    def _take_over(
        self, module: Module, is_alive: Callable[[ProcessId], bool], now_ms: int
    ) -> Effects:
        if module.is_external:
            module.process, module.desired = None, Desired.RUNNING
            why = Reason.KERNEL_STARTED, ""
            return self._modules.enter(module, S.STARTING, why, now_ms)
        if module.process is None:
            return []
        if not is_alive(module.process):
            return self._lose_unseen(module, Exit(None), now_ms)
        # It has run for a while: no lease yet, but a whole ttl to come back (KER-8).
        due_ms, why = now_ms + self._modules.policy.lease_ttl_ms, (Reason.KERNEL_STARTED, "")
        effects = [
            Watch(module.name, module.process),
            *self._modules.enter(module, S.STARTING, why, now_ms, due_ms=due_ms),
        ]
        if module.desired is Desired.STOPPED:
            effects += self._modules.drain(module, After.STOP, Reason.KERNEL_STARTED, now_ms)
        return effects

    def _lose_unseen(self, module: Module, exit_: Exit, now_ms: int) -> Effects:
        """Notes that a process has ended while no kernel watched: it counts as no failure."""
        self._modules.end_lease(module)
        module.process, module.endpoint, module.instance_id = None, "", b""
        module.last_exit = "ended while no kernel watched"
        self._modules.journal.note_exit(module.name, module.epoch, exit_, Reason.EXITED, now_ms)
        return self._modules.save(module)

    def _go_on(self, module: Module, is_alive: Callable[[ProcessId], bool], now_ms: int) -> Effects:
        record = self._modules.noted.get(module.name)
        if record is None:
            return []
        lives = record.beside is not None and is_alive(record.beside)
        return self._modules.upgrades.boot(module, record, is_alive=lives, now_ms=now_ms)

    def _forget(self, departed: str) -> Effects:
        del self._modules.departed[departed]
        return [Forget(departed)]

    def _lose_lease(self, module: Module, why: Why, now_ms: int) -> Effects:
        if module.is_external:
            _, module.last_exit = why
            self._modules.end_lease(module)
            return self._modules.enter(module, S.STARTING, why, now_ms)
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
                return self._modules.begin(module, Reason.RETRY_DUE, now_ms)
            module.due_ms = now_ms + module.policy.backoff_base_ms  # killed, not yet gone
            return []
        is_registered = module.described is not None
        why = "was not READY in time" if is_registered else "did not register in time"
        return self._kill(module, (Reason.START_TIMEOUT, why), now_ms)

    def _kill(self, module: Module, why: Why, now_ms: int) -> Effects:
        killed = self._modules.signal(module, Signal.KILL)
        module.end_reason, module.last_exit = why
        return [*killed, *self._modules.fail(module, why, now_ms)]


def _wished(module: Module, then: Operate) -> Record:
    """Returns what is to be remembered of a module that a wish concerns."""
    is_stopped = then.desired is Desired.STOPPED
    is_told = then.is_leaving and module.name == then.module
    is_leaving = is_stopped and (module.is_leaving or is_told)
    return replace(module.record(), desired=then.desired, is_leaving=is_leaving)
