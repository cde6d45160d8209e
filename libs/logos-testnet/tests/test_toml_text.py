"""Values written as TOML."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_testnet.toml_text import to_toml

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), text, st.floats(allow_nan=False)
)
values = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner), st.dictionaries(text, inner)), max_leaves=9
)


@pytest.mark.property
@settings(max_examples=50)
@given(values)
def test_what_is_written_is_read_back(value: Any) -> None:
    assert tomllib.loads(f"x = {to_toml(value)}\n")["x"] == value


def test_what_toml_has_no_form_for_is_refused() -> None:
    with pytest.raises(TypeError):
        to_toml(None)
