"""Obeys a supervisor's effects in virtual time, as the driver loop does in real time."""

import itertools
from collections.abc import Mapping, Sequence

from logos_base.manifest import Manifest
from logos_kernel.core.effects import AskStop, Effect, End, Save, Signal, Spawn, Watch
from logos_kernel.core.module import Module
from logos_kernel.core.registry import Registry
from logos_kernel.core.supervise import RestartPolicy
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import (
    Described,
    Exit,
    Grant,
    Introduction,
    ModuleState,
    Plan,
    ProcessId,
    Record,
    Runtime,
)

_PIDS = itertools.count(100)
_LEASES = itertools.count()


class Half:
    """An Rng without jitter."""

    def random(self) -> float:
        return 0.5


def plans(requires: Mapping[str, Sequence[str]], runtime: Runtime = Runtime.PROCESS) -> list[Plan]:
    """Returns plans of modules that serve `test.<name>.Echo`."""
    return [
        Plan(
            Manifest(
                name,
                "0.1.0",
                command=("run",),
                requires=tuple(needed),
                services=(f"test.{name}.Echo",),
            ),
            settings_json=f'{{"name": "{name}"}}',
            runtime=runtime,
        )
        for name, needed in requires.items()
    ]


class World:
    """A node in virtual time. Processes live until `exit` or a KILL; TERM is only noted."""

    def __init__(
        self,
        requires: Mapping[str, Sequence[str]],
        *,
        runtime: Runtime = Runtime.PROCESS,
        policy: RestartPolicy | None = None,
        records: Sequence[Record] = (),
        alive: Mapping[ProcessId, str] | None = None,
        lost: Mapping[ProcessId, str] | None = None,
        epochs: Mapping[ProcessId, int] | None = None,
    ) -> None:
        self.now_ms = 1_000_000
        self.policy = policy or RestartPolicy()
        self.supervisor = Supervisor(plans(requires, runtime), self.policy, Half())
        self.registry = Registry(self.supervisor)
        self.alive = dict(alive or {})
        """Processes that this kernel knows, with their modules."""
        self.lost = dict(lost or {})
        """Living processes that no kernel knows any more."""
        self.epochs = dict(epochs or {})
        """Of all processes, also those that have ended."""
        self.fates: list[bool] = []
        """Whether each of the next saves fails; those after them do not."""
        self.terminated: list[str] = []
        self.asked: list[bytes] = []
        self.spawned: list[tuple[int, str]] = []
        self.saved = {record.name: record for record in records}
        self.supervisor.boot(self.saved, lambda process: process in self.alive, self.now_ms)
        self.obey()

    def __getitem__(self, name: str) -> Module:
        return self.supervisor.modules[name]

    def states(self) -> dict[str, str]:
        """Returns the state of every module."""
        return {name: module.state.value for name, module in self.supervisor.modules.items()}

    def obey(self) -> None:
        """Does what is to be done."""
        while effects := self.supervisor.take_effects():
            for effect in effects:
                self._execute(effect)

    def _execute(self, effect: Effect) -> None:
        match effect:
            case Save(module=name):
                self._save(name)
            case Spawn(module=name, epoch=epoch):
                if not self._save(name, spawn=epoch):
                    return
                assert self.saved[name].epoch == epoch
                assert name not in self.alive.values(), "one process of a module at a time"
                process = ProcessId(next(_PIDS), self.now_ms)
                self.alive[process], self.epochs[process] = name, epoch
                self.spawned.append((self.now_ms, name))
                self.supervisor.spawned(name, epoch, process, self.now_ms)
            case Watch(process=process):
                assert process in self.alive
            case End(process=process, signal=Signal.KILL):
                self._end(process, Exit(-9))
            case End(module=name):
                self.terminated.append(name)
            case AskStop(lease_id=lease_id):
                self.asked.append(lease_id)

    def _save(self, name: str, *, spawn: int | None = None) -> bool:
        if self.store([self[name].record()]):
            self.supervisor.saved(name)
            return True
        self.supervisor.save_failed(name, "the disk is full", self.now_ms, spawn=spawn)
        return False

    def store(self, records: Sequence[Record]) -> bool:
        """Makes records durable, or fails; says whether it did."""
        if self.fates and self.fates.pop(0):
            return False
        self.saved |= {record.name: record for record in records}
        return True

    def want(self, wish: str, name: str) -> bool:
        """An operator asks; says whether it was acknowledged."""
        records = getattr(self.supervisor, f"to_{wish}")(name)
        is_durable = not records or self.store(records)
        if is_durable:
            getattr(self.supervisor, wish)(name, self.now_ms)
        self.obey()
        return is_durable

    def _end(self, process: ProcessId, exit_: Exit) -> None:
        name = self.alive.pop(process, None)
        if name is not None:
            self.supervisor.exited(name, process, exit_, self.now_ms)

    def exit(self, name: str, code: int = 0) -> None:
        """A process ends by itself."""
        process = next(one for one, owner in self.alive.items() if owner == name)
        self._end(process, Exit(code, "last words"))
        self.obey()

    def advance(self, ms: int, *, beating: bool = False) -> None:
        """Lets time pass, from one due time to the next; with beats if `beating`."""
        end_ms = self.now_ms + ms
        while True:
            if beating:
                self._renew()
            due_ms = self.supervisor.next_wake_ms()
            if due_ms is None or due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            if beating:
                self._renew()
            self.supervisor.tick(self.now_ms)
            self.obey()
        self.now_ms = end_ms

    def _renew(self) -> None:
        for module in self.supervisor.modules.values():
            if module.lease is not None:
                module.lease.renew(self.now_ms)

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
    ) -> Grant:
        """Registers an instance that answers for itself."""
        introduction = self.introduce(name, **changes)
        self.registry.check(introduction)
        described = answers or Described(name, introduction.instance_id)
        records = self.registry.to_register(introduction, described, is_rival_alive=rival_alive)
        assert not records or self.store(records)
        grant = self.registry.register(
            introduction,
            described,
            lease_id=f"lease {next(_LEASES)}".encode().ljust(16, b"."),
            now_ms=self.now_ms,
        )
        self.obey()
        return grant

    def say(self, name: str, said: ModuleState = ModuleState.READY, text: str = "") -> int:
        """A module beats."""
        lease = self[name].lease
        assert lease is not None
        ttl_ms = self.registry.beat(lease.lease_id, said, text, self.now_ms)
        self.obey()
        return ttl_ms

    def ready(self, *names: str) -> None:
        """Modules register and say that they are READY."""
        for name in names:
            self.register(name)
            self.say(name)
