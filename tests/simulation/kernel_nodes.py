"""Kernels of a simulated world, and the processes that they start.

A kernel is the product's machine on a simulated disk. Its processes outlive it, as real ones
do: they register with the next kernel. They crash, hang, start slowly and ignore TERM.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kernel_plans import journal, plans, versions
from logos_base.errors import DiskFullError, LogosError
from logos_kernel.core.effects import (
    Effect,
    Effects,
    End,
    Forget,
    Keep,
    Save,
    Signal,
    Spawn,
    Watch,
)
from logos_kernel.core.groups import Group, Strategy
from logos_kernel.core.journal import MAX_TRANSITIONS, Entries, Transition
from logos_kernel.core.modules import Modules
from logos_kernel.core.planner import Planner
from logos_kernel.core.registry import Registry
from logos_kernel.core.restarts import RestartPolicy
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import (
    Beat,
    Candidate,
    Described,
    Desired,
    Exit,
    Introduction,
    LeaseGrant,
    ModuleState,
    ProcessId,
    Record,
)
from logos_simulation.node import Node, Run
from logos_simulation.world import World

REQUIRES: Final[Mapping[str, Sequence[str]]] = {
    "top": ["left", "right"],
    "left": ["base"],
    "right": ["base"],
    "base": [],
}
NAMES: Final = sorted(REQUIRES)
KEYS: Final = [*sorted(REQUIRES), "extra"]
PLANNED: Final[Mapping[str, Any]] = {
    "watchdog_ms": {"left": 12_000},
    "binds": {"right": ["base"]},
    "group_of": {"left": "pair", "top": "pair"},
    "exclusive": ["base", "left"],
}
NUMBERS: Final = ["0.1.0", "0.2.0", "0.3.0"]
EXTRA: Final = "extra"
"""A module that is installed, and loaded and unloaded."""
GROUPS: Final = [Group("pair", Strategy.REST_FOR_ONE, max_restarts=20)]
POLICY: Final = RestartPolicy(failed_retry_ms=20_000, backoff_max_ms=4_000)
RECORDS: Final = "records"
BEAT_MS: Final = POLICY.lease_ttl_ms // 3
RETRY_MS: Final = 400
MAX_STALL_MS: Final = 6_000
TIMELY_MS: Final = POLICY.lease_ttl_ms + 2_000
"""After its last beat a module is no longer READY: a lease, and saves that are waited for. A
stall or a jump of the clock has its kernel begin all leases anew (KER-3): it counts from there."""


@dataclass(eq=False)
class Process:
    """One process of a module. Talks to the kernel of its node when that is up."""

    kernel: "Kernel"
    name: str
    epoch: int
    process: ProcessId
    is_alive: bool = True
    is_hung: bool = False
    is_watched: bool = True
    ignores_term: bool = False
    version: str = "0.1.0"
    is_exclusive: bool = False
    is_broken: bool = False
    """Whether it never gets READY."""
    lease_id: bytes = b""
    beat_at_ms: int = 0
    is_asking: bool = field(default=False, repr=False)

    @property
    def instance_id(self) -> bytes:
        return f"{self.name}-{self.process.pid}".encode().ljust(16, b".")

    def live(self) -> None:
        """Registers, and beats from then on."""
        world = self.kernel.node.world
        if not self.is_alive:
            return
        if not self.is_hung and self.kernel.node.is_up and not self.is_asking:
            if self.is_broken and world.chance.hits(30):
                self.end(1)
                return
            self._beat() if self.lease_id else self._register()
        world.after(BEAT_MS if self.lease_id else RETRY_MS, self.live)

    def end(self, code: int | None) -> None:
        """The process is gone; a kernel that watches it hears so."""
        if not self.is_alive:
            return
        self.is_alive = False
        kernel = self.kernel
        if self.is_watched and kernel.node.is_up:
            run, exited = kernel.run, kernel.supervisor.exited
            kernel.node.after(0, lambda: run.put(exited, self.name, self.process, Exit(code)))

    def term(self) -> None:
        world = self.kernel.node.world
        if not self.ignores_term and not self.is_hung:
            world.after(world.chance.between(5, 3000), lambda: self.end(0))

    def _register(self) -> None:
        said = Introduction(
            self.name,
            self.version,
            self.instance_id,
            f"unix:/run/{self.name}.{self.epoch}.sock",
            self.epoch,
            (f"test.{self.name}.Echo",),
        )
        lease_id = self.kernel.node.world.chance.below(1 << 60).to_bytes(16, "big")
        candidate = Candidate(said, Described(self.name, said.instance_id), None, lease_id)
        self._ask(self._registered, self.kernel.registry.register, candidate)

    def _registered(self, outcome: object) -> None:
        if isinstance(outcome, LeaseGrant):
            self.lease_id = outcome.lease_id
            self.kernel.holders[outcome.lease_id] = self
        elif isinstance(outcome, LogosError) and outcome.reason == "STALE_EPOCH":
            self.end(0)  # another process has taken its place

    def _beat(self) -> None:
        ready = ModuleState.REGISTERED if self.is_broken else ModuleState.READY
        self.beat_at_ms = self.kernel.world.now_ms
        self._ask(
            self._beaten,
            self.kernel.registry.heartbeat,
            self.lease_id,
            Beat(ready, progress=self.kernel.world.now_ms),
        )

    def _beaten(self, outcome: object) -> None:
        if isinstance(outcome, Exception):
            self.lease_id = b""

    def _ask(
        self, done: Callable[[object], None], step: Callable[..., Effects], *arguments: object
    ) -> None:
        """Puts a question; a kernel that crashes never answers it."""
        self.is_asking = True
        life = self.kernel.lives

        def answered(outcome: object) -> None:
            self.is_asking = False
            if self.is_alive and life == self.kernel.lives:
                done(outcome)

        def forgotten() -> None:
            self.is_asking = False

        self.kernel.run.ask(answered, step, *arguments)
        self.kernel.node.world.after(5000, forgotten)


class Kernel:
    """The kernel of one node."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.node = Node(world, name, self._boot)
        self.processes: list[Process] = []
        self.holders: dict[bytes, Process] = {}
        self.started: set[tuple[str, int]] = set()
        self.wanted: dict[str, Desired | None] = dict.fromkeys(NAMES, Desired.RUNNING)
        """The answer to the operator; None if the request was refused or not answered."""
        self.lives = 0
        self.settled_at_ms = 0
        """When its last stall, or jump of its clock, was over."""
        self.is_troubled = True
        """Whether new versions may be broken."""
        self.upgrades = 0
        self.kept: list[Transition] = []
        """All transitions that are durable."""

    def _boot(self, node: Node) -> None:
        self.lives += 1
        read = (node.disk.read(RECORDS, key) for key in range(len(KEYS)))
        records = [record for record in read if isinstance(record, Record)]
        past = journal(Entries(tuple(self.kept[-MAX_TRANSITIONS:])))
        made = plans(REQUIRES, **PLANNED)
        self.modules = Modules(
            made,
            records,
            POLICY,
            self.world.chance,
            past,
            groups=GROUPS,
            versions=versions([*made, *plans({EXTRA: ["base"]})], *NUMBERS[1:]),
        )
        self.supervisor = Supervisor(self.modules)
        self.registry = Registry(self.modules)
        for one in self.processes:
            one.is_watched, one.lease_id = False, b""
        effects = self.supervisor.boot(self._is_alive, node.now_ms)

        def boot(now_ms: int) -> Effects:
            return effects

        self.run: Run[Effect] = Run(node, self.supervisor, self._perform)
        self.run.put(boot)

    def _is_alive(self, process: ProcessId) -> bool:
        return any(one.is_alive for one in self.processes if one.process == process)

    def _perform(self, effect: Effect) -> int | None:
        match effect:
            case Save():
                return self._save(effect)
            case Keep(entries):
                self._keep(entries)
            case Spawn(name, epoch):
                self._spawn(name, epoch)
            case Forget(name):
                self.node.disk.write(RECORDS, KEYS.index(name), None)
            case Watch(name, process):
                one = self._find(process)
                one.is_watched = True
                if not one.is_alive:  # it has ended since it was looked for
                    self.run.put(self.supervisor.exited, name, process, Exit(None))
            case End(process=process, signal=signal):
                one = self._find(process)
                if signal is Signal.TERM:
                    one.term()
                else:
                    self.world.after(self.world.chance.between(0, 50), lambda: one.end(-9))
        return None

    def _save(self, save: Save) -> int:
        took_ms = self.world.chance.between(1, 60)
        fails = self.world.chance.hits(3)

        def done() -> None:
            if fails:
                error = DiskFullError("the disk is full")
                self.run.report(self.supervisor.save_failed, save, error)
                return
            for record in save.records:
                self.node.disk.write(RECORDS, KEYS.index(record.name), record)
            self.node.disk.sync(RECORDS)
            self.run.report(self.supervisor.saved, save)

        self.node.after(took_ms, done)
        return took_ms

    def _keep(self, entries: Entries) -> None:
        fails = self.world.chance.hits(3)

        def done() -> None:
            if fails:
                self.run.report(self.supervisor.keep_failed)
                return
            self.kept += entries.transitions
            self.run.report(self.supervisor.kept, entries)

        self.node.after(self.world.chance.between(1, 60), done)

    def _spawn(self, name: str, epoch: int) -> None:
        require, chance = self.world.require, self.world.chance
        require((name, epoch) not in self.started, f"{name}: epoch {epoch} is started twice")
        module, plan = self.modules.find(name), self.modules.plan_of(name, epoch)
        others = [one for one in self.processes if one.name == name and one.is_alive]
        others = [one for one in others if one.is_watched]
        is_beside = module.beside is not None
        limit = 1 if is_beside and not plan.manifest.exclusive else 0
        require(len(others) <= limit, f"{name} runs already")
        self.started.add((name, epoch))
        process = ProcessId(100 + len(self.processes), self.world.now_ms)
        version = plan.manifest.version
        is_new = version != NUMBERS[0] and self.is_troubled
        one = Process(
            self,
            name,
            epoch,
            process,
            ignores_term=chance.hits(10),
            version=version,
            is_exclusive=plan.manifest.exclusive,
            is_broken=is_new and chance.hits(40),
        )
        self.processes.append(one)
        self.world.after(chance.between(20, 2000), one.live)
        self.run.report(self.supervisor.spawned, name, process)

    def _find(self, process: ProcessId) -> Process:
        return next(one for one in self.processes if one.process == process)

    # -- faults ------------------------------------------------------------------------------

    def crash(self) -> None:
        """The kernel ends, and nothing else: what it wrote is in the hands of the system."""
        self.node.disk.sync(RECORDS)
        self.node.crash()

    def lose_power(self) -> None:
        """Everything on the machine ends, and what was not durable is lost."""
        self.node.crash()
        for one in self.processes:
            one.is_alive = False

    def stall(self, for_ms: int) -> None:
        """It is suspended for a while, and its processes are not."""
        self.node.stall(for_ms)
        self.settled_at_ms = max(self.settled_at_ms, self.world.now_ms + for_ms)

    def jump(self, by_ms: int) -> None:
        """Its clock jumps."""
        self.node.jump(by_ms)
        self.settled_at_ms = max(self.settled_at_ms, self.world.now_ms)

    def hurt_a_process(self) -> None:
        """A process crashes or hangs."""
        living = [one for one in self.processes if one.is_alive]
        if not living:
            return
        one = self.world.chance.pick(living)
        if self.world.chance.hits(60):
            one.end(self.world.chance.pick([0, 1, -11]))
        else:
            one.is_hung = True

    def operate(self) -> None:
        """An operator starts, stops, restarts or kills a module."""
        if not self.node.is_up:
            return
        name = self.world.chance.pick(NAMES)
        wish = self.world.chance.pick(["start", "stop", "stop_all", "restart", "kill"])
        started = Planner(self.modules).started_with(name)
        stopped = Planner(self.modules).stopped_with(name, is_cascade=True)
        touched = {module.name for module in (*started, *stopped)} - {EXTRA}
        self.wanted |= dict.fromkeys(touched)

        def done(outcome: object) -> None:
            if not isinstance(outcome, Exception):
                desired = {one: self.modules.find(one).desired for one in touched}
                self.wanted |= desired

        self.run.ask(done, getattr(self.supervisor, wish), name)

    def upgrade(self) -> None:
        """An operator upgrades a module, or cancels that."""
        if not self.node.is_up:
            return
        chance, supervisor = self.world.chance, self.supervisor
        module = self.modules.find(chance.pick(NAMES))
        if module.upgrade is not None and chance.hits(20):
            self.run.ask(_ignore, supervisor.cancel, module.upgrade.operation)
            return
        self.upgrades += 1
        operation, version = f"{self.upgrades:032x}", chance.pick(NUMBERS)
        if chance.hits(20):
            self.run.ask(_ignore, supervisor.reload, operation, module.name)
            return
        self.run.ask(_ignore, supervisor.upgrade, operation, module.name, version)

    def load(self) -> None:
        """An operator loads a module that is not of the profile, or unloads it."""
        if not self.node.is_up:
            return
        if EXTRA in self.modules.requires:
            self.run.ask(_ignore, self.supervisor.unload, EXTRA)
        else:

            def done(_outcome: object) -> None:
                self.wanted["base"] = None  # it is started with it, after what was asked before

            done(None)
            self.run.ask(done, self.supervisor.load, EXTRA, self.world.chance.pick(NUMBERS[1:]))

    def change_settings(self) -> None:
        """An operator changes settings: they have no part in supervision."""

    def calm_down(self) -> None:
        """Operators mend what they have broken."""
        self.is_troubled = False
        for one in self.processes:
            one.is_broken = False

    def start_all(self) -> None:
        """The operator wants everything, and asks again where a wish is refused."""

        def ask(name: str) -> None:
            self.run.ask(lambda outcome: done(name, outcome), self.supervisor.start, name)

        def done(name: str, outcome: object) -> None:
            if isinstance(outcome, Exception):
                self.node.after(1000, lambda: ask(name))

        for name in NAMES:
            ask(name)

    # -- what must hold ----------------------------------------------------------------------

    def wrong(self) -> str | None:
        """Returns the broken invariant; None if none is."""
        if [one.revision for one in self.kept] != list(range(1, len(self.kept) + 1)):
            return f"{self.node.name}: a revision was given twice, or not at all"
        return self._wrong_twice() or (self._wrong_ready() if self.node.is_up else None)

    def _wrong_twice(self) -> str | None:
        for name in NAMES:
            mine = [one for one in self.processes if one.name == name and one.is_alive]
            if len([one for one in mine if one.is_exclusive and one.is_watched]) > 1:
                return f"{self.node.name}: two epochs of {name}, which is exclusive"
        return None

    def _wrong_ready(self) -> str | None:
        for module in self.modules:
            if module.state is not ModuleState.READY:
                continue
            holder = None if module.lease is None else self.holders.get(module.lease.lease_id)
            if holder is None:
                return f"{self.node.name}: {module.name} is READY without a lease"
            if holder.epoch != module.epoch:
                return f"{self.node.name}: an old process of {module.name} counts as READY"
            silent_ms = self.world.now_ms - max(holder.beat_at_ms, self.settled_at_ms)
            if silent_ms > TIMELY_MS:
                return f"{self.node.name}: {module.name} is READY, silent for {silent_ms} ms"
        return None


def _ignore(_outcome: object) -> None:
    """A refusal of these is as good as their being done."""
