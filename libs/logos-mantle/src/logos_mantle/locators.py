"""Which bytes are a locator: a multiaddress of a place, in one spelling.

Spec: docs/protocol/mantle.md, MAN-10. Sources: LIP-87, Locators; multiformats/multiaddr,
protocols.csv.
"""

from typing import Final

from logos_crypto import varint
from logos_crypto.refusals import VarintError
from logos_mantle.errors import LocatorMalformedError

_TEXT: Final = -1
"""Its number of bytes comes first, then lower-case ASCII."""
_BYTES: Final = -2
"""Its number of bytes comes first."""

_SIZES: Final = {
    4: 4,  # ip4
    6: 2,  # tcp
    41: 16,  # ip6
    42: _TEXT,  # ip6zone
    53: _TEXT,  # dns
    54: _TEXT,  # dns4
    55: _TEXT,  # dns6
    56: _TEXT,  # dnsaddr
    273: 2,  # udp
    280: 0,  # webrtc-direct
    448: 0,  # tls
    449: _TEXT,  # sni
    454: 0,  # noise
    460: 0,  # quic
    461: 0,  # quic-v1
    465: 0,  # webtransport
    466: _BYTES,  # certhash
    477: 0,  # ws
    478: 0,  # wss
}
"""Bytes of the value of each protocol, by its code. p2p (421) names a node and is not there."""

_FIRST: Final = frozenset({4, 41, 42, 53, 54, 55, 56})
"""What an address begins with."""


def check_locator(raw: bytes) -> None:
    """Raises `LocatorMalformedError` unless the bytes are a locator. Takes any bytes."""
    at = 0
    try:
        if varint.decode(raw)[0] not in _FIRST:
            raise LocatorMalformedError("a locator begins with an address or a name")
        while at < len(raw):
            at = _after_protocol(raw, at)
    except VarintError as error:
        raise LocatorMalformedError(f"a locator's {error}") from error


def _after_protocol(raw: bytes, at: int) -> int:
    code, at = varint.decode(raw, at)
    size = _SIZES.get(code)
    if size is None:
        raise LocatorMalformedError(f"protocol {code} has no place in a locator")
    kind = size
    if size < 0:
        size, at = varint.decode(raw, at)
        if size == 0:
            raise LocatorMalformedError(f"protocol {code} without its value")
    end = at + size
    if end > len(raw):
        raise LocatorMalformedError("a locator is cut off")
    if kind == _TEXT and not _is_name(raw[at:end]):
        raise LocatorMalformedError("a name in a locator is lower-case ASCII without a slash")
    return end


def _is_name(raw: bytes) -> bool:
    return all(0x21 <= each <= 0x7E and not 0x41 <= each <= 0x5A and each != 0x2F for each in raw)
