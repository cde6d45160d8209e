"""Multiaddresses as bytes, as far as nodes are reached at them (NET-3).

Spec: docs/protocol/discovery.md, DIS-8. Source: multiformats/multiaddr, protocols.csv.
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

from logos_crypto import base58, varint
from logos_crypto.refusals import VarintError
from logos_mixnet.core.addresses import Address, parse_address
from logos_mixnet.core.errors import InvalidAddressError, InvalidPeerIdError
from logos_mixnet.core.identity import parse_peer_id

MAX_ADDRESS_BYTES: Final = 360

_IPS: Final = {"ip4": (4, 4), "ip6": (41, 16)}
_NAMES: Final = {"dns": 53, "dns4": 54, "dns6": 55}
_TCP: Final = 6
_P2P: Final = 421
_KINDS: Final = {code: name for name, (code, _) in _IPS.items()} | {
    code: name for name, code in _NAMES.items()
}

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def encode_address(address: Address) -> bytes:
    """Encodes the address of a node."""
    _, kind, host, _, _ = address.transport.split("/")
    if kind in _IPS:
        raw = varint.encode(_IPS[kind][0]) + ipaddress.ip_address(host).packed
    else:
        name = host.encode()
        raw = varint.encode(_NAMES[kind]) + varint.encode(len(name)) + name
    raw += varint.encode(_TCP) + address.port.to_bytes(2, "big")
    if address.peer_id is not None:
        peer_id = base58.decode(address.peer_id)
        raw += varint.encode(_P2P) + varint.encode(len(peer_id)) + peer_id
    return raw


def decode_address(raw: bytes) -> Address | None:
    """Reads an address; None if no node of ours could be dialled there. Never raises."""
    if len(raw) > MAX_ADDRESS_BYTES:
        return None
    try:
        kind, host, at = _decode_host(raw)
        code, at = varint.decode(raw, at)
        port, at = _take(raw, at, 2)
        text = f"/{kind}/{host}/tcp/{int.from_bytes(port, 'big')}"
        peer_id = None
        if at < len(raw):
            peer_id, at = _decode_peer_id(raw, at)
        if code != _TCP or at != len(raw) or not any(port):
            return None
        # An IP's text is always valid; a name's may be anything.
        transport = text if kind in _IPS else parse_address(text).transport
        return Address(transport, peer_id)
    except (ValueError, VarintError, InvalidAddressError, InvalidPeerIdError):
        return None


def ip_of(raw: bytes) -> IpAddress | None:
    """Returns the IP that a binary multiaddress of any transport begins with."""
    try:
        _, host, _ = _decode_host(raw[:MAX_ADDRESS_BYTES])
    except (ValueError, VarintError):
        return None
    return None if isinstance(host, str) else host


def ips_of(addresses: Iterable[bytes]) -> list[IpAddress]:
    """Returns the IPs of those addresses that have one."""
    return [ip for ip in map(ip_of, addresses) if ip is not None]


def _decode_host(raw: bytes) -> tuple[str, IpAddress | str, int]:
    code, at = varint.decode(raw)
    kind = _KINDS.get(code)
    if kind is None:
        raise ValueError("another transport")
    if kind in _IPS:
        packed, at = _take(raw, at, _IPS[kind][1])
        return kind, ipaddress.ip_address(packed), at
    size, at = varint.decode(raw, at)
    name, at = _take(raw, at, size)
    return kind, name.decode(), at


def _decode_peer_id(raw: bytes, at: int) -> tuple[str, int]:
    suffix, at = varint.decode(raw, at)
    size, at = varint.decode(raw, at)
    peer_id, at = _take(raw, at, size)
    if suffix != _P2P:
        raise ValueError("not the id of a peer")
    return parse_peer_id(base58.encode(peer_id)), at


def _take(raw: bytes, at: int, size: int) -> tuple[bytes, int]:
    if size > len(raw) - at:
        raise ValueError("cut off")
    return raw[at : at + size], at + size
