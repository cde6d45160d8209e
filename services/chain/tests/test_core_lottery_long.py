"""CON-15: stake decides how often one leads, over 20,000 slots of the real lottery."""

import pytest
from chain_lottery import check_proportions, check_splitting

pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]


def test_stake_decides_how_often_one_leads() -> None:
    check_proportions(20_000)


def test_splitting_a_note_gains_nothing() -> None:
    check_splitting(10_000)
