"""KER-30: turns are bounded, and fair among callers."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.machine import Answer, Ticket
from logos_kernel.core.errors import QueueFullError
from logos_kernel.core.turns import MAX_UNDER_WAY, MAX_WAITING, MAX_WAITING_OF_ONE, Turns


class Driver:
    """Obeys answers, and remembers in which order they came."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.tickets = map(Ticket, count())
        self.caller_of: dict[Ticket, str] = {}
        self.under_way: list[Ticket] = []
        self.waiting: list[Ticket] = []

    def obey(self, answers: list[Answer]) -> None:
        for answer in answers:
            self.waiting.remove(answer.ticket)
            self.under_way.append(answer.ticket)

    def ask(self, caller: str) -> bool:
        ticket = next(self.tickets)
        self.caller_of[ticket] = caller
        try:
            answers = list(self.turns.ask(ticket, caller))
        except QueueFullError:
            return False
        self.waiting.append(ticket)
        self.obey(answers)
        return True

    def leave(self, ticket: Ticket) -> None:
        held = self.under_way if ticket in self.under_way else self.waiting
        held.remove(ticket)
        self.obey(list(self.turns.leave(ticket)))

    def fill(self, caller: str = "first") -> None:
        for _ in range(MAX_UNDER_WAY):
            assert self.ask(caller)

    def served(self, turns: int) -> list[str]:
        """Ends calls one by one; returns whose turns came for it."""
        found = []
        for _ in range(turns):
            self.leave(self.under_way[0])
            found.append(self.caller_of[self.under_way[-1]])
        return found


def test_those_who_wait_take_turns_by_caller() -> None:
    driver = Driver()
    driver.fill()
    for caller in ("greedy", "greedy", "greedy", "modest", "late"):
        driver.ask(caller)

    assert driver.served(5) == ["greedy", "modest", "late", "greedy", "greedy"]


def test_one_caller_fills_his_part_of_the_queue_alone() -> None:
    driver = Driver()
    driver.fill()
    assert all(driver.ask("greedy") for _ in range(MAX_WAITING_OF_ONE))

    assert not driver.ask("greedy")
    assert driver.ask("modest")
    assert driver.served(2)[1] == "modest"


def test_all_callers_fill_the_queue() -> None:
    driver = Driver()
    driver.fill()
    assert all(driver.ask(f"caller {number}") for number in range(MAX_WAITING))

    assert not driver.ask("one more")
    driver.leave(driver.waiting[0])
    assert driver.ask("one more")


# Few callers, more asking than leaving: the bugs live where the queue fills and empties.
actions = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", "leave", "give up"]), st.integers(0, 400)),
    max_size=300,
)


@pytest.mark.property
@given(actions)
def test_nobody_waits_while_there_is_room_and_nobody_is_passed_twice(
    actions: list[tuple[str, int]],
) -> None:
    driver = Driver()
    driver.fill()
    passed: Counter[Ticket] = Counter()
    for action, which in actions:
        if action == "leave" and driver.under_way:
            before = {driver.caller_of[one]: one for one in reversed(driver.waiting)}
            driver.leave(driver.under_way[which % len(driver.under_way)])
            if before:
                came = driver.caller_of[driver.under_way[-1]]
                assert driver.under_way[-1] == before[came], "each caller's own come in order"
                passed.update(one for caller, one in before.items() if caller != came)
        elif action == "give up" and driver.waiting:
            driver.leave(driver.waiting[which % len(driver.waiting)])
        elif action in {"a", "b", "c"}:
            assert driver.ask(action)

        assert len(driver.under_way) <= MAX_UNDER_WAY
        assert not driver.waiting or len(driver.under_way) == MAX_UNDER_WAY
        assert driver.turns.count == len(driver.waiting)
    # The first of a caller who waits is passed by each other caller once at most in a circle.
    assert all(times <= 2 * 3 for times in passed.values())
