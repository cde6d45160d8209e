"""Ranges, and that nothing which could hold a script is shown as a page."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_app.panels.storage.ranges import (
    INLINE,
    Span,
    UnsatisfiableError,
    headers_of,
    kind_of,
    span_of,
)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-0", Span(0, 0)),
        ("bytes=0-", Span(0, 99)),
        ("bytes=99-", Span(99, 99)),
        ("bytes=10-19", Span(10, 19)),
        ("bytes=10-1000", Span(10, 99)),
        ("bytes=-1", Span(99, 99)),
        ("bytes=-1000", Span(0, 99)),
        ("bytes=20-10", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("", None),
    ],
)
def test_ranges(header: str | None, span: Span | None) -> None:
    assert span_of(header, 100) == span


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=-0", 9), ("bytes=0-", 0)]
)
def test_a_range_past_the_end_is_refused(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        span_of(header, size)


@given(st.text(), st.integers(0, 2**63))
def test_a_range_is_inside(header: str, size: int) -> None:
    try:
        span = span_of(f"bytes={header}", size)
    except UnsatisfiableError:
        return
    assert span is None or 0 <= span.first <= span.last < size


@given(st.sampled_from(["-", "5-", "-5", "0-7", "3-3"]), st.integers(1, 100))
def test_a_span_has_the_length_of_what_is_sent(header: str, size: int) -> None:
    try:
        span = span_of(f"bytes={header}", size)
    except UnsatisfiableError:
        return
    content = bytes(range(size))
    assert span is None or len(content[span.first : span.last + 1]) == span.length


@pytest.mark.parametrize(
    "mimetype",
    ["text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf", "text/xml", "", "x"],
)
def test_what_could_hold_a_script_is_no_page(mimetype: str) -> None:
    sent = headers_of(mimetype, "x")["Content-Type"]

    assert sent in {"text/plain; charset=utf-8", "application/octet-stream"}
    assert mimetype not in INLINE


def test_names_cannot_add_headers() -> None:
    sent = headers_of("image/png", 'a"\r\nX-Evil: 1;é.png')["Content-Disposition"]

    assert sent == "inline; filename*=UTF-8''a%22%0D%0AX-Evil%3A%201%3B%C3%A9.png"


@pytest.mark.parametrize(
    ("mimetype", "kind"),
    [
        ("image/PNG", "image"),
        ("video/mp4; codecs=x", "video"),
        ("audio/ogg", "audio"),
        ("text/markdown", "text"),
        ("application/json", "text"),
        ("image/svg+xml", "none"),
        ("application/zip", "none"),
    ],
)
def test_kinds(mimetype: str, kind: str) -> None:
    assert kind_of(mimetype) == kind
