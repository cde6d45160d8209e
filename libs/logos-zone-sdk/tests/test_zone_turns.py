"""Turns: ZON-9 against the rule slot by slot, and three sequencers that hand over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zone_sequencers import SLOT_MS, Runner, World

from logos_zone_sdk.core.events import Adopted
from logos_zone_sdk.core.turns import ChannelView, SlotClock, next_turn_slot, turn_at
from zone_chain import Chain, State, configured, key_of

KEYS = tuple(key_of(each) for each in ("alice", "bob", "carol"))


def view_of(state: State) -> ChannelView:
    rules = (state.sequencer, state.since, state.timeframe, state.timeout)
    return ChannelView(state.keys, state.tip, state.tip_slot, *rules, bytes(32))


@given(
    count=st.integers(1, 3),
    sequencer=st.integers(0, 2),
    since=st.integers(0, 20),
    tip_after=st.integers(0, 20),
    timeframe=st.integers(0, 7),
    timeout=st.integers(0, 7),
)
def test_turns_are_those_of_the_rule(
    *, count: int, sequencer: int, since: int, tip_after: int, timeframe: int, timeout: int
) -> None:
    tip_slot = since + tip_after
    state = State(KEYS[:count], KEYS[0], tip_slot, sequencer % count, since, timeframe, timeout)
    view = view_of(state)
    for slot in range(tip_slot, tip_slot + 40):
        assert turn_at(view, slot) == state.turn(slot)[0]


@given(tip_after=st.integers(0, 20), timeframe=st.integers(0, 7), timeout=st.integers(0, 7))
def test_no_turn_goes_on_between_the_slots_that_are_named(
    tip_after: int, timeframe: int, timeout: int
) -> None:
    view = view_of(State(KEYS, KEYS[0], 5 + tip_after, 0, 5, timeframe, timeout))
    slot = view.tip_slot
    for _ in range(12):
        after = next_turn_slot(view, slot)
        if after is None:
            assert not timeframe
            assert not timeout
            return
        assert after > slot
        assert {turn_at(view, each) for each in range(slot, after)} == {turn_at(view, slot)}
        slot = after


def test_slots_of_a_clock() -> None:
    clock = SlotClock(10_000, 500)

    assert [clock.slot_at(each) for each in (0, 10_000, 10_499, 10_500)] == [0, 0, 0, 1]
    assert clock.begins_ms(3) == 11_500


@pytest.mark.parametrize("rules", [{"timeframe": 3}, {"timeout": 5}])
def test_three_sequencers_hand_over(rules: dict[str, int]) -> None:
    """ZON-9: each waits for its turn, and hears of the messages of the others."""
    here = World(Chain(start=configured(*KEYS, **rules)))
    runners = [Runner(here, key) for key in KEYS]
    for each in runners:
        each.hear()
        for place in range(4):
            each.publish(b"%d" % place)
    assert [len(each.submitted) > 0 for each in runners] == [True, False, False]

    for _ in range(80):
        here.chain.grow()
        here.now_ms = here.chain.tip.point.slot * SLOT_MS
        for each in runners:
            each.hear()

    found = here.chain.tip.payloads()
    for each in runners:
        assert [payload for signer, payload in found if signer == each.key] == [
            b"%d" % place for place in range(4)
        ]
        assert len(each.said(Adopted)) == 8
        assert not each.machine.checkpoint.pending
