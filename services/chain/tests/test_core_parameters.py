"""CON-1 to CON-3: parameters, presets, slots."""

from dataclasses import replace
from fractions import Fraction

import pytest

from logos_base.errors import ConfigError
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.consensus.slots import SlotClock


@pytest.mark.parametrize(
    ("name", "lengths"),
    [
        ("ci", (20, 200, 120, 5, 10)),
        ("dev", (200, 2_000, 1_200, 50, 120)),
        ("testnet", (600, 6_000, 3_600, 150, 240)),
        ("spec", (64_800, 648_000, 388_800, 16_200, 360)),
    ],
)
def test_presets_give_the_published_lengths(name: str, lengths: tuple[int, ...]) -> None:
    preset = PRESETS[name]

    assert lengths == (
        preset.base_period_slots,
        preset.epoch_slots,
        preset.observed_slots,
        preset.density_slots,
        preset.uncle_window_slots,
    )


def test_lengths_are_rounded_down_where_f_does_not_divide_k() -> None:
    odd = replace(PRESETS["dev"], activation=Fraction(3, 10), security_blocks=20)

    assert odd.base_period_slots == 66
    assert odd.density_slots == 16
    assert odd.activation_permille == 300


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        Parameters(
            "bad",
            slot_ms=0,
            activation=Fraction(1, 10),
            security_blocks=0,
            learning_rate=Fraction(2),
            uncle_window_blocks=12,
            prolonged_bootstrap_ms=-1,
        )

    told = str(error.value)
    assert all(
        word in told
        for word in ("slot_ms", "security_blocks", "learning_rate", "prolonged", "uncle_window")
    )


@pytest.mark.parametrize("activation", [Fraction(0), Fraction(1), Fraction(3, 2), Fraction(-1)])
def test_f_lies_between_0_and_1(activation: Fraction) -> None:
    with pytest.raises(ConfigError, match="activation"):
        replace(PRESETS["dev"], activation=activation)


def test_uncles_stay_within_what_is_kept() -> None:
    with pytest.raises(ConfigError, match="uncle_window"):
        replace(PRESETS["ci"], uncle_window_blocks=3)

    assert replace(PRESETS["ci"], uncle_window_blocks=12, max_uncles=0).max_uncles == 0


def test_slots_follow_the_clock() -> None:
    clock = SlotClock(genesis_ms=5_000, slot_ms=1_000)

    assert [clock.slot_at(each) for each in (4_999, 5_000, 5_999, 6_000)] == [-1, 0, 0, 1]
    assert clock.slot_at(clock.begins_ms(77)) == 77
    assert clock.slot_at(clock.begins_ms(77) - 1) == 76


def test_epochs_begin_after_ten_base_periods() -> None:
    preset = PRESETS["ci"]

    assert [preset.epoch_of(each) for each in (0, 199, 200, 399, 400)] == [0, 0, 1, 1, 2]
    assert preset.epoch_begins(3) == 600
