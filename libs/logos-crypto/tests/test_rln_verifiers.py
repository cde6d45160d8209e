"""RLN proofs in verifiers that share nothing with the native core (RLN-13)."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from oracle import pairing
from oracle.poseidon2 import P
from oracle.snarkjs import Snarkjs

pytest.importorskip("logos_native")

from logos_crypto import rln
from logos_crypto.rln import Expected, Identity, Membership, Proof
from logos_crypto.trees import RlnTree

pytestmark = [pytest.mark.native, pytest.mark.proofs, pytest.mark.timeout(600)]

PUBLISHED: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "vectors/zerokit/groth16-proofs.json").read_text(encoding="utf-8")
)
LIMIT: Final = 10
INDEX: Final = 5
CIRCUITS: Final = {"single": False, "multi": True}

Case = dict[str, Any]


@pytest.fixture(scope="module")
def proofs() -> dict[str, Proof]:
    """One of each circuit, verified by the native core."""
    identity = Identity.from_seed(b"the seed of the tests")
    tree = RlnTree()
    tree.set(INDEX, identity.rate_commitment(LIMIT))
    member = Membership.of(
        identity, limit=LIMIT, siblings=tree.path(INDEX).siblings, index=INDEX, root=tree.root
    )
    external_nullifier = rln.external_nullifier(rln.epoch_bytes(7), b"tests")
    x = rln.signal_x(b"a packet")
    made = {
        "single": member.prove(external_nullifier, x, 3),
        "multi": member.prove_multi(external_nullifier, x, [3, 0]),
    }
    for proof in made.values():
        proof.verify(Expected([tree.root], external_nullifier, x))
    return made


def case(circuit: str, proof: Any, public: list[str]) -> Case:
    key = json.loads(rln.verifying_key_json(multi=CIRCUITS[circuit]))
    return {"verification_key": key, "proof": proof, "public": public}


def exported(circuit: str, proof: Proof) -> Case:
    return case(circuit, json.loads(proof.proof_json()), json.loads(proof.public_json()))


def with_each_input_changed(one: Case) -> list[Case]:
    changed = []
    for at, value in enumerate(one["public"]):
        public = [*one["public"]]
        public[at] = str((int(value) + 1) % P)
        changed.append({**one, "public": public})
    return changed


@pytest.mark.parametrize(("circuit", "inputs"), [("single", 5), ("multi", 15)])
def test_the_exported_inputs_are_the_proofs_in_decimal(
    proofs: dict[str, Proof], circuit: str, inputs: int
) -> None:
    one = exported(circuit, proofs[circuit])

    values = [int(value).to_bytes(32, "little") for value in one["public"]]

    assert values == proofs[circuit].public_inputs
    assert len(values) == one["verification_key"]["nPublic"] == inputs


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_pairings_accept_a_proof_and_refuse_each_input_changed(
    proofs: dict[str, Proof], circuit: str
) -> None:
    one = exported(circuit, proofs[circuit])

    assert pairing.verifies(**one)
    for at, other in enumerate(with_each_input_changed(one)):
        assert not pairing.verifies(**other), at


def test_snarkjs_accepts_proofs_and_refuses_each_input_changed(
    proofs: dict[str, Proof], snarkjs: Snarkjs
) -> None:
    true = [exported(circuit, proof) for circuit, proof in proofs.items()]
    false = [other for one in true for other in with_each_input_changed(one)]

    verdicts = snarkjs.verify(true + false)

    assert verdicts == [True] * 2 + [False] * (5 + 15)


@pytest.mark.vectors
def test_the_exported_keys_verify_what_snarkjs_proved(snarkjs: Snarkjs) -> None:
    cases = [case(one["id"], one["proof"], one["public"]) for one in PUBLISHED["cases"]]

    assert all(pairing.verifies(**one) for one in cases)
    assert snarkjs.verify(cases) == [True, True]


def test_no_circuits_key_verifies_the_others_proof(proofs: dict[str, Proof]) -> None:
    one = exported("single", proofs["single"])
    other = exported("multi", proofs["multi"])
    one["proof"] = other["proof"]

    assert not pairing.verifies(**one)
