"""The modules of a node, and the steps that they take: one state for all inputs.

`Supervisor` and `Registry` are its inputs. Each step changes the modules and returns the
effects that follow.

Rules: KER-1 states, KER-5 restarts, KER-6 order, KER-8 durability, KER-10 stop.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from logos_base.machine import Answer
from logos_base.manifest import Manifest
from logos_kernel.core import resolve
from logos_kernel.core.effects import (
    Admit,
    Begin,
    Changed,
    Down,
    Effects,
    End,
    Keep,
    Save,
    Signal,
)
from logos_kernel.core.errors import (
    ExternalRuntimeError,
    UnknownModuleError,
    UpgradeRefusedError,
)
from logos_kernel.core.groups import Group, Groups
from logos_kernel.core.journal import HUNG, Journal, Reason
from logos_kernel.core.lease import Lease
from logos_kernel.core.lifecycle import LIVE, check_transition
from logos_kernel.core.module import After, Module
from logos_kernel.core.restarts import RestartPolicy, Rng
from logos_kernel.core.types import Desired, LeaseGrant, Plan, Record, Runtime
from logos_kernel.core.types import ModuleState as S
from logos_kernel.core.upgrade import Phase
from logos_kernel.core.upgrades import Upgrades
from logos_kernel.core.versions import Versions

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
        versions: Versions | None = None,
    ) -> None:
        self.versions = versions or Versions()
        self._profile = {plan.manifest.name: plan for plan in plans}
        runtimes = {plan.runtime for plan in self._profile.values()}
        self._runtime = runtimes.pop() if runtimes else Runtime.PROCESS
        """Of all modules of the node."""
        noted = {record.name: record for record in records}
        self.upgrades = Upgrades(self)
        loaded = {one.name for one in noted.values() if one.installed}
        by_name = {
            name: self.plan_at(name, noted[name].installed, exact=True)[1]
            if name in loaded
            else self._profile[name]
            for name in self._profile.keys() | loaded
        }
        self.requires = {name: plan.manifest.prerequisites for name, plan in by_name.items()}
        """What must be READY before each module is started."""
        self.noted = noted
        """As an earlier kernel left them."""
        self._binds = {name: plan.manifest.binds for name, plan in by_name.items()}
        self.policy = policy
        self.journal = journal
        self.troubles: dict[str, str] = {}
        """Why listeners of the kernel cannot be reached; an empty text for one that can."""
        self.is_closing = False
        self._epochs = {
            one.name: one.epoch
            for one in noted.values()
            if one.name not in by_name and one.process is None and self.versions.of(one.name)
        }
        """Of modules that were unloaded."""
        gone = noted.keys() - by_name.keys() - self._epochs.keys()
        self.departed = {name: noted[name].process for name in gone}
        """Modules that left the profile, and their processes."""
        self._rng = rng
        group_of = {name: plan.group for name, plan in by_name.items() if plan.group}
        self._groups = Groups(groups, group_of, self.requires)
        self._modules = {
            name: Module(by_name[name], noted.get(name, Record(name)), policy)
            for name in resolve.start_order(self.requires)
        }

    # -- versions ----------------------------------------------------------------------------

    def plan_at(self, name: str, version: str, *, exact: bool = False) -> tuple[str, Plan]:
        """Returns the plan of a module with a version, and what `Record.installed` says of it.

        An installed version goes before that of the profile, unless `exact`: then an empty
        version is the profile's. Raises `UnknownVersionError`.
        """
        own = self._profile.get(name)
        installed = {one.manifest.version for one in self.versions.of(name)}
        own_version = "" if exact or own is None else own.manifest.version
        if own is not None and version not in installed and version == own_version:
            return "", own
        found = self.versions.find(name, version)
        restart = found.manifest.restart
        plan = Plan(found.manifest, runtime=self._runtime, restart=restart) if own is None else own
        return version, replace(plan, manifest=found.manifest, directory=found.directory)

    def is_of_profile(self, name: str) -> bool:
        """Says whether the profile has a module."""
        return name in self._profile

    def plan_of(self, name: str, epoch: int) -> Plan:
        """Returns the plan of a start of a module."""
        module = self.find(name)
        successor = module.successor(epoch)
        return module.plan if successor is None else successor.plan

    def is_beside(self, name: str) -> bool:
        """Says whether a module has, or is to have, a second process."""
        return self.find(name).beside is not None

    def replan(self, module: Module, plan: Plan, installed: str) -> None:
        """Gives a module another version's plan. Its requirements form no cycle."""
        module.plan, module.installed = plan, installed
        module.services = plan.manifest.services
        self.requires[module.name] = plan.manifest.prerequisites
        self._binds[module.name] = plan.manifest.binds
        self._modules = {name: self._modules[name] for name in resolve.start_order(self.requires)}

    def _possible(self, module: Module) -> list[Manifest]:
        """Returns the manifests that a module may have once its upgrade has ended."""
        found, upgrade = [module.plan.manifest], module.upgrade
        if upgrade is not None and not upgrade.is_over:
            for version in (upgrade.old, upgrade.new):
                _, plan = self.plan_at(module.name, version, exact=True)
                found.append(plan.manifest)
        return found

    def check_fit(self, plan: Plan) -> None:
        """Raises an error if the node cannot do with a plan of a module.

        However the upgrades of others end that are under way.

        Raises:
            DependencyCycleError, UpgradeRefusedError: It does not fit the other modules.
            ExternalRuntimeError: Its program is not in the folder that it is installed from.
        """
        name, version = plan.manifest.name, plan.manifest.version
        if plan.directory and plan.runtime is not Runtime.PROCESS:
            raise ExternalRuntimeError(
                f"{name} is no process of this kernel: give its container another image"
            )
        possible = {one.name: self._possible(one) for one in self}
        requires = {
            other: tuple({needed for one in manifests for needed in one.prerequisites})
            for other, manifests in (possible | {name: [plan.manifest]}).items()
        }
        resolve.start_order(requires)
        for other in self:
            if other.name != name:
                self._check_beside(plan.manifest, other, possible[other.name])
        module = self._modules.get(name)
        is_wanted = module is not None and module.desired is Desired.RUNNING
        if is_wanted and (unmet := self.unmet(plan.manifest)):
            raise UpgradeRefusedError(f"{name} {version} {_waits_for(unmet)}")

    def _check_beside(self, own: Manifest, other: Module, possible: Iterable[Manifest]) -> None:
        """Raises `UpgradeRefusedError` if a manifest cannot be where another module is."""
        name, version = own.name, own.version
        taken = {*other.services, *(service for one in possible for service in one.services)}
        for service in own.services:
            if service in taken:
                raise UpgradeRefusedError(f"{service} belongs to {other.name}")
        for one in possible:
            needed = one.ranges.get(name)
            if needed is not None and not needed.holds(version):
                raise UpgradeRefusedError(f"{other.name} needs {name} {needed}, not {version}")
            wanted = own.ranges.get(other.name)
            is_coming = one is not other.plan.manifest
            if is_coming and wanted is not None and not wanted.holds(one.version):
                raise UpgradeRefusedError(
                    f"{name} {version} needs {other.name} {wanted}, which may become {one.version}"
                )

    def add(self, plan: Plan, installed: str) -> Module:
        """Adds a stopped module; raises `DependencyCycleError` or `UpgradeRefusedError`."""
        name = plan.manifest.name
        self.check_fit(plan)
        epoch = self._epochs.get(name, 0)
        record = Record(name, Desired.STOPPED, epoch, installed=installed)
        self._modules[name] = Module(plan, record, self.policy)
        self.replan(self._modules[name], plan, installed)
        return self._modules[name]

    def drop(self, name: str) -> None:
        """Forgets a module, but not its epochs."""
        self._epochs[name] = self._modules[name].newest
        del self._modules[name], self.requires[name], self._binds[name]

    def settled_plan(self, name: str) -> Plan:
        """Returns the plan of the version that serves, or that did last: not of one on trial."""
        module = self.find(name)
        upgrade = module.upgrade
        if upgrade is None or upgrade.phase is not Phase.TRYING:
            return module.plan
        return self.plan_at(name, upgrade.old, exact=True)[1]

    def _drop_leaving(self) -> Effects:
        """Forgets modules that were unloaded and have ended."""
        gone = [
            one.name
            for one in self
            if one.is_leaving and one.state is S.STOPPED
            if one.process is None and one.beside is None
        ]
        effects: Effects = []
        for name in gone:
            self.drop(name)
            # their epochs are remembered: a process that was lost sight of must not come back
            record = Record(name, Desired.STOPPED, self._epochs[name])
            effects += [Save((record,)), Changed(name)]
        return effects

    # -- questions ---------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def find(self, name: str) -> Module:
        """Returns a module of the profile, or raises `UnknownModuleError`."""
        if name not in self._modules:
            raise UnknownModuleError(f"no module {name!r} in this node's profile")
        return self._modules[name]

    def known(self, records: Iterable[Record]) -> list[Module]:
        """Returns the modules of records that are not forgotten meanwhile."""
        return [self._modules[one.name] for one in records if one.name in self._modules]

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
        if not self.is_closing or self.departed or not self.journal.is_settled:
            return False
        own = (module for module in self if not module.is_external)
        return all(one.state is S.STOPPED and one.beside is None for one in own)

    # -- steps -------------------------------------------------------------------------------

    def admit(self, admit: Admit, now_ms: int) -> Effects:
        """Grants a lease to an instance that was called at its endpoint."""
        candidate, said = admit.candidate, admit.candidate.introduction
        module = self.find(said.module)
        if successor := module.successor(said.epoch):
            return self.upgrades.admit(module, successor, admit, now_ms)
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
        grant = LeaseGrant(candidate.lease_id, module.epoch, ttl_ms)
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
            decided = self.upgrades.entered(module, why[1], now_ms)
            return [Changed(module.name), *decided, *self.keep()]
        module.due_ms = due_ms
        return [Changed(module.name), *self.keep()]

    def keep(self) -> Effects:
        """Makes the journal durable, unless that is under way."""
        entries = self.journal.take()
        return [] if entries is None else [Keep(entries)]

    def begin(self, module: Module, reason: Reason, now_ms: int) -> Effects:
        """Starts a module once its epoch is durable, or has it wait for what it requires."""
        self.upgrades.before_start(module)
        if unmet := self.unmet(module.plan.manifest):
            if reason is not Reason.KERNEL_STARTED:
                reason = Reason.REQUIREMENT_MISSING
            module.status_text = _waits_for(unmet)
            return self.enter(module, S.BLOCKED, (reason, module.status_text), now_ms)
        module.newest += 1
        module.epoch = module.newest
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
        effects += self._drop_leaving()
        if self.is_down():
            effects.append(Down())
        return effects

    def _unblock(self, module: Module, now_ms: int) -> Effects:
        """Starts a blocked module if its requirements are met; else updates its status text."""
        unmet = self.unmet(module.plan.manifest)
        if not unmet:
            return self.begin(module, Reason.REQUIREMENT_MET, now_ms)
        text = _waits_for(unmet)
        is_news, module.status_text = text != module.status_text, text
        return [Changed(module.name)] if is_news else []

    def start_deadline(self, module: Module, now_ms: int) -> int | None:
        """Returns when a module that is starting now has taken too long."""
        return None if module.is_external else now_ms + self.policy.start_timeout_ms

    def unmet(self, manifest: Manifest, coming: Collection[str] = ()) -> list[str]:
        """Says what a module waits for before it can be started.

        `coming` are modules that are taken for READY, with the versions of their manifests.
        """
        found = []
        for name in manifest.prerequisites:
            other = self._modules.get(name)
            if other is None:
                found.append(f"{name}, which the profile does not have")
                continue
            needed = manifest.ranges.get(name)
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
