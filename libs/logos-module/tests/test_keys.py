"""KEY-5: making or loading an INSECURE key is logged."""

import logging
from pathlib import Path

import pytest

from logos_crypto.circuits import circuit_names
from logos_crypto.keys import CircuitKeys
from logos_module.keys import load_key, load_verifier, make_keys

CIRCUIT = "signature2"


@pytest.mark.parametrize("seed", [None, bytes(32)])
async def test_keys_are_made_marked_and_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, seed: bytes | None
) -> None:
    store, reported = CircuitKeys(tmp_path), list[str]()
    with caplog.at_level(logging.WARNING):
        keys = make_keys(store, insecure_seed=seed, circuits=[CIRCUIT], report=reported.append)
        made = list(caplog.messages)

        key = await load_key(store, keys, CIRCUIT)
        verifier = await load_verifier(store, keys, CIRCUIT)

    assert reported == [CIRCUIT]
    assert keys.is_insecure is key.is_insecure is verifier.is_insecure is (seed is not None)
    assert len([text for text in made if "INSECURE" in text]) == (seed is not None)
    loaded = [text for text in caplog.messages if text == "INSECURE key loaded"]
    assert len(loaded) == 2 * (seed is not None)


@pytest.mark.proofs
def test_a_seed_makes_the_same_keys_of_all_circuits(tmp_path: Path) -> None:
    first = make_keys(CircuitKeys(tmp_path / "one"), insecure_seed=bytes(32))
    second = make_keys(CircuitKeys(tmp_path / "two"), insecure_seed=bytes(32))

    assert first == second
    assert list(first.hashes) == circuit_names()
    assert len({path.name for path in (tmp_path / "one").glob("*.key")}) == len(circuit_names())
