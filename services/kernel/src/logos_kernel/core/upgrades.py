"""Upgrades of modules: what the phases of `Upgrade` mean for processes (KER-48).

Steps of `Modules`, which calls `before_start` and `entered`; the inputs are those of `Supervisor`
and `Registry`. A second process of a module is its `beside`.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from logos_base.machine import Answer, Ticket
from logos_kernel.core.beside import HANDOVER_MS, Beside, Stage
from logos_kernel.core.effects import (
    Admit,
    Advance,
    Changed,
    Effects,
    End,
    Promote,
    Save,
    Signal,
    Spawn,
    Watch,
)
from logos_kernel.core.errors import (
    OperationNotFoundError,
    UpgradeRefusedError,
    UpgradeUnderWayError,
)
from logos_kernel.core.journal import Reason
from logos_kernel.core.lease import Lease
from logos_kernel.core.lifecycle import LIVE
from logos_kernel.core.module import After, Module
from logos_kernel.core.types import Beat, Desired, Exit, LeaseGrant, Plan, Record, Runtime
from logos_kernel.core.types import ModuleState as S
from logos_kernel.core.upgrade import Event, Phase, Upgrade

if TYPE_CHECKING:
    from logos_kernel.core.modules import Modules

KERNEL_CAME: Final = "the kernel was started again meanwhile"

_SET_BACK: Final = frozenset({S.BACKOFF, S.FAILED})


class Upgrades:
    """Begins, promotes and rolls back."""

    def __init__(self, modules: "Modules") -> None:
        self._modules = modules

    # -- an operator's questions -------------------------------------------------------------

    def begin(
        self, ticket: Ticket, operation: str, name: str, version: str, now_ms: int
    ) -> Effects:
        """Begins an upgrade, once it is durable; answers with it.

        Raises:
            UnknownModuleError, UnknownVersionError: There is no such thing.
            UpgradeUnderWayError: The last upgrade has not ended, or its process has not.
            UpgradeRefusedError, DependencyCycleError: The node cannot do with that version.
        """
        module = self._modules.own(name)
        installed, plan = self._modules.plan_at(name, version)
        self._check_new(module, installed, plan)
        return self._begin(ticket, operation, module, (installed, plan), now_ms)

    def renew(self, ticket: Ticket, operation: str, name: str, now_ms: int) -> Effects:
        """Begins an upgrade to the version that the module runs; else as `begin`."""
        module = self._modules.own(name)
        to = self._modules.plan_at(name, module.installed, exact=True)
        return self._begin(ticket, operation, module, to, now_ms)

    def _begin(
        self, ticket: Ticket, operation: str, module: Module, to: tuple[str, Plan], now_ms: int
    ) -> Effects:
        installed, plan = to
        self._check(module, plan)
        new = Upgrade(
            operation,
            module.name,
            module.installed,
            installed,
            self.phase_of(module, plan),
            self._modules.journal.to_wall_ms(now_ms),
        )
        record = replace(module.record(), upgrade=new)
        if new.phase is Phase.BESIDE:
            record = replace(record, newest=module.newest + 1)
        module.given = record
        return [Save((record,), Advance(ticket, new))]

    def plan(self, name: str, version: str) -> Phase:
        """Returns how an upgrade would begin now; raises what `begin` would."""
        module = self._modules.own(name)
        installed, plan = self._modules.plan_at(name, version)
        self._check_new(module, installed, plan)
        self._check(module, plan)
        return self.phase_of(module, plan)

    def cancel(self, ticket: Ticket, operation: str, why: str, now_ms: int) -> Effects:
        """Ends an upgrade, if it has not ended; answers with it.

        Raises:
            OperationNotFoundError: There is no such upgrade.
        """
        module = self.find(operation)
        upgrade = module.upgrade
        effects: Effects = []
        if upgrade is not None and not upgrade.is_over:
            is_running = upgrade.phase is Phase.TRYING and module.state in LIVE
            effects = self.fail(module, why, now_ms)
            if is_running:
                self._modules.end(module, After.RESTART, Reason.UPGRADE)
        settled = self._modules.settle(now_ms)
        return [*effects, *settled, Answer(ticket, module.upgrade)]

    def find(self, operation: str) -> Module:
        """Returns the module of an upgrade, or raises `OperationNotFoundError`."""
        for module in self._modules:
            if module.upgrade is not None and module.upgrade.operation == operation:
                return module
        raise OperationNotFoundError(f"no upgrade {operation[:64]!r}, or its module had another")

    def phase_of(self, module: Module, plan: Plan) -> Phase:
        """Returns how an upgrade to a plan would begin now."""
        is_shared = not (plan.manifest.exclusive or module.plan.manifest.exclusive)
        is_serving = module.state is S.READY and module.ending is None
        can_both = plan.runtime is Runtime.PROCESS and is_shared and is_serving
        return Phase.BESIDE if can_both else Phase.STOPPING

    def _check_new(self, module: Module, installed: str, plan: Plan) -> None:
        self._check_ended(module)
        if installed == module.installed and plan == module.plan:
            version = plan.manifest.version
            raise UpgradeRefusedError(f"{module.name} runs version {version} already")

    def _check_ended(self, module: Module) -> None:
        name, upgrade = module.name, module.upgrade
        if module.beside is not None or (upgrade is not None and not upgrade.is_over):
            raise UpgradeUnderWayError(f"an upgrade of {name} has not ended: wait, or cancel it")

    def _check(self, module: Module, plan: Plan) -> None:
        name = module.name
        self._check_ended(module)
        if module.is_leaving:
            raise UpgradeRefusedError(f"{name} is being unloaded")
        if self._modules.is_closing:
            raise UpgradeRefusedError("the kernel is stopping")
        if module.state is S.DRAINING and module.after is After.STOP:
            raise UpgradeRefusedError(f"{name} is stopping: wait until it has stopped")
        self._modules.check_fit(plan)

    # -- what is durable now -----------------------------------------------------------------

    def advance(self, then: Advance, now_ms: int) -> Effects:
        """Does the first step of an upgrade."""
        module = self._modules.find(then.upgrade.module)
        module.upgrade = then.upgrade
        effects: Effects = []
        if then.upgrade.phase is Phase.BESIDE:
            module.newest += 1
            installed, plan = self._modules.plan_at(module.name, then.upgrade.new, exact=True)
            module.beside = Beside(plan, installed, module.newest)
            module.beside.due_ms = self._modules.start_deadline(module, now_ms)
            effects = [Spawn(module.name, module.newest)]
        elif module.state in LIVE:
            self._modules.end(module, After.RESTART, Reason.UPGRADE)
        elif module.desired is Desired.STOPPED:
            self.before_start(module)
            effects = self._end(module, Event.READY, "it is stopped: its next start has it", now_ms)
        elif module.process is None:
            effects = self._modules.begin(module, Reason.UPGRADE, now_ms)
        else:
            module.due_ms = now_ms  # killed, and not yet gone
        settled = self._modules.settle(now_ms)
        return [*effects, Changed(module.name), *settled, Answer(then.ticket, module.upgrade)]

    def promote(self, then: Promote, now_ms: int) -> Effects:
        """Has the new version take the place of the old one, which serves on for a while."""
        module = self._modules.find(then.module)
        beside, upgrade = module.successor(then.epoch), module.upgrade
        is_it = upgrade is not None and upgrade.operation == then.operation
        if beside is None or upgrade is None or not is_it or upgrade.phase is not Phase.BESIDE:
            return self._modules.save(module)  # it was rolled back in the meantime
        old = Beside(module.plan, module.installed, module.epoch)
        old.stage, old.process, old.lease = Stage.RETIRED, module.process, module.lease
        old.endpoint, old.instance_id = module.endpoint, module.instance_id
        old.due_ms = now_ms + HANDOVER_MS
        self._modules.replan(module, beside.plan, beside.installed)
        module.epoch, module.process, module.lease = beside.epoch, beside.process, beside.lease
        module.endpoint, module.instance_id = beside.endpoint, beside.instance_id
        module.version, module.services = beside.version, beside.services
        module.described, module.beside = beside.described, old
        module.history.forget()
        what = f"{module.version} after {old.plan.manifest.version}"
        self._modules.journal.note(
            module.name, module.epoch, module.state, (Reason.UPGRADE, what), now_ms
        )
        ended = self._end(module, Event.READY, "", now_ms)
        return [*ended, *self._modules.keep(), *self._modules.settle(now_ms)]

    # -- the second process ------------------------------------------------------------------

    def holder(self, lease_id: bytes) -> tuple[Module, Beside] | None:
        """Returns the second process that holds a lease."""
        for module in self._modules:
            beside = module.beside
            lease = None if beside is None else beside.lease
            if beside is not None and lease is not None and lease.lease_id == lease_id:
                return module, beside
        return None

    def admit(self, module: Module, beside: Beside, admit: Admit, now_ms: int) -> Effects:
        """Grants a lease to the new version, beside the old one."""
        candidate, said = admit.candidate, admit.candidate.introduction
        ttl_ms = self._modules.policy.lease_ttl_ms
        watchdog_ms = beside.plan.manifest.watchdog_ms
        beside.lease = Lease(
            candidate.lease_id, beside.epoch, ttl_ms, now_ms + ttl_ms, watchdog_ms=watchdog_ms
        )
        beside.lease.renew(now_ms)
        beside.version, beside.services = said.version, said.services
        beside.endpoint, beside.instance_id = said.endpoint, said.instance_id
        beside.described = candidate.described
        return [Answer(admit.ticket, LeaseGrant(candidate.lease_id, beside.epoch, ttl_ms))]

    def beat(
        self, ticket: Ticket, module: Module, beside: Beside, beat: Beat, now_ms: int
    ) -> Effects:
        """Counts a heartbeat of the second process; promotes it if it is READY."""
        if beside.lease is None:
            return []
        beside.lease.beat(beat, now_ms)
        answer = Answer(ticket, beside.lease.ttl_ms)
        if not beside.is_successor:
            return [answer]
        if beat.state is S.DRAINING:
            failed = self.fail(module, "the new version left before it was READY", now_ms)
            return [*failed, answer]
        if beat.state is S.READY and beat.is_serving and module.upgrade is not None:
            record = self._promoted(module, beside, module.upgrade, now_ms)
            module.given = record
            then = Promote(module.name, module.upgrade.operation, beside.epoch)
            return [Save((record,), then), answer]
        return [answer]

    def left(self, module: Module, beside: Beside, now_ms: int) -> Effects:
        """Notes that the second process has given up its lease."""
        is_successor = beside.is_successor
        beside.lease = None
        if is_successor:
            return self.fail(module, "the new version left before it was READY", now_ms)
        return []

    def exited(self, module: Module, beside: Beside, exit_: Exit | str, now_ms: int) -> Effects:
        """Notes the end of the second process, or that there is none."""
        module.beside = None
        self._past(module, beside)
        effects: Effects = []
        if isinstance(exit_, Exit):
            why = Reason.EXITED if beside.is_successor else Reason.UPGRADE
            self._modules.journal.note_exit(module.name, beside.epoch, exit_, why, now_ms)
        if beside.is_successor:
            effects = self.fail(module, f"the new version {exit_}", now_ms)
        kept = self._modules.keep()
        saved = self._modules.save(module)
        return [*effects, *kept, *saved, Changed(module.name), *self._modules.settle(now_ms)]

    def tick(self, module: Module, now_ms: int) -> Effects:
        """Does what is due."""
        beside = module.beside
        if beside is None:
            return []
        if beside.is_successor and beside.lease is not None:
            fault = beside.lease.fault(now_ms, is_watched=True)
            if fault is not None:
                return self.fail(module, f"the new version: {fault[1]}", now_ms)
        if beside.due_ms is None or now_ms < beside.due_ms:
            return []
        if beside.is_successor:
            limit_s = self._modules.policy.start_timeout_ms / 1000
            return self.fail(module, f"the new version was not READY in {limit_s:g} s", now_ms)
        if beside.stage is Stage.RETIRED:
            return self._ask_to_end(beside, now_ms)
        beside.stage, beside.due_ms = Stage.KILLED, None
        return [] if beside.process is None else [End(beside.process, Signal.KILL)]

    def close(self, now_ms: int) -> Effects:
        """Ends those that serve on after an upgrade."""
        effects: Effects = []
        for module in self._modules:
            if module.beside is not None and module.beside.stage is Stage.RETIRED:
                effects += self._ask_to_end(module.beside, now_ms)
        return effects

    def boot(self, module: Module, record: Record, *, is_alive: bool, now_ms: int) -> Effects:
        """Goes on with, or rolls back, what an earlier kernel has begun."""
        effects: Effects = []
        if record.beside is not None and is_alive:
            beside = Beside(module.plan, "", 0)
            beside.process, beside.stage = record.beside, Stage.ENDING
            beside.due_ms = now_ms + self._modules.policy.stop_grace_ms
            module.beside = beside
            effects += [Watch(module.name, record.beside), End(record.beside, Signal.TERM)]
        if module.upgrade is not None and not module.upgrade.is_over:
            if module.upgrade.phase is Phase.BESIDE:
                effects += self.fail(module, KERNEL_CAME, now_ms)
            elif module.desired is Desired.STOPPED:
                effects += self.fail(module, "it was stopped", now_ms)
            elif module.upgrade.phase is Phase.STOPPING and module.state in LIVE:
                self._modules.end(module, After.RESTART, Reason.UPGRADE)
        return [*effects, *self._modules.save(module)]

    # -- hooks of `Modules` ------------------------------------------------------------------

    def before_start(self, module: Module) -> None:
        """Puts the new version in place of the old one, which has ended."""
        upgrade = module.upgrade
        if upgrade is not None and upgrade.phase is Phase.STOPPING:
            module.upgrade = upgrade.step(Event.ENDED, "", 0)
            _, plan = self._modules.plan_at(module.name, upgrade.new, exact=True)
            self._modules.replan(module, plan, upgrade.new)

    def ending_of(self, module: Module) -> tuple[After, Reason] | None:
        """Returns how a module is to end where it is not to stop: for an upgrade, or not."""
        upgrade = module.upgrade
        if upgrade is not None and upgrade.phase is Phase.STOPPING:
            return After.RESTART, Reason.UPGRADE
        return None

    def entered(self, module: Module, detail: str, now_ms: int) -> Effects:
        """Ends an upgrade where the new state of its module decides it."""
        upgrade, state = module.upgrade, module.state
        if upgrade is None or upgrade.is_over:
            return []
        is_stopping = state is S.DRAINING and module.after in {After.STOP, After.FAIL}
        is_lost = is_stopping or state is S.STOPPED
        why = detail or f"it is {state}"
        effects: Effects = []
        match upgrade.phase:
            case Phase.BESIDE if state is not S.READY:
                told = KERNEL_CAME if state is S.STARTING else f"the running version ended: {why}"
                effects = self.fail(module, told, now_ms)
            case Phase.STOPPING if state in _SET_BACK:
                module.due_ms = now_ms  # the old version ended otherwise than it was asked to
            case Phase.STOPPING if is_lost:
                effects = self.fail(module, "it was stopped", now_ms)
            case Phase.TRYING if state is S.READY:
                effects = self._end(module, Event.READY, "", now_ms)
            case Phase.TRYING if is_lost or state in _SET_BACK or state is S.BLOCKED:
                effects = self.fail(module, f"the new version: {why}", now_ms)
        return effects

    # -- steps -------------------------------------------------------------------------------

    def fail(self, module: Module, why: str, now_ms: int) -> Effects:
        """Rolls an upgrade back."""
        upgrade, beside = module.upgrade, module.beside
        effects: Effects = []
        if upgrade is None or upgrade.is_over:
            return []
        if upgrade.phase is Phase.TRYING:
            _, plan = self._modules.plan_at(module.name, upgrade.old, exact=True)
            self._modules.replan(module, plan, upgrade.old)
            module.history.forget()
            if module.state in _SET_BACK:
                module.due_ms = now_ms  # the old version is not to wait for the new one's faults
        if beside is not None and beside.is_successor:
            effects = self._ask_to_end(beside, now_ms)
            self._past(module, beside)
        return [*effects, *self._end(module, Event.FAILED, why, now_ms)]

    def _end(self, module: Module, event: Event, why: str, now_ms: int) -> Effects:
        if module.upgrade is not None:
            at_ms = self._modules.journal.to_wall_ms(now_ms)
            text = why or f"{module.plan.manifest.version} is READY"
            module.upgrade = module.upgrade.step(event, text, at_ms)
        return [*self._modules.save(module), Changed(module.name)]

    def _promoted(self, module: Module, beside: Beside, upgrade: Upgrade, now_ms: int) -> Record:
        """Returns the record of a module once its new version serves."""
        at_ms = self._modules.journal.to_wall_ms(now_ms)
        why = f"{beside.plan.manifest.version} is READY"
        return replace(
            module.record(),
            epoch=beside.epoch,
            newest=0,
            process=beside.process,
            endpoint=beside.endpoint,
            instance_id=beside.instance_id,
            installed=beside.installed,
            beside=module.process,
            upgrade=upgrade.step(Event.READY, why, at_ms),
        )

    def _ask_to_end(self, beside: Beside, now_ms: int) -> Effects:
        beside.stage = Stage.ENDING
        beside.due_ms = now_ms + self._modules.policy.stop_grace_ms
        told = beside.lease.stop() if beside.lease is not None else []
        return [*told, *([] if beside.process is None else [End(beside.process, Signal.TERM)])]

    def _past(self, module: Module, beside: Beside) -> None:
        if beside.lease is not None:
            module.past_leases.append(beside.lease)
            beside.lease = None
