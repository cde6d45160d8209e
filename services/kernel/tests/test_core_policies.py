"""KER-5, KER-21: what is restarted, alone and with its group, in virtual time."""

from typing import Any

import pytest
from kernel_world import World

from logos_base.restart import Restart, RestartKind
from logos_kernel.core.effects import Effects
from logos_kernel.core.errors import ExternalRuntimeError
from logos_kernel.core.groups import Group, Strategy
from logos_kernel.core.journal import Reason
from logos_kernel.core.module import After
from logos_kernel.core.types import Desired, Runtime
from logos_kernel.core.types import ModuleState as S

CHAIN = {"c": ["b"], "b": ["a"], "a": [], "other": []}
"""A <- B <- C, and one that needs nothing."""


def one(**restart: object) -> World:
    return World({"base": []}, restart={"base": Restart(**restart)})  # type: ignore[arg-type]


def chain(strategy: Strategy, *, max_restarts: int = 5) -> World:
    world = World(
        CHAIN,
        group_of=dict.fromkeys("abc", "g"),
        groups=[Group("g", strategy, max_restarts=max_restarts)],
    )
    world.ready("a", "b", "c", "other")
    world.spawned.clear()
    return world


def end_those_asked(world: World) -> list[str]:
    """Lets processes end that got TERM, in that order; returns their modules."""
    ended = []
    while world.terminated:
        ended.append(world.terminated.pop(0))
        world.exit(ended[-1])
    return ended


def settle(world: World) -> None:
    """Lets a second pass, and every process get ready as soon as it starts."""
    for _ in range(10):
        world.advance(100, beating=True)
        for module in world.modules:
            if module.state is S.STARTING and module.process is not None:
                world.ready(module.name)


@pytest.mark.parametrize(
    ("kind", "code", "state"),
    [
        (RestartKind.ALWAYS, 0, "BACKOFF"),
        (RestartKind.ALWAYS, 1, "BACKOFF"),
        (RestartKind.ON_FAILURE, 0, "STOPPED"),
        (RestartKind.ON_FAILURE, 1, "BACKOFF"),
        (RestartKind.ON_FAILURE, -15, "BACKOFF"),
        (RestartKind.ON_WATCHDOG, 0, "STOPPED"),
        (RestartKind.ON_WATCHDOG, 1, "FAILED"),
        (RestartKind.NEVER, 0, "STOPPED"),
        (RestartKind.NEVER, -9, "FAILED"),
    ],
)
def test_each_kind_restarts_after_its_own_ends(kind: RestartKind, code: int, state: str) -> None:
    """kernel.md 14.4."""
    world = one(kind=kind)
    world.ready("base")

    world.exit("base", code)

    assert world.states() == {"base": state}
    world.advance(3_600_000)
    assert (state == "BACKOFF") == (len(world.spawned) > 1)
    if state != "BACKOFF":
        assert world.supervisor.next_wake_ms() is None
        assert world["base"].desired is Desired.RUNNING
        assert world.modules.is_ready() == (state == "STOPPED"), "it has done its work"
        world.want("start", "base")
        assert world.states() == {"base": "STARTING"}


@pytest.mark.parametrize("kind", RestartKind)
def test_a_lost_lease_restarts_all_but_what_is_never_restarted(kind: RestartKind) -> None:
    world = one(kind=kind)
    world.ready("base")

    world.advance(15_000)

    assert world.states() == {"base": "FAILED" if kind == "never" else "BACKOFF"}
    assert not world.alive


def test_a_start_that_was_never_made_is_tried_again_whatever_the_policy() -> None:
    world = one(kind=RestartKind.NEVER)
    world.ready("base")
    world.want("restart", "base")
    world.fates = [True]

    world.exit("base")
    assert world.states() == {"base": "BACKOFF"}
    world.advance(500)

    assert world.states() == {"base": "STARTING"}


