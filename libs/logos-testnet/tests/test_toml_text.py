"""Lines of keys, and values written as TOML."""

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_testnet.toml_text import key_lines, line_of, to_toml

TEXT = """\
a = 1
b.c = 2

[table] # words
d = 3
[[list]]
e = 4
[[list]]
e = 5
[list.inner]
f = 6
"""


def test_every_key_has_the_line_it_stands_on() -> None:
    lines = key_lines(TEXT)

    assert lines["a",] == 1
    assert lines["b", "c"] == 2
    assert lines["table", "d"] == 5
    assert (lines["list", 0, "e"], lines["list", 1, "e"]) == (7, 9)
    assert lines["list", 1, "inner", "f"] == 11


def test_a_key_that_is_missing_has_the_line_of_its_table() -> None:
    lines = key_lines(TEXT)

    assert line_of(lines, ("table", "z")) == 4
    assert line_of(lines, ("list", 1, "z")) == 8
    assert line_of(lines, ("z",)) == 1


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
