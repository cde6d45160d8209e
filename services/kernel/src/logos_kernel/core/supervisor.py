"""Which module runs when: one machine for all modules of a node.

Events come in as method calls with the time in monotonic milliseconds; what is
to be done is collected and taken out with `take_effects`, which must follow
every call.

What the operator wants is made durable first: `to_start`, `to_stop` and `to_restart`
refuse, or return the records to store before `start`, `stop` and `restart` (KER-8).

Rules: KER-1 states, KER-5 restarts, KER-6 order, KER-8 adoption and durability, KER-10 stop.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from logos_kernel.core import resolve
from logos_kernel.core.effects import AskStop, Changed, Effect, End, Save, Signal, Spawn, Watch
from logos_kernel.core.errors import ExternalRuntimeError, HasDependentsError, UnknownModuleError
from logos_kernel.core.lifecycle import LIVE, check_transition
from logos_kernel.core.module import UNSAVED, After, Module
from logos_kernel.core.supervise import RestartPolicy, Rng
from logos_kernel.core.types import Desired, Exit, Plan, ProcessId, Record
from logos_kernel.core.types import ModuleState as S

MISCONFIGURED: Final = 2
"""Exit code of a module that a restart does not mend."""

SAVE_RETRY_MS: Final = 5_000
"""Between attempts to save what could not be saved."""

_IDLE: Final = frozenset({S.STOPPED, S.BLOCKED, S.FAILED})


class Supervisor:
    """The modules of a node, dependencies first."""

    def __init__(self, plans: Iterable[Plan], policy: RestartPolicy, rng: Rng) -> None:
        by_name = {plan.manifest.name: plan for plan in plans}
        self.requires = {name: plan.manifest.requires for name, plan in by_name.items()}
        self._plans = {name: by_name[name] for name in resolve.start_order(self.requires)}
        self.policy = policy
        self.modules: dict[str, Module] = {}
        self._rng = rng
        self._effects: list[Effect] = []
        self._is_closing = False

    # -- what others ask ---------------------------------------------------------------------

    def module(self, name: str) -> Module:
        """Returns a module of the profile, or raises `UnknownModuleError`."""
        if name not in self.modules:
            raise UnknownModuleError(f"no module {name!r} in this node's profile")
        return self.modules[name]

    def is_ready(self) -> bool:
        """Says whether every module that should run is READY."""
        return all(
            module.state is S.READY
            for module in self.modules.values()
            if module.desired is Desired.RUNNING
        )

    def is_down(self) -> bool:
        """Says whether the kernel was told to end and none of its processes is left."""
        return self._is_closing and all(
            module.is_external or module.state is S.STOPPED for module in self.modules.values()
        )

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` has something to do, at the latest."""
        times = [
            time_ms
            for module in self.modules.values()
            for time_ms in (
                module.due_ms,
                module.lease.ends_ms if module.lease else None,
                module.save_due_ms,
            )
            if time_ms is not None
        ]
        return min(times, default=None)

    def take_effects(self) -> list[Effect]:
        """Returns what is to be done since the last call, in order."""
        effects, self._effects = self._effects, []
        return effects

    # -- events ------------------------------------------------------------------------------

    def boot(
        self, records: Mapping[str, Record], is_alive: Callable[[ProcessId], bool], now_ms: int
    ) -> None:
        """Takes over what an earlier kernel left, and begins what should run (KER-8)."""
        for name, plan in self._plans.items():
            module = Module(plan, records.get(name, Record(name)), self.policy, now_ms)
            self.modules[name] = module
            if module.is_external:
                module.process, module.desired = None, Desired.RUNNING
                self.enter(module, S.STARTING, now_ms)
            elif module.process is not None and is_alive(module.process):
                self._adopt(module, module.process, now_ms)
            elif module.process is not None:
                module.process, module.endpoint, module.instance_id = None, "", b""
                module.last_exit = "ended while no kernel watched"
                self.save(module)
        for module in self.modules.values():
            if module.desired is Desired.RUNNING and module.state is S.STOPPED:
                self._begin(module, now_ms)
        self.settle(now_ms)

    def spawned(self, name: str, epoch: int, process: ProcessId, now_ms: int) -> None:
        """Notes the process that a `Spawn` has started."""
        module = self.modules[name]
        if module.epoch != epoch:
            raise AssertionError(f"{name}: two starts at a time")
        module.process = process
        self.save(module)
        self._effects.append(Changed(name))
        if module.state is S.DRAINING:  # stopped meanwhile
            module.due_ms = now_ms + self.policy.stop_grace_ms
            self._effects.append(End(name, process, Signal.TERM))

    def spawn_failed(self, name: str, epoch: int, why: str, now_ms: int) -> None:
        """Notes that a `Spawn` has started nothing."""
        module = self.modules[name]
        if module.epoch == epoch:
            self._ended(module, f"could not be started: {why}", now_ms)
            self.save(module)
        self.settle(now_ms)

    def saved(self, name: str) -> None:
        """Notes that the record of a module is durable, as it is now."""
        module = self.modules[name]
        if module.unsaved:
            self._effects.append(Changed(name))
        module.unsaved, module.save_due_ms = "", None

    def save_failed(self, name: str, why: str, now_ms: int, *, spawn: int | None = None) -> None:
        """Notes that the record of a module is not durable: it is tried again.

        `spawn` is the epoch of the start that it was saved for, if any: that one is not
        made, and the next start has its epoch (KER-8).
        """
        module = self.modules[name]
        module.unsaved, module.save_due_ms = why, now_ms + SAVE_RETRY_MS
        self._effects.append(Changed(name))
        if module.epoch == spawn:
            module.epoch -= 1
            self._ended(module, f"not started: {UNSAVED}: {why}", now_ms)
        self.settle(now_ms)

    def exited(self, name: str, process: ProcessId, exit_: Exit, now_ms: int) -> None:
        """Notes the end of a process."""
        module = self.modules[name]
        if module.process != process:
            return  # of an earlier start: already accounted for
        is_final = exit_.code == MISCONFIGURED
        self._ended(module, str(exit_), now_ms, is_final=is_final)
        self.save(module)
        self.settle(now_ms)

    def tick(self, now_ms: int) -> None:
        """Does what is due.

        If it comes late, this process has stood still, and beats may wait to be
        read: then no lease ends before another ttl (KER-3).
        """
        due_ms = self.next_wake_ms()
        if due_ms is not None and now_ms - due_ms > self.policy.lease_ttl_ms // 3:
            for module in self.modules.values():
                if module.lease is not None:
                    module.lease.renew(now_ms)
        for module in self.modules.values():
            if module.save_due_ms is not None and now_ms >= module.save_due_ms:
                module.save_due_ms = None
                self.save(module)
            if module.lease is not None and module.lease.is_over(now_ms):
                self._lose_lease(module, now_ms)
            elif module.due_ms is not None and now_ms >= module.due_ms:
                self._meet_due(module, now_ms)
        self.settle(now_ms)

    # -- the operator ------------------------------------------------------------------------

    def to_start(self, name: str) -> list[Record]:
        """Returns what must be durable before `start`."""
        self.module(name)
        wanted = [self.modules[one] for one in resolve.requirements(self.requires, name)]
        return [
            replace(module.record(), desired=Desired.RUNNING)
            for module in wanted
            if module.desired is not Desired.RUNNING
        ]

    def start(self, name: str, now_ms: int) -> None:
        """Wants a module and all that it requires; ends back-offs."""
        self.module(name)
        for wanted in resolve.requirements(self.requires, name):
            self._want(self.modules[wanted], now_ms)
        self.settle(now_ms)

    def to_stop(self, name: str) -> list[Record]:
        """Returns what must be durable before `stop`, or refuses."""
        module = self._own(name)
        running = [
            other
            for other in resolve.dependents(self.requires, name)
            if self.modules[other].desired is Desired.RUNNING
            and self.modules[other].state not in _IDLE
        ]
        if running:
            raise HasDependentsError(
                f"{', '.join(running)} require {name}: stop them first, or restart {name} instead"
            )
        return [replace(module.record(), desired=Desired.STOPPED)]

    def stop(self, name: str, now_ms: int) -> None:
        """Wants a module no longer; it drains first."""
        module = self.module(name)
        module.desired = Desired.STOPPED
        self.save(module)
        self._drain(module, After.STOP, now_ms)
        self.settle(now_ms)

    def to_restart(self, name: str) -> list[Record]:
        """Returns what must be durable before `restart`, or refuses."""
        return [] if self._is_replaceable(self._own(name)) else self.to_start(name)

    def restart(self, name: str, now_ms: int) -> None:
        """Replaces the process of a module; those that require it stay."""
        module = self.module(name)
        if self._is_replaceable(module):
            self._drain(module, After.RESTART, now_ms)
            self.settle(now_ms)
        else:
            self.start(name, now_ms)

    def close(self, now_ms: int) -> None:
        """Ends every process, dependents first (KER-10). Desired states stay."""
        self._is_closing = True
        self.settle(now_ms)

    # -- the registry ------------------------------------------------------------------------

    def enter(self, module: Module, state: S, now_ms: int, *, due_ms: int | None = None) -> None:
        """Moves a module to a state, which lasts until `due_ms` at most."""
        if state is not module.state:
            check_transition(module.name, module.state, state)
            if state not in {S.BACKOFF, S.FAILED}:  # `_fail` has done it
                self._forgive(module, now_ms)
            module.state, module.since_ms = state, now_ms
        module.due_ms = due_ms
        self._effects.append(Changed(module.name))

    def save(self, module: Module) -> None:
        """Has a module's record made durable."""
        self._effects.append(Save(module.name))

    def start_deadline(self, module: Module, now_ms: int) -> int | None:
        """Returns when a module that is starting now has taken too long."""
        return None if module.is_external else now_ms + self.policy.start_timeout_ms

    def end_lease(self, module: Module) -> None:
        """Forgets where a module was reached."""
        if module.lease is not None:
            module.past_leases.add(module.lease)
        module.lease = None
        module.status_text = ""

    def left(self, module: Module, now_ms: int) -> None:
        """A module has given its lease up: its process is about to end."""
        self.end_lease(module)
        if module.is_external:
            module.last_exit = "left"
            self.enter(module, S.STARTING, now_ms)
        elif module.state is not S.DRAINING:
            module.after = After.BACKOFF
            self.enter(module, S.DRAINING, now_ms, due_ms=now_ms + self.policy.stop_grace_ms)
        elif module.due_ms is None:
            module.due_ms = now_ms + self.policy.stop_grace_ms

    def settle(self, now_ms: int) -> None:
        """Begins what is no longer blocked, and ends what nobody needs any more."""
        for module in self.modules.values():
            if module.state is S.BLOCKED and self._is_unblocked(module):
                self._begin(module, now_ms)
        if self._is_closing:
            for module in reversed(self.modules.values()):
                if not module.is_external and self._has_no_live_dependents(module):
                    self._drain(module, After.STOP, now_ms)

    # -- steps -------------------------------------------------------------------------------

    def _own(self, name: str) -> Module:
        module = self.module(name)
        if module.is_external:
            raise ExternalRuntimeError(
                f"this kernel only observes {name}: use the engine that runs it"
            )
        return module

    def _is_replaceable(self, module: Module) -> bool:
        is_stopping = module.state is S.DRAINING and module.after is After.STOP
        return module.state in LIVE and not is_stopping

    def _is_unblocked(self, module: Module) -> bool:
        return all(self.modules[name].state is S.READY for name in self.requires[module.name])

    def _has_no_live_dependents(self, module: Module) -> bool:
        return all(
            self.modules[name].state is S.STOPPED
            for name in resolve.dependents(self.requires, module.name)
        )

    def _adopt(self, module: Module, process: ProcessId, now_ms: int) -> None:
        self._effects.append(Watch(module.name, process))
        # It has run for a while: no lease yet, but a whole ttl to come back (KER-8).
        self.enter(module, S.STARTING, now_ms, due_ms=now_ms + self.policy.lease_ttl_ms)
        if module.desired is Desired.STOPPED:
            self._drain(module, After.STOP, now_ms)

    def _want(self, module: Module, now_ms: int) -> None:
        if module.desired is not Desired.RUNNING:
            module.desired = Desired.RUNNING
            self.save(module)
        if module.state is S.DRAINING and module.after is After.STOP:
            module.after = After.RESTART
        elif module.state in {S.STOPPED, S.BACKOFF, S.FAILED}:
            module.history.forget()
            if module.process is None:
                self._begin(module, now_ms)
            else:  # killed, but not yet gone
                module.after = After.RESTART
                self.enter(module, S.DRAINING, now_ms)

    def _begin(self, module: Module, now_ms: int) -> None:
        if not self._is_unblocked(module):
            self.enter(module, S.BLOCKED, now_ms)
            return
        module.epoch += 1
        module.endpoint, module.instance_id, module.described = "", b"", None
        self._effects.append(Spawn(module.name, module.epoch))
        self.enter(module, S.STARTING, now_ms, due_ms=self.start_deadline(module, now_ms))

    def _drain(self, module: Module, after: After, now_ms: int) -> None:
        """Asks a module's process to end; or ends at once what has none."""
        if module.state is S.STOPPED or (module.state is S.DRAINING and module.after is After.STOP):
            return
        has_process = module.process is not None or module.state in LIVE
        if not has_process:
            self.enter(module, S.STOPPED, now_ms)
            return
        was_asked = module.state is S.DRAINING and module.after is not After.BACKOFF
        module.after = after
        if was_asked:
            return
        if module.lease is not None:
            self._effects.append(AskStop(module.lease.lease_id))
        if module.process is not None:
            self._effects.append(End(module.name, module.process, Signal.TERM))
        self.enter(module, S.DRAINING, now_ms, due_ms=now_ms + self.policy.stop_grace_ms)

    def _ended(self, module: Module, why: str, now_ms: int, *, is_final: bool = False) -> None:
        """The process is gone: what now?"""
        module.process = None
        self.end_lease(module)
        module.endpoint, module.instance_id, module.described = "", b"", None
        if module.state in {S.BACKOFF, S.FAILED}:
            self._effects.append(Changed(module.name))
            return  # it was killed; its failure is counted and its next start is due
        module.last_exit = why
        if module.state is S.DRAINING and module.after is After.STOP:
            self.enter(module, S.STOPPED, now_ms)
        elif module.state is S.DRAINING and module.after is After.RESTART:
            self._begin(module, now_ms)
        else:
            self._fail(module, now_ms, is_final=is_final)

    def _fail(self, module: Module, now_ms: int, *, is_final: bool = False) -> None:
        self.end_lease(module)
        self._forgive(module, now_ms)
        retry = module.history.fail(now_ms, self._rng, is_final=is_final)
        state = S.FAILED if retry.is_failed else S.BACKOFF
        self.enter(module, state, now_ms, due_ms=now_ms + retry.delay_ms)

    def _forgive(self, module: Module, now_ms: int) -> None:
        """Forgets the history of a module that has been READY for long enough."""
        is_ready = module.state is S.READY
        if is_ready and now_ms - module.since_ms >= self.policy.healthy_after_ms:
            module.history.forget()

    def _lose_lease(self, module: Module, now_ms: int) -> None:
        is_doubted = module.lease is not None and module.lease.is_doubted
        seconds = f"{self.policy.lease_ttl_ms / 1000:g} s"
        why = "its session ended" if is_doubted else f"no beat for {seconds}"
        if module.is_external:
            module.last_exit = why
            self.end_lease(module)
            self.enter(module, S.STARTING, now_ms)
        elif module.state is S.DRAINING and module.after is not After.BACKOFF:
            self.end_lease(module)  # it is being stopped: its grace decides
        else:
            self._kill(module, why, now_ms)

    def _meet_due(self, module: Module, now_ms: int) -> None:
        if module.state is S.DRAINING:
            module.due_ms = None
            self._signal_kill(module)
        elif module.state in {S.BACKOFF, S.FAILED}:
            if module.process is None:
                module.restart_count += 1
                self._begin(module, now_ms)
            else:
                module.due_ms = now_ms + self.policy.backoff_base_ms  # killed, but not yet gone
        elif module.described is None:
            self._kill(module, "did not register in time", now_ms)
        else:
            self._kill(module, "was not READY in time", now_ms)

    def _kill(self, module: Module, why: str, now_ms: int) -> None:
        self._signal_kill(module)
        module.last_exit = why
        self._fail(module, now_ms)

    def _signal_kill(self, module: Module) -> None:
        if module.process is not None:
            self._effects.append(End(module.name, module.process, Signal.KILL))
