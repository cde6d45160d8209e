"""KER-45: an operator has the process of a module killed, in virtual time."""

import pytest
from kernel_world import World

from logos_base.restart import Restart, RestartKind
from logos_kernel.core.errors import ExternalRuntimeError, NoProcessError, UnknownModuleError
from logos_kernel.core.groups import Group, Strategy
from logos_kernel.core.journal import Reason
from logos_kernel.core.types import Desired, Runtime


def kill(world: World, name: str = "base") -> None:
    world.ask(world.supervisor.kill, name)


def test_it_ends_at_once_counts_as_a_failure_and_comes_back_after_its_delay() -> None:
    world = World({"top": ["base"], "base": []})
    world.ready("base", "top")

    kill(world)

    assert world.states() == {"base": "BACKOFF", "top": "READY"}
    assert world.terminated == [], "it was not asked"
    assert (world.kept_exits[-1].exit.code, world.kept_exits[-1].reason) == (-9, Reason.KILLED)
    assert world.kept[-1].reason is Reason.KILLED
    assert world["base"].last_exit == "ended by signal 9"
    assert world["base"].desired is Desired.RUNNING
    world.advance(500, beating=True)
    assert world.states()["base"] == "STARTING"
    world.ready("base")
    assert (world["base"].epoch, world["base"].restart_count) == (2, 1)

    world.exit("base", 1)
    assert world.kept_exits[-1].reason is Reason.EXITED, "only that one was killed"


def test_one_that_is_starting_is_killed_too() -> None:
    world = World({"base": []})

    kill(world)

    assert world.states() == {"base": "BACKOFF"}


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (RestartKind.ALWAYS, "BACKOFF"),
        (RestartKind.ON_FAILURE, "BACKOFF"),
        (RestartKind.ON_WATCHDOG, "FAILED"),
        (RestartKind.NEVER, "FAILED"),
    ],
)
def test_its_policy_decides_as_after_a_crash(kind: RestartKind, state: str) -> None:
    world = World({"base": []}, restart={"base": Restart(kind=kind)})
    world.ready("base")

    kill(world)

    assert world.states() == {"base": state}


def test_its_group_is_restarted_by_its_strategy() -> None:
    world = World(
        {"a": [], "b": []},
        group_of={"a": "g", "b": "g"},
        groups=[Group("g", Strategy.ONE_FOR_ALL)],
    )
    world.ready("a", "b")

    kill(world, "a")

    assert world.states() == {"a": "BACKOFF", "b": "DRAINING"}


def test_one_that_is_stopping_ends_sooner_and_stays_stopped() -> None:
    world = World({"base": []})
    world.ready("base")
    world.ask(world.supervisor.stop, "base")

    kill(world)

    assert world.states() == {"base": "STOPPED"}
    assert world.kept_exits[-1].reason is Reason.REQUESTED


def test_without_a_process_it_is_refused() -> None:
    world = World({"top": ["base"], "base": []})

    with pytest.raises(NoProcessError, match="top has no process now: it is BLOCKED"):
        kill(world, "top")
    world.exit("base", 1)
    with pytest.raises(NoProcessError, match="base has no process now: it is BACKOFF"):
        kill(world)
    with pytest.raises(UnknownModuleError):
        kill(world, "gone")


@pytest.mark.parametrize("runtime", [Runtime.EXTERNAL, Runtime.KUBERNETES])
def test_what_the_kernel_only_observes_it_does_not_kill(runtime: Runtime) -> None:
    world = World({"base": []}, runtime=runtime)
    world.ready("base")

    with pytest.raises(ExternalRuntimeError):
        kill(world)

    assert world.states() == {"base": "READY"}
