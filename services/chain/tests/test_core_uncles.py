"""CON-34 to CON-36: which uncles a block may carry, which it should, and what they count for."""

from dataclasses import replace
from typing import Any

import pytest
from chain_blocks import GENESIS, SMALL, TWENTY, candidate, chain, deliver, new_follower, outcomes
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.errors import RejectReason
from logos_chain.core.consensus.follower import Follower, Verify
from logos_chain.core.consensus.fork_choice import Rule
from logos_chain.core.consensus.types import BlockId, Candidate

WINDOW = TWENTY.uncle_window_slots
NOON = 10**15


def forked() -> tuple[Follower, list[Candidate], Candidate]:
    """A chain of slots 2, 4, 6, and a block of slot 5 beside its last."""
    follower = new_follower(TWENTY)
    blocks = chain("main", GENESIS, [2, 4, 6])
    uncle = candidate("uncle", blocks[1].header.id, 5)
    for each in (*blocks, uncle):
        deliver(follower, each)
    return follower, blocks, uncle


def carried(parent: BlockId, slot: int, *uncles: Candidate) -> Candidate:
    return candidate(f"new {slot}", parent, slot, uncles=tuple(each.signed for each in uncles))


def test_a_lost_win_is_carried_verified_and_counted() -> None:
    follower, blocks, uncle = forked()
    before = follower.tip.state.occupied

    effects = deliver(follower, carried(blocks[-1].header.id, 8, uncle))

    (verify,) = [each for each in effects if isinstance(each, Verify)]
    assert [each.signed for each in verify.claims[1:]] == [uncle.signed]
    origin = follower.tree.get(blocks[1].header.id)
    assert origin is not None
    assert verify.claims[1].latest_root == origin.state.ledger_root
    assert follower.tip.state.occupied == before + 2


def test_it_weighs_nothing_in_the_fork_choice() -> None:
    follower, blocks, uncle = forked()
    deliver(follower, carried(blocks[-1].header.id, 8, uncle))
    height = follower.tip.height

    for each in chain("other", blocks[-1].header.id, [9, 10]):
        deliver(follower, each)

    assert follower.tip.height == height + 1


@pytest.mark.parametrize(
    ("name", "uncle"),
    [
        ("its parent is unknown", candidate("u", b"x" * 32, 5)),
        ("it is on the chain", chain("main", GENESIS, [2, 4, 6])[1]),
        ("it is not before the block", candidate("u", chain("main", GENESIS, [2])[0].header.id, 8)),
        ("it is not after its parent", candidate("u", chain("main", GENESIS, [2])[0].header.id, 2)),
        (
            "its parent is on the fork",
            candidate(
                "u", candidate("uncle", chain("main", GENESIS, [2, 4])[1].header.id, 5).header.id, 6
            ),
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_no_uncle_makes_the_block_invalid(name: str, uncle: Candidate) -> None:
    follower, blocks, _ = forked()
    block = carried(blocks[-1].header.id, 8, uncle)

    assert outcomes(deliver(follower, block)) == {block.header.id: RejectReason.INVALID_UNCLE}


@pytest.mark.parametrize(("slot", "is_valid"), [(4 + WINDOW, True), (5 + WINDOW, False)])
def test_the_window_is_counted_from_the_uncle_s_parent(slot: int, *, is_valid: bool) -> None:
    follower, blocks, uncle = forked()
    block = carried(blocks[-1].header.id, slot, uncle)

    assert (outcomes(deliver(follower, block))[block.header.id] == "ACCEPTED") is is_valid


def test_an_unseen_uncle_is_judged_by_what_the_block_carries() -> None:
    """Two nodes with different forks accept the same blocks."""
    _, blocks, uncle = forked()
    other = new_follower(TWENTY)
    for each in blocks:
        deliver(other, each)
    block = carried(blocks[-1].header.id, 8, uncle, uncle)

    assert outcomes(deliver(other, block)) == {block.header.id: "ACCEPTED"}
    assert other.tip.state.occupied == 5


def test_an_uncle_s_parent_may_be_below_what_is_final() -> None:
    """Whether it may be carried is a matter of the chain, not of what a node has cut off."""
    parameters = replace(SMALL, security_blocks=2, uncle_window_blocks=1)
    follower = new_follower(parameters, Rule.ONLINE)
    blocks = chain("main", GENESIS, [1, 2, 3, 4])
    for each in blocks:
        deliver(follower, each)
    assert follower.latest_immutable.slot == 2
    uncle = candidate("uncle", blocks[2].header.id, 4)

    block = carried(blocks[3].header.id, 5, uncle)
    assert outcomes(deliver(follower, block))[block.header.id] == "ACCEPTED"


def test_a_network_without_uncles_takes_none() -> None:
    follower = new_follower(replace(TWENTY, max_uncles=0))
    blocks = chain("main", GENESIS, [2, 4])
    uncle = candidate("uncle", blocks[0].header.id, 3)
    for each in (*blocks, uncle):
        deliver(follower, each)
    block = carried(blocks[-1].header.id, 8, uncle)

    assert outcomes(deliver(follower, block)) == {block.header.id: RejectReason.TOO_MANY_UNCLES}
    assert follower.uncles_for(8) == []


def test_a_proposer_takes_the_oldest_parents_first_and_one_of_a_slot() -> None:
    follower = new_follower(TWENTY)
    blocks = chain("main", GENESIS, [1, 3, 5, 7, 20])
    forks = [
        candidate(f"fork {number} {slot}", blocks[number].header.id, slot)
        for number, slot in ((3, 8), (2, 6), (1, 4), (0, 2), (0, 9), (0, 2), (1, 10))
    ]
    twin = candidate("twin", blocks[0].header.id, 2)
    for each in (*blocks, *forks, twin):
        deliver(follower, each)

    chosen = follower.uncles_for(22)

    assert [each.header.slot for each in chosen] == [2, 9, 4, 10]
    block = candidate("new", blocks[-1].header.id, 22, uncles=tuple(chosen))
    assert outcomes(deliver(follower, block)) == {block.header.id: "ACCEPTED"}
    assert [each.header.slot for each in follower.uncles_for(23)] == [6, 8]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4)), max_size=40), st.data())
def test_what_a_proposer_chooses_is_always_valid_and_new(shape: Any, data: Any) -> None:
    follower = new_follower(TWENTY)
    made: list[tuple[BlockId, int]] = [(GENESIS, 0)]
    slots: dict[BlockId, set[int]] = {GENESIS: set()}
    for number, (back, gap) in enumerate(shape):
        parent, slot = made[-1 - min(back, len(made) - 1)]
        tip = follower.tip
        if data.draw(st.booleans()):
            parent, slot = tip.id, tip.slot
        uncles = tuple(follower.uncles_for(slot + gap)) if parent == tip.id else ()
        assert not {each.header.slot for each in uncles} & slots[parent]
        block = candidate(f"block {number}", parent, slot + gap, uncles=uncles)

        assert outcomes(deliver(follower, block))[block.header.id] == "ACCEPTED"

        slots[block.header.id] = slots[parent] | {slot + gap, *(u.header.slot for u in uncles)}
        made.append((block.header.id, slot + gap))
