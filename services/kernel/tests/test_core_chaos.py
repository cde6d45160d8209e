"""KER-1, KER-5 to KER-8, KER-10: anything may happen, in virtual time."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import settings
from kernel_chaos import Chaos

from logos_base.restart import Restart, RestartKind
from logos_kernel.core.groups import Group, Strategy

RESTART = {
    "top": Restart(kind=RestartKind.ON_FAILURE),
    "left": Restart(kind=RestartKind.ON_WATCHDOG),
    "right": Restart(give_up=True, max_restarts=2),
}
GROUP_OF = {"left": "pair", "right": "pair", "base": "all", "top": "all"}
GROUPS = [
    Group("pair", Strategy.ONE_FOR_ALL, "all", max_restarts=2),
    Group("all", Strategy.REST_FOR_ONE, max_restarts=3),
]


class GroupedChaos(Chaos):
    """The same, with groups, bound modules, and modules that are not always restarted."""

    planned: Mapping[str, Any] = {
        "restart": RESTART,
        "group_of": GROUP_OF,
        "binds": {"left": ["base"]},
        "wants": {"base": ["top"], "right": ["left"]},
        "watchdog_ms": {"left": 3_000, "top": 40_000},
    }
    groups = GROUPS


Chaos.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
GroupedChaos.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestChaos = pytest.mark.property(Chaos.TestCase)
TestGroupedChaos = pytest.mark.property(GroupedChaos.TestCase)
