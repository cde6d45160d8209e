"""A node to which anything may happen, in virtual time."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from kernel_world import World

from logos_base.restart import RestartKind
from logos_kernel.core.errors import HasDependentsError, NoProcessError, StaleEpochError
from logos_kernel.core.groups import Group
from logos_kernel.core.journal import Reason
from logos_kernel.core.lifecycle import LIVE, check_transition
from logos_kernel.core.planner import Planner
from logos_kernel.core.types import Desired, ModuleState, Record

DIAMOND = {"top": ["left", "right"], "left": ["base"], "right": ["base"], "base": []}

names = st.sampled_from(sorted(DIAMOND))


class Chaos(RuleBasedStateMachine):
    """Anything may happen at any time, and any save may fail.

    kernel.md 14.10: no illegal transition, no process lost sight of while a kernel lives, and
    nothing that rests on what is not durable (KER-8).
    """

    planned: Mapping[str, Any] = {}
    groups: Sequence[Group] = ()

    def __init__(self) -> None:
        super().__init__()
        self.world = self._world()
        self.acknowledged = dict.fromkeys(DIAMOND, Desired.RUNNING)

    def _world(self, **left: Any) -> World:
        return World(DIAMOND, groups=self.groups, **self.planned, **left)

    def _living(self) -> Iterable[str]:
        """Returns the modules of whose present version a process lives."""
        return {name for name in DIAMOND if self.world.lives(name) is not None}

    @rule(name=names, code=st.sampled_from([0, 1, 2, -9]))
    def exits(self, name: str, code: int) -> None:
        if name in self._living():
            self.world.exit(name, code)

    @rule(name=names)
    def gets_ready(self, name: str) -> None:
        if self.world[name].state is ModuleState.STARTING:
            self.world.ready(name)

    @rule(
        name=names,
        said=st.sampled_from(["REGISTERED", "READY", "DRAINING"]),
        progress=st.integers(0, 2),
        is_serving=st.booleans(),
    )
    def beats(self, name: str, said: str, progress: int, is_serving: bool) -> None:  # noqa: FBT001
        if self.world[name].lease is not None:
            self.world.say(name, ModuleState(said), progress=progress, is_serving=is_serving)

    @rule(name=names)
    def leaves(self, name: str) -> None:
        if self.world[name].lease is not None:
            self.world.ask(self.world.registry.deregister, self.world.lease_id(name))

    @rule(ms=st.sampled_from([1, 500, 10_000, 15_000, 60_000, 300_000]), beating=st.booleans())
    def time_passes(self, ms: int, beating: bool) -> None:  # noqa: FBT001
        self.world.advance(ms, beating=beating)

    @rule(fates=st.lists(st.booleans(), max_size=8))
    def saves_will_fail(self, fates: list[bool]) -> None:
        self.world.fates = fates

    @rule(fates=st.lists(st.booleans(), max_size=8))
    def the_journal_will_fail(self, fates: list[bool]) -> None:
        self.world.journal_fates = fates

    @rule(
        name=names, wish=st.sampled_from(["start", "stop", "stop_all", "restart", "reset_failed"])
    )
    def operator_wants(self, name: str, wish: str) -> None:
        before, wanted = self._desired(), self._wanted(wish, name)
        is_done = False
        with suppress(HasDependentsError):
            is_done = self.world.want(wish, name)
        if is_done:
            assert self._desired() == wanted
        elif self._desired() != before:
            assert self._desired() == wanted
            assert self.world[name].unsaved, "it failed because the start could not be saved"
        self.acknowledged = self._desired()

    @rule(name=names)
    def operator_kills(self, name: str) -> None:
        process, before = self.world.lives(name), self._desired()
        if process is None:
            with pytest.raises(NoProcessError):
                self.world.ask(self.world.supervisor.kill, name)
        else:
            self.world.ask(self.world.supervisor.kill, name)
            assert process not in self.world.alive
        assert self._desired() == before

    def _desired(self) -> dict[str, Desired]:
        return {module.name: module.desired for module in self.world.modules}

    def _wanted(self, wish: str, name: str) -> dict[str, Desired]:
        """Returns the desired states after a request that is acknowledged."""
        module = self.world[name]
        if wish == "stop":
            return self._desired() | {name: Desired.STOPPED}
        if wish == "reset_failed":
            return self._desired()
        if wish == "stop_all":
            stopped = Planner(self.world.modules).stopped_with(name, is_cascade=True)
            return self._desired() | dict.fromkeys((one.name for one in stopped), Desired.STOPPED)
        if wish == "restart" and module.is_restartable:
            return self._desired()
        required = Planner(self.world.modules).started_with(name)
        return self._desired() | dict.fromkeys((one.name for one in required), Desired.RUNNING)

    @rule()
    def kernel_restarts(self) -> None:
        old = self.world
        saved = old.saved.values()
        noted = {one for record in saved for one in (record.process, record.beside)}
        self.world = self._world(
            records=list(old.saved.values()),
            alive={process: name for process, name in old.alive.items() if process in noted},
            lost=old.lost
            | {process: name for process, name in old.alive.items() if process not in noted},
            epochs=old.epochs,
            kept=old.kept,
            kept_exits=old.kept_exits,
        )
        assert set(self.world.alive) | set(self.world.lost) >= set(old.alive) | set(old.lost)

    @rule(is_gone=st.booleans())
    def a_lost_process_is_refused(self, is_gone: bool) -> None:  # noqa: FBT001
        for process, name in list(self.world.lost.items()):
            epoch = self.world.epochs[process]
            instance_id = f"{name}-{epoch}".encode().ljust(16, b".")
            with pytest.raises(StaleEpochError):
                self.world.register(name, epoch=epoch, instance_id=instance_id)
            if is_gone:
                del self.world.lost[process]

    def _recovers(self) -> None:
        """Once faults stop and the operator wants everything, all get READY, in their order."""
        world = self.world
        world.fates, world.journal_fates = [], []
        for name in DIAMOND:
            world.want("start", name)
        for _ in range(len(DIAMOND) + 1):
            for module in world.modules:
                if module.state is ModuleState.STARTING and module.process is not None:
                    world.ready(module.name)
                elif module.state is ModuleState.REGISTERED:
                    world.say(module.name, progress=9)
                elif module.state is ModuleState.DRAINING and module.name in self._living():
                    world.exit(module.name)
            world.advance(20_000, beating=True)  # what was asked to end is killed meanwhile
        assert world.states() == dict.fromkeys(world.states(), "READY")

    @invariant()
    def what_is_done_rests_on_what_is_durable(self) -> None:
        saved = {name: self.world.saved.get(name, Record(name)) for name in DIAMOND}
        assert {name: record.desired for name, record in saved.items()} == self.acknowledged
        for process, name in (self.world.alive | self.world.lost).items():
            newest = max(saved[name].epoch, saved[name].newest)
            assert newest >= self.world.epochs[process]
        for module in self.world.modules:
            name = module.name
            newest = max(saved[name].epoch, saved[name].newest)
            assert module.newest <= newest, "the epoch of a failed start is used again"
            is_saved = module.record() == replace(saved[name], restart_count=module.restart_count)
            assert is_saved or module.save_due_ms is not None, "or it would stay so for ever"

    @invariant()
    def the_journal_tells_one_story(self) -> None:
        world, journal = self.world, self.world.modules.journal
        assert [one.revision for one in world.kept] == list(range(1, len(world.kept) + 1))
        states = dict.fromkeys(DIAMOND, ModuleState.STOPPED)
        for one in world.kept:
            assert one.old is states[one.module], "or a step is missing"
            states[one.module] = one.new
            if one.reason is not Reason.KERNEL_STARTED:
                check_transition(one.module, one.old, one.new)
        if journal.save_due_ms is None:
            assert states == {module.name: module.state for module in world.modules}
        else:
            assert journal.save_due_ms > world.now_ms

    @invariant()
    def processes_and_states_agree(self) -> None:
        for module in self.world.modules:
            name = module.name
            assert (module.process is not None) == (name in self._living())
            if module.state in {ModuleState.STOPPED, ModuleState.BLOCKED}:
                assert module.process is None
            if module.state is ModuleState.READY:
                assert module.lease is not None
            is_over = module.state is ModuleState.FAILED and (
                module.policy.give_up or module.policy.kind is not RestartKind.ALWAYS
            )
            transient = {ModuleState.BACKOFF, ModuleState.FAILED, ModuleState.STARTING}
            if module.state in transient and not is_over:
                assert module.due_ms is not None, "or it would stay there for ever"
            if module.ending is not None:
                assert module.state in LIVE, "or it waits for nothing"

    def teardown(self) -> None:
        self._recovers()
        self.world.put(self.world.supervisor.close)
        self.world.advance(1_000_000)
        assert self.world.modules.is_down()
        assert not self.world.alive
