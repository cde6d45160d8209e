"""The pure rules of the gate, by tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_app.security.cookies import cookie_header, cookie_name, secret_in
from logos_app.security.forgery import forgery_in, token_of
from logos_app.security.hosts import Accepted, Elsewhere, Origin, Refused, judge_host
from logos_app.security.limits import Limiter, Rate

OURS = Origin("http", "small.localhost", 17900)


@pytest.mark.parametrize("host", ["small.localhost:17900", "SMALL.localhost:17900"])
def test_our_host_is_accepted(host: str) -> None:
    assert judge_host(OURS, host, "/", is_local=True) == Accepted()


@pytest.mark.parametrize("host", ["127.0.0.1:17900", "localhost:17900", "[::1]:17900"])
def test_other_local_names_lead_to_ours(host: str) -> None:
    found = judge_host(OURS, host, "/testnet?a=1", is_local=True)

    assert found == Elsewhere("http://small.localhost:17900/testnet?a=1")


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.test",
        "127.0.0.1.evil.test:17900",
        "small.localhost.evil.test:17900",
        "small.localhost.:17900",
        "small.localhost",
        "small.localhost:17901",
        "127.0.0.1",
        "evil.small.localhost:17900",
        "small.localhost:17900, evil.test",
    ],
)
def test_other_hosts_are_refused(host: str | None) -> None:
    assert isinstance(judge_host(OURS, host, "/", is_local=True), Refused)


def test_with_a_certificate_no_other_name_leads_to_ours() -> None:
    ours = Origin("https", "logos.example", 443)

    assert judge_host(ours, "logos.example", "/", is_local=False) == Accepted()
    assert isinstance(judge_host(ours, "localhost:443", "/", is_local=False), Refused)


@given(st.text(max_size=60))
def test_only_whole_names_are_accepted(host: str) -> None:
    accepted = judge_host(OURS, host, "/", is_local=True) == Accepted()

    assert accepted == (host.lower() == "small.localhost:17900")


TOKEN = token_of("secret")


@pytest.mark.parametrize(
    ("origin", "site", "token", "is_refused"),
    [
        (str(OURS), "same-origin", TOKEN, False),
        (str(OURS), None, TOKEN, False),
        (None, "same-origin", TOKEN, True),
        ("null", "same-origin", TOKEN, True),
        ("http://127.0.0.1:17900", "same-origin", TOKEN, True),
        ("http://small.localhost:17901", "same-site", TOKEN, True),
        ("https://small.localhost:17900", "same-origin", TOKEN, True),
        (str(OURS), "same-site", TOKEN, True),
        (str(OURS), "cross-site", TOKEN, True),
        (str(OURS), "none", TOKEN, True),
        (str(OURS), "same-origin", "", True),
        (str(OURS), "same-origin", token_of("another"), True),
    ],
)
def test_unsafe_requests_need_origin_site_and_token(
    origin: str | None, site: str | None, token: str, *, is_refused: bool
) -> None:
    found = forgery_in(
        origin=str(OURS), sent_origin=origin, fetch_site=site, token=TOKEN, sent_token=token
    )

    assert (found is not None) == is_refused


@given(st.lists(st.floats(0, 5), max_size=60))
def test_no_more_is_admitted_than_the_rate_allows(gaps: list[float]) -> None:
    limiter, now, admitted = Limiter(Rate(burst=3, per_s=2)), 0.0, 0
    for gap in gaps:
        now += gap
        admitted += limiter.admits("one", now)

    assert admitted <= 3 + 2 * now + 1e-6
    assert admitted >= min(len(gaps), 3)


def test_keys_are_counted_apart_and_bounded() -> None:
    limiter = Limiter(Rate(burst=1, per_s=0))

    assert all(limiter.admits(str(key), 0) for key in range(1500))
    assert not limiter.admits("1499", 0)


def test_the_cookie_is_named_after_the_port_and_strict() -> None:
    header = cookie_header(OURS, "abc")

    assert header.startswith("logos_17900=abc; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(header.split("; "))
    assert "Domain" not in header
    assert "Secure" not in header
    assert secret_in(OURS, "other=1; logos_17900=abc") == "abc"
    assert not secret_in(OURS, "logos_17901=abc")


def test_with_a_certificate_the_cookie_is_secure_and_of_this_host() -> None:
    ours = Origin("https", "logos.example", 443)

    assert cookie_name(ours) == "__Host-logos_443"
    assert cookie_header(ours, "abc").endswith("; Secure")