def test_failures_are_counted_delayed_and_end_in_quarantine() -> None:
    """kernel.md 14.3: exactly `max_restarts` in the window, then FAILED, and nothing to do."""
    world = one(max_restarts=3, backoff_base_ms=100, backoff_factor=3.0, backoff_max_ms=500)
    begun = []
    while world.states() != {"base": "FAILED"}:
        world.exit("base", 1)
        begun.append(world["base"].due_ms - world.now_ms)  # type: ignore[operator]
        world.advance(500)

    assert begun == [100, 300, 500, 300_000]
    assert world["base"].restart_count == 3
    assert world.kept[-1].new is S.FAILED
    world.advance(299_000)
    assert len(world.spawned) == 4, "nothing runs meanwhile"
    world.advance(500)
    world.ready("base")
    world.advance(60_000, beating=True)
    world.exit("base", 1)

    assert world.states() == {"base": "BACKOFF"}, "it recovered by itself"
    assert world["base"].due_ms == world.now_ms + 100, "from the base delay again"


def test_who_gives_up_stays_down_until_someone_says_otherwise() -> None:
    """kernel.md 14.3."""
    for wish in ("reset_failed", "start"):
        world = one(max_restarts=0, give_up=True)
        world.exit("base", 1)
        assert world.states() == {"base": "FAILED"}
        world.advance(24 * 3_600_000)
        assert world.states() == {"base": "FAILED"}
        assert world.supervisor.next_wake_ms() is None

        world.want(wish, "base")

        assert world.states() == {"base": "STARTING"}
        assert not world["base"].history.is_failed


def test_a_reset_of_what_is_not_failed_forgets_its_failures_alone() -> None:
    world = one()
    world.exit("base", 1)
    world.advance(500)
    world.ready("base")

    world.want("reset_failed", "base")
    assert world.states() == {"base": "READY"}
    world.exit("base", 1)

    assert world["base"].due_ms == world.now_ms + 500
    observed = World({"base": []}, runtime=Runtime.EXTERNAL)
    with pytest.raises(ExternalRuntimeError):
        observed.want("reset_failed", "base")


def test_a_stop_during_the_back_off_ends_it() -> None:
    """kernel.md 14.4."""
    world = one()
    world.exit("base", 1)

    world.want("stop", "base")
    world.advance(3_600_000)

    assert world.states() == {"base": "STOPPED"}
    assert len(world.spawned) == 1


def test_a_module_has_its_own_time_until_it_is_well() -> None:
    world = one(healthy_after_ms=1_000)
    for _ in range(3):
        world.exit("base", 1)
        world.advance(4_000)
    world.ready("base")
    world.advance(1_000, beating=True)

    world.exit("base", 1)

    assert world["base"].due_ms == world.now_ms + 500


def test_one_for_one_restarts_that_one() -> None:
    world = chain(Strategy.ONE_FOR_ONE)

    world.exit("b", 1)
    settle(world)

    assert [name for _, name in world.spawned] == ["b"]


def test_rest_for_one_restarts_those_that_need_it_in_order() -> None:
    """kernel.md 14.5: B is killed in A <- B <- C; B and C restart, in order."""
    world = chain(Strategy.REST_FOR_ONE)

    world.exit("b", -9)
    assert world.states() == {"a": "READY", "b": "BACKOFF", "c": "DRAINING", "other": "READY"}
    assert world.kept[-1].reason is Reason.GROUP
    end_those_asked(world)
    assert world.states()["c"] == "BLOCKED"
    settle(world)

    assert [name for _, name in world.spawned] == ["b", "c"]
    assert world.modules.is_ready()


def test_one_for_all_restarts_the_group_those_that_need_others_end_first() -> None:
    """kernel.md 14.5."""
    world = chain(Strategy.ONE_FOR_ALL)

    world.exit("b", 1)
    assert world.terminated == ["c"], "a waits until nothing needs it"
    assert end_those_asked(world) == ["c", "a"]
    settle(world)

    assert [name for _, name in world.spawned] == ["a", "b", "c"]
    assert world.states()["other"] == "READY"
    assert world.modules.is_ready()
    assert [world[name].restart_count for name in "abc"] == [0, 1, 0]


