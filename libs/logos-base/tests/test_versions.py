"""Semantic Versioning 2.0.0: order, and ranges."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.versions import MAX_RANGE_CHARACTERS, parse_range, version_key

ORDERED = [
    "0.0.0-0",
    "0.0.0",
    "0.0.1",
    "0.1.0",
    "0.9.9",
    "0.10.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "2.0.0",
    "10.0.0",
]
"""Those of section 11, and some more."""


@pytest.mark.parametrize(("lower", "higher"), list(itertools.pairwise(ORDERED)))
def test_precedence_is_that_of_the_standard(lower: str, higher: str) -> None:
    assert version_key(lower) < version_key(higher)


def test_build_metadata_is_of_no_account() -> None:
    assert version_key("1.0.0+a.1") == version_key("1.0.0")
    assert version_key("1.0.0-rc.1+b-2") == version_key("1.0.0-rc.1")


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=0", "1.2.3", "01.2.3 1.2.3+a+b 1.2.3-ä x"),
        (">=0.1,<0.3", "0.1.0 0.2.9 0.2.9+x", "0.0.9 0.3.0 1.0.0 0.1.0-rc.1 0.2.0-rc.1 0.3.0-rc.1"),
        ("=1", "1.0.0", "1.0.1"),
        (" > 1.2.3 , != 1.3 ", "1.2.4 1.3.1", "1.2.3 1.3.0"),
        ("<=2.0.0-rc.2", "1.9.9 2.0.0-rc.1 2.0.0-rc.2", "2.0.0 2.0.0-rc.3 1.9.9-rc.1"),
    ],
)
def test_a_range_holds_what_it_says(text: str, inside: str, outside: str) -> None:
    found = parse_range(text)

    assert {one: found.holds(one) for one in inside.split()} == dict.fromkeys(inside.split(), True)
    assert {one for one in outside.split() if found.holds(one)} == set()
    assert str(found) == text.strip()


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", ">=", ">=1,", "~1", "^1.2", ">=1.2.x", ">=01.2", "=>1", ">= 1 2", ">=1.2-rc"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        parse_range(text)


def test_a_long_range_is_refused_unread() -> None:
    with pytest.raises(ValueError, match="over 200 characters"):
        parse_range(">=1," * MAX_RANGE_CHARACTERS)


numbers = st.integers(0, 3)
plain = st.tuples(numbers, numbers, numbers)


@pytest.mark.property
@given(plain, plain, plain)
def test_releases_are_ordered_as_their_numbers(
    low: tuple[int, ...], high: tuple[int, ...], one: tuple[int, ...]
) -> None:
    def text(version: tuple[int, ...]) -> str:
        return ".".join(map(str, version))

    held = parse_range(f">={text(low)},<{text(high)}").holds(text(one))

    assert held == (low <= one < high)
    assert parse_range(f"!={text(low)}").holds(text(one)) == (low != one)
    assert parse_range(f">{text(low)},<={text(high)}").holds(text(one)) == (low < one <= high)


@pytest.mark.property
@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_a_range_or_refused(text: str, version: str) -> None:
    assert isinstance(parse_range(">=0").holds(version), bool)
    try:
        found = parse_range(text)
    except ValueError:
        return
    assert isinstance(found.holds("1.2.3"), bool)
