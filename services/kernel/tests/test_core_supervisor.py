"""KER-5, KER-6, KER-8, KER-10: what runs when, in virtual time."""

from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from kernel_driver import World

from logos_kernel.core.errors import ExternalRuntimeError, HasDependentsError, UnknownModuleError
from logos_kernel.core.types import Desired, Exit, ModuleState, ProcessId, Record, Runtime

PAIR = {"top": ["base"], "base": []}
DIAMOND = {"top": ["left", "right"], "left": ["base"], "right": ["base"], "base": []}


def test_modules_start_when_what_they_require_is_ready_and_side_by_side_otherwise() -> None:
    world = World(DIAMOND)
    assert world.states() == {
        "base": "STARTING",
        "left": "BLOCKED",
        "right": "BLOCKED",
        "top": "BLOCKED",
    }

    world.register("base")
    assert world.states()["left"] == "BLOCKED", "registered is not ready"
    world.say("base")
    assert [name for _, name in world.spawned] == ["base", "left", "right"]
    world.ready("left")
    assert world.states()["top"] == "BLOCKED"
    world.ready("right")
    world.ready("top")

    assert world.supervisor.is_ready()


def test_a_module_that_ends_is_started_again_after_the_back_off_and_alone() -> None:
    world = World(PAIR)
    world.ready("base", "top")

    world.exit("base", -11)
    assert world.states() == {"base": "BACKOFF", "top": "READY"}
    assert world["base"].last_exit == "ended by signal 11: last words"
    world.advance(499, beating=True)
    assert world.states()["base"] == "BACKOFF"
    world.advance(1, beating=True)

    assert world.states() == {"base": "STARTING", "top": "READY"}
    assert (world["base"].epoch, world["base"].restart_count) == (2, 1)


def test_a_clean_exit_of_a_wanted_module_is_no_reason_to_stay_down() -> None:
    world = World({"base": []})
    world.ready("base")

    world.exit("base", 0)

    assert world.states() == {"base": "BACKOFF"}


def test_six_failures_in_a_minute_fail_and_are_tried_again_slowly() -> None:
    world = World({"base": []})
    began_ms = world.now_ms

    for _ in range(5):
        world.exit("base", 1)
        world.advance(8000)
        if len(world.spawned) < 6:
            continue
    world.exit("base", 1)

    assert world.states() == {"base": "FAILED"}
    assert world.now_ms - began_ms < 60_000
    assert len(world.spawned) == 6
    world.advance(299_999)
    assert world.states() == {"base": "FAILED"}
    world.advance(1)
    assert world.states() == {"base": "STARTING"}
    world.exit("base", 1)
    assert world.states() == {"base": "FAILED"}, "one more failure is enough"


def test_wrong_settings_fail_at_once() -> None:
    world = World({"base": []})

    world.exit("base", 2)

    assert world.states() == {"base": "FAILED"}
    assert world["base"].last_exit == "exited with code 2: last words"


def test_a_minute_of_ready_ends_a_bad_history() -> None:
    world = World({"base": []})
    for _ in range(3):
        world.exit("base", 1)
        world.advance(2000)
    world.ready("base")
    world.advance(60_000, beating=True)

    world.exit("base", 1)

    assert world["base"].due_ms == world.now_ms + 500


def test_less_than_a_minute_of_ready_does_not() -> None:
    world = World({"base": []})
    for _ in range(3):
        world.exit("base", 1)
        world.advance(2000)
    world.ready("base")
    world.advance(59_999, beating=True)

    world.exit("base", 1)

    assert world["base"].due_ms == world.now_ms + 4000


def test_what_is_not_ready_in_a_minute_is_killed_unless_it_gets_on() -> None:
    world = World({"base": []})
    world.register("base")
    world.advance(59_999, beating=True)
    world.say("base", ModuleState.REGISTERED, "3 of 4 blocks")
    world.advance(59_999, beating=True)
    assert world.states() == {"base": "REGISTERED"}
    world.say("base", ModuleState.REGISTERED, "3 of 4 blocks")

    world.advance(1, beating=True)

    assert world.states() == {"base": "BACKOFF"}
    assert world["base"].last_exit == "was not READY in time"
    assert not world.alive


def test_a_lost_lease_kills_the_process_and_starts_another() -> None:
    world = World({"base": []})
    world.ready("base")

    world.advance(14_999)
    assert world.states() == {"base": "READY"}
    world.advance(1)

    assert world.states() == {"base": "BACKOFF"}
    assert not world.alive
    assert world["base"].last_exit == "no beat for 15 s"
    world.advance(500)
    assert world.states() == {"base": "STARTING"}


def test_a_kernel_that_stood_still_waits_for_the_beats_that_wait_for_it() -> None:
    world = World({"base": []})
    world.ready("base")

    world.now_ms += 60_000  # no tick came in between
    world.advance(14_999)
    assert world.states() == {"base": "READY"}
    world.advance(1)

    assert world.states() == {"base": "BACKOFF"}


