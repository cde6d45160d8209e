"""The modules of a node, and the steps that they take: one state for all inputs.

`Supervisor` and `Registry` are its inputs. Each step changes the modules and returns the
effects that follow.

Rules: KER-1 states, KER-5 restarts, KER-6 order, KER-8 durability, KER-10 stop.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from logos_base.machine import Answer
from logos_kernel.core import resolve
from logos_kernel.core.effects import Admit, Begin, Changed, Down, Effects, End, Keep, Save, Signal
from logos_kernel.core.errors import ExternalRuntimeError, UnknownModuleError
from logos_kernel.core.groups import Group, Groups
from logos_kernel.core.journal import HUNG, Journal, Reason
from logos_kernel.core.lease import Lease
from logos_kernel.core.lifecycle import LIVE, check_transition
from logos_kernel.core.module import After, Module
from logos_kernel.core.restarts import RestartPolicy, Rng
from logos_kernel.core.types import Desired, Grant, Plan, Record
from logos_kernel.core.types import ModuleState as S

MISCONFIGURED: Final = 2
"""Exit code of a module that a restart does not mend."""

Why = tuple[Reason, str]
"""The reason of a transition, and what it says for people; may be empty."""


class Modules:
    """All modules, dependencies first, as an earlier kernel left them."""

    def __init__(
        self,
        plans: Iterable[Plan],
        records: Iterable[Record],
        policy: RestartPolicy,
        rng: Rng,
        journal: Journal,
        *,
        groups: Iterable[Group] = (),
    ) -> None:
        by_name = {plan.manifest.name: plan for plan in plans}
        noted = {record.name: record for record in records}
        self.requires = {name: plan.manifest.prerequisites for name, plan in by_name.items()}
        """What must be READY before each module is started."""
        self._binds = {name: plan.manifest.binds for name, plan in by_name.items()}
        self.policy = policy
        self.journal = journal
        self.troubles: dict[str, str] = {}
        """Why listeners of the kernel cannot be reached; an empty text for one that can."""
        self.is_closing = False
        self.departed = {name: noted[name].process for name in noted.keys() - by_name.keys()}
        """Modules that left the profile, and their processes."""
        self._rng = rng
        group_of = {name: plan.group for name, plan in by_name.items() if plan.group}
        self._groups = Groups(groups, group_of, self.requires)
        self._modules = {
            name: Module(by_name[name], noted.get(name, Record(name)), policy)
            for name in resolve.start_order(self.requires)
        }

    # -- questions ---------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def find(self, name: str) -> Module:
        """Returns a module of the profile, or raises `UnknownModuleError`."""
        if name not in self._modules:
            raise UnknownModuleError(f"no module {name!r} in this node's profile")
        return self._modules[name]

    def own(self, name: str) -> Module:
        """Returns a module that this kernel runs, or raises `ExternalRuntimeError`."""
        module = self.find(name)
        if module.is_external:
            raise ExternalRuntimeError(
                f"this kernel only observes {name}: use the engine that runs it"
            )
        return module

    def bound_to(self, name: str) -> list[Module]:
        """Returns the modules that end with `name`, also through others."""
        return [self._modules[other] for other in resolve.all_dependents(self._binds, name)]

    def dependents(self, name: str) -> list[Module]:
        """Returns the modules that require `name` themselves."""
        return [self._modules[other] for other in resolve.dependents(self.requires, name)]

    @property
    def trouble(self) -> str:
        """Why the kernel cannot be reached; empty if it can."""
        return "; ".join(filter(None, self.troubles.values()))

    def is_ready(self) -> bool:
        """Says whether every module that should run is READY, and the kernel can be reached.

        One that is STOPPED has exited, and its policy restarts it not.
        """
        wanted = (module.state for module in self if module.desired is Desired.RUNNING)
        is_all = all(state in {S.READY, S.STOPPED} for state in wanted)
        return is_all and not self.trouble and not self.is_closing

    def is_down(self) -> bool:
        """Says whether the kernel is closing, and none of its processes is left."""
        own = (module for module in self if not module.is_external)
        is_over = all(module.state is S.STOPPED for module in own)
        return self.is_closing and is_over and not self.departed and self.journal.is_settled

    # -- steps -------------------------------------------------------------------------------

    def admit(self, admit: Admit, now_ms: int) -> Effects:
        """Grants a lease to an instance that was called at its endpoint."""
        candidate, said = admit.candidate, admit.candidate.introduction
        module = self.find(said.module)
        # It registers again after a broken stream: the state that it reported still holds.
        is_ready = module.state is S.READY and said.instance_id == module.instance_id
        self.end_lease(module)
        if module.is_preceding(said):
            following = module.next_record(said)
            module.epoch, module.restart_count = following.epoch, following.restart_count
        ttl_ms = self.policy.lease_ttl_ms
        module.lease = Lease(
            candidate.lease_id,
            module.epoch,
            ttl_ms,
            now_ms + ttl_ms,
            watchdog_ms=module.plan.manifest.watchdog_ms,
        )
        module.lease.renew(now_ms)
        module.version, module.services = said.version, said.services
        module.endpoint, module.instance_id = said.endpoint, said.instance_id
        module.described = candidate.described
        grant = Grant(candidate.lease_id, module.epoch, ttl_ms)
        deadline_ms = None if is_ready else self.start_deadline(module, now_ms)
        return [
            *self.save(module),
            *self.enter(
                module,
                S.READY if is_ready else S.REGISTERED,
                (Reason.REGISTERED, ""),
                now_ms,
                due_ms=deadline_ms,
            ),
            *self.settle(now_ms),
            Answer(admit.ticket, grant),
        ]

    def save(self, module: Module, then: Begin | None = None) -> Effects:
        """Makes a module's record durable, if it is not."""
        record = module.record()
        if record == module.given:
            return []
        module.given = record
        return [Save((record,), then)]

    def enter(
        self, module: Module, state: S, why: Why, now_ms: int, *, due_ms: int | None = None
    ) -> Effects:
        """Moves a module to a state, which lasts until `due_ms` at most."""
        if state is not module.state:
            check_transition(module.name, module.state, state)
            if state not in {S.BACKOFF, S.FAILED}:  # `fail` has done it
                self._forgive(module, now_ms)
            if module.state is S.BLOCKED:
                module.status_text = ""
            module.state, module.since_ms = state, now_ms
            self.journal.note(module.name, module.epoch, state, why, now_ms)
        module.due_ms = due_ms
        return [Changed(module.name), *self.keep()]

    def keep(self) -> Effects:
        """Makes the journal durable, unless that is under way."""
        entries = self.journal.take()
        return [] if entries is None else [Keep(entries)]

    def begin(self, module: Module, reason: Reason, now_ms: int) -> Effects:
        """Starts a module once its epoch is durable, or has it wait for what it requires."""
        if unmet := self.unmet(module):
            if reason is not Reason.KERNEL_STARTED:
                reason = Reason.REQUIREMENT_MISSING
            module.status_text = _waits_for(unmet)
            return self.enter(module, S.BLOCKED, (reason, module.status_text), now_ms)
        module.epoch += 1
        module.end_reason = Reason.EXITED
        module.forget_instance()
        deadline_ms = self.start_deadline(module, now_ms)
        return [
            *self.enter(module, S.STARTING, (reason, ""), now_ms, due_ms=deadline_ms),
            *self.save(module, Begin(module.name, module.epoch)),
        ]

    def drain(self, module: Module, after: After, reason: Reason, now_ms: int) -> Effects:
        """Asks a module's process to end; or ends at once what has none."""
        if module.state is S.STOPPED or (module.state is S.DRAINING and module.after is After.STOP):
            return []
        if module.process is None and module.state not in LIVE:
            return self.enter(module, S.STOPPED, (reason, ""), now_ms)
        was_asked = module.state is S.DRAINING and module.after is not After.BACKOFF
        module.after, module.ending = after, None
        if was_asked:
            return []
        module.end_reason = reason
        grace_ms = now_ms + self.policy.stop_grace_ms
        return [
            *(module.lease.stop() if module.lease is not None else []),
            *self.signal(module, Signal.TERM),
            *self.enter(module, S.DRAINING, (reason, ""), now_ms, due_ms=grace_ms),
        ]

    def ended(self, module: Module, why: Why, now_ms: int, *, code: int | None = None) -> Effects:
        """Decides what follows after the process of a module has ended, or was not made.

        `code` is its exit code, if that is known.
        """
        module.process = None
        self.end_lease(module)
        module.forget_instance()
        if module.state in {S.BACKOFF, S.FAILED}:
            return [Changed(module.name)]  # killed: its failure is counted, its next start is due
        _, module.last_exit = why
        if module.state is S.DRAINING and module.after is After.STOP:
            return self.enter(module, S.STOPPED, why, now_ms)
        if module.state is S.DRAINING and module.after is After.RESTART:
            return self.begin(module, Reason.EXITED, now_ms)
        if module.state is S.DRAINING and module.after is After.FAIL:
            return self._fail_with_group(module, now_ms)
        return self.fail(module, why, now_ms, code=code)

    def fail(self, module: Module, why: Why, now_ms: int, *, code: int | None = None) -> Effects:
        """Counts a failure, and sets the time of the next start, if there is to be one."""
        self.end_lease(module)
        self._forgive(module, now_ms)
        for bound in self.bound_to(module.name):
            self.end(bound, After.RESTART, Reason.BOUND)
        reason, _ = why
        is_hung = reason in HUNG
        is_begun = reason is not Reason.NOT_STARTED  # else there was nothing to restart
        if is_begun and not module.policy.restarts(is_hung=is_hung, is_clean=code == 0):
            return self.enter(module, S.STOPPED if code == 0 else S.FAILED, why, now_ms)
        verdict = self._groups.failed(module.name, now_ms)
        for name in verdict.restarted:
            self.end(self.find(name), After.RESTART, Reason.GROUP)
        for name in verdict.failed:
            self.end(self.find(name), After.FAIL, Reason.GROUP)
        is_final = code == MISCONFIGURED or module.name in verdict.failed
        return self._set_back(module, why, now_ms, is_final=is_final)

    def _set_back(self, module: Module, why: Why, now_ms: int, *, is_final: bool) -> Effects:
        """Enters BACKOFF, or FAILED if that is final or was too often, until the next start."""
        delay_ms = module.history.fail(now_ms, self._rng, is_final=is_final)
        state = S.FAILED if module.history.is_failed else S.BACKOFF
        due_ms = None if delay_ms is None else now_ms + delay_ms
        return self.enter(module, state, why, now_ms, due_ms=due_ms)

    def _fail_with_group(self, module: Module, now_ms: int) -> Effects:
        """Makes a module FAILED that has not failed itself."""
        module.ending = None
        why = Reason.GROUP, "its group has failed"
        return self._set_back(module, why, now_ms, is_final=True)

    def end(self, module: Module, after: After, reason: Reason) -> None:
        """Has `settle` end a module, after those that need it and are to end, too.

        Those that are bound to it are among these.
        """
        if not module.is_external and (module.ending is None or after > module.ending[0]):
            module.ending = after, reason
        for bound in self.bound_to(module.name):
            if bound.ending is None and not bound.is_external:
                bound.ending = After.RESTART, Reason.BOUND

    def _end_due(self, module: Module, now_ms: int) -> Effects:
        """Ends a module that is to end, unless another that needs it has yet to."""
        if module.ending is None or module.is_begun:
            return []
        after, reason = module.ending
        if module.state in {S.BLOCKED, S.BACKOFF} and after is After.FAIL:
            return self._fail_with_group(module, now_ms)
        if module.state not in LIVE:
            module.ending = None
            return self.drain(module, after, reason, now_ms) if after is After.STOP else []
        if module.state is S.DRAINING and module.after is not After.BACKOFF:
            module.ending, module.after = None, max(module.after, after)
            return []
        needing = map(self.find, resolve.all_dependents(self.requires, module.name))
        if any(one.is_ending for one in needing if one.state in LIVE):
            return []
        return self.drain(module, after, reason, now_ms)

    def signal(self, module: Module, signal: Signal) -> Effects:
        """Signals the process of a module, if there is one."""
        return [] if module.process is None else [End(module.process, signal)]

    def end_lease(self, module: Module) -> None:
        """Ends the lease of a module, if it has one."""
        if module.lease is not None:
            module.past_leases.append(module.lease)
        module.lease = None
        module.status_text = ""

    def settle(self, now_ms: int) -> Effects:
        """Ends what is to end, begins what is no longer blocked.

        When closing, ends what no other module needs.
        """
        effects: Effects = []
        for module in reversed(self._modules.values()):
            effects += self._end_due(module, now_ms)
        for module in self:
            if module.state is S.BLOCKED:
                effects += self._unblock(module, now_ms)
        if self.is_closing:
            for module in reversed(self._modules.values()):
                dependents = self.dependents(module.name)
                is_needed = any(other.state is not S.STOPPED for other in dependents)
                if not module.is_external and not is_needed:
                    effects += self.drain(module, After.STOP, Reason.KERNEL_STOPPING, now_ms)
        if self.is_down():
            effects.append(Down())
        return effects

    def _unblock(self, module: Module, now_ms: int) -> Effects:
        """Starts a blocked module if its requirements are met; else updates its status text."""
        unmet = self.unmet(module)
        if not unmet:
            return self.begin(module, Reason.REQUIREMENT_MET, now_ms)
        text = _waits_for(unmet)
        is_news, module.status_text = text != module.status_text, text
        return [Changed(module.name)] if is_news else []

    def start_deadline(self, module: Module, now_ms: int) -> int | None:
        """Returns when a module that is starting now has taken too long."""
        return None if module.is_external else now_ms + self.policy.start_timeout_ms

    def unmet(self, module: Module, coming: Collection[str] = ()) -> list[str]:
        """Says what a module waits for before it can be started.

        `coming` are modules that are taken for READY, with the versions of their manifests.
        """
        found = []
        for name in self.requires[module.name]:
            other = self._modules.get(name)
            if other is None:
                found.append(f"{name}, which the profile does not have")
                continue
            needed = module.plan.manifest.ranges.get(name)
            is_ready = other.state is S.READY and other.ending is None
            version = other.version if is_ready else other.plan.manifest.version
            if not is_ready and name not in coming:
                found.append(name)
            elif needed is not None and not needed.holds(version):
                found.append(f"{name} {needed}, which is {version}")
        return found

    def _forgive(self, module: Module, now_ms: int) -> None:
        """Forgets the history of a module that has been READY for long enough."""
        is_ready = module.state is S.READY
        if is_ready and now_ms - module.since_ms >= module.policy.healthy_after_ms:
            module.history.forget()


def _waits_for(unmet: Iterable[str]) -> str:
    return f"waits for {', '.join(unmet)}"
