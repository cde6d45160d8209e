"""The machine of a kernel in virtual time, with effects performed as the driver performs them."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from kernel_plans import journal, plans, versions
from logos_base.errors import DiskFullError
from logos_base.machine import Answer, Refuse, Ticket
from logos_base.manifest import Manifest
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
from logos_kernel.core.groups import Group
from logos_kernel.core.journal import Entries, PastExit, Transition
from logos_kernel.core.module import Module
from logos_kernel.core.modules import Modules
from logos_kernel.core.registry import Registry
from logos_kernel.core.restarts import RestartPolicy
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import (
    Beat,
    Candidate,
    Described,
    Exit,
    Introduction,
    LeaseGrant,
    ModuleState,
    ProcessId,
    Record,
    Runtime,
)
from logos_kernel.core.versions import ModuleVersion, Versions
from logos_kernel.core.views import Views

MAX_AT_ONCE = 100
"""Wake-ups of a kernel at one time, each of which does something."""

_PIDS = itertools.count(100)
_LEASES = itertools.count()
_TICKETS = map(Ticket, itertools.count())


def next_ticket() -> Ticket:
    """Returns the ticket of a question that is put by hand."""
    return next(_TICKETS)


class Half:
    """An Rng without jitter."""

    def random(self) -> float:
        return 0.5


class World:
    """A node in virtual time. Processes live until `exit` or a KILL; TERM is only noted.

    `planned` are more arguments of `plans`.
    """

    def __init__(
        self,
        requires: Mapping[str, Sequence[str]],
        *,
        runtime: Runtime = Runtime.PROCESS,
        policy: RestartPolicy | None = None,
        groups: Sequence[Group] = (),
        records: Sequence[Record] = (),
        kept: Sequence[Transition] = (),
        kept_exits: Sequence[PastExit] = (),
        alive: Mapping[ProcessId, str] | None = None,
        lost: Mapping[ProcessId, str] | None = None,
        epochs: Mapping[ProcessId, int] | None = None,
        installed: Sequence[str] = (),
        also_installed: Iterable[ModuleVersion] = (),
        **planned: Any,
    ) -> None:
        self.now_ms = 1_000_000
        policy = policy or RestartPolicy()
        self.kept = list(kept)
        """The transitions that are durable."""
        self.kept_exits = list(kept_exits)
        """Likewise of the exits."""
        past = journal(Entries(tuple(self.kept), tuple(self.kept_exits)))
        made = plans(requires, runtime, **planned)
        self.modules = Modules(
            made,
            records,
            policy,
            Half(),
            past,
            groups=groups,
            versions=Versions([*versions(made, *installed), *also_installed]),
        )
        self.supervisor = Supervisor(self.modules)
        self.registry = Registry(self.modules)
        self.views = Views(self.modules, lambda at_ms: at_ms)
        self.alive = dict(alive or {})
        """Processes that this kernel knows, with their modules."""
        self.lost = dict(lost or {})
        """Living processes that no kernel knows any more."""
        self.epochs = dict(epochs or {})
        """Of all processes, also those that have ended."""
        self.fates: list[bool] = []
        """Whether each of the next saves fails; those after them do not."""
        self.journal_fates: list[bool] = []
        """Likewise of the journal."""
        self.holds_journal = False
        """Whether nothing comes of saving it."""
        self._held: list[Entries] = []
        self.cannot_spawn = ""
        self.terminated: list[str] = []
        self.spawned: list[tuple[int, str]] = []
        self.saved = {record.name: record for record in records}
        self.answers: dict[Ticket, object] = {}
        self._outcomes: deque[Callable[[int], Effects]] = deque()
        self._inputs: deque[Callable[[int], Effects]] = deque()
        self.put(self.supervisor.boot, self.alive.__contains__)

    def __getitem__(self, name: str) -> Module:
        return self.modules.find(name)

    def states(self) -> dict[str, str]:
        """Returns the state of every module."""
        return {module.name: module.state.value for module in self.modules}

    def put(self, step: Callable[..., Effects], *args: Any) -> None:
        """Gives an input; the outcomes of its effects come next, and then their consequences."""
        self._inputs.append(partial(step, *args))
        while waiting := self._outcomes or self._inputs:
            for effect in waiting.popleft()(self.now_ms):
                self._perform(effect)

    def begin(self, step: Callable[..., Effects], *args: Any) -> Ticket:
        """Puts a question; its answer comes in `answers`."""
        ticket = next(_TICKETS)
        self.put(step, ticket, *args)
        return ticket

    def ask(self, step: Callable[..., Effects], *args: Any) -> Any:
        """Puts a question; returns its answer, or raises what refused it."""
        answer = self.answers[self.begin(step, *args)]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _perform(self, effect: Effect | Answer | Refuse) -> None:
        match effect:
            case Answer(ticket, answer) | Refuse(ticket, answer):
                assert ticket not in self.answers
                self.answers[ticket] = answer
            case Save(records):
                self._save(effect, records)
            case Keep(entries):
                self._keep(entries)
            case Spawn():
                self._spawn(effect)
            case Watch(process=process):
                assert process in self.alive
            case End(process, signal):
                self._signal(process, signal)
            case Forget(name):
                del self.saved[name]

    def _signal(self, process: ProcessId, signal: Signal) -> None:
        if signal is Signal.KILL:
            self._end(process, Exit(-9))
        elif process in self.alive:  # else it was killed in the same step
            self.terminated.append(self.alive[process])

    def _spawn(self, spawn: Spawn) -> None:
        name, epoch = spawn.module, spawn.epoch
        assert epoch in {self.saved[name].epoch, self.saved[name].newest}
        if self.cannot_spawn:
            failed = partial(self.supervisor.spawn_failed, name, self.cannot_spawn)
            self._outcomes.append(failed)
            return
        beside = self[name].successor(epoch) is not None
        assert beside or self.lives(name) is None, "one process of a version at a time"
        if self[name].plan.manifest.exclusive:
            assert name not in self.alive.values(), "an exclusive module runs once"
        process = ProcessId(next(_PIDS), self.now_ms)
        self.alive[process], self.epochs[process] = name, epoch
        self.spawned.append((self.now_ms, name))
        self._outcomes.append(partial(self.supervisor.spawned, name, process))

    def _save(self, save: Save, records: Sequence[Record]) -> None:
        if self.fates and self.fates.pop(0):
            failed = partial(self.supervisor.save_failed, save, DiskFullError("the disk is full"))
            self._outcomes.append(failed)
        else:
            self.saved |= {record.name: record for record in records}
            self._outcomes.append(partial(self.supervisor.saved, save))

    def release_journal(self) -> None:
        """Lets entries be saved that were held, and those after them."""
        self.holds_journal = False
        while self._held:
            self._keep(self._held.pop())
            self.put(lambda _now_ms: [])

    def _keep(self, entries: Entries) -> None:
        if self.holds_journal:
            self._held.append(entries)
        elif self.journal_fates and self.journal_fates.pop(0):
            self._outcomes.append(self.supervisor.keep_failed)
        else:
            self.kept += entries.transitions
            self.kept_exits += entries.exits
            self._outcomes.append(partial(self.supervisor.kept, entries))

    def want(self, wish: str, name: str) -> bool:
        """An operator asks; says whether it was acknowledged."""
        try:
            self.ask(getattr(self.supervisor, wish), name)
        except DiskFullError:
            return False
        return True

    def _end(self, process: ProcessId, exit_: Exit) -> None:
        name = self.alive.pop(process, None)
        if name is not None:
            self._inputs.append(partial(self.supervisor.exited, name, process, exit_))

    def lives(self, name: str) -> ProcessId | None:
        """Returns the process of a module's present version, if it lives."""
        return next((one for one in self.alive if one == self[name].process), None)

    def exit(self, name: str, code: int = 0) -> None:
        """A process ends by itself."""
        process = self.lives(name)
        assert process is not None
        self.end(process, code)

    def end(self, process: ProcessId, code: int = 0) -> None:
        """A process ends by itself."""
        name = self.alive.pop(process)
        self.put(self.supervisor.exited, name, process, Exit(code, ("last words",)))

    def advance(self, ms: int, *, beating: bool = False) -> None:
        """Lets time pass, from one due time to the next; with beats if `beating`."""
        end_ms = self.now_ms + ms
        at_once = 0
        while True:
            if beating:
                self._renew()
            due_ms = self.supervisor.next_wake_ms()
            if due_ms is None or due_ms > end_ms:
                break
            at_once = 0 if due_ms > self.now_ms else at_once + 1
            assert at_once < MAX_AT_ONCE, "what is due is never done: the kernel would not rest"
            self.now_ms = max(self.now_ms, due_ms)
            if beating:
                self._renew()
            self.put(self.supervisor.tick)
        self.now_ms = end_ms

    def _renew(self) -> None:
        for module in self.modules:
            for lease in module.leases:
                lease.renew(self.now_ms)

    def introduce(self, name: str, **changes: object) -> Introduction:
        """Returns what the running instance of a module says when it registers."""
        module = self[name]
        values: dict[str, object] = {
            "module": name,
            "version": "0.1.0",
            "instance_id": f"{name}-{module.epoch}".encode().ljust(16, b"."),
            "endpoint": f"unix:/run/{name}.sock",
            "epoch": module.epoch,
            "services": (f"test.{name}.Echo",),
        }
        return Introduction(**(values | changes))  # type: ignore[arg-type]

    def register(
        self,
        name: str,
        *,
        rival_alive: bool = False,
        answers: Described | None = None,
        **changes: object,
    ) -> LeaseGrant:
        """Registers an instance that answers for itself."""
        said = self.introduce(name, **changes)
        rival = self.registry.check(said)
        described = answers or Described(name, said.instance_id)
        lease_id = f"lease {next(_LEASES)}".encode().ljust(16, b".")
        candidate = Candidate(said, described, None if rival_alive else rival, lease_id)
        grant: LeaseGrant = self.ask(self.registry.register, candidate)
        return grant

    def install(self, name: str, number: str, **changes: Any) -> None:
        """Installs a version of a module."""
        manifest = Manifest(name, number, command=("run",), **changes)
        version = ModuleVersion(manifest, "", f"/modules/{number}", self.now_ms)
        self.modules.versions.put(version, None)

    def register_successor(self, name: str) -> None:
        """Registers the process of the version that is to come."""
        beside = self[name].beside
        assert beside is not None
        self.register(
            name,
            epoch=beside.epoch,
            version=beside.plan.manifest.version,
            instance_id=f"{name}-{beside.epoch}".encode().ljust(16, b"."),
            endpoint=f"unix:/run/{name}.{beside.epoch}.sock",
        )

    def say_beside(self, name: str, said: ModuleState = ModuleState.READY) -> None:
        """The second process of a module beats."""
        beside = self[name].beside
        assert beside is not None
        assert beside.lease is not None
        self.ask(self.registry.heartbeat, beside.lease.lease_id, Beat(said))

    def lease_id(self, name: str) -> bytes:
        """Returns the lease of a module that has one."""
        lease = self[name].lease
        assert lease is not None
        return lease.lease_id

    def say(
        self, name: str, said: ModuleState = ModuleState.READY, text: str = "", **more: Any
    ) -> int:
        """A module beats."""
        beat = Beat(said, text, **more)
        ttl_ms: int = self.ask(self.registry.heartbeat, self.lease_id(name), beat)
        return ttl_ms

    def ready(self, *names: str) -> None:
        """Modules register and say that they are READY."""
        for name in names:
            self.register(name)
            self.say(name)