def test_a_killed_process_that_does_not_end_is_waited_for() -> None:
    world = World({"base": []})
    world.ready("base")
    process = world["base"].process
    assert process is not None
    del world.alive[process]  # KILL does not reach it now

    world.advance(60_000)
    assert world.states() == {"base": "BACKOFF"}
    assert len(world.spawned) == 1
    world.alive[process] = "base"
    world.exit("base", -9)
    world.advance(500)

    assert len(world.spawned) == 2


def test_stop_drains_first_and_kills_after_the_grace() -> None:
    world = World({"base": []})
    world.ready("base")
    lease = world["base"].lease
    assert lease is not None

    world.supervisor.stop("base", world.now_ms)
    world.obey()
    assert world.states() == {"base": "DRAINING"}
    assert world.asked == [lease.lease_id]
    assert world.terminated == ["base"]
    assert world.saved["base"].desired is Desired.STOPPED
    world.advance(9_999, beating=True)
    assert world.alive
    world.advance(1, beating=True)

    assert world.states() == {"base": "STOPPED"}
    assert not world.alive


def test_stop_is_refused_while_something_that_runs_requires_it() -> None:
    world = World(PAIR)
    world.ready("base", "top")

    with pytest.raises(HasDependentsError, match="top require base"):
        world.supervisor.stop("base", world.now_ms)
    world.supervisor.stop("top", world.now_ms)
    world.obey()
    world.exit("top")
    world.supervisor.stop("base", world.now_ms)
    world.obey()
    world.exit("base")

    assert world.states() == {"base": "STOPPED", "top": "STOPPED"}


def test_stop_of_a_module_in_back_off_cancels_its_start() -> None:
    world = World({"base": []})
    world.exit("base", 1)

    world.supervisor.stop("base", world.now_ms)
    world.obey()
    world.advance(1_000_000)

    assert world.states() == {"base": "STOPPED"}
    assert len(world.spawned) == 1


def test_start_wants_what_is_required_too_and_revives_what_failed() -> None:
    records = [Record("base", Desired.STOPPED), Record("top", Desired.STOPPED)]
    world = World(PAIR, records=records)
    assert world.states() == {"base": "STOPPED", "top": "STOPPED"}

    world.supervisor.start("top", world.now_ms)
    world.obey()
    assert world.states() == {"base": "STARTING", "top": "BLOCKED"}
    world.exit("base", 2)
    world.supervisor.start("top", world.now_ms)
    world.obey()

    assert world.states() == {"base": "STARTING", "top": "BLOCKED"}
    assert world.saved["top"].desired is Desired.RUNNING


def test_start_while_stopping_starts_again_once_it_has_ended() -> None:
    world = World({"base": []})
    world.ready("base")
    world.supervisor.stop("base", world.now_ms)
    world.supervisor.start("base", world.now_ms)
    world.obey()

    world.exit("base")

    assert world.states() == {"base": "STARTING"}
    assert world["base"].epoch == 2


def test_restart_waits_for_no_back_off_and_does_not_count() -> None:
    world = World(PAIR)
    world.ready("base", "top")

    world.supervisor.restart("base", world.now_ms)
    world.obey()
    assert world.states() == {"base": "DRAINING", "top": "READY"}
    world.exit("base")

    assert world.states() == {"base": "STARTING", "top": "READY"}
    assert world["base"].restart_count == 0


def test_a_process_that_cannot_be_started_backs_off() -> None:
    world = World(PAIR)
    world.ready("base")
    epoch = world["top"].epoch
    process = world["top"].process
    assert process is not None
    world.alive.pop(process)
    world["top"].process = None

    world.supervisor.spawn_failed("top", epoch, "no such file", world.now_ms)
    world.obey()

    assert world.states()["top"] == "BACKOFF"
    assert world["top"].last_exit == "could not be started: no such file"


def test_the_end_of_an_earlier_process_means_nothing() -> None:
    world = World({"base": []})
    world.ready("base")

    world.supervisor.exited("base", ProcessId(1, 1), Exit(1), world.now_ms)
    world.obey()

    assert world.states() == {"base": "READY"}


def test_close_ends_dependents_first() -> None:
    world = World(DIAMOND)
    world.ready("base", "left", "right", "top")

    world.supervisor.close(world.now_ms)
    world.obey()
    assert world.terminated == ["top"]
    world.exit("top")
    assert sorted(world.terminated) == ["left", "right", "top"]
    world.exit("left")
    assert "base" not in world.terminated
    world.exit("right")
    assert not world.supervisor.is_down()
    world.exit("base")

    assert world.supervisor.is_down()
    assert all(record.desired is Desired.RUNNING for record in world.saved.values())
    assert all(record.process is None for record in world.saved.values())


