"""Multiaddresses, as far as nodes are reached at them: TCP over IP or a name.

Spec: docs/protocol/network.md, NET-3.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from logos_mixnet.core.errors import InvalidAddressError, InvalidPeerIdError
from logos_mixnet.core.identity import parse_peer_id

MAX_ADDRESS_TEXT: Final = 400

_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_NAMES: Final = frozenset({"dns", "dns4", "dns6"})
_TRANSPORT_PARTS: Final = 5
"""`/ip4/127.0.0.1/tcp/1` split at the slashes: an empty part and four more."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node is reached, and which peer must answer there."""

    transport: str
    """The multiaddress without `/p2p`."""
    peer_id: str | None = None

    def __str__(self) -> str:
        return self.transport if self.peer_id is None else f"{self.transport}/p2p/{self.peer_id}"

    @property
    def host(self) -> str:
        """The IP address or the name."""
        return self.transport.split("/")[2]

    @property
    def port(self) -> int:
        """The TCP port."""
        return int(self.transport.split("/")[4])

    @property
    def name_kind(self) -> str | None:
        """`dns`, `dns4` or `dns6` where the host is a name, else None."""
        kind = self.transport.split("/")[1]
        return kind if kind in _NAMES else None


def parse_address(text: str, *, field: str = "address") -> Address:
    """Reads `/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT[/p2p/PEER_ID]` (NET-3).

    Raises:
        InvalidAddressError: It is anything else.
    """
    parts = text.split("/")
    peer_id: str | None = None
    try:
        if len(text) > MAX_ADDRESS_TEXT:
            raise ValueError("too long")
        if len(parts) == _TRANSPORT_PARTS + 2 and parts[5] == "p2p":
            peer_id = parse_peer_id(parts[6])
            parts = parts[:_TRANSPORT_PARTS]
        _check_transport(parts)
    except (ValueError, InvalidPeerIdError) as error:
        message = f"not a TCP multiaddress: {text[:120]!r} ({error})"
        raise InvalidAddressError(message, field=field) from error
    return Address("/".join(parts), peer_id)


def transport_of(address: str) -> str | None:
    """Returns an address without `/p2p`; None where no node of ours could be dialled."""
    try:
        parsed = parse_address(address)
    except InvalidAddressError:
        return None
    return parsed.transport if parsed.port else None


def _check_transport(parts: list[str]) -> None:
    if len(parts) != _TRANSPORT_PARTS or parts[0] or parts[3] != "tcp":
        raise ValueError("expected /ip4/HOST/tcp/PORT")
    kind, host, port = parts[1], parts[2], parts[4]
    if kind == "ip4":
        ipaddress.IPv4Address(host)
    elif kind == "ip6" and "%" not in host:
        ipaddress.IPv6Address(host)
    elif kind not in _NAMES or not _NAME.fullmatch(host):
        raise ValueError("expected ip4, ip6, dns, dns4 or dns6 and a host")
    if not (port.isascii() and port.isdecimal() and int(port) <= 0xFFFF):
        raise ValueError("expected a port")
