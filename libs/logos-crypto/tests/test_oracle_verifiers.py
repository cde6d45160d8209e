"""Both independent verifiers accept other people's proofs, and nothing beside them.

Each proof was made by the published prover for a published circuit. Ours are put before
the same two verifiers.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from oracle.pairing import NotAPointError, g2, verifies
from oracle.poseidon2 import P
from oracle.snarkjs import Snarkjs
from py_ecc.optimized_bn128.optimized_curve import field_modulus

pytestmark = pytest.mark.proofs

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-blockchain/groth16-proofs.json").read_text("utf-8")
)
PROOFS = {case["id"]: case for case in VECTORS["cases"]}

Case = dict[str, Any]
NOT_IN_THE_SUBGROUP = [
    ["1", "0"],
    [
        "18278151005453108793778860132295291098363647455926340152056652516292830556603",
        "5912654199736721486680175016176231956195085055698687135131307249486702594212",
    ],
    ["1", "0"],
]


def changed_input(case: Case) -> None:
    case["public"][-1] = str((int(case["public"][-1]) + 1) % P)


def swapped_inputs(case: Case) -> None:
    case["public"][0], case["public"][1] = case["public"][1], case["public"][0]


def input_not_canonical(case: Case) -> None:
    case["public"][0] = str(int(case["public"][0]) + P)


def missing_input(case: Case) -> None:
    del case["public"][-1]


def other_point(case: Case) -> None:
    case["proof"]["pi_c"] = case["proof"]["pi_a"]


def point_off_the_curve(case: Case) -> None:
    x = case["proof"]["pi_a"][0]
    case["proof"]["pi_a"][0] = str((int(x) + 1) % field_modulus)


def coordinate_not_canonical(case: Case) -> None:
    case["proof"]["pi_a"][0] = str(int(case["proof"]["pi_a"][0]) + field_modulus)


def point_at_infinity(case: Case) -> None:
    case["proof"]["pi_a"] = ["0", "1", "0"]


def other_key(case: Case) -> None:
    case["verification_key"]["vk_alpha_1"] = case["verification_key"]["IC"][0]


CHANGES = [
    *(changed_input, swapped_inputs, input_not_canonical, missing_input, other_point),
    *(point_off_the_curve, coordinate_not_canonical, point_at_infinity, other_key),
]
LAX_IN_SNARKJS = {coordinate_not_canonical}
"""It reduces the coordinates of a point: what is sent to it is ours, and canonical."""


@pytest.mark.vectors
@pytest.mark.parametrize("name", PROOFS)
def test_pairings_accept_a_true_proof(name: str) -> None:
    case = PROOFS[name]

    assert verifies(case["verification_key"], case["proof"], case["public"])


@pytest.mark.vectors
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_pairings_refuse_a_changed_one(change: Callable[[Case], None]) -> None:
    case = copy.deepcopy(PROOFS["poc"])
    change(case)

    assert not verifies(case["verification_key"], case["proof"], case["public"])


@pytest.mark.vectors
@pytest.mark.timeout(300)  # it may have to be installed
def test_snarkjs_accepts_true_proofs(snarkjs: Snarkjs) -> None:
    assert snarkjs.verify(list(PROOFS.values())) == [True] * len(PROOFS)


@pytest.mark.vectors
@pytest.mark.timeout(300)  # it may have to be installed
def test_snarkjs_refuses_changed_ones(snarkjs: Snarkjs) -> None:
    changes = [change for change in CHANGES if change not in LAX_IN_SNARKJS]
    cases = [copy.deepcopy(PROOFS["poc"]) for _ in changes]
    for change, case in zip(changes, cases, strict=True):
        change(case)

    verdicts = snarkjs.verify(cases)

    assert [c.__name__ for c, good in zip(changes, verdicts, strict=True) if good] == []


def test_points_outside_the_subgroup_are_none() -> None:
    with pytest.raises(NotAPointError, match="subgroup"):
        g2(NOT_IN_THE_SUBGROUP)
