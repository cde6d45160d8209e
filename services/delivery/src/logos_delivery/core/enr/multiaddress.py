"""Multiaddresses as bytes and as text, of the transports that nodes name in their records.

Spec: docs/protocol/delivery-light.md, DLC-36. Source: multiformats/multiaddr, protocols.csv.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from logos_crypto import base58, varint
from logos_crypto.refusals import Base58Error, VarintError
from logos_delivery.core.enr.errors import MultiaddressMalformedError

MAX_BYTES: Final = 300
"""As long as a record; and the longest that is read as text has four times as many characters."""


@dataclass(frozen=True, slots=True)
class _Protocol:
    code: int
    name: str
    size: int
    """Bytes of its value; -1: their number comes first."""


_IP4: Final = "ip4"
_IP6: Final = "ip6"
_PORTS: Final = frozenset({"tcp", "udp"})
_PEER: Final = "p2p"
_PROTOCOLS: Final = tuple(
    _Protocol(*each)
    for each in (
        (4, _IP4, 4),
        (41, _IP6, 16),
        (6, "tcp", 2),
        (273, "udp", 2),
        (53, "dns", -1),
        (54, "dns4", -1),
        (55, "dns6", -1),
        (56, "dnsaddr", -1),
        (449, "sni", -1),
        (421, _PEER, -1),
        (290, "p2p-circuit", 0),
        (448, "tls", 0),
        (454, "noise", 0),
        (460, "quic", 0),
        (461, "quic-v1", 0),
        (465, "webtransport", 0),
        (477, "ws", 0),
        (478, "wss", 0),
    )
)
_BY_CODE: Final = {each.code: each for each in _PROTOCOLS}
_BY_NAME: Final = {each.name: each for each in _PROTOCOLS} | {"ipfs": _BY_CODE[421]}


def to_text(raw: bytes) -> str:
    """Returns `/ip4/127.0.0.1/tcp/1`; raises `MultiaddressMalformedError`."""
    parts: list[str] = []
    at = 0
    try:
        if not 0 < len(raw) <= MAX_BYTES:
            raise ValueError("empty, or too long")
        while at < len(raw):
            code, at = varint.decode(raw, at)
            size = _BY_CODE[code].size
            if size < 0:
                size, at = varint.decode(raw, at)
            if size > len(raw) - at:
                raise ValueError("cut off")
            parts.append(_BY_CODE[code].name)
            if _BY_CODE[code].size:
                parts.append(_value_to_text(_BY_CODE[code].name, raw[at : at + size]))
            at += size
    except KeyError as error:
        raise MultiaddressMalformedError(f"protocol {error} of a multiaddress") from error
    except (ValueError, VarintError) as error:
        raise MultiaddressMalformedError(f"not a multiaddress: {error}") from error
    return "/" + "/".join(parts)


def to_bytes(text: str) -> bytes:
    """Reads what `to_text` gives; raises `MultiaddressMalformedError`."""
    parts = iter(text.split("/"))
    out = b""
    try:
        if len(text) > 4 * MAX_BYTES or next(parts) or len(text) < 2:
            raise ValueError("it begins with a slash, and is not empty")
        for name in parts:
            protocol = _BY_NAME[name]
            out += varint.encode(protocol.code)
            if protocol.size:
                value = _value_to_bytes(protocol.name, next(parts, ""))
                out += (varint.encode(len(value)) if protocol.size < 0 else b"") + value
    except KeyError as error:
        raise MultiaddressMalformedError(f"protocol {error} in {text[:80]!r}") from error
    except (ValueError, Base58Error) as error:
        raise MultiaddressMalformedError(f"not a multiaddress: {text[:80]!r}: {error}") from error
    if len(out) > MAX_BYTES:
        raise MultiaddressMalformedError(f"a multiaddress of over {MAX_BYTES} bytes")
    return out


def without_peer_id(text: str) -> str:
    """Returns a multiaddress without its `/p2p/ID`, unless that is a circuit relay's."""
    parts = text.split("/")
    if _PEER not in parts or "p2p-circuit" in parts:
        return text
    at = parts.index(_PEER)
    return "/".join(parts[:at] + parts[at + 2 :])


def _value_to_text(name: str, raw: bytes) -> str:
    if name == _IP4:
        return str(ipaddress.IPv4Address(raw))
    if name == _IP6:
        return str(ipaddress.IPv6Address(raw))
    if name in _PORTS:
        return str(int.from_bytes(raw, "big"))
    text = base58.encode(raw) if name == _PEER else raw.decode()
    if not text or "/" in text:
        raise ValueError("a value that is empty, or has a slash")
    return text


def _value_to_bytes(name: str, text: str) -> bytes:
    if name == _IP4:
        return ipaddress.IPv4Address(text).packed
    if name == _IP6:
        return ipaddress.IPv6Address(text.partition("%")[0]).packed
    if name in _PORTS:
        if not (text.isascii() and text.isdecimal() and int(text[:6]) < 1 << 16):
            raise ValueError("a port has 16 bits")
        return int(text[:6]).to_bytes(2, "big")
    if not text:
        raise ValueError("a protocol without its value")
    return base58.decode(text) if name == _PEER else text.encode()
