"""The text format of Prometheus is read as its own library reads it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from logos_kernel.core.exposition import Family, families

texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\x85\u2028\u2029\v\f\x1c\x1d\x1e")
)
numbers = st.floats(0, 1e9)


@given(texts, st.lists(st.tuples(texts, numbers), max_size=4), numbers)
def test_what_the_library_writes_is_read_as_it_reads_it(
    said: str, labelled: list[tuple[str, float]], number: float
) -> None:
    registry = CollectorRegistry()
    counter = Counter("a", said, ["x", "y"], registry=registry)
    for label, value in labelled:
        counter.labels(label, f"{label},y=").inc(value)
    Histogram("b", "times", registry=registry).observe(number)
    Summary("c", "", registry=registry).observe(number)
    Gauge("d", said, registry=registry).set(-number)
    text = generate_latest(registry).decode()

    ours = {(*sorted(labels.items()), name): value for name, labels, value in _all(families(text))}

    theirs = {
        (*sorted(one.labels.items()), one.name): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }
    assert ours == theirs
    kinds = {family.name: family.kind for family in families(text)}
    assert kinds["b"] == "histogram"
    assert kinds["c"] == "summary"
    assert kinds["d"] == "gauge"


def _all(found: list[Family]) -> Any:
    return (sample for family in found for sample in family.samples)


@given(st.text(st.sampled_from('ab{}="\\,# \n\t1.eTYPEHL_:')))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    for name, labels, value in _all(families(text)):
        assert name
        assert isinstance(value, float)
        assert all(labels)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a 1", ("a", {}, 1.0)),
        ("a{} 1", ("a", {}, 1.0)),
        ('a{b="c",} 1', ("a", {"b": "c"}, 1.0)),
        ('a{ b="}" , c="" }\t+Inf 1700000000000', ("a", {"b": "}", "c": ""}, float("inf"))),
        (r'a{b="\\n\n\""} 1', ("a", {"b": '\\n\n"'}, 1.0)),
        ("a", None),
        ("a nine", None),
        ('a{b="c} 1', None),
        ('a{b="c" d="e"} 1', None),
        ("1a 1", None),
        ("", None),
    ],
)
def test_a_line_is_a_sample_or_left_out(line: str, expected: Any) -> None:
    assert list(_all(families(line))) == ([] if expected is None else [expected])


def test_samples_without_a_type_are_families_of_their_own() -> None:
    found = families("# TYPE a histogram\na_sum 1\na_other 2\n#TYPE b gauge\n# TYPE c no\nc 1")

    assert [(one.name, one.kind) for one in found] == [
        ("a", "histogram"),
        ("a_other", "unknown"),
        ("c", "unknown"),
    ]
