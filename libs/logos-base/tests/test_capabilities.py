"""Patterns of methods, and when claims are over."""

import pytest

from logos_base.capabilities import PATTERN, Claims, ModuleSubject, allows

PUT = "logos.storage.v1.Storage/Put"


@pytest.mark.parametrize(
    ("pattern", "is_allowed"),
    [
        ("*", True),
        ("logos.storage.v1.Storage/*", True),
        (PUT, True),
        ("logos.storage.v1.Storage/Pu", False),
        ("logos.storage.v1.Storage/Put2", False),
        ("logos.storage.v1.Storage", False),
        ("logos.storage.v1.Storage/", False),
        ("logos.storage.v1.*", False),
        ("logos.storage.v1.Storage2/*", False),
        ("storage.v1.Storage/*", False),
        ("", False),
    ],
)
def test_a_pattern_is_a_method_a_service_or_all(pattern: str, *, is_allowed: bool) -> None:
    assert allows([pattern], PUT) is is_allowed


def test_no_pattern_allows_nothing() -> None:
    assert not allows([], PUT)


@pytest.mark.parametrize(
    ("text", "is_pattern"),
    [
        ("*", True),
        (PUT, True),
        ("logos.storage.v1.Storage/*", True),
        ("Storage/Put", False),
        ("/logos.storage.v1.Storage/Put", False),
        ("logos.storage.v1.*/*", False),
        ("**", False),
        ("", False),
    ],
)
def test_what_a_pattern_may_look_like(text: str, *, is_pattern: bool) -> None:
    assert (PATTERN.fullmatch(text) is not None) is is_pattern


@pytest.mark.parametrize(
    ("expires_at_s", "is_over"), [(0, False), (99, True), (100, True), (101, False)]
)
def test_claims_are_over_from_their_end_on(expires_at_s: int, *, is_over: bool) -> None:
    claims = Claims(bytes(16), ModuleSubject("a", bytes(16), 1), "b", ("*",), 1, expires_at_s)

    assert claims.is_over(100) is is_over
