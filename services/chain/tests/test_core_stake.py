"""CON-12: the estimate of the total stake, in its exact integers."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.consensus.stake import MAX_STAKE, infer_total_stake

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-blockchain/stake-inference.json").read_text(
        encoding="utf-8"
    )
)
stakes = st.integers(1, MAX_STAKE)
presets = st.sampled_from(sorted(PRESETS.values(), key=lambda each: each.name))


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_agrees_with_the_reference(case: dict[str, Any]) -> None:
    parameters = replace(
        PRESETS["dev"],
        activation=Fraction(case["activation"]),
        security_blocks=case["security_blocks"],
        learning_rate=Fraction(case["learning_rate"]),
        max_uncles=0,
    )

    got = infer_total_stake(parameters, case["estimate"], case["occupied"])

    if "result" in case:
        assert got == case["result"]
    else:
        assert case["above"] <= got <= case["below"]


def test_the_protocol_s_own_bias_is_kept() -> None:
    """f = 1/30 counts as 33 thousandths: at the true rate the estimate grows by 1 %."""
    spec = PRESETS["spec"]

    assert infer_total_stake(spec, 1_000_000, spec.observed_slots // 30) == 1_010_101


def test_a_tenth_of_the_error_is_corrected_where_beta_is_a_tenth() -> None:
    dev = PRESETS["dev"]

    assert infer_total_stake(dev, 1_000_000, 60) == 950_000
    assert infer_total_stake(dev, 1_000_000, 0) == 900_000


@pytest.mark.parametrize("start", [10, Fraction(1, 10)])
def test_converges_on_the_true_stake_in_three_epochs(start: Fraction) -> None:
    """With beta = 1, and as many occupied slots as the true stake gives to first order."""
    spec, true_stake = PRESETS["spec"], 1_000_000_000
    estimate = int(true_stake * start)

    for _ in range(3):
        share = 1 - (1 - float(spec.activation)) ** (true_stake / estimate)
        estimate = infer_total_stake(spec, estimate, round(spec.observed_slots * share))

    assert abs(estimate - true_stake) <= true_stake // 10


@given(presets, stakes, st.data())
def test_stays_within_64_bits_and_follows_what_is_observed(
    parameters: Any, estimate: int, data: Any
) -> None:
    occupied = data.draw(st.integers(0, parameters.observed_slots))

    got = infer_total_stake(parameters, estimate, occupied)

    assert 1 <= got <= MAX_STAKE
    expected = parameters.observed_slots * parameters.activation_permille
    if occupied * 1000 > expected:
        assert got >= estimate
    elif occupied * 1000 < expected:
        assert got <= estimate
    else:
        assert got == estimate


@given(presets, stakes, st.integers(0, 1000), st.integers(0, 1000))
def test_more_occupied_slots_never_lower_the_estimate(
    parameters: Any, estimate: int, few: int, more: int
) -> None:
    few, more = sorted((few, more))

    assert infer_total_stake(parameters, estimate, few) <= infer_total_stake(
        parameters, estimate, more
    )
