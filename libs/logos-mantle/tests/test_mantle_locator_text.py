"""MAN-10: locators as text, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mantle.errors import LocatorMalformedError
from logos_mantle.locator_text import locator_of, locator_text
from logos_mantle.locators import check_locator

TEXTS = (
    "/ip4/127.0.0.1/tcp/3000",
    "/ip4/10.0.0.1/udp/3400/quic-v1",
    "/ip6/::1/tcp/0",
    "/ip6zone/eth0/ip6/fe80::1/udp/65535/quic",
    "/dns4/node.example/tcp/443/tls/sni/other.example/ws",
    "/dnsaddr/boot.example",
    "/ip4/1.2.3.4/udp/1/webrtc-direct/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back(text: str) -> None:
    raw = locator_of(text)
    check_locator(raw)
    assert locator_text(raw) == text


def test_the_bytes_are_those_of_multiaddr() -> None:
    assert locator_of("/ip4/127.0.0.1/tcp/3000").hex() == "047f000001060bb8"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "ip4/127.0.0.1",
        "/ip4",
        "/ip4/127.0.0.256",
        "/ip6/fe80::1%eth0",
        "/ip4/1.2.3.4/tcp/65536",
        "/ip4/1.2.3.4/tcp/\u0661",
        "/ip4/1.2.3.4/p2p/16Uiu2",
        "/tcp/1",
        "/dns/",
        "/dns/UPPER",
        "/dns/\u00e9",
        "/ip4/1.2.3.4/certhash/zabc",
        "/ip4/1.2.3.4/certhash/u!",
        "/ip4/1.2.3.4/tcp/1/",
        "/" + "ip4/1.2.3.4/" * 1000,
    ],
)
def test_what_is_no_locator_is_refused(text: str) -> None:
    with pytest.raises(LocatorMalformedError):
        locator_of(text)


@given(st.text(max_size=60) | st.from_regex(r"(/(ip4|ip6|dns|tcp|udp|ws|certhash)(/[\w.:]*)?)+"))
def test_texts_are_read_or_refused(text: str) -> None:
    try:
        raw = locator_of(text)
    except LocatorMalformedError:
        return
    assert locator_of(locator_text(raw)) == raw


@given(st.binary(max_size=60))
def test_bytes_are_shown_or_refused(raw: bytes) -> None:
    try:
        text = locator_text(raw)
    except LocatorMalformedError:
        return
    assert locator_of(text) == raw
