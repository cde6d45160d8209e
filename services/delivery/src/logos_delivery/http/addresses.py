"""Addresses of nodes that a request names (DHT-14)."""

from typing import Final, NamedTuple

from logos_crypto import base58
from logos_crypto.refusals import Base58Error
from logos_delivery.core.enr import multiaddress
from logos_delivery.core.enr.errors import MultiaddressMalformedError

_HOSTS: Final = frozenset({"ip4", "ip6", "dns", "dns4", "dns6", "dnsaddr"})
_WITHOUT_VALUE: Final = frozenset({"ws", "wss", "tls", "noise", "quic", "quic-v1", "p2p-circuit"})
_NAMES: Final = _HOSTS | _WITHOUT_VALUE | {"tcp", "udp", "p2p", "ipfs", "sni", "webtransport"}
_IDENTITY_HEAD: Final = bytes.fromhex("0025080212")
_ED25519_HEAD: Final = bytes.fromhex("0024080112")
_SHA256_HEAD: Final = bytes.fromhex("1220")
_LENGTHS: Final = {_IDENTITY_HEAD: 39, _ED25519_HEAD: 38, _SHA256_HEAD: 34}


class AddressInvalidError(ValueError):
    """Not a multiaddress of a node with its peer id; the text says why."""


class NodeAddress(NamedTuple):
    """Where a node is, and who it is."""

    peer_id: str
    address: str
    """With `/p2p/ID`."""


def node_address(text: str) -> NodeAddress:
    """Reads `/ip4/…/tcp/…/p2p/ID`; raises AddressInvalidError."""
    if not text.startswith("/"):
        raise _invalid("Invalid MultiAddress, must start with `/`")
    parts = text.split("/")[1:]
    _check_names(parts)
    try:
        multiaddress.to_bytes(text)
    except MultiaddressMalformedError as error:
        raise _invalid(f"Invalid MultiAddress: {error}") from error
    if len(parts) < 2 or parts[-2] != "p2p":
        raise AddressInvalidError("Error in parsePeerInfo: p2p part should contain /")
    if not is_peer_id(parts[-1]):
        raise AddressInvalidError("peerid: incorrect PeerId string")
    if not {"tcp", "ws", "wss"} & set(parts):
        raise AddressInvalidError("invalid multiaddress: no supported transport found")
    return NodeAddress(parts[-1], text)


def is_peer_id(text: str) -> bool:
    """Says whether a text is a peer id in base58: of a secp256k1 or Ed25519 key, or a SHA-256."""
    if len(text) > 64:
        return False
    try:
        raw = base58.decode(text)
    except Base58Error:
        return False
    return any(raw.startswith(head) and len(raw) == size for head, size in _LENGTHS.items())


def _check_names(parts: list[str]) -> None:
    at = 0
    while at < len(parts):
        name = parts[at]
        if name not in _NAMES:
            raise _invalid(f"Unsupported protocol `{name[:40]}`")
        at += 1 if name in _WITHOUT_VALUE else 2


def _invalid(reason: str) -> AddressInvalidError:
    return AddressInvalidError(f"MultiAddress.init [multiaddress: {reason}]")
