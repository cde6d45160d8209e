"""KER-6: the order of starts."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_kernel.core.errors import DependencyCycleError
from logos_kernel.core.resolve import (
    all_dependents,
    cycle,
    dependents,
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
    found = cycle({"a": ["b"], "b": ["c", "x"], "c": ["a"], "d": ["a"]})

    assert found[0] == found[-1]
    assert sorted(found[1:]) == ["a", "b", "c"]
    assert all(pair in {("a", "b"), ("b", "c"), ("c", "a")} for pair in itertools.pairwise(found))


def test_what_is_missing_has_no_place_in_the_order() -> None:
    assert cycle({"b": ["x", "a"], "a": ["x"]}) == []
    assert start_order({"b": ["x", "a"], "a": ["x"]}) == ["a", "b"]


def test_without_an_order_none_is_made_up() -> None:
    """kernel.md 14.11: the cycle is named."""
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