def test_nothing_is_started_while_closing() -> None:
    world = World(PAIR)
    world.exit("base", 1)
    world.supervisor.close(world.now_ms)
    world.obey()

    assert world.supervisor.is_down()
    world.advance(1_000_000)
    assert len(world.spawned) == 1


LIVING = ProcessId(7, 4711)


def adopted(**changes: object) -> Record:
    values: dict[str, object] = {
        "name": "base",
        "epoch": 3,
        "restart_count": 1,
        "process": LIVING,
        "endpoint": "unix:/run/base.sock",
        "instance_id": b"base-3..........",
    }
    return Record(**(values | changes))  # type: ignore[arg-type]


def test_a_living_process_is_taken_over_with_its_epoch() -> None:
    world = World({"base": []}, records=[adopted()], alive=[LIVING])

    assert world.spawned == []
    world.ready("base")
    world.advance(100_000, beating=True)

    assert world.states() == {"base": "READY"}
    assert (world["base"].epoch, world["base"].restart_count) == (3, 1)


def test_a_living_process_that_does_not_come_back_in_a_ttl_is_replaced() -> None:
    world = World({"base": []}, records=[adopted()], alive=[LIVING])

    world.advance(14_999)
    assert LIVING in world.alive
    world.advance(1)
    assert LIVING not in world.alive
    world.advance(500)

    assert world.states() == {"base": "STARTING"}
    assert world["base"].epoch == 4


def test_a_pid_that_is_used_again_is_not_taken_for_the_module() -> None:
    world = World({"base": []}, records=[adopted()])

    assert world["base"].epoch == 4
    assert world["base"].process != LIVING
    assert world["base"].last_exit == "ended while no kernel watched"


def test_a_living_process_that_should_be_stopped_is_stopped() -> None:
    record = adopted(desired=Desired.STOPPED)
    world = World({"base": []}, records=[record], alive=[LIVING])

    assert world.states() == {"base": "DRAINING"}
    world.exit("base")

    assert world.states() == {"base": "STOPPED"}


def test_an_observed_module_is_awaited_and_never_touched() -> None:
    world = World({"base": [], "top": ["base"]}, runtime=Runtime.EXTERNAL)
    assert world.states() == {"base": "STARTING", "top": "STARTING"}

    world.ready("top")
    world.advance(15_000)
    assert world.states() == {"base": "STARTING", "top": "STARTING"}
    assert world["top"].last_exit == "no beat for 15 s"
    for refused in (world.supervisor.stop, world.supervisor.restart):
        with pytest.raises(ExternalRuntimeError):
            refused("base", world.now_ms)
    world.supervisor.start("base", world.now_ms)
    world.supervisor.close(world.now_ms)
    world.obey()

    assert world.spawned == []
    assert world.supervisor.is_down()


def test_unknown_modules_are_refused() -> None:
    world = World({"base": []})

    for refused in (world.supervisor.start, world.supervisor.stop, world.supervisor.restart):
        with pytest.raises(UnknownModuleError):
            refused("../x", world.now_ms)


names = st.sampled_from(sorted(DIAMOND))


class Chaos(RuleBasedStateMachine):
    """Anything may happen at any time: no illegal transition, no process lost sight of."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(DIAMOND)

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
        lease = self.world[name].lease
        if lease is not None:
            self.world.registry.deregister(lease.lease_id, self.world.now_ms)
            self.world.obey()

    @rule(ms=st.sampled_from([1, 500, 10_000, 15_000, 60_000, 300_000]), beating=st.booleans())
    def time_passes(self, ms: int, beating: bool) -> None:  # noqa: FBT001
        self.world.advance(ms, beating=beating)

    @rule(name=names, wish=st.sampled_from(["start", "stop", "restart"]))
    def operator_wants(self, name: str, wish: str) -> None:
        with suppress(HasDependentsError):
            getattr(self.world.supervisor, wish)(name, self.world.now_ms)
        self.world.obey()

    @rule()
    def kernel_restarts(self) -> None:
        old = self.world
        self.world = World(DIAMOND, records=list(old.saved.values()), alive=list(old.alive))
        assert set(self.world.alive) >= set(old.alive)

    @invariant()
    def processes_and_states_agree(self) -> None:
        for name, module in self.world.supervisor.modules.items():
            assert (module.process is not None) == (name in self._living())
            if module.state in {ModuleState.STOPPED, ModuleState.BLOCKED}:
                assert module.process is None
            if module.state is ModuleState.READY:
                assert module.lease is not None
            if module.state in {ModuleState.BACKOFF, ModuleState.FAILED, ModuleState.STARTING}:
                assert module.due_ms is not None, "or it would stay there for ever"
            assert module.epoch == 0 or self.world.saved[name].epoch == module.epoch

    def teardown(self) -> None:
        self.world.supervisor.close(self.world.now_ms)
        self.world.obey()
        self.world.advance(1_000_000)
        assert self.world.supervisor.is_down()
        assert not self.world.alive


Chaos.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestChaos = pytest.mark.property(Chaos.TestCase)
