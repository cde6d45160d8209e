"""Which module needs which: order, cycles, what is missing (KER-6)."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

Requires = Mapping[str, Iterable[str]]


def problems(requires: Requires) -> list[str]:
    """Says what makes an order impossible; empty if nothing does."""
    found = [
        f"{name}: requires {needed!r}, which the profile does not have"
        for name, all_needed in requires.items()
        for needed in all_needed
        if needed not in requires
    ]
    known = {name: [one for one in needed if one in requires] for name, needed in requires.items()}
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        # graphlib names each module before the one that requires it; readers expect the reverse
        cycle: list[str] = list(reversed(error.args[1]))
        found.append(f"requires form a cycle: {' -> '.join(cycle)}")
    return found


def start_order(requires: Requires) -> list[str]:
    """Returns every module after what it requires; by name where there is a choice.

    Raises:
        ValueError: There is no such order; `problems` says why.
    """
    if found := problems(requires):
        raise ValueError("no order: " + "; ".join(found))
    sorter = TopologicalSorter(requires)
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        layer = sorted(sorter.get_ready())
        order.extend(layer)
        sorter.done(*layer)
    return order


def dependents(requires: Requires, name: str) -> list[str]:
    """Returns the modules that require `name` themselves, by name."""
    return sorted(other for other, needed in requires.items() if name in needed)


def requirements(requires: Requires, name: str) -> list[str]:
    """Returns all that `name` requires, also through others, and `name` last."""
    order, wanted = start_order(requires), {name}
    for other in reversed(order):
        if other in wanted:
            wanted.update(requires[other])
    return [other for other in order if other in wanted]
