"""Which multiaddresses are locators (MAN-10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mantle_values import LOCATOR

from logos_mantle.errors import LocatorMalformedError
from logos_mantle.locators import check_locator

IP4 = bytes.fromhex("047f000001")
TCP = bytes.fromhex("060fa1")
DNS = b"\x36\x0bexample.org"

GOOD = {
    "quic": LOCATOR,
    "address alone": IP4,
    "tcp": IP4 + TCP,
    "ip6": b"\x29" + bytes(16) + TCP,
    "zone": b"\x2a\x04eth0" + b"\x29" + bytes(16) + TCP,
    "name": DNS + TCP,
    "websocket": DNS + TCP + bytes.fromhex("c003dd03"),
}
BAD = {
    "nothing": b"",
    "no address first": TCP + IP4,
    "unknown protocol": IP4 + b"\x07",
    "a node": IP4 + TCP + bytes.fromhex("a50302") + b"\0\0",
    "a relay": IP4 + TCP + bytes.fromhex("a202"),
    "cut address": IP4[:-1],
    "cut port": IP4 + TCP[:-1],
    "cut name": DNS[:-1],
    "empty name": b"\x36\0",
    "upper case": b"\x36\x01A",
    "slash": b"\x36\x03a/b",
    "not ASCII": b"\x36\x02\xc3\xa4",
    "long code": b"\x84\x00" + IP4[1:],
    "long length": b"\x36\x81\x00a",
    "huge length": b"\x36" + b"\xff" * 8 + b"\x7f",
    "endless code": b"\xff" * 20,
}


@pytest.mark.parametrize("name", GOOD)
def test_accepted(name: str) -> None:
    check_locator(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_refused(name: str) -> None:
    with pytest.raises(LocatorMalformedError):
        check_locator(BAD[name])


@pytest.mark.property
@given(st.lists(st.sampled_from([IP4, TCP, DNS, b"\xdd\x03"]), max_size=6), st.integers(1, 12))
def test_protocols_follow_each_other_whole(parts: list[bytes], cut: int) -> None:
    raw = IP4 + b"".join(parts)
    check_locator(raw)
    ends = {len(IP4) + sum(map(len, parts[:count])) for count in range(len(parts) + 1)}

    if len(raw) - cut in ends:
        check_locator(raw[:-cut])
    else:
        with pytest.raises(LocatorMalformedError):
            check_locator(raw[:-cut])
