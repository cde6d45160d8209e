"""KER-1, KER-5 to KER-8, KER-10: anything may happen, in virtual time."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from kernel_world import World

from logos_kernel.core.errors import HasDependentsError, StaleEpochError
from logos_kernel.core.lifecycle import LIVE
from logos_kernel.core.module import After
from logos_kernel.core.types import Desired, ModuleState, Record

DIAMOND = {"top": ["left", "right"], "left": ["base"], "right": ["base"], "base": []}

names = st.sampled_from(sorted(DIAMOND))


class Chaos(RuleBasedStateMachine):
    """Anything may happen at any time, and any save may fail.

    No illegal transition, no process lost sight of while a kernel lives, and nothing that
    rests on what is not durable (KER-8).
    """

    def __init__(self) -> None:
        super().__init__()
        self.world = World(DIAMOND)
        self.acknowledged = dict.fromkeys(DIAMOND, Desired.RUNNING)

    def _living(self) -> Iterable[str]:
        return self.world.alive.values()

    @rule(name=names, code=st.sampled_from([0, 1, 2, -9]))
    def exits(self, name: str, code: int) -> None:
        if name in self._living():
            self.world.exit(name, code)

    @rule(name=names)
    def gets_ready(self, name: str) -> None:
        if self.world[name].state is ModuleState.STARTING:
            self.world.ready(name)

    @rule(name=names, said=st.sampled_from(["REGISTERED", "READY", "DRAINING"]))
    def beats(self, name: str, said: str) -> None:
        if self.world[name].lease is not None:
            self.world.say(name, ModuleState(said))

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

    @rule(name=names, wish=st.sampled_from(["start", "stop", "restart"]))
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

    def _desired(self) -> dict[str, Desired]:
        return {module.name: module.desired for module in self.world.modules}

    def _wanted(self, wish: str, name: str) -> dict[str, Desired]:
        """Returns the desired states after a request that is acknowledged."""
        module = self.world[name]
        is_stopping = module.state is ModuleState.DRAINING and module.after is After.STOP
        if wish == "stop":
            return self._desired() | {name: Desired.STOPPED}
        if wish == "restart" and module.state in LIVE and not is_stopping:
            return self._desired()
        required = self.world.modules.required(name)
        return self._desired() | dict.fromkeys((one.name for one in required), Desired.RUNNING)

    @rule()
    def kernel_restarts(self) -> None:
        old = self.world
        noted = {record.process for record in old.saved.values()}
        self.world = World(
            DIAMOND,
            records=list(old.saved.values()),
            alive={process: name for process, name in old.alive.items() if process in noted},
            lost=old.lost
            | {process: name for process, name in old.alive.items() if process not in noted},
            epochs=old.epochs,
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

    @invariant()
    def what_is_done_rests_on_what_is_durable(self) -> None:
        saved = {name: self.world.saved.get(name, Record(name)) for name in DIAMOND}
        assert {name: record.desired for name, record in saved.items()} == self.acknowledged
        for process, name in (self.world.alive | self.world.lost).items():
            assert saved[name].epoch >= self.world.epochs[process]
        for module in self.world.modules:
            name = module.name
            assert module.epoch <= saved[name].epoch, "the epoch of a failed start is used again"
            is_saved = module.record() == replace(saved[name], restart_count=module.restart_count)
            assert is_saved or module.save_due_ms is not None, "or it would stay so for ever"

    @invariant()
    def processes_and_states_agree(self) -> None:
        for module in self.world.modules:
            name = module.name
            assert (module.process is not None) == (name in self._living())
            if module.state in {ModuleState.STOPPED, ModuleState.BLOCKED}:
                assert module.process is None
            if module.state is ModuleState.READY:
                assert module.lease is not None
            if module.state in {ModuleState.BACKOFF, ModuleState.FAILED, ModuleState.STARTING}:
                assert module.due_ms is not None, "or it would stay there for ever"

    def teardown(self) -> None:
        self.world.put(self.world.supervisor.close)
        self.world.advance(1_000_000)
        assert self.world.modules.is_down()
        assert not self.world.alive


Chaos.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestChaos = pytest.mark.property(Chaos.TestCase)
