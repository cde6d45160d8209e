"""KEY-5, KEY-7 to KEY-10: the store, and what a genesis says of keys."""

from pathlib import Path
from typing import Any

import pytest
from oracle import predicates as of
from oracle.witnesses import SATISFIED
from test_circuits import native

from logos_crypto.circuits import Cancellation, CircuitKey
from logos_crypto.keys import CircuitKeys, InsecureKeyError, KeySet, KeySetError
from logos_crypto.refusals import RefusedError

CIRCUIT = "signature2"
SECURE, SEEDED, OTHER = range(3)


@pytest.fixture(scope="module")
def made() -> list[CircuitKey]:
    """One from the system's randomness, two from seeds."""
    seeded = [CircuitKey.insecure_from_seed(CIRCUIT, bytes([byte]) * 32) for byte in (1, 2)]
    return [CircuitKey.generate(CIRCUIT), *seeded]


@pytest.fixture
def store(tmp_path: Path) -> CircuitKeys:
    return CircuitKeys(tmp_path / "keys")


def genesis(key: CircuitKey, *, insecure: bool | None = None) -> KeySet:
    return KeySet(
        {CIRCUIT: key.verifying_key_hash}, key.is_insecure if insecure is None else insecure
    )


@pytest.mark.parametrize("which", [SECURE, SEEDED])
def test_a_stored_key_proves_for_who_loads_the_verifying_key_alone(
    made: list[CircuitKey], store: CircuitKeys, which: int
) -> None:
    path = store.add(made[which])
    keys = genesis(made[which])

    key, verifier = keys.load_key(store, CIRCUIT), keys.load_verifier(store, CIRCUIT)

    assert key.is_insecure is verifier.is_insecure is (which == SEEDED)
    assert (key.circuit, key.contributions) == (CIRCUIT, 0)
    assert path.name == f"{CIRCUIT}-{key.verifying_key_hash.hex()[:16]}.key"
    assert path.with_suffix(".vk").stat().st_size < 1000
    case = native(SATISFIED[of.SIGNATURE_2](1))
    assert verifier.verify(case.public, case.prove(key, Cancellation()))
    assert not verifier.verify(case.public, case.prove(made[OTHER], Cancellation()))


def test_another_testnets_key_is_refused_with_both_hashes(
    made: list[CircuitKey], store: CircuitKeys
) -> None:
    there, wanted = made[SEEDED], made[OTHER]
    store.add(there)
    for load in (genesis(wanted).load_key, genesis(wanted).load_verifier):
        with pytest.raises(RefusedError) as refused:
            load(store, CIRCUIT)

        assert refused.value.reason == "KEY_OTHER"
        assert there.verifying_key_hash.hex() in str(refused.value)
        assert wanted.verifying_key_hash.hex() in str(refused.value)


def test_another_circuits_key_is_refused_by_name(
    made: list[CircuitKey], store: CircuitKeys
) -> None:
    path = store.add(made[SECURE])
    path.rename(path.with_name(path.name.replace(CIRCUIT, "claim")))
    keys = KeySet({"claim": made[SECURE].verifying_key_hash}, is_insecure=False)

    with pytest.raises(RefusedError, match="signature2, not of circuit claim") as refused:
        keys.load_key(store, "claim")

    assert refused.value.reason == "KEY_OTHER_CIRCUIT"


def test_a_missing_a_torn_and_a_changed_key_are_refused(
    made: list[CircuitKey], store: CircuitKeys
) -> None:
    keys = genesis(made[SECURE])

    def reason() -> str:
        with pytest.raises(RefusedError) as refused:
            keys.load_key(store, CIRCUIT)
        return refused.value.reason

    assert reason() == "KEY_MISSING"
    path = store.add(made[SECURE])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert reason() == "KEY_TORN"
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert reason() == "KEY_DAMAGED"
    with pytest.raises(RefusedError) as unknown:
        store.load("nothing", bytes(32))
    assert unknown.value.reason == "CIRCUIT_UNKNOWN"


def test_an_insecure_key_needs_a_genesis_that_says_so(
    made: list[CircuitKey], store: CircuitKeys
) -> None:
    store.add(made[SEEDED])
    silent = genesis(made[SEEDED], insecure=False)

    for load in (silent.load_key, silent.load_verifier):
        with pytest.raises(InsecureKeyError):
            load(store, CIRCUIT)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(RefusedError, match="file") as refused:
        CircuitKeys(tmp_path / "file" / "keys")

    assert refused.value.reason == "KEY_IO"


def test_a_key_set_survives_its_document() -> None:
    keys = KeySet({"quota": bytes(range(32)), "claim": b"\xff" * 32}, is_insecure=True)

    document = keys.document()

    assert document == {
        "insecure": True,
        "verifying_keys": {"claim": "ff" * 32, "quota": bytes(range(32)).hex()},
    }
    assert KeySet.parse(document) == keys
    with pytest.raises(KeySetError, match="has no key of leadership"):
        keys.hash_of("leadership")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (None, None),
        ({}, None),
        ({"insecure": False, "verifying_keys": {}, "more": 1}, None),
        ({"insecure": 0, "verifying_keys": {}}, "insecure"),
        ({"insecure": False, "verifying_keys": []}, "verifying_keys"),
        ({"insecure": False, "verifying_keys": {"nothing": "00" * 32}}, "verifying_keys"),
        ({"insecure": False, "verifying_keys": {1: "00" * 32}}, "verifying_keys"),
        ({"insecure": False, "verifying_keys": {"claim": "00"}}, "verifying_keys.claim"),
        ({"insecure": False, "verifying_keys": {"claim": "FF" * 32}}, "verifying_keys.claim"),
        ({"insecure": False, "verifying_keys": {"claim": "0 " * 32}}, "verifying_keys.claim"),
        ({"insecure": False, "verifying_keys": {"claim": 7}}, "verifying_keys.claim"),
        ({"insecure": False, "verifying_keys": {"claim": "zz" * 32}}, "verifying_keys.claim"),
    ],
)
def test_a_malformed_key_set_is_refused(document: Any, field: str | None) -> None:
    with pytest.raises(KeySetError) as refused:
        KeySet.parse(document)

    assert refused.value.field == field
