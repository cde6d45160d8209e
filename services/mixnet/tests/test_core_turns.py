"""MIX-17: whose packet is checked next."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.mixing import turns as module
from logos_mixnet.core.mixing.turns import Turns

MOST, EACH = 3, 2
peers = st.sampled_from("abcd")
steps = st.lists(st.one_of(peers, st.integers(0, MOST - 1)), max_size=60)
"""A peer sends a packet, or the check of one of those that are being checked ends."""


@pytest.mark.property
@given(steps, st.booleans())
def test_no_peer_waits_for_more_than_its_turn(steps: list[str | int], is_proven: bool) -> None:  # noqa: FBT001
    turns, numbers = Turns(most=MOST, each=EACH), iter(range(1_000))
    begun: list[int] = []
    waiting: dict[str, list[int]] = {peer: [] for peer in "abcd"}
    passed_over: Counter[str] = Counter()
    if is_proven:
        turns.held("a")

    for step in steps:
        if isinstance(step, int):
            if step < len(begun):
                turns.done(begun.pop(step))
        elif turns.has_room(step):
            waiting[step].append(number := next(numbers))
            turns.add(number, step)
        while (number_now := turns.next()) is not None:
            peer = turns.peer_of(number_now)
            assert waiting[peer].pop(0) == number_now
            begun.append(number_now)
            passed_over[peer] = 0
            for other in "abcd":
                if other != peer and waiting[other]:
                    passed_over[other] += 1
                    assert passed_over[other] < (6 if is_proven else 4)

        assert len(begun) <= MOST
        assert len(begun) == MOST or not any(waiting.values())
        of_peer = Counter(turns.peer_of(each) for each in begun)
        assert all(of_peer[peer] + len(waiting[peer]) <= EACH for peer in "abcd")


def test_every_other_turn_is_one_of_the_peers_of_which_a_proof_has_held() -> None:
    turns = Turns(most=100, each=EACH)
    turns.held("known")
    for number in range(20):
        turns.add(number, f"stranger {number}")
    for number in (20, 21):
        turns.add(number, "known")

    order = [turns.next() for _ in range(6)]

    assert order == [0, 20, 1, 21, 2, 3]


def test_what_waits_of_a_stranger_goes_with_it_and_of_others_stays() -> None:
    turns = Turns(most=1, each=EACH)
    turns.held("known")
    for number, peer_id in enumerate(("gone", "gone", "known", "other")):
        turns.add(number, peer_id)
    assert turns.next() == 0

    assert turns.gone("gone") == [1]
    assert turns.gone("known") == []
    turns.done(0)

    assert turns.has_room("gone")
    assert turns.next() == 2


def test_the_peers_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PROVEN", 10)
    turns = Turns(most=1, each=1)
    for number in range(1_000):
        turns.held(f"peer {number}")
    assert len(turns._proven) == 10
