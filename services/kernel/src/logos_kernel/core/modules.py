"""The modules of a node, and the steps that they take: one state for all inputs.

`Supervisor` and `Registry` are its inputs. Each step changes the modules and returns the
effects that follow.

Rules: KER-1 states, KER-5 restarts, KER-6 order, KER-8 durability, KER-10 stop.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from logos_base.machine import Answer
from logos_kernel.core import resolve
from logos_kernel.core.effects import Admit, Begin, Changed, Down, Effects, End, Save, Signal
from logos_kernel.core.errors import UnknownModuleError
from logos_kernel.core.lease import Lease
from logos_kernel.core.lifecycle import LIVE, check_transition
from logos_kernel.core.module import After, Module
from logos_kernel.core.restarts import RestartPolicy, Rng
from logos_kernel.core.types import Desired, Grant, Introduction, Plan, Record
from logos_kernel.core.types import ModuleState as S


class Modules:
    """All modules, dependencies first, as an earlier kernel left them."""

    def __init__(
        self, plans: Iterable[Plan], records: Iterable[Record], policy: RestartPolicy, rng: Rng
    ) -> None:
        by_name = {plan.manifest.name: plan for plan in plans}
        noted = {record.name: record for record in records}
        self.requires = {name: plan.manifest.requires for name, plan in by_name.items()}
        self.policy = policy
        self.troubles: dict[str, str] = {}
        """Why listeners of the kernel cannot be reached; an empty text for one that can."""
        self.is_closing = False
        self.departed = {name: noted[name].process for name in noted.keys() - by_name.keys()}
        """Modules that left the profile, and their processes."""
        self._rng = rng
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

    def required(self, name: str) -> list[Module]:
        """Returns all that a module requires, also through others, and the module last."""
        self.find(name)
        return [self._modules[needed] for needed in resolve.requirements(self.requires, name)]

    def dependents(self, name: str) -> list[Module]:
        """Returns the modules that require `name` themselves."""
        return [self._modules[other] for other in resolve.dependents(self.requires, name)]

    @property
    def trouble(self) -> str:
        """Why the kernel cannot be reached; empty if it can."""
        return "; ".join(filter(None, self.troubles.values()))

    def is_ready(self) -> bool:
        """Says whether every module that should run is READY, and the kernel can be reached."""
        wanted = (module for module in self if module.desired is Desired.RUNNING)
        return not self.trouble and all(module.state is S.READY for module in wanted)

    def is_down(self) -> bool:
        """Says whether the kernel is closing, and none of its processes is left."""
        own = (module for module in self if not module.is_external)
        is_over = all(module.state is S.STOPPED for module in own)
        return self.is_closing and is_over and not self.departed

    # -- steps -------------------------------------------------------------------------------

    def admit(self, admit: Admit, now_ms: int) -> Effects:
        """Grants a lease to an instance that was called at its endpoint."""
        candidate, said = admit.candidate, admit.candidate.introduction
        module = self.find(said.module)
        # It registers again after a broken stream: the state that it reported still holds.
        is_ready = module.state is S.READY and said.instance_id == module.instance_id
        self.end_lease(module)
        if is_new_observed(module, said):
            following = next_record(module, said)
            module.epoch, module.restart_count = following.epoch, following.restart_count
        ttl_ms = self.policy.lease_ttl_ms
        module.lease = Lease(candidate.lease_id, module.epoch, ttl_ms, now_ms + ttl_ms)
        module.version, module.services = said.version, said.services
        module.endpoint, module.instance_id = said.endpoint, said.instance_id
        module.described = candidate.described
        grant = Grant(candidate.lease_id, module.epoch, ttl_ms, module.plan.settings_json)
        deadline_ms = None if is_ready else self.start_deadline(module, now_ms)
        return [
            *self.save(module),
            *self.enter(module, S.READY if is_ready else S.REGISTERED, now_ms, due_ms=deadline_ms),
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

    def enter(self, module: Module, state: S, now_ms: int, *, due_ms: int | None = None) -> Effects:
        """Moves a module to a state, which lasts until `due_ms` at most."""
        if state is not module.state:
            check_transition(module.name, module.state, state)
            if state not in {S.BACKOFF, S.FAILED}:  # `fail` has done it
                self._forgive(module, now_ms)
            module.state, module.since_ms = state, now_ms
        module.due_ms = due_ms
        return [Changed(module.name)]

    def begin(self, module: Module, now_ms: int) -> Effects:
        """Starts a module once its epoch is durable, or has it wait for what it requires."""
        if not self._is_unblocked(module):
            return self.enter(module, S.BLOCKED, now_ms)
        module.epoch += 1
        module.endpoint, module.instance_id, module.described = "", b"", None
        deadline_ms = self.start_deadline(module, now_ms)
        return [
            *self.enter(module, S.STARTING, now_ms, due_ms=deadline_ms),
            *self.save(module, Begin(module.name, module.epoch)),
        ]

    def drain(self, module: Module, after: After, now_ms: int) -> Effects:
        """Asks a module's process to end; or ends at once what has none."""
        if module.state is S.STOPPED or (module.state is S.DRAINING and module.after is After.STOP):
            return []
        if module.process is None and module.state not in LIVE:
            return self.enter(module, S.STOPPED, now_ms)
        was_asked = module.state is S.DRAINING and module.after is not After.BACKOFF
        module.after = after
        if was_asked:
            return []
        grace_ms = now_ms + self.policy.stop_grace_ms
        return [
            *(module.lease.stop() if module.lease is not None else []),
            *self.signal(module, Signal.TERM),
            *self.enter(module, S.DRAINING, now_ms, due_ms=grace_ms),
        ]

    def ended(self, module: Module, why: str, now_ms: int, *, is_final: bool = False) -> Effects:
        """Decides what follows after the process of a module has ended."""
        module.process = None
        self.end_lease(module)
        module.endpoint, module.instance_id, module.described = "", b"", None
        if module.state in {S.BACKOFF, S.FAILED}:
            return [Changed(module.name)]  # killed: its failure is counted, its next start is due
        module.last_exit = why
        if module.state is S.DRAINING and module.after is After.STOP:
            return self.enter(module, S.STOPPED, now_ms)
        if module.state is S.DRAINING and module.after is After.RESTART:
            return self.begin(module, now_ms)
        return self.fail(module, now_ms, is_final=is_final)

    def fail(self, module: Module, now_ms: int, *, is_final: bool = False) -> Effects:
        """Counts a failure, and sets the time of the next start."""
        self.end_lease(module)
        self._forgive(module, now_ms)
        delay_ms = module.history.fail(now_ms, self._rng, is_final=is_final)
        state = S.FAILED if module.history.is_failed else S.BACKOFF
        return self.enter(module, state, now_ms, due_ms=now_ms + delay_ms)

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
        """Begins what is no longer blocked; when closing, ends what no other module needs."""
        effects: Effects = []
        for module in self:
            if module.state is S.BLOCKED and self._is_unblocked(module):
                effects += self.begin(module, now_ms)
        if self.is_closing:
            for module in reversed(self._modules.values()):
                dependents = self.dependents(module.name)
                is_needed = any(other.state is not S.STOPPED for other in dependents)
                if not module.is_external and not is_needed:
                    effects += self.drain(module, After.STOP, now_ms)
        if self.is_down():
            effects.append(Down())
        return effects

    def start_deadline(self, module: Module, now_ms: int) -> int | None:
        """Returns when a module that is starting now has taken too long."""
        return None if module.is_external else now_ms + self.policy.start_timeout_ms

    def _is_unblocked(self, module: Module) -> bool:
        return all(self.find(name).state is S.READY for name in self.requires[module.name])

    def _forgive(self, module: Module, now_ms: int) -> None:
        """Forgets the history of a module that has been READY for long enough."""
        is_ready = module.state is S.READY
        if is_ready and now_ms - module.since_ms >= self.policy.healthy_after_ms:
            module.history.forget()


def is_new_observed(module: Module, said: Introduction) -> bool:
    """Says whether another instance of an observed module introduces itself."""
    return module.is_external and said.instance_id != module.instance_id


def next_record(module: Module, said: Introduction) -> Record:
    """Returns the record of an observed module with its next instance."""
    return replace(
        module.record(),
        epoch=max(module.epoch + 1, said.epoch),
        restart_count=module.restart_count + (1 if module.epoch else 0),
        endpoint=said.endpoint,
        instance_id=said.instance_id,
    )
