"""KER-5, KER-6, KER-8, KER-10: what runs when, in virtual time."""

import pytest
from kernel_world import World

from logos_kernel.core.errors import (
    ExternalRuntimeError,
    HasDependentsError,
    UnknownModuleError,
)
from logos_kernel.core.types import Desired, Exit, ModuleState, ProcessId, Record, Runtime

PAIR = {"top": ["base"], "base": []}
DIAMOND = {"top": ["left", "right"], "left": ["base"], "right": ["base"], "base": []}


def test_modules_start_when_what_they_require_is_ready_and_side_by_side_otherwise() -> None:
    """kernel.md 14.12."""
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

    assert world.modules.is_ready()


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
    assert world["base"].last_exit == "no heartbeat for 15 s"
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
    asker = world.begin(world.registry.wait_stop, world.lease_id("base"))
    assert asker not in world.answers

    world.want("stop", "base")
    assert world.states() == {"base": "DRAINING"}
    assert asker in world.answers
    late = world.begin(world.registry.wait_stop, world.lease_id("base"))
    assert late in world.answers
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
        world.want("stop", "base")
    world.want("stop", "top")
    world.exit("top")
    world.want("stop", "base")
    world.exit("base")

    assert world.states() == {"base": "STOPPED", "top": "STOPPED"}


def test_stop_of_a_module_in_back_off_cancels_its_start() -> None:
    world = World({"base": []})
    world.exit("base", 1)

    world.want("stop", "base")
    world.advance(1_000_000)

    assert world.states() == {"base": "STOPPED"}
    assert len(world.spawned) == 1


def test_start_wants_what_is_required_too_and_revives_what_failed() -> None:
    records = [Record("base", Desired.STOPPED), Record("top", Desired.STOPPED)]
    world = World(PAIR, records=records)
    assert world.states() == {"base": "STOPPED", "top": "STOPPED"}

    world.want("start", "top")
    assert world.states() == {"base": "STARTING", "top": "BLOCKED"}
    world.exit("base", 2)
    world.want("start", "top")

    assert world.states() == {"base": "STARTING", "top": "BLOCKED"}
    assert world.saved["top"].desired is Desired.RUNNING


def test_start_while_stopping_starts_again_once_it_has_ended() -> None:
    world = World({"base": []})
    world.ready("base")
    world.want("stop", "base")
    world.want("start", "base")

    world.exit("base")

    assert world.states() == {"base": "STARTING"}
    assert world["base"].epoch == 2


def test_restart_waits_for_no_back_off_and_does_not_count() -> None:
    world = World(PAIR)
    world.ready("base", "top")

    world.want("restart", "base")
    assert world.states() == {"base": "DRAINING", "top": "READY"}
    world.exit("base")

    assert world.states() == {"base": "STARTING", "top": "READY"}
    assert world["base"].restart_count == 0


def test_a_process_that_cannot_be_started_backs_off() -> None:
    world = World(PAIR)
    world.cannot_spawn = "no such file"
    world.ready("base")

    assert world.states()["top"] == "BACKOFF"
    assert world["top"].last_exit == "could not be started: no such file"


def test_the_end_of_an_earlier_process_means_nothing() -> None:
    world = World({"base": []})
    world.ready("base")

    world.put(world.supervisor.exited, "base", ProcessId(1, 1), Exit(1))

    assert world.states() == {"base": "READY"}


def test_close_ends_dependents_first() -> None:
    world = World(DIAMOND)
    world.ready("base", "left", "right", "top")

    world.put(world.supervisor.close)
    assert world.terminated == ["top"]
    world.exit("top")
    assert sorted(world.terminated) == ["left", "right", "top"]
    world.exit("left")
    assert "base" not in world.terminated
    world.exit("right")
    assert not world.modules.is_down()
    world.exit("base")

    assert world.modules.is_down()
    assert all(record.desired is Desired.RUNNING for record in world.saved.values())
    assert all(record.process is None for record in world.saved.values())


def test_nothing_is_started_while_closing() -> None:
    world = World(PAIR)
    world.exit("base", 1)
    world.put(world.supervisor.close)

    assert world.modules.is_down()
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
    world = World({"base": []}, records=[adopted()], alive={LIVING: "base"})

    assert world.spawned == []
    world.ready("base")
    world.advance(100_000, beating=True)

    assert world.states() == {"base": "READY"}
    assert (world["base"].epoch, world["base"].restart_count) == (3, 1)


def test_a_living_process_that_does_not_come_back_in_a_ttl_is_replaced() -> None:
    world = World({"base": []}, records=[adopted()], alive={LIVING: "base"})

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


def test_an_end_that_no_kernel_saw_counts_as_no_failure_whatever_the_order() -> None:
    """kernel.md 14.9: a runtime may learn only later what had ended before."""
    other = ProcessId(8, 4712)
    records = [adopted(), adopted(name="top", process=other, instance_id=b"top-3...........")]
    alive = {LIVING: "base", other: "top"}
    world = World({"base": [], "top": ["base"]}, records=records, alive=alive)
    unseen = Exit(137, is_unseen=True)

    for name, process in (("top", other), ("base", LIVING)):
        del world.alive[process]
        world.put(world.supervisor.exited, name, process, unseen)

    assert world.states() == {"base": "STARTING", "top": "BLOCKED"}
    world.ready("base")
    world.ready("top")
    assert [world[name].restart_count for name in ("base", "top")] == [1, 1]
    assert [world[name].epoch for name in ("base", "top")] == [4, 4]
    assert world["base"].last_exit == "ended while no kernel watched"


def test_a_living_process_that_should_be_stopped_is_stopped() -> None:
    record = adopted(desired=Desired.STOPPED)
    world = World({"base": []}, records=[record], alive={LIVING: "base"})

    assert world.states() == {"base": "DRAINING"}
    world.exit("base")

    assert world.states() == {"base": "STOPPED"}


