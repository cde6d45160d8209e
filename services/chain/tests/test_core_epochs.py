"""CON-4 to CON-11: what a block carries agrees with looking back over the whole chain."""

from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from chain_blocks import field
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.epochs import (
    BlockState,
    EpochState,
    epoch_at,
    extend,
    genesis_state,
    next_nonce,
)
from logos_chain.core.consensus.fields import field_of
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.stake import infer_total_stake
from logos_crypto.hashes import poseidon2_hash

TINY = Parameters(
    "tiny",
    slot_ms=1000,
    activation=Fraction(1, 2),
    security_blocks=2,
    learning_rate=Fraction(1, 2),
    uncle_window_blocks=1,
    prolonged_bootstrap_ms=0,
    density_window_slots=3,
)
"""Base periods of 4 slots: epochs of 40, observed for 24; uncles within 2 slots."""
STAKE = 10_000


@dataclass(frozen=True)
class Block:
    slot: int
    root: bytes
    nonce: bytes
    uncles: tuple[int, ...] = ()


def looked_back(chain: list[Block], epoch: int) -> EpochState:
    """LIP-92's `compute_epoch_state`, word for word, over the list of all blocks.

    The genesis is no win of the lottery, so its slot is not counted (CON-11).
    """
    if epoch == 0:
        return EpochState(0, chain[0].root, chain[0].nonce, STAKE)
    begins = (epoch - 1) * TINY.epoch_slots
    ends = begins + TINY.observed_slots

    def before(slot: int) -> Block:
        return ([each for each in chain if each.slot < slot] or [chain[0]])[-1]

    inside = [each for each in chain[1:] if begins <= each.slot < ends]
    slots = {each.slot for each in inside}
    slots |= {uncle for each in inside for uncle in each.uncles if begins <= uncle < ends}
    stake = infer_total_stake(TINY, looked_back(chain, epoch - 1).total_stake, len(slots))
    return EpochState(epoch, before(begins).root, before(ends).nonce, stake)


def grown(gaps: list[tuple[int, bool]]) -> tuple[list[Block], list[BlockState]]:
    """A chain by gaps between slots; some blocks carry an uncle of the slot before."""
    states = [genesis_state(field("root"), field("nonce"), STAKE)]
    chain = [Block(0, field("root"), field("nonce"))]
    for number, (gap, has_uncle) in enumerate(gaps):
        last = chain[-1]
        slot = last.slot + gap
        uncles = (slot - 1,) if has_uncle else ()
        root, entropy = field(f"root {number}"), field(f"entropy {number}")
        chain.append(Block(slot, root, next_nonce(last.nonce, entropy, slot), uncles))
        states.append(
            extend(
                TINY, states[-1], slot=slot, entropy=entropy, ledger_root=root, uncle_slots=uncles
            )
        )
    return chain, states


gaps = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4, 16, 23, 24, 39, 40, 41, 90]), st.booleans()),
    max_size=25,
)


@given(gaps, st.integers(0, 130))
def test_the_state_of_a_block_agrees_with_looking_back(
    shape: list[tuple[int, bool]], ahead: int
) -> None:
    chain, states = grown(shape)

    for number, state in enumerate(states):
        past = chain[: number + 1]
        assert state.epoch == looked_back(past, TINY.epoch_of(state.slot))
        slot = state.slot + ahead
        assert epoch_at(TINY, state, slot) == looked_back(past, TINY.epoch_of(slot))


def test_the_first_two_epochs_are_those_of_the_genesis() -> None:
    """Epoch 1 has the notes of the genesis too; its nonce and stake have been moved on."""
    chain, states = grown([(3, False), (20, False), (2, False)])

    first = epoch_at(TINY, states[-1], 39)
    second = epoch_at(TINY, states[-1], 40)

    assert first == EpochState(0, field("root"), field("nonce"), STAKE)
    assert second.aged_root == field("root")
    assert second.nonce == chain[2].nonce
    assert second.total_stake == infer_total_stake(TINY, STAKE, 2)


@pytest.mark.parametrize(("slot", "counts"), [(23, True), (24, False)])
def test_a_block_at_the_end_of_the_observed_part(slot: int, *, counts: bool) -> None:
    _, states = grown([(slot, False)])

    assert (states[-1].occupied == 1) == counts
    assert (states[-1].next_nonce == states[-1].nonce) == counts


@pytest.mark.parametrize(("slot", "is_aged"), [(39, True), (40, False)])
def test_a_note_made_around_the_snapshot(slot: int, *, is_aged: bool) -> None:
    """The ledger of the last block strictly before an epoch counts for the one after the next."""
    chain, states = grown([(slot, False), (1 + 40 - slot, False)])

    state = epoch_at(TINY, states[-1], 80)

    assert (state.aged_root == chain[1].root) == is_aged


def test_a_skipped_epoch_lowers_the_stake_and_takes_the_parent_for_the_rest() -> None:
    chain, states = grown([(5, False)])
    once = infer_total_stake(TINY, STAKE, 1)

    state = epoch_at(TINY, states[-1], 3 * 40)

    assert state.total_stake == infer_total_stake(TINY, infer_total_stake(TINY, once, 0), 0)
    assert (state.aged_root, state.nonce) == (chain[-1].root, chain[-1].nonce)


def test_any_number_of_empty_epochs_is_counted_at_once() -> None:
    _, states = grown([(5, False)])

    state = epoch_at(TINY, states[-1], (1 << 64) - 1)

    assert state.total_stake == infer_total_stake(TINY, state.total_stake, 0) == 1


@pytest.mark.parametrize("slot", [2 * 40, 3 * 40, (1 << 64) - 1])
def test_a_network_may_keep_the_stake_of_idle_epochs(slot: int) -> None:
    """CON-10: what was observed before they began still counts."""
    chain, states = grown([(5, False)])

    state = epoch_at(replace(TINY, keeps_idle_stake=True), states[-1], slot)

    assert state.total_stake == infer_total_stake(TINY, STAKE, 1)
    assert (state.aged_root, state.nonce) == (chain[-1].root, chain[-1].nonce)


def test_a_slot_counts_once_however_many_blocks_are_in_it() -> None:
    state = genesis_state(bytes(32), bytes(32), STAKE)
    for slot, uncles in ((2, (1, 1)), (4, (2, 3)), (6, (3, 5))):
        state = extend(
            TINY, state, slot=slot, entropy=bytes(32), ledger_root=bytes(32), uncle_slots=uncles
        )

    assert state.occupied == 6


def test_an_uncle_of_the_epoch_before_is_not_counted() -> None:
    _, states = grown([(39, False), (1, True)])

    assert states[-1].slot == 40
    assert states[-1].occupied == 1


def test_the_nonce_is_the_hash_of_tag_nonce_contribution_and_slot() -> None:
    tag = int.from_bytes(b"EPOCH_NONCE_V1", "little").to_bytes(32, "little")

    got = next_nonce(field("a"), field("b"), 77)

    assert got == poseidon2_hash((tag, field("a"), field("b"), field_of(77)))


def test_a_block_is_after_its_parent() -> None:
    state = genesis_state(bytes(32), bytes(32), STAKE)

    with pytest.raises(ValueError, match="after its parent"):
        extend(TINY, state, slot=0, entropy=bytes(32), ledger_root=bytes(32))


def test_the_past_has_no_epoch_state() -> None:
    _, states = grown([(50, False)])

    with pytest.raises(ValueError, match="before the epoch"):
        epoch_at(TINY, states[-1], 39)
