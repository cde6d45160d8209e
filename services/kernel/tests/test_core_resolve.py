"""KER-6: the order of starts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.errors import DependencyCycleError, DependencyMissingError
from logos_kernel.core.resolve import (
    all_dependents,
    dependents,
    problems,
    requirements,
    start_order,
)

DIAMOND = {"top": ["left", "right"], "left": ["base"], "right": ["base"], "base": []}


def test_what_is_required_comes_first() -> None:
    assert start_order(DIAMOND) == ["base", "left", "right", "top"]


def test_dependents_are_the_direct_ones_and_requirements_all() -> None:
    assert dependents(DIAMOND, "base") == ["left", "right"]
    assert dependents(DIAMOND, "top") == []
    assert all_dependents(DIAMOND, "base") == {"left", "right", "top"}
    assert requirements(DIAMOND, "top") == {"base", "left", "right", "top"}
    assert requirements({"a": ["b", "x"], "b": ["a"]}, "a") == {"a", "b"}, "a cycle has an end"
    assert requirements(DIAMOND, "left") == {"base", "left"}


def test_a_cycle_is_named_in_the_direction_of_the_requirements() -> None:
    found = problems({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})

    assert len(found) == 1
    cycle = found[0].removeprefix("requires form a cycle: ").split(" -> ")
    assert cycle[0] == cycle[-1]
    assert sorted(cycle[1:]) == ["a", "b", "c"]
    assert all(pair in {("a", "b"), ("b", "c"), ("c", "a")} for pair in itertools.pairwise(cycle))


def test_everything_that_is_missing_is_named() -> None:
    assert problems({"a": ["x"], "b": ["y", "a"]}) == [
        "a: requires 'x', which the profile does not have",
        "b: requires 'y', which the profile does not have",
    ]


def test_without_an_order_none_is_made_up() -> None:
    """kernel.md 14.11: the cycle is named."""
    with pytest.raises(DependencyMissingError, match="b: requires 'x', which the profile does not"):
        start_order({"b": ["x"]})
    with pytest.raises(DependencyCycleError, match=r"form a cycle: [ab] -> [ab] -> [ab]$"):
        start_order({"a": ["b"], "b": ["a"]})


@pytest.mark.property
@given(
    st.lists(st.sets(st.integers(0, 7)), max_size=8).map(
        # edges to smaller numbers only: never a cycle
        lambda rows: {
            str(at): sorted(str(one) for one in row if one < at) for at, row in enumerate(rows)
        }
    )
)
def test_an_order_holds_every_module_after_what_it_requires(requires: dict[str, list[str]]) -> None:
    order = start_order(requires)

    assert sorted(order) == sorted(requires)
    assert all(
        order.index(needed) < order.index(name)
        for name, all_needed in requires.items()
        for needed in all_needed
    )
