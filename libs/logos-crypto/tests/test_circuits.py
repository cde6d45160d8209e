"""The native circuits against predicates and verifiers that share nothing with them."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from oracle import pairing, snarkjs
from oracle import predicates as of
from oracle.adversaries import ENOUGH, adversarial
from oracle.witnesses import SATISFIED, Case

import logos_native
from logos_crypto.circuits import (
    Cancellation,
    CircuitKey,
    LayoutError,
    Witness,
    key_halves,
    selectors,
    witness,
)
from logos_crypto.refusals import RefusedError

pytestmark = pytest.mark.proofs

WITNESSES = int(os.environ.get("LOGOS_ZK_WITNESSES", "12"))
"""Random witnesses for each circuit. 1,000 take four minutes for all five."""

NATIVE = {
    of.POL: "leadership",
    of.POC: "claim",
    of.POQ: "quota",
    of.SIGNATURE_2: "signature2",
    of.SIGNATURE_32: "signature32",
}
PATHS = {"aged": 32, "latest": 32, "core": 20, "": 32}
RENAMED = {
    "op_id": "operation_id",
    "quota_index": "index",
    "secret_voucher": "voucher",
    "mantle_tx_hash": "transaction_hash",
}


def native(case: Case) -> Witness:
    """The case as the native core takes it."""
    name = NATIVE[case.circuit]
    public_layout, private_layout = logos_native.circuit_layout(name)
    inputs = of.public_inputs(case.circuit, case.public)
    public: dict[str, Any] = {}
    for key, count in public_layout:
        public[key], inputs = inputs[:count], inputs[count:]
    wanted = {key for key, _ in private_layout}
    return witness(name, public, {k: v for k, v in _private(case).items() if k in wanted})


def _private(case: Case) -> Mapping[str, int | Sequence[int]]:
    values: dict[str, int | Sequence[int]] = {}
    for key, value in case.private.items():
        kind = key.removesuffix("index").rstrip("_")
        if key.endswith("index") and kind in PATHS and f"{kind}_path".lstrip("_") in case.private:
            name = f"{kind}_selectors".lstrip("_")
            values[name] = selectors(value, PATHS[kind])
        else:
            values[RENAMED.get(key, key)] = value
    return values


def is_shaped(case: Case) -> bool:
    """Whether the case can be asked at all: paths and lists of the circuit's size."""
    for kind, depth in PATHS.items():
        index = case.private.get(f"{kind}_index".lstrip("_"), 0)
        if f"{kind}_path".lstrip("_") in case.private and not 0 <= index < 1 << depth:
            return False
    try:
        native(case)
    except LayoutError:
        return False
    return True


def is_true(case: Case) -> bool:
    """What the constraints are to say: the range of a value is the ledger's affair (ZK-8)."""
    return of.holds(case.circuit, case.public, case.private) in {None, "value"}


def satisfied(one: Witness) -> bool:
    return logos_native.circuit_is_satisfied(one.circuit, one.public, one.private)


@pytest.mark.parametrize("circuit", NATIVE)
@pytest.mark.timeout(3600)
def test_random_witnesses_satisfy(circuit: str) -> None:
    for seed in range(WITNESSES):
        case = SATISFIED[circuit](seed)
        assert of.holds(case.circuit, case.public, case.private) is None

        native(case).check()
        assert satisfied(native(case)), case.name


@pytest.mark.parametrize("circuit", NATIVE)
@pytest.mark.timeout(3600)
def test_adversarial_witnesses_satisfy_exactly_where_the_statement_is_true(circuit: str) -> None:
    asked = refused = 0
    for case in adversarial(circuit, at_least=ENOUGH + 40):  # some cannot be put to a circuit
        if not is_shaped(case) or case.expected == "value":
            continue
        asked += 1
        one = native(case)
        assert satisfied(one) == is_true(case), case.name
        if is_true(case):
            one.check()
        else:
            refused += 1
            with pytest.raises(RefusedError) as named:
                one.check()
            assert named.value.reason == "WITNESS_RELATION", case.name
    assert asked >= ENOUGH
    assert refused >= ENOUGH // 2


