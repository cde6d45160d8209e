"""KER-1: the table of states."""

import itertools

import pytest

from logos_kernel.core.lifecycle import TRANSITIONS, IllegalTransitionError, check_transition
from logos_kernel.core.types import ModuleState as S

LEGAL = """
BLOCKED    -> STARTING STOPPED FAILED
STARTING   -> REGISTERED DRAINING STOPPED BACKOFF FAILED
REGISTERED -> READY STARTING DRAINING STOPPED BACKOFF FAILED
READY      -> REGISTERED STARTING DRAINING STOPPED BACKOFF FAILED
DRAINING   -> STARTING REGISTERED BACKOFF FAILED STOPPED BLOCKED
STOPPED    -> STARTING BLOCKED
BACKOFF    -> STARTING BLOCKED STOPPED DRAINING FAILED
FAILED     -> STARTING BLOCKED STOPPED DRAINING
"""

WAYS = {
    (S(old), S(new))
    for old, _, news in (line.partition("->") for line in LEGAL.split("\n") if line)
    for old in [old.strip()]
    for new in news.split()
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(S, S)))
def test_only_the_ways_of_the_table_exist(old: S, new: S) -> None:
    if (old, new) in WAYS:
        check_transition("storage", old, new)
    else:
        with pytest.raises(IllegalTransitionError, match=f"storage: {old} cannot become {new}"):
            check_transition("storage", old, new)


def test_every_state_can_be_left_and_reached() -> None:
    assert set(TRANSITIONS) == set(S)
    assert set().union(*TRANSITIONS.values()) == set(S)
