"""Which module needs which: order and cycles (KER-6). What is needed may be missing."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from logos_kernel.core.errors import DependencyCycleError

Requires = Mapping[str, Iterable[str]]


def cycle(requires: Requires) -> list[str]:
    """Returns a cycle, each name before one that it requires; empty if there is none."""
    try:
        TopologicalSorter(requires).prepare()
    except CycleError as error:
        # graphlib names each module before the one that requires it; readers expect the reverse
        return list(reversed(error.args[1]))
    return []


def start_order(requires: Requires) -> list[str]:
    """Returns every module after what it requires; by name where there is a choice.

    Raises:
        DependencyCycleError: There is no such order; the cycle is named.
    """
    if names := cycle(requires):
        raise DependencyCycleError(f"requires form a cycle: {' -> '.join(names)}")
    sorter = TopologicalSorter(requires)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        layer = sorted(sorter.get_ready())
        order.extend(name for name in layer if name in requires)
        sorter.done(*layer)
    return order


def dependents(requires: Requires, name: str) -> list[str]:
    """Returns the modules that require `name` themselves, by name."""
    return sorted(other for other, needed in requires.items() if name in needed)


def all_dependents(requires: Requires, name: str) -> frozenset[str]:
    """Returns the modules that require `name`, also through others."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = set(dependents(requires, waiting.pop())) - found
        found |= new
        waiting += new
    return frozenset(found)


def requirements(requires: Requires, name: str) -> frozenset[str]:
    """Returns `name` and all that it requires, also through others, if it is there."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in requires and one not in found:
            found.add(one)
            waiting += requires[one]
    return frozenset(found)
