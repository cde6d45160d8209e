"""What the generators say of a witness is what the predicates say."""

from collections import Counter

import pytest
from oracle.adversaries import ENOUGH, adversarial
from oracle.predicates import CIRCUITS, POL, POQ, holds
from oracle.witnesses import SATISFIED

RELATIONS = {
    "pol": {
        *("canonical", "value", "aged_membership", "latest_membership"),
        *("ticket_below_threshold", "entropy_contribution"),
    },
    "poc": {"canonical", "voucher_membership", "voucher_nullifier"},
    "poq": {
        *("canonical", "value", "quota", "core_membership", "aged_membership"),
        *("ticket_below_threshold", "key_nullifier"),
    },
    "signature_2": {"canonical", "public_key"},
    "signature_32": {"canonical", "public_key"},
}


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_drawn_witnesses_are_satisfied(circuit: str) -> None:
    cases = [SATISFIED[circuit](seed) for seed in range(20)]

    assert {
        case.name: holds(circuit, case.public, case.private) for case in cases
    } == dict.fromkeys(case.name for case in cases)
    assert len({str(case.private) for case in cases}) == len(cases)


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_a_seed_gives_the_same_witness_again(circuit: str) -> None:
    assert SATISFIED[circuit](7) == SATISFIED[circuit](7)


def test_both_roles_of_a_sender_are_drawn() -> None:
    roles = Counter(SATISFIED[POQ](seed)["is_leader"] for seed in range(40))

    assert min(roles[0], roles[1]) >= 10


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_adversaries_break_the_relation_they_say(circuit: str) -> None:
    cases = adversarial(circuit)

    wrong = {
        f"{at} {case.name}": (case.expected, verdict)
        for at, case in enumerate(cases)
        if (verdict := holds(circuit, case.public, case.private)) != case.expected
    }

    assert wrong == {}
    assert len(cases) >= ENOUGH


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_adversaries_reach_every_relation_and_stay_satisfied_too(circuit: str) -> None:
    verdicts = {case.expected for case in adversarial(circuit)}

    assert verdicts == RELATIONS[circuit] | {None}


def test_a_role_that_is_no_bit_is_refused() -> None:
    case = SATISFIED[POQ](0).but("role 2", "role", is_leader=2)

    assert holds(POQ, case.public, case.private) == "role"


def test_a_misspelt_change_is_no_case() -> None:
    with pytest.raises(ValueError, match="has no"):
        SATISFIED[POL](0).but("typo", None, agedroot=1)