def test_an_observed_module_is_awaited_and_never_touched() -> None:
    world = World({"base": [], "top": ["base"]}, runtime=Runtime.EXTERNAL)
    assert world.states() == {"base": "STARTING", "top": "STARTING"}

    world.ready("top")
    world.advance(15_000)
    assert world.states() == {"base": "STARTING", "top": "STARTING"}
    assert world["top"].last_exit == "no heartbeat for 15 s"
    for refused in ("stop", "restart"):
        with pytest.raises(ExternalRuntimeError):
            world.want(refused, "base")
    world.want("start", "base")
    world.put(world.supervisor.close)

    assert world.spawned == []
    assert world.modules.is_down()


def test_a_restart_after_a_stop_and_a_start_replaces_the_process() -> None:
    world = World({"base": []})
    world.ready("base")
    world.want("stop", "base")
    world.exit("base")
    world.want("start", "base")
    world.ready("base")

    world.want("restart", "base")
    world.exit("base")

    assert world["base"].epoch == 3


FULL = [True]


def test_a_start_whose_epoch_cannot_be_saved_is_not_made_and_tried_again() -> None:
    world = World({"base": []})
    world.ready("base")
    world.want("restart", "base")

    world.fates = FULL * 2  # for two tries of the new process
    world.exit("base")
    assert world.states() == {"base": "BACKOFF"}
    why = "its state cannot be saved: the disk is full"
    assert world["base"].last_exit == f"not started: {why}"
    assert world.views.one("base").status_text == why
    assert world.saved["base"].epoch == 1
    world.advance(500)
    assert world.states() == {"base": "BACKOFF"}
    world.advance(1000)

    assert world.states() == {"base": "STARTING"}
    assert (world["base"].epoch, world.saved["base"].epoch) == (2, 2)
    assert world.views.one("base").status_text == ""


def test_a_start_that_cannot_be_saved_is_refused_though_it_stays_wanted() -> None:
    world = World({"base": []}, records=[Record("base", Desired.STOPPED)])

    world.fates = [False, *FULL]  # what is wanted can be saved, and the epoch cannot
    assert not world.want("start", "base")

    assert world.states() == {"base": "BACKOFF"}
    assert world.saved["base"].desired is Desired.RUNNING
    world.advance(500)
    assert world.states() == {"base": "STARTING"}


def test_a_module_that_left_the_profile_is_ended_and_then_forgotten() -> None:
    world = World({}, records=[adopted(name="old")], alive={LIVING: "old"})
    assert world.terminated == ["old"]
    world.put(world.supervisor.close)
    assert not world.modules.is_down()

    world.advance(9_999)
    assert world.alive
    assert world.saved
    world.advance(1)

    assert not world.alive
    assert not world.saved
    assert world.modules.is_down()


def test_a_module_that_left_the_profile_and_has_ended_is_forgotten_at_once() -> None:
    world = World({}, records=[adopted(name="old"), Record("older")])

    assert not world.saved


def test_a_kernel_that_modules_cannot_reach_is_not_ready_and_says_why() -> None:
    world = World({}, runtime=Runtime.EXTERNAL)
    assert world.modules.is_ready()
    world.put(world.supervisor.note_trouble, "front", "/run/k.sock was removed")
    assert not world.modules.is_ready()
    world.put(world.supervisor.note_trouble, "front", "")
    assert world.modules.is_ready()

    world = World({"base": []})
    world.put(world.supervisor.note_trouble, "front", "/run/k.sock was removed")
    assert world.views.one("base").status_text == "/run/k.sock was removed"


def test_a_running_module_whose_state_cannot_be_saved_runs_on_and_is_saved_later() -> None:
    world = World({"base": []})
    world.fates = FULL * 2
    world.register("base")
    world.say("base", text="all there")

    assert world.states() == {"base": "READY"}
    assert "the disk is full" in world.views.one("base").status_text
    world.advance(5_000, beating=True)
    assert world.saved["base"].instance_id == b""
    world.advance(5_000, beating=True)

    assert world.saved["base"].instance_id == world["base"].instance_id
    assert world.views.one("base").status_text == "all there"
    assert len(world.spawned) == 1


def test_what_the_operator_wants_is_durable_or_changes_nothing() -> None:
    world = World(PAIR)
    world.ready("base", "top")

    world.fates = FULL * 1
    assert not world.want("stop", "top")
    assert (world.states()["top"], world.terminated) == ("READY", [])
    assert world.want("stop", "top")
    world.exit("top")
    world.want("stop", "base")
    world.exit("base")
    world.fates = FULL * 1
    assert not world.want("start", "top")

    assert world.states() == {"base": "STOPPED", "top": "STOPPED"}
    assert {one.desired for one in world.saved.values()} == {Desired.STOPPED}


def test_unknown_modules_are_refused() -> None:
    world = World({"base": []})

    for refused in ("start", "stop", "restart"):
        with pytest.raises(UnknownModuleError):
            world.want(refused, "../x")


def test_after_a_reboot_the_same_modules_get_ready_without_a_call() -> None:
    """kernel.md 14.9: nothing is left alive; desired states are."""
    old = World(DIAMOND)
    old.ready("base", "left", "right", "top")
    old.want("stop", "top")
    old.exit("top")
    old.want("stop", "left")
    old.exit("left")

    new = World(DIAMOND, records=list(old.saved.values()), kept=old.kept)
    new.ready("base", "right")

    assert new.states() == {"base": "READY", "left": "STOPPED", "right": "READY", "top": "STOPPED"}
    assert new.modules.is_ready()
    assert [new[name].epoch for name in ("base", "right", "left")] == [2, 2, 1]
