"""The predicates accept the published circuits' own sample inputs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from oracle.predicates import holds, note_id, public_inputs, public_key

FOLDER = Path(__file__).parents[3] / "vectors/logos-blockchain"
SAMPLES = [
    json.loads((FOLDER / f"{name}-sample.json").read_text("utf-8"))
    for name in ("pol", "poc", "poq", "signature")
]
NOTES = json.loads((FOLDER / "notes.json").read_text("utf-8"))


def numbers(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: [int(each) for each in value] if isinstance(value, list) else int(value)
        for name, value in values.items()
    }


@pytest.mark.vectors
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["circuit"])
def test_samples_of_the_published_circuits_hold(sample: dict[str, Any]) -> None:
    public, private = numbers(sample["public"]), numbers(sample["private"])

    assert holds(sample["circuit"], public, private) is None
    assert public_inputs(sample["circuit"], public) == [int(v) for v in sample["public_inputs"]]
    for name, bits in sample["selectors"].items():
        assert private[name] == int(bits, 2)


@pytest.mark.vectors
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["circuit"])
def test_samples_fail_with_another_output(sample: dict[str, Any]) -> None:
    public, private = numbers(sample["public"]), numbers(sample["private"])
    output = next(iter(public))
    value = public[output]
    public[output] = [value[0] + 1, *value[1:]] if isinstance(value, list) else value + 1

    verdict = holds(sample["circuit"], public, private)

    assert verdict == {"public_keys": "public_key"}.get(output, output)


@pytest.mark.vectors
@pytest.mark.parametrize("case", NOTES["note_ids"], ids=lambda case: case["id"])
def test_note_ids_are_the_published_ones(case: dict[str, str]) -> None:
    got = note_id(*(int(case[k]) for k in ("op_id", "output_index", "value", "public_key")))

    assert got == int(case["note_id"])


@pytest.mark.vectors
@pytest.mark.parametrize("case", NOTES["public_keys"], ids=lambda case: case["id"])
def test_padding_of_signatures_is_the_key_of_zero(case: dict[str, str]) -> None:
    assert public_key(int(case["secret_key"])) == int(case["public_key"])