def test_a_group_that_fails_too_often_is_quarantined_whole() -> None:
    world = chain(Strategy.ONE_FOR_ONE, max_restarts=2)
    for name in ("a", "b"):
        world.exit(name, 1)
        settle(world)

    world.exit("a", 1)
    end_those_asked(world)

    assert world.states() == {"a": "FAILED", "b": "FAILED", "c": "FAILED", "other": "READY"}
    world.advance(299_000, beating=True)
    assert world.states()["a"] == "FAILED"
    world.advance(1_000, beating=True)
    settle(world)
    settle(world)
    assert world.modules.is_ready(), "the slow retry brings it back, in order"


def test_a_group_that_fails_too_often_is_restarted_by_its_parent() -> None:
    world = World(
        CHAIN,
        group_of={"b": "inner", "c": "inner", "a": "outer", "other": "outer"},
        groups=[
            Group("inner", Strategy.ONE_FOR_ONE, "outer", max_restarts=1),
            Group("outer", Strategy.ONE_FOR_ALL, max_restarts=1),
        ],
    )
    world.ready("a", "b", "c", "other")
    world.exit("b", 1)
    settle(world)
    world.exit("b", 1)

    assert set(end_those_asked(world)) == {"c", "a", "other"}, "escalated once"
    for _ in range(3):
        settle(world)
    assert world.modules.is_ready()
    world.exit("b", 1)
    for _ in range(3):
        settle(world)
    world.exit("b", 1)
    end_those_asked(world)

    assert set(world.states().values()) == {"FAILED"}, "escalated twice, and there is no more"


def test_a_wait_for_those_that_end_first_has_an_end() -> None:
    world = chain(Strategy.ONE_FOR_ALL)
    world.exit("b", 1)

    world.advance(20_000, beating=True)  # the grace of c, then that of a

    assert world["c"].epoch == 1, "it is blocked"
    assert world["a"].epoch == 2
    assert world["a"].ending is None


def test_an_operator_overrules_a_group() -> None:
    world = chain(Strategy.ONE_FOR_ALL)
    world.exit("b", 1)

    world.want("stop", "c")
    world.want("stop", "b")
    world.want("stop", "a")
    end_those_asked(world)
    world.advance(3_600_000, beating=True)

    assert {name: world.states()[name] for name in "abc"} == dict.fromkeys("abc", "STOPPED")


def watched(watchdog_ms: int = 3_000, **more: Any) -> World:
    world = World({"base": []}, watchdog_ms={"base": watchdog_ms}, **more)
    world.ready("base")
    return world


