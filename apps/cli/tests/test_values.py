"""KER-28: values as JSON, and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos.module.v1.value_pb2 import List, Map, Null, Result, Value
from logos_cli.values import InvalidValueError, json_of, value_of

names = st.sampled_from(["_bytes", "_map", "_double", "_result", "a", ""])
values = st.recursive(
    st.just(Value(null_value=Null()))
    | st.booleans().map(lambda one: Value(bool_value=one))
    | st.integers(-(2**63), 2**63 - 1).map(lambda one: Value(int_value=one))
    | st.integers(2**63, 2**64 - 1).map(lambda one: Value(uint_value=one))
    | st.floats().map(lambda one: Value(double_value=one))
    | st.text().map(lambda one: Value(string_value=one))
    | st.binary().map(lambda one: Value(bytes_value=one)),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda all_: Value(list_value=List(values=all_)))
        | st.dictionaries(names, inner, max_size=2).map(
            lambda all_: Value(map_value=Map(values=all_))
        )
        | st.builds(Result, ok=st.booleans(), value=inner, error=st.text()).map(
            lambda one: Value(result_value=one)
        )
    ),
    max_leaves=10,
)


@pytest.mark.property
@given(values)
def test_every_value_comes_back_from_json(value: Value) -> None:
    text = json.dumps(json_of(value), allow_nan=False)

    came = value_of(json.loads(text))

    assert repr(came) == repr(value)  # NaN is not equal to itself


@pytest.mark.parametrize(
    "wrong",
    [
        2**64,
        -(2**63) - 1,
        {"_bytes": "ü"},
        {"_bytes": 1},
        {"_double": "one"},
        {"_result": {}},
        {"_map": []},
    ],
)
def test_what_stands_for_nothing_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidValueError):
        value_of(wrong)


def test_what_nests_too_deep_is_refused() -> None:
    deep: object = 1
    for _ in range(33):
        deep = [deep]

    with pytest.raises(InvalidValueError):
        value_of(deep)
