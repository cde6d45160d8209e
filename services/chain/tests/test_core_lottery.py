"""CON-13 to CON-16: constants, tickets, thresholds; and that stake decides how often one leads."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from chain_lottery import check_proportions, check_splitting, lottery, note
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.lottery import (
    LeaderNote,
    Lottery,
    entropy_contribution,
    lottery_constants,
)
from logos_crypto.hashes import MODULUS, poseidon2_compress, poseidon2_hash

VECTORS = Path(__file__).parents[3] / "vectors"
CONSTANTS = json.loads((VECTORS / "logos-lips/lottery.json").read_text(encoding="utf-8"))
SAMPLE = json.loads((VECTORS / "logos-blockchain/pol-sample.json").read_text(encoding="utf-8"))


def raw(number: int | str) -> bytes:
    return int(number).to_bytes(32, "little")


@pytest.mark.vectors
@pytest.mark.parametrize("case", CONSTANTS["constants"], ids=lambda case: case["activation"])
def test_constants_are_the_published_ones(case: dict[str, Any]) -> None:
    got = lottery_constants(Fraction(case["activation"]))

    assert got.linear == int(case["t0_constant"], 16)
    if "t1_constant" in case:
        assert got.quadratic == int(case["t1_constant"], 16)


@pytest.mark.vectors
def test_the_sample_of_the_published_circuit_is_of_this_lottery() -> None:
    """Its note wins and its rho is ours; its t0 and t1 are of an older T0 and T1 in 15 digits."""
    public, private = SAMPLE["public"], SAMPLE["private"]
    sample = Lottery(raw(public["epoch_nonce"]), int(public["t0"]), int(public["t1"]))
    key = raw(private["secret_key"])
    public_key = poseidon2_compress(b"KDF".ljust(32, b"\0"), key)
    inputs = (raw(private[each]) for each in ("op_id", "output_index", "value"))
    note_id = poseidon2_hash((b"NOTE_ID_V1".ljust(32, b"\0"), *inputs, public_key))
    owned, slot = LeaderNote(note_id, key, int(private["value"])), int(public["slot"])
    ours = lottery(300, Fraction(1, 30))

    assert entropy_contribution(slot, owned) == raw(public["entropy_contribution"])
    assert sample.wins(slot, owned)
    assert ours.t0 == pytest.approx(sample.t0, rel=1e-13)
    assert MODULUS - ours.t1 == pytest.approx(MODULUS - sample.t1, rel=1e-13)


@pytest.mark.parametrize(("share", "rate"), [(1, 0.033327), (0.5, 0.016807), (0.01, 0.000338958)])
def test_the_approximation_is_as_close_as_measured(share: float, rate: float) -> None:
    total = 10**12

    threshold = lottery(total, Fraction(1, 30)).threshold(int(total * share))

    assert threshold / MODULUS == pytest.approx(rate, rel=1e-4)


def test_a_ticket_at_the_threshold_does_not_win() -> None:
    drawn, owned = lottery(100), note(1, 1)
    ticket = drawn.ticket(7, owned)

    assert not Lottery(drawn.nonce, ticket, 0).wins(7, owned)
    assert Lottery(drawn.nonce, ticket + 1, 0).wins(7, owned)


@pytest.mark.parametrize("value", [0, -1, 1 << 64])
def test_a_note_has_a_value_of_64_bits(value: int) -> None:
    with pytest.raises(ValueError, match="value"):
        lottery(100).threshold(value)


def test_a_note_far_above_the_estimate_wraps_round_and_still_leads() -> None:
    """LIP-83's corner case, at f = 1/30: past 58 times the stake it wins nearly always."""
    drawn = lottery(1000, Fraction(1, 30))

    assert drawn.threshold(29_000) < MODULUS // 2
    assert drawn.threshold(60_000) > MODULUS // 2
    assert sum(1 for _ in drawn.winning_slots(note(1, 60_000), 0, 200)) > 150


@given(st.integers(1, (1 << 64) - 1), st.integers(1, (1 << 64) - 1))
def test_thresholds_are_field_values(total: int, value: int) -> None:
    assert 0 <= lottery(total).threshold(value) < MODULUS


def test_a_search_finds_what_each_slot_says() -> None:
    drawn, owned = lottery(100), note(3, 60)

    found = list(drawn.winning_slots(owned, 50, 350))

    assert found == [slot for slot in range(50, 350) if drawn.wins(slot, owned)]
    assert found


def test_stake_decides_how_often_one_leads() -> None:
    """A short run; test_core_lottery_long.py has the long one."""
    check_proportions(2_000)


def test_splitting_a_note_gains_nothing() -> None:
    check_splitting(800)


def test_splitting_changes_the_chance_in_the_third_order_only() -> None:
    drawn = lottery(10**9, Fraction(1, 30))
    whole = drawn.threshold(10**8) / MODULUS
    part = drawn.threshold(10**7) / MODULUS

    assert 1 - (1 - part) ** 10 == pytest.approx(whole, rel=1e-5)
