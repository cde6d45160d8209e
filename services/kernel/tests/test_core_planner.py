"""KER-6: what needs what, and that a dry run says what is then done."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_world import World

from logos_base.versions import parse_range
from logos_kernel.core.errors import HasDependentsError, UnknownModuleError
from logos_kernel.core.journal import Reason
from logos_kernel.core.planner import Action, Planner, Step
from logos_kernel.core.types import Desired
from logos_kernel.core.types import ModuleState as S

Waves = list[set[tuple[Action, str]]]

CHAIN = {"c": ["b"], "b": ["a"], "a": []}


def rounds(world: World, first: int) -> Waves:
    """Lets all that end end, and all that start get ready, at once; returns what each round began.

    Args:
        world: A world in which something was asked for.
        first: How many transitions there were before.
    """
    waves: Waves = []
    while True:
        seen = world.kept[first:]
        first = len(world.kept)
        begun = {(Action.STOP, one.module) for one in seen if _is_stop(one.old, one.new)}
        begun |= {(Action.START, one.module) for one in seen if one.new is S.STARTING}
        if begun:
            waves.append(begun)
        ending, world.terminated = world.terminated, []
        starting = [one.name for one in world.modules if one.state is S.STARTING]
        if not ending and not starting:
            return waves
        for name in ending:
            world.exit(name)
        world.ready(*starting)


def _is_stop(old: S, new: S) -> bool:
    return new is S.DRAINING or (new is S.STOPPED and old is not S.DRAINING)


def as_waves(steps: Sequence[Step]) -> Waves:
    waves: Waves = []
    for step in steps:
        while len(waves) <= step.wave:
            waves.append(set())
        waves[step.wave].add((step.action, step.module))
    return waves


def plan(world: World, wish: str, name: str) -> list[Step]:
    planner = Planner(world.modules)
    match wish:
        case "start":
            return planner.start(name)
        case "restart":
            return planner.restart(name)
        case _:
            return planner.stop(name, is_cascade=wish == "stop_all")


Edges = Mapping[str, Sequence[str]]
Graph = tuple[Edges, Edges, Edges, list[tuple[str, str]]]
WISHES = ["start", "stop", "stop_all", "restart"]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """What up to eight modules require, want and bind, and what is asked for."""
    names = [f"m{number}" for number in range(draw(st.integers(1, 8)))]
    kinds: tuple[dict[str, list[str]], ...] = ({}, {}, {})
    for place, name in enumerate(names):
        for edges in kinds:
            edges[name] = []
        for other in names:
            earlier = other in names[:place]
            kind = draw(st.integers(0, 5))
            if other != name and (kind == 1 or (earlier and kind < 3)):
                kinds[kind][name].append(other)
    wishes = st.tuples(st.sampled_from(WISHES), st.sampled_from(names))
    requires, wants, binds = kinds
    return requires, wants, binds, draw(st.lists(wishes, min_size=1, max_size=6))


@pytest.mark.property
@settings(max_examples=1_000, deadline=None)
@given(graphs())
def test_what_is_done_is_what_was_planned(graph: Graph) -> None:
    requires, wants, binds, wishes = graph
    world = World(requires, wants=wants, binds=binds)
    rounds(world, 0)
    assert world.modules.is_ready()

    for wish, name in wishes:
        first = len(world.kept)
        try:
            planned = as_waves(plan(world, wish, name))
        except HasDependentsError as refused:
            with pytest.raises(HasDependentsError, match=str(refused)):
                world.want(wish, name)
            assert len(world.kept) == first
            continue

        world.want(wish, name)

        assert rounds(world, first) == planned


def test_independent_modules_start_side_by_side() -> None:
    """kernel.md 14.12: two branches of two, each as slow as its own."""
    world = World({"top": ["l2", "r2"], "l2": ["l1"], "r2": ["r1"], "l1": [], "r1": []})
    for name in world.modules:
        world.want("stop_all", name.name)
    rounds(world, 0)

    planned = plan(world, "start", "top")
    first = len(world.kept)
    world.want("start", "top")

    start = Action.START
    assert as_waves(planned) == [
        {(start, "l1"), (start, "r1")},
        {(start, "l2"), (start, "r2")},
        {(start, "top")},
    ]
    assert rounds(world, first) == as_waves(planned)


def test_a_stop_names_those_that_need_it_and_a_cascade_ends_them_first() -> None:
    """kernel.md 14.13."""
    world = World(CHAIN)
    rounds(world, 0)
    with pytest.raises(HasDependentsError, match="b require a"):
        plan(world, "stop", "a")
    with pytest.raises(HasDependentsError, match="b require a"):
        world.want("stop", "a")

    steps = plan(world, "stop_all", "a")
    first = len(world.kept)
    world.want("stop_all", "a")
    assert {one.desired for one in world.modules} == {Desired.STOPPED}
    assert world.terminated == ["c"]

    assert [(step.wave, step.module) for step in steps] == [(0, "c"), (1, "b"), (2, "a")]
    assert rounds(world, first) == as_waves(steps)
    assert set(world.states().values()) == {"STOPPED"}


def test_a_cascade_that_cannot_be_saved_stops_nothing() -> None:
    world = World(CHAIN)
    rounds(world, 0)
    world.fates = [True]

    assert not world.want("stop_all", "a")

    assert set(world.states().values()) == {"READY"}
    assert {one.desired for one in world.modules} == {Desired.RUNNING}


def test_what_is_wanted_is_started_and_not_waited_for() -> None:
    world = World({"a": [], "b": []}, wants={"a": ["b", "gone"]})
    for name in ("a", "b"):
        world.want("stop", name)
        world.exit(name)
    world.spawned.clear()

    world.want("start", "a")

    assert [name for _, name in world.spawned] == ["a", "b"]
    assert world.states() == {"a": "STARTING", "b": "STARTING"}
    world.ready("a")
    world.want("stop", "b")
    assert world.states()["a"] == "READY", "nor kept by it"


def test_what_is_bound_ends_whenever_the_other_does_and_comes_back_with_it() -> None:
    world = World(
        {"base": [], "bound": [], "more": []}, binds={"bound": ["base"], "more": ["bound"]}
    )
    rounds(world, 0)

    world.exit("base", -11)
    assert world.terminated == ["more"]
    rounds(world, len(world.kept))
    assert world.states() == {"base": "BACKOFF", "bound": "BLOCKED", "more": "BLOCKED"}
    assert world["bound"].status_text == "waits for base"
    assert {one.reason for one in world.kept if one.new is S.DRAINING} == {Reason.BOUND}
    world.advance(500)
    rounds(world, len(world.kept))
    assert world.modules.is_ready()
    assert world["bound"].restart_count == 0

    world.want("stop", "base")
    rounds(world, len(world.kept))

    assert world.states() == {"base": "STOPPED", "bound": "BLOCKED", "more": "BLOCKED"}
    assert world["bound"].desired is Desired.RUNNING
    world.want("start", "base")
    rounds(world, len(world.kept))
    assert world.modules.is_ready()


def test_what_needs_what_is_bound_hinders_a_stop_too() -> None:
    world = World({"base": [], "bound": [], "top": ["bound"]}, binds={"bound": ["base"]})
    rounds(world, 0)

    with pytest.raises(HasDependentsError, match="top require base"):
        world.want("stop", "base")


def test_a_version_out_of_range_blocks_until_another_runs() -> None:
    world = World(
        {"base": [], "top": ["base"]}, ranges={"top": {"base": parse_range(">=0.1,<0.3")}}
    )

    world.register("base", version="0.3.0")
    world.say("base")
    assert world.states()["top"] == "BLOCKED"
    assert world["top"].status_text == "waits for base >=0.1,<0.3, which is 0.3.0"
    world.want("restart", "base")
    world.exit("base")
    world.register("base", version="0.2.7")
    world.say("base")

    assert world.states()["top"] == "STARTING"


def test_a_module_that_is_not_there_has_no_plan() -> None:
    world = World(CHAIN)

    for wish in WISHES:
        with pytest.raises(UnknownModuleError):
            plan(world, wish, "x")


def test_a_restart_does_not_wait_for_what_drains_by_itself() -> None:
    world = World({"base": [], "top": ["base"]})
    rounds(world, 0)
    world.say("top", S.DRAINING)

    world.want("restart", "base")

    assert world.terminated == ["base"]


def test_what_is_stopped_waits_for_nothing_any_more() -> None:
    world = World({"base": [], "top": ["base"]})
    assert world["top"].status_text == "waits for base"

    world.want("stop", "top")

    assert (world.states()["top"], world["top"].status_text) == ("STOPPED", "")


def test_what_the_profile_does_not_have_blocks_those_that_need_it_and_no_others() -> None:
    """kernel.md 14.11."""
    requires = {"base": [], "top": ["base", "gone"], "over": ["top"]}
    world = World(requires)
    rounds(world, 0)
    assert world.states() == {"base": "READY", "top": "BLOCKED", "over": "BLOCKED"}
    assert world["top"].status_text == "waits for gone, which the profile does not have"
    assert not world.modules.is_ready()

    assert plan(world, "start", "over") == []
    world.want("start", "over")
    assert world.states() == {"base": "READY", "top": "BLOCKED", "over": "BLOCKED"}
    assert as_waves(plan(world, "stop_all", "base")) == [
        {(Action.STOP, "over"), (Action.STOP, "top"), (Action.STOP, "base")}
    ]

    world = World(
        requires | {"gone": []},
        records=list(world.saved.values()),
        alive=world.alive,
        kept=world.kept,
    )
    world.ready("base")
    rounds(world, len(world.kept))
    assert world.modules.is_ready()
    assert world["base"].epoch == 1
