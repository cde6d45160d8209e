import json
from pathlib import Path
from typing import Any

import pytest
from oracle import poseidon2

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-lips/poseidon2.json").read_text("utf-8")
)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["hash"], ids=lambda case: ",".join(case["inputs"]))
def test_hashes_are_the_published_ones(case: dict[str, Any]) -> None:
    got = poseidon2.hash(int(value) for value in case["inputs"])

    assert got == int(case["output"], 0)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["compress"], ids=lambda case: ",".join(case["inputs"]))
def test_compressions_are_the_published_ones(case: dict[str, Any]) -> None:
    left, right = (int(value) for value in case["inputs"])

    assert poseidon2.compress(left, right) == int(case["output"], 0)
