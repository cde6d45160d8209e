"""Locators as people write them, `/ip4/127.0.0.1/tcp/3000`, and back.

Spec: docs/protocol/mantle.md, MAN-10. Source: multiformats/multiaddr, protocols.csv.
"""

import base64
import binascii
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from logos_crypto import varint
from logos_mantle.errors import LocatorMalformedError
from logos_mantle.limits import MAX_LOCATOR_BYTES
from logos_mantle.locators import check_locator

_NAMES: Final = {
    4: "ip4",
    6: "tcp",
    41: "ip6",
    42: "ip6zone",
    53: "dns",
    54: "dns4",
    55: "dns6",
    56: "dnsaddr",
    273: "udp",
    280: "webrtc-direct",
    448: "tls",
    449: "sni",
    454: "noise",
    460: "quic",
    461: "quic-v1",
    465: "webtransport",
    466: "certhash",
    477: "ws",
    478: "wss",
}
_CODES: Final = {name: code for code, name in _NAMES.items()}
_PORTS: Final = frozenset({6, 273})
_TEXTS: Final = frozenset({42, 53, 54, 55, 56, 449})
_SIZES: Final = {4: 4, 41: 16}
_CERTHASH: Final = 466
_MULTIBASE: Final = "u"
"""Base64 for URLs without padding."""


def locator_text(raw: bytes) -> str:
    """Returns the text of a locator; raises `LocatorMalformedError`."""
    check_locator(raw)
    at, parts = 0, [""]
    while at < len(raw):
        code, at = varint.decode(raw, at)
        parts.append(_NAMES[code])
        if code in _TEXTS or code == _CERTHASH:
            size, at = varint.decode(raw, at)
        else:
            size = 2 if code in _PORTS else _SIZES.get(code, 0)
        value, at = raw[at : at + size], at + size
        if size:
            parts.append(_value_text(code, value))
    return "/".join(parts)


def locator_of(text: str) -> bytes:
    """Reads the text of a locator. Untrusted; raises `LocatorMalformedError`."""
    parts = text.split("/")
    if parts[0] or len(parts) < 2 or len(text) > 4 * MAX_LOCATOR_BYTES:
        raise LocatorMalformedError("a locator begins with a slash")
    rest, raw = iter(parts[1:]), b""
    for name in rest:
        if name not in _CODES:
            raise LocatorMalformedError(f"`{name[:20]}` has no place in a locator")
        code = _CODES[name]
        raw += varint.encode(code)
        if code in _TEXTS or code == _CERTHASH or code in _PORTS or code in _SIZES:
            try:
                raw += _value(code, next(rest, ""))
            except ValueError as error:
                raise LocatorMalformedError(f"the value of `{name}`: {error}") from error
    check_locator(raw)
    return raw


def _value_text(code: int, value: bytes) -> str:
    if code in _PORTS:
        return str(int.from_bytes(value, "big"))
    if code in _SIZES:
        return str(IPv4Address(value) if code == _CODES["ip4"] else IPv6Address(value))
    if code == _CERTHASH:
        return _MULTIBASE + base64.urlsafe_b64encode(value).decode("ascii").rstrip("=")
    return value.decode("ascii")


def _value(code: int, text: str) -> bytes:
    if code in _PORTS:
        if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) < 1 << 16):
            raise ValueError("a port is a number below 65536")
        return int(text).to_bytes(2, "big")
    if code in _SIZES:
        if "%" in text:
            raise ValueError("a zone is named before its address, by ip6zone")
        return (IPv4Address(text) if code == _CODES["ip4"] else IPv6Address(text)).packed
    value = _unbase64(text) if code == _CERTHASH else text.encode("ascii")
    return varint.encode(len(value)) + value


def _unbase64(text: str) -> bytes:
    if not text.startswith(_MULTIBASE):
        raise ValueError("base64 for URLs begins with `u`")
    body = text[1:]
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
