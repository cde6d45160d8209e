"""Patterns of methods, and what a revocation covers."""

import pytest

from logos_base.capabilities import PATTERN, Claims, ModuleSubject, Revocation, allows

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
    ("revocation", "is_covered"),
    [
        (Revocation("a"), False),
        (Revocation("a", before_epoch=3), False),
        (Revocation("a", before_epoch=4), True),
        (Revocation("a", issued_until_s=99), False),
        (Revocation("a", issued_until_s=100), True),
        (Revocation("a", before_epoch=3).joined(Revocation("a", issued_until_s=100)), True),
        (Revocation("a", before_epoch=4).joined(Revocation("a", before_epoch=1)), True),
    ],
)
def test_what_a_revocation_covers(revocation: Revocation, *, is_covered: bool) -> None:
    subject = ModuleSubject("a", bytes(16), 3)
    claims = Claims(bytes(16), subject, "b", ("*",), 100, 700, bytes(32))

    assert revocation.covers(claims) is is_covered