@pytest.fixture(scope="module")
def keys() -> dict[str, CircuitKey]:
    return {
        circuit: CircuitKey.insecure_from_seed(name, bytes(32)) for circuit, name in NATIVE.items()
    }


def exported(key: CircuitKey, case: Case, proof: bytes) -> tuple[Any, Any, list[str]]:
    inputs = of.public_inputs(case.circuit, case.public)
    return (
        json.loads(key.verifier().to_json()),
        json.loads(logos_native.proof_to_json(proof)),
        [str(value) for value in inputs],
    )


@pytest.mark.timeout(600)
def test_proofs_verify_in_pure_python_and_in_snarkjs_and_changed_inputs_do_not(
    keys: dict[str, CircuitKey], snarkjs: snarkjs.Snarkjs
) -> None:
    cases = []
    for circuit, key in keys.items():
        case = SATISFIED[circuit](7)
        proof = native(case).prove(key, Cancellation())
        assert key.verifier().verify(native(case).public, proof)
        vk, exported_proof, public = exported(key, case, proof)
        changed = [*public[:-1], str((int(public[-1]) + 1) % of.P)]
        assert pairing.verifies(vk, exported_proof, public), circuit
        assert not pairing.verifies(vk, exported_proof, changed), circuit
        cases += [
            {"verification_key": vk, "proof": exported_proof, "public": inputs}
            for inputs in (public, changed)
        ]

    assert snarkjs.verify(cases) == [True, False] * len(keys)


@pytest.mark.timeout(600)
def test_a_cached_part_serves_every_message_of_its_epoch(keys: dict[str, CircuitKey]) -> None:
    key = keys[of.SIGNATURE_2]
    first, second = (SATISFIED[of.SIGNATURE_2](3) for _ in range(2))
    second = second.but("another message", None, message=5)
    cached = key.prove_fixed(native(first).public, native(first).private, Cancellation())

    proof = native(second).prove(key, Cancellation(), cached)

    assert key.verifier().verify(native(second).public, proof)
    assert not key.verifier().verify(native(first).public, proof)
    assert key.verifier().verify_all([(native(second).public, proof)] * 3)
    other = native(SATISFIED[of.SIGNATURE_2](4))
    with pytest.raises(RefusedError) as refused:
        other.prove(key, Cancellation(), cached)
    assert refused.value.reason == "FIXED_PART_CHANGED"


def test_a_cancelled_proof_is_none(keys: dict[str, CircuitKey]) -> None:
    cancellation = Cancellation()
    cancellation.cancel()

    with pytest.raises(RefusedError) as cancelled:
        native(SATISFIED[of.POC](1)).prove(keys[of.POC], cancellation)

    assert cancelled.value.reason == "CANCELLED"


def test_secrets_are_in_no_repr_and_in_no_error() -> None:
    case = SATISFIED[of.POC](2)
    one = native(case.but("another nullifier", None, voucher_nullifier=1))

    with pytest.raises(RefusedError) as refused:
        one.check()

    secret = case.private["secret_voucher"]
    assert "voucher_nullifier" in str(refused.value)
    for text in (repr(one), str(refused.value), repr(refused.value)):
        assert str(secret) not in text
        assert secret.to_bytes(32, "little").hex() not in text


def test_values_that_do_not_fit_the_layout_are_refused_by_name() -> None:
    with pytest.raises(LayoutError, match="message"):
        witness("signature2", {"public_keys": [1, 2]}, {"secret_keys": [1, 2]})
    with pytest.raises(LayoutError, match="takes 2"):
        witness("signature2", {"public_keys": [1], "message": 3}, {"secret_keys": [1, 2]})
    with pytest.raises(LayoutError, match="modulus"):
        witness("signature2", {"public_keys": [1, of.P], "message": 3}, {"secret_keys": [1, 2]})
    with pytest.raises(LayoutError, match="32 bytes"):
        key_halves(bytes(31))
    assert key_halves(bytes([1, *bytes(15), 2, *bytes(15)])) == (1, 2)
    with pytest.raises(RefusedError) as refused:
        Witness("signature2", bytes(31), b"").check()
    assert refused.value.reason == "FIELD_LENGTH"