def beat_for(world: World, ms: int, *, gets_on: bool = False, **beat: Any) -> None:
    """Lets the module beat every second, until it is ended."""
    for second in range(ms // 1_000):
        if world["base"].lease is None:
            return
        more = {"progress": second + 1} if gets_on else {}
        world.say("base", **beat, **more)
        world.advance(1_000)


def test_beats_without_progress_are_not_enough() -> None:
    """kernel.md 14.2."""
    world = watched()
    beat_for(world, 60_000, gets_on=True)
    assert world.states() == {"base": "READY"}
    last_ms = world.now_ms - 1_000

    beat_for(world, 60_000, progress=60)

    assert world.kept[-1].reason is Reason.WATCHDOG
    assert world.kept[-1].detail == "no progress for 3 s"
    assert world.kept[-1].at_ms == last_ms + 3_000
    assert not world.alive


def test_a_process_that_stands_still_is_noticed_by_its_watchdog_before_its_lease() -> None:
    """kernel.md 14.2: within the watchdog's time."""
    world = watched()

    world.advance(2_999)
    assert world.states() == {"base": "READY"}
    world.advance(1)

    assert world.states() == {"base": "BACKOFF"}
    assert world["base"].last_exit == "no progress for 3 s"
    assert world.kept_exits[-1].reason is Reason.WATCHDOG


def test_progress_is_asked_for_while_it_starts_and_not_while_it_drains() -> None:
    world = watched()
    world.want("restart", "base")
    world.advance(9_999)
    assert world.states() == {"base": "DRAINING"}
    world.exit("base")

    world.register("base")
    world.advance(3_000)

    assert world.kept[-1].reason is Reason.WATCHDOG


def test_without_a_watchdog_no_progress_is_asked_for() -> None:
    world = World({"base": []})
    world.ready("base")

    beat_for(world, 120_000)

    assert world.states() == {"base": "READY"}


@pytest.mark.parametrize(("watchdog_ms", "limit_ms"), [(None, 15_000), (3_000, 3_000)])
def test_what_is_not_serving_for_too_long_is_restarted(
    watchdog_ms: int | None, limit_ms: int
) -> None:
    """kernel.md 14.2: a bug that only its health shows."""
    world = watched(watchdog_ms or 10**9)
    if watchdog_ms is None:
        world = World({"base": []})
        world.ready("base")
    beat_for(world, limit_ms - 1_000, gets_on=True, is_serving=False)
    world.say("base", is_serving=True, progress=100)
    assert world["base"].status_text == ""
    since_ms = world.now_ms

    beat_for(world, 60_000, gets_on=True, is_serving=False)

    assert world["base"].last_exit == f"NOT_SERVING for {limit_ms // 1000} s"
    told = next(one for one in world.kept if one.reason is Reason.NOT_SERVING)
    assert told.at_ms == since_ms + limit_ms


def test_an_observed_module_without_progress_is_awaited_anew() -> None:
    world = watched(runtime=Runtime.EXTERNAL)

    world.advance(3_000)

    assert world.states() == {"base": "STARTING"}
    assert world["base"].lease is None


@pytest.mark.parametrize("still_ms", [1_001, 2_000, 60_000])
def test_a_kernel_that_stood_still_blames_nobody(still_ms: int) -> None:
    world = watched()
    world.now_ms += 3_000 + still_ms

    world.put(world.supervisor.tick)
    assert world.states() == {"base": "READY"}
    world.advance(3_000)

    assert world.states() == {"base": "BACKOFF"}


def test_a_group_takes_those_along_that_do_not_run() -> None:
    world = World(
        {"waits": ["a"], "a": [], "b": [], "stopped": []},
        group_of=dict.fromkeys(("waits", "a", "b", "stopped"), "g"),
        groups=[Group("g", max_restarts=1)],
    )
    world.ready("b")
    world.want("stop", "stopped")
    world.exit("stopped")
    world.exit("a", 1)

    world.exit("b", 1)

    assert world.states() == {
        "waits": "FAILED",
        "a": "FAILED",
        "b": "FAILED",
        "stopped": "STOPPED",
    }
    assert {one.reason for one in world.kept[-2:]} == {Reason.GROUP}


def test_a_process_that_is_to_end_before_it_is_made_ends_right_after() -> None:
    world = World({"base": []})
    module = world["base"]
    world.exit("base", 1)

    def step(now_ms: int) -> Effects:
        begun = world.modules.begin(module, Reason.RETRY_DUE, now_ms)
        world.modules.end(module, After.RESTART, Reason.GROUP)
        return [*begun, *world.modules.settle(now_ms)]

    world.put(step)

    assert world.terminated == ["base"]
    assert world.states() == {"base": "DRAINING"}
    world.exit("base")
    assert (world.states(), module.epoch) == ({"base": "STARTING"}, 3)


@pytest.mark.parametrize("wish", ["start", "restart"])
def test_what_waits_to_be_stopped_stays_if_it_is_wanted_again(wish: str) -> None:
    world = World(CHAIN)
    world.ready("a", "b", "c")
    world.want("stop_all", "a")
    assert world.states()["a"] == "READY", "c ends first"

    world.want(wish, "a")
    end_those_asked(world)

    assert (world["a"].desired, world.states()["a"]) == (Desired.RUNNING, "READY")
    assert (world.states()["b"], world.states()["c"]) == ("STOPPED", "STOPPED")
