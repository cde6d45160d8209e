"""Plan: what an operator's request would do, as a dry run (KER-6)."""

from enum import StrEnum

from logos_kernel.core.planner import Planner, Step
from logos_kernel.operations.kernel import Kernel


class Operation(StrEnum):
    """What an operator may ask of a module."""

    START = "START"
    STOP = "STOP"
    RESTART = "RESTART"


def plan(kernel: Kernel, operation: Operation, name: str, *, is_cascade: bool) -> list[Step]:
    """Returns the steps in order; raises what the request itself would."""
    planner = Planner(kernel.views.modules)
    match operation:
        case Operation.START:
            return planner.start(name)
        case Operation.STOP:
            return planner.stop(name, is_cascade=is_cascade)
        case Operation.RESTART:
            return planner.restart(name)
