"""DST-11: a query as parameters of HTTP, as the public suite sends it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.archive.errors import StoreParametersInvalidError
from logos_delivery.core.archive.parameters import query_of

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-delivery/store.json").read_text(encoding="utf-8")
)
NAMES = ("includeData", "pubsubTopic", "contentTopics", "startTime", "endTime", "hashes")


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["parameters"], ids=lambda case: case["id"])
def test_errors_have_the_words_of_the_suite(case: dict[str, Any]) -> None:
    with pytest.raises(StoreParametersInvalidError) as caught:
        query_of(case["given"])

    assert case["error"] in str(caught.value)


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["accepted"], ids=lambda case: case["id"])
def test_parameters_are_read_as_the_suite_has_them(case: dict[str, Any]) -> None:
    query = query_of(case["given"])

    for name, expected in case["expected"].items():
        found = getattr(query, name)
        if name == "hashes":
            found = [one.hex() for one in found]
        assert (list(found) if isinstance(found, tuple) else found) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("startTime", "1.5"),
        ("endTime", "9223372036854775808"),
        ("endTime", "9" * 5000),
        ("startTime", "²"),
        ("includeData", "maybe"),
        ("cursor", "0x123"),
        ("cursor", "0x" + "11" * 33),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, value: str) -> None:
    with pytest.raises(StoreParametersInvalidError):
        query_of({name: value})


@pytest.mark.property
@given(
    st.dictionaries(
        st.sampled_from([*NAMES, "cursor", "ascending", "pageSize", "x"]), st.text(max_size=70)
    )
)
def test_arbitrary_parameters_are_a_query_or_refused(parameters: dict[str, str]) -> None:
    with suppress(StoreParametersInvalidError):
        query_of(parameters)
